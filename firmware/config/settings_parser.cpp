#include "firmware/config/settings_parser.h"

#include <algorithm>
#include <bitset>
#include <cinttypes>
#include <utility>

#include "firmware/config/parse_context.h"
#include "firmware/config/settings_checks.h"
#include "firmware/config/suggestion.h"

namespace sallyport::firmware {
namespace {

using Kind = ValueKind;

constexpr std::string_view domain_token = "<domain>";
using Words = BoundedList<std::string_view, 8>;

std::string_view take_line(std::string_view& text) {
  const std::size_t end = text.find('\n');
  std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

bool is_blank(char c) { return c == ' ' || c == '\t'; }
bool is_control(char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7F; }
bool is_ascii(char c) { return static_cast<unsigned char>(c) < 0x80; }

struct RawWord {
  std::string_view text;  // without quotes
  bool quoted = false;
  bool closed = true;   // false: the closing quote is missing
  std::size_t end = 0;  // behind the word, and its closing quote
};

/// The word at `begin`, which is no blank.
RawWord take_raw_word(std::string_view line, std::size_t begin) {
  RawWord word;
  word.quoted = line[begin] == '"';
  if (word.quoted) ++begin;
  std::size_t end = begin;
  while (end < line.size() && (word.quoted ? line[end] != '"' : !is_blank(line[end]))) ++end;
  word.text = line.substr(begin, end - begin);
  word.closed = !word.quoted || end < line.size();
  word.end = word.quoted && word.closed ? end + 1 : end;
  return word;
}

/// nullptr when the word may stand in `line`.
const char* why_no_word(const RawWord& word, std::string_view line) {
  if (std::any_of(word.text.begin(), word.text.end(), is_control)) return "has a control character; use printable ones";
  if (!word.closed) return "the closing quote is missing";
  if (word.quoted)
    return word.end < line.size() && !is_blank(line[word.end]) ? "text follows the closing quote; put a blank between"
                                                               : nullptr;
  if (!std::all_of(word.text.begin(), word.text.end(), is_ascii))
    return "has a non-ASCII character; only quoted text may";
  if (word.text.find('"') != std::string_view::npos) return "has a quote inside; quote the whole word";
  return nullptr;
}

/// The line's words without comment and quotes; false when it cannot be split, and the mistake is said.
bool split(ParseContext& context, std::string_view line, Words& words) {
  if (line.size() > max_line_bytes) {
    context.mistakes.add(context.line, "the line has %zu bytes; %zu are allowed", line.size(), max_line_bytes);
    return false;
  }
  for (std::size_t at = 0; at < line.size();) {
    if (is_blank(line[at])) {
      ++at;
      continue;
    }
    if (line[at] == '#') return true;
    const RawWord word = take_raw_word(line, at);
    const char* why = why_no_word(word, line);
    if (why == nullptr && !words.push(word.text)) why = "is one word too many; quote text that has blanks";
    if (why != nullptr) {
      context.mistakes.add(context.line, "\"%s\": %s", Quoted(word.text).c_str(), why);
      return false;
    }
    at = word.end;
  }
  return true;
}

/// Takes the first token off `path`.
std::string_view take_token(std::string_view& path) {
  const std::size_t end = std::min(path.find(' '), path.size());
  const std::string_view token = path.substr(0, end);
  path.remove_prefix(std::min(end + 1, path.size()));
  return token;
}

/// How an entry's path compares with the words of a line.
struct Match {
  std::size_t tokens = 0;  // of the path that match, from its start
  bool complete = false;   // the whole path does
  std::string_view next;   // else its first token that does not
};

Match match(const SettingEntry& entry, std::span<const std::string_view> words) {
  Match result;
  for (std::string_view path = entry.path; !path.empty(); ++result.tokens) {
    result.next = take_token(path);
    const bool fits =
        result.tokens < words.size() && (result.next == domain_token || result.next == words[result.tokens]);
    if (!fits) return result;
  }
  return {result.tokens, true, {}};
}

/// Tokens that may stand where the line went wrong, each once: "address, gateway, dns".
FixedString<120> list_next(std::span<const std::string_view> words, std::size_t tokens, std::string_view typed,
                           std::string_view& slip) {
  FixedString<120> list;
  std::string_view last;
  for (const SettingEntry& entry : setting_table()) {
    const Match found = match(entry, words);
    if (found.complete || found.tokens != tokens || found.next == last) continue;
    last = found.next;  // entries with a common start stand together in the table
    if (!list.empty()) static_cast<void>(list.append(", "));
    static_cast<void>(list.append(found.next == domain_token ? "DOMAIN" : found.next));
    if (is_likely_slip(typed, found.next)) slip = found.next;
  }
  return list;
}

void say_unknown(ParseContext& context, std::span<const std::string_view> words, std::size_t tokens) {
  const std::string_view typed = tokens < words.size() ? words[tokens] : std::string_view{};
  const std::string_view after = tokens == 0 ? "set" : words[tokens - 1];
  std::string_view slip;
  const FixedString<120> allowed = list_next(words.first(tokens), tokens, typed, slip);
  if (typed.empty()) {
    context.mistakes.add(context.line, "something is missing after \"%s\"; allowed: %s", Quoted(after).c_str(),
                         allowed.c_str());
  } else if (!slip.empty()) {
    context.mistakes.add(context.line, "\"%s\": not known here; did you mean \"%.*s\"? Allowed after \"%s\": %s",
                         Quoted(typed).c_str(), SALLYPORT_SV(slip), Quoted(after).c_str(), allowed.c_str());
  } else {
    context.mistakes.add(context.line, "\"%s\": not known here; allowed after \"%s\": %s", Quoted(typed).c_str(),
                         Quoted(after).c_str(), allowed.c_str());
  }
}

/// The entry whose path the line begins with, the longest if there are several; nullptr: the mistake is said.
const SettingEntry* find_entry(ParseContext& context, std::span<const std::string_view> words) {
  const SettingEntry* best = nullptr;
  std::size_t best_tokens = 0, deepest = 0;
  for (const SettingEntry& entry : setting_table()) {
    const Match found = match(entry, words);
    deepest = std::max(deepest, found.tokens);
    if (found.complete && found.tokens > best_tokens) best = &entry, best_tokens = found.tokens;
  }
  const bool takes_rest = best != nullptr && (best->value != Kind::none || best_tokens == words.size());
  if (takes_rest && best_tokens == deepest) return best;
  say_unknown(context, words, deepest);
  return nullptr;
}

/// False: a word is missing or one too many, and the mistake is said.
bool take_value(ParseContext& context, std::span<const std::string_view> words) {
  if (context.entry->value == Kind::none) return true;
  const ValueDescription& value = describe(context.entry->value);
  const std::size_t tokens = match(*context.entry, words).tokens;
  if (words.size() == tokens) {
    context.mistakes.add(context.line, "a value is missing after \"%s\"; allowed: %.*s",
                         Quoted(words[tokens - 1]).c_str(), SALLYPORT_SV(value.allowed));
    return false;
  }
  if (words.size() > tokens + 1) {
    context.mistakes.add(context.line, "\"%s\": one word too many; allowed: %.*s", Quoted(words[tokens + 1]).c_str(),
                         SALLYPORT_SV(value.allowed));
    return false;
  }
  context.word = words[tokens];
  return true;
}

/// Finds what <domain> in the path stands for. False when it is no domain, and the mistake is said.
bool take_subject(ParseContext& context, std::span<const std::string_view> words) {
  if (context.entry->path.find(domain_token) == std::string_view::npos) return true;
  context.word = words[1];
  const auto domain = normalise_domain(context, words[1]);
  if (!domain) {
    context.mistakes.add(context.line, "\"%s\": not a domain name; allowed: %.*s", Quoted(words[1]).c_str(),
                         SALLYPORT_SV(describe(Kind::domain).allowed));
    return false;
  }
  context.subject = *domain;
  return true;
}

/// What the checks of the whole need to know of the lines.
struct Seen {
  std::bitset<max_setting_entries> entries;  // of the table, whether or not the line was right
  bool addresses_sound = true;               // no address was refused
};

void parse_line(ParseContext& context, std::string_view line, Seen& seen) {
  Words words;
  if (!split(context, line, words) || words.empty()) return;
  if (words[0] != "set") {
    context.mistakes.add(context.line, "\"%s\": not known here; every line begins with \"set\", and a comment with #",
                         Quoted(words[0]).c_str());
    return;
  }
  const auto rest = std::as_const(words).view().subspan(1);
  context.entry = find_entry(context, rest);
  if (context.entry == nullptr) return;
  seen.entries.set(static_cast<std::size_t>(context.entry - setting_table().data()));
  if (!take_subject(context, rest) || !take_value(context, rest)) return;
  const Kind kind = context.entry->value;
  const bool sound = parse_value(context);
  if (!sound && (kind == Kind::address || kind == Kind::prefix)) seen.addresses_sound = false;
  // A file that is missing is filed all the same, so that its owner is not said to have none.
  if (sound || kind == Kind::certificate_file || kind == Kind::key_file) context.entry->apply(context);
}

void require(const Seen& seen, MistakeList& mistakes) {
  for (std::size_t i = 0; i < setting_table().size(); ++i) {
    const SettingEntry& entry = setting_table()[i];
    const bool per_partner = entry.path.find(domain_token) != std::string_view::npos;
    if (!entry.required || seen.entries[i] || per_partner) continue;
    const ValueDescription& value = describe(entry.value);
    mistakes.add(0, "\"set %.*s %.*s\" is missing: %.*s", SALLYPORT_SV(entry.path), SALLYPORT_SV(value.placeholder),
                 SALLYPORT_SV(entry.help));
  }
}

}  // namespace

bool parse_settings(SettingsImage& image, Settings& settings, MistakeList& mistakes) {
  settings.clear();
  Seen seen;
  const std::size_t mistakes_before = mistakes.total();
  const auto text = image.text();
  std::string_view rest(text.data(), text.size());
  for (std::uint32_t line = 1; !rest.empty(); ++line) {
    ParseContext context(image, settings, mistakes, line);
    parse_line(context, take_line(rest), seen);
  }
  require(seen, mistakes);
  if (seen.addresses_sound) check_networks(settings, mistakes);
  check_partners(settings, mistakes);
  return mistakes.total() == mistakes_before;
}

}  // namespace sallyport::firmware
