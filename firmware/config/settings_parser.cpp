#include "firmware/config/settings_parser.h"

#include <algorithm>
#include <bitset>
#include <charconv>
#include <cinttypes>
#include <optional>
#include <utility>

#include "firmware/config/settings_checks.h"
#include "firmware/config/suggestion.h"
#include "hal/base/assert.h"
#include "xmpp/jid.h"

namespace sallyport::firmware {

/// One line while it is parsed, and its value in the one field that its kind has.
struct ParseContext {
  ParseContext(SettingsImage& from, Settings& into, MistakeList& list, std::uint32_t number_of_line)
      : image(from), settings(into), mistakes(list), line(number_of_line) {}

  SettingsImage& image;
  Settings& settings;
  MistakeList& mistakes;
  std::uint32_t line;
  const SettingEntry* entry = nullptr;

  std::string_view subject;  // the domain that <domain> in the path stands for, comparable form
  std::string_view word;     // the value as written
  std::string_view text;     // domain (comparable form), text
  net::IpPrefix prefix;
  net::IpAddress address;
  FileReference file;
  std::uint32_t number = 0;
  LogLevel level = LogLevel::info;
};

namespace {

// --- Filing checked values
// ----------------------------------------------------------------------------------------------

/// Mistakes quote what was typed, but not a kilobyte of it.
struct Quoted {
  explicit Quoted(std::string_view word) : text(word.substr(0, 48)) {
    if (word.size() > 48) static_cast<void>(text.append("..."));
  }
  const char* c_str() const { return text.c_str(); }
  FixedString<51> text;
};

void say_set_before(ParseContext& context, std::uint32_t line) {
  context.mistakes.add(context.line, "\"%s\": already set in line %" PRIu32 "; remove one of the two",
                       Quoted(context.word).c_str(), line);
}

void say_full(ParseContext& context, std::size_t capacity) {
  context.mistakes.add(context.line, "\"%s\": too many; %zu are allowed", Quoted(context.word).c_str(), capacity);
}

template <class T>
void set_once(ParseContext& context, Located<T>& place, const T& value) {
  if (place.is_set()) return say_set_before(context, place.line);
  place = {value, context.line};
}

void set_once(ParseContext& context, FileReference& place) {
  if (place.is_set()) return say_set_before(context, place.line);
  place = context.file;
}

template <class T, std::size_t N>
void add_to(ParseContext& context, BoundedList<Located<T>, N>& list, const T& value) {
  for (const auto& item : list)
    if (item.value == value) return say_set_before(context, item.line);
  if (!list.push({value, context.line})) say_full(context, N);
}

template <std::size_t N>
void add_file(ParseContext& context, BoundedList<FileReference, N>& list) {
  for (const auto& item : list)
    if (item.name == context.file.name) return say_set_before(context, item.line);
  if (!list.push(context.file)) say_full(context, N);
}

std::string_view to_text(xmpp::DomainKind kind) {
  switch (kind) {
    case xmpp::DomainKind::local: return "a local domain";
    case xmpp::DomainKind::partner: return "a partner";
    case xmpp::DomainKind::edge: return "the system name";
  }
  return "";
}

/// False when the domain already has a part to play; the mistake says which.
bool claim_domain(ParseContext& context, std::string_view name, xmpp::DomainKind kind, std::size_t index) {
  DomainTable& domains = context.settings.domains;
  if (const DomainEntry* taken = domains.entry(domains.find(name)); taken != nullptr) {
    context.mistakes.add(context.line, "\"%s\": is already %.*s (line %" PRIu32 "); a domain has one part only",
                         Quoted(name).c_str(), SALLYPORT_SV(to_text(taken->kind)), taken->line);
    return false;
  }
  // Each kind's own list has a bound, and the table has room for all of them.
  const xmpp::DomainId id = domains.insert({name, kind, static_cast<std::uint16_t>(index), context.line});
  SALLYPORT_ASSERT(id.valid());
  return true;
}

void apply_system_name(ParseContext& context) {
  auto& name = context.settings.system_name;
  if (name.is_set()) return say_set_before(context, name.line);
  if (claim_domain(context, context.text, xmpp::DomainKind::edge, 0)) name = {context.text, context.line};
}

void apply_local_domain(ParseContext& context) {
  auto& list = context.settings.local_domains;
  if (list.full()) return say_full(context, list.capacity());
  if (!claim_domain(context, context.text, xmpp::DomainKind::local, list.size())) return;
  static_cast<void>(list.push({context.text, context.line}));
}

/// The partner that the line is about, new when it is the first line about it. nullptr: the mistake is said.
Partner* subject_partner(ParseContext& context) {
  auto& partners = context.settings.partners;
  const DomainTable& domains = context.settings.domains;
  const DomainEntry* known = domains.entry(domains.find(context.subject));
  if (known != nullptr && known->kind == xmpp::DomainKind::partner) return &partners[known->index];
  if (partners.full()) {
    context.mistakes.add(context.line, "\"%s\": too many partners; %zu are allowed", Quoted(context.subject).c_str(),
                         partners.capacity());
    return nullptr;
  }
  if (!claim_domain(context, context.subject, xmpp::DomainKind::partner, partners.size())) return nullptr;
  Partner partner;
  partner.domain = context.subject;
  partner.line = context.line;
  static_cast<void>(partners.push(partner));
  return &partners[partners.size() - 1];
}

void apply_partner_trust(ParseContext& context) {
  if (Partner* partner = subject_partner(context)) add_file(context, partner->trust);
}

void apply_partner_description(ParseContext& context) {
  if (Partner* partner = subject_partner(context)) set_once(context, partner->description, context.text);
}

template <SideSettings& (*side)(Settings&)>
struct Side {
  static void address(ParseContext& context) {
    set_once(context, side(context.settings).address[index_of(context.prefix.address.family())], context.prefix);
  }
  static void gateway(ParseContext& context) {
    set_once(context, side(context.settings).gateway[index_of(context.address.family())], context.address);
  }
  static void dns(ParseContext& context) { add_to(context, side(context.settings).dns, context.address); }
  static void certificate(ParseContext& context) { set_once(context, side(context.settings).certificate); }
  static void key(ParseContext& context) { set_once(context, side(context.settings).key); }
};

SideSettings& external_side(Settings& settings) { return settings.external; }
SideSettings& internal_side(Settings& settings) { return settings.internal; }
using External = Side<external_side>;
using Internal = Side<internal_side>;

// --- The table
// ----------------------------------------------------------------------------------------------------------

using Kind = ValueKind;

constexpr std::array setting_entries{
    SettingEntry{
        "system name", Kind::domain, "once", true, "",
        "The appliance's own name, as its certificates carry it; gateways in trunk mode open their stream to it.",
        apply_system_name},
    SettingEntry{"external address", Kind::prefix, "once per family", true, "",
                 "Address and network of the interface towards the internet; partners reach it on TCP port 5269.",
                 External::address},
    SettingEntry{"external gateway", Kind::address, "once per family", false, "",
                 "The router to the internet: a neighbour in the external network, or a link-local IPv6 address.",
                 External::gateway},
    SettingEntry{"external dns", Kind::address, "up to 3 times", true, "",
                 "DNS server that finds the partners' servers; asked in the order of the lines.", External::dns},
    SettingEntry{"external certificate", Kind::certificate_file, "once", true, "",
                 "Certificate shown to partners, then its intermediate CAs: it carries every local domain in its "
                 "subjectAltName.",
                 External::certificate},
    SettingEntry{"external key", Kind::key_file, "once", true, "", "Private key of the external certificate.",
                 External::key},
    SettingEntry{"internal address", Kind::prefix, "once per family", true, "",
                 "Address and network of the interface towards the organisation; gateways reach it on TCP port 23456.",
                 Internal::address},
    SettingEntry{"internal gateway", Kind::address, "once per family", false, "",
                 "The router towards the gateways, when they are not in the internal network itself.",
                 Internal::gateway},
    SettingEntry{"internal dns", Kind::address, "up to 3 times", false, "", "DNS server of the organisation.",
                 Internal::dns},
    SettingEntry{"internal certificate", Kind::certificate_file, "once", true, "",
                 "Certificate shown to gateways, then its intermediate CAs: it carries the system name.",
                 Internal::certificate},
    SettingEntry{"internal key", Kind::key_file, "once", true, "", "Private key of the internal certificate.",
                 Internal::key},
    SettingEntry{"internal trust", Kind::certificate_file, "up to 4 times", true, "",
                 "CA certificates that a gateway's certificate must lead to.",
                 [](ParseContext& context) { add_file(context, context.settings.internal.trust); }},
    SettingEntry{"internal admit", Kind::domain, "up to 16 times", true, "",
                 "A name that a gateway's certificate must carry to be let in; one of them is enough.",
                 [](ParseContext& context) { add_to(context, context.settings.internal.admit, context.text); }},
    SettingEntry{"local-domain", Kind::domain, "up to 16 times", true, "",
                 "An XMPP domain of the organisation: what partners write to.", apply_local_domain},
    SettingEntry{"partner <domain>", Kind::none, "up to 1000 partners", false, "",
                 "A domain to federate with. Partners that are not named are refused.",
                 [](ParseContext& context) { static_cast<void>(subject_partner(context)); }},
    SettingEntry{"partner <domain> trust", Kind::certificate_file, "up to 4 times per partner", true, "",
                 "CA certificates that this partner's certificate must lead to.", apply_partner_trust},
    SettingEntry{"partner <domain> description", Kind::text, "once per partner", false, "",
                 "A note for people; the appliance only shows it.", apply_partner_description},
    SettingEntry{"relay gateway-wait", Kind::seconds, "once", false, "30",
                 "How long a stanza from a partner waits for a gateway's stream before it is answered with an error.",
                 [](ParseContext& context) {
                   set_once(context, context.settings.gateway_wait, std::chrono::seconds(context.number));
                 }},
    SettingEntry{"log level", Kind::log_level, "once", false, "info",
                 "The least important events that are still logged.",
                 [](ParseContext& context) { set_once(context, context.settings.log_level, context.level); }},
};

constexpr std::array<ValueDescription, 9> value_descriptions{{
    {"", ""},
    {"DOMAIN", "a domain name such as corp.example; an internationalised one in its xn-- form"},
    {"ADDRESS/LENGTH", "an address with its prefix length, such as 203.0.113.10/24 or 2001:db8::10/64"},
    {"ADDRESS", "an IPv4 or IPv6 address, such as 203.0.113.1 or 2001:db8::1"},
    {"FILE.pem", "a file with certificates in PEM form, beside settings.conf when the card is made"},
    {"FILE.pem", "a file with a private key in PEM form, not encrypted, beside settings.conf when the card is made"},
    {"TEXT", "up to 120 bytes; in double quotes when it has blanks"},
    {"SECONDS", "a whole number from 1 to 600"},
    {"LEVEL", "error, warning, notice, info or debug"},
}};

// --- Values
// -------------------------------------------------------------------------------------------------------------

bool refuse(ParseContext& context, const char* why) {
  context.mistakes.add(context.line, "\"%s\": %s; allowed: %.*s", Quoted(context.word).c_str(), why,
                       SALLYPORT_SV(describe(context.entry->value).allowed));
  return false;
}

/// The domain in its comparable form, written back over `word` in the image; nullopt when it is none.
std::optional<std::string_view> normalise_domain(ParseContext& context, std::string_view word) {
  const auto domain = xmpp::Domain::parse(word);
  // Names are looked up in the DNS and compared with certificates: an address literal is neither.
  if (!domain || word.starts_with('[') || net::IpAddress::parse(domain->view())) return std::nullopt;
  const auto text = context.image.text();
  const auto offset = static_cast<std::size_t>(word.data() - text.data());
  const std::string_view normal = domain->view();
  SALLYPORT_ASSERT(normal.size() <= word.size() && offset + normal.size() <= text.size());
  std::copy(normal.begin(), normal.end(), text.begin() + static_cast<std::ptrdiff_t>(offset));
  return std::string_view(text.data() + offset, normal.size());
}

const char* why_not_usable(const net::IpAddress& address) {
  if (address.is_unspecified()) return "the unspecified address is nobody's";
  if (address.is_loopback()) return "a loopback address never leaves a host";
  if (address.is_multicast()) return "a multicast address is no host's";
  return nullptr;
}

/// The all-zeros and all-ones host of an IPv4 network (RFC 1122 3.2.1.3). Point-to-point networks have none (RFC 3021).
bool is_network_or_broadcast(const net::IpPrefix& prefix) {
  if (prefix.address.family() == net::IpFamily::v6 || prefix.length >= 31) return false;
  std::uint32_t value = 0;
  for (const std::uint8_t byte : prefix.address.bytes()) value = value << 8 | byte;
  const std::uint32_t host_mask = 0xFFFFFFFFU >> prefix.length;
  return (value & host_mask) == 0 || (value & host_mask) == host_mask;
}

bool parse_prefix(ParseContext& context) {
  const auto prefix = net::IpPrefix::parse(context.word);
  if (!prefix) return refuse(context, "not an address with a prefix length");
  if (prefix->length == 0) return refuse(context, "a prefix length of 0 would be the whole internet");
  if (const char* why = why_not_usable(prefix->address)) return refuse(context, why);
  if (prefix->address.is_link_local()) return refuse(context, "a link-local address cannot be set");
  if (is_network_or_broadcast(*prefix))
    return refuse(context, "this is the network's or its broadcast address, not a host's");
  context.prefix = *prefix;
  return true;
}

bool parse_address(ParseContext& context) {
  const auto address = net::IpAddress::parse(context.word);
  if (!address) return refuse(context, "not an address");
  if (const char* why = why_not_usable(*address)) return refuse(context, why);
  context.address = *address;
  return true;
}

bool parse_domain(ParseContext& context) {
  const auto domain = normalise_domain(context, context.word);
  if (!domain) return refuse(context, "not a domain name");
  context.text = *domain;
  return true;
}

bool parse_file(ParseContext& context) {
  context.file = {context.word, {}, context.line};
  const auto file = context.image.find(context.word);
  if (!file) return refuse(context, "no such file on the card");
  context.file.pem = file->content;
  if (context.entry->value == Kind::certificate_file) {
    if (file->content.find("-----BEGIN CERTIFICATE-----") != std::string_view::npos) return true;
    return refuse(context, "there is no certificate in the file");
  }
  if (file->content.find("-----BEGIN ENCRYPTED PRIVATE KEY-----") != std::string_view::npos ||
      file->content.find("Proc-Type: 4,ENCRYPTED") != std::string_view::npos)
    return refuse(context, "the key is encrypted, and nobody is there to type its passphrase");
  if (file->content.find("PRIVATE KEY-----") != std::string_view::npos) return true;
  return refuse(context, "there is no private key in the file");
}

bool parse_text(ParseContext& context) {
  if (context.word.size() > max_description_bytes) return refuse(context, "too long");
  context.text = context.word;
  return true;
}

bool parse_seconds(ParseContext& context) {
  const char* end = context.word.data() + context.word.size();
  const auto [stop, error] = std::from_chars(context.word.data(), end, context.number);
  if (error != std::errc{} || stop != end) return refuse(context, "not a number");
  const std::chrono::seconds value(context.number);
  if (value < min_gateway_wait || value > max_gateway_wait) return refuse(context, "out of range");
  return true;
}

bool parse_level(ParseContext& context) {
  constexpr std::array<std::pair<std::string_view, LogLevel>, 5> levels{{{"error", LogLevel::error},
                                                                         {"warning", LogLevel::warning},
                                                                         {"notice", LogLevel::notice},
                                                                         {"info", LogLevel::info},
                                                                         {"debug", LogLevel::debug}}};
  const auto found =
      std::find_if(levels.begin(), levels.end(), [&](const auto& level) { return level.first == context.word; });
  if (found == levels.end()) return refuse(context, "not a level");
  context.level = found->second;
  return true;
}

/// False when the value is refused; the mistake is said.
bool parse_value(ParseContext& context) {
  switch (context.entry->value) {
    case Kind::none: return true;
    case Kind::domain: return parse_domain(context);
    case Kind::prefix: return parse_prefix(context);
    case Kind::address: return parse_address(context);
    case Kind::certificate_file:
    case Kind::key_file: return parse_file(context);
    case Kind::text: return parse_text(context);
    case Kind::seconds: return parse_seconds(context);
    case Kind::log_level: return parse_level(context);
  }
  return false;
}

// --- Lines
// --------------------------------------------------------------------------------------------------------------

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
    const bool quoted = line[at] == '"';
    const std::size_t begin = quoted ? at + 1 : at;
    std::size_t end = begin;
    while (end < line.size() && (quoted ? line[end] != '"' : !is_blank(line[end]))) ++end;
    const std::string_view word = line.substr(begin, end - begin);
    const char* why = nullptr;
    if (std::any_of(word.begin(), word.end(), is_control))
      why = "has a control character; use printable ones";
    else if (!quoted && !std::all_of(word.begin(), word.end(), is_ascii))
      why = "has a non-ASCII character; only quoted text may";
    else if (!quoted && word.find('"') != std::string_view::npos)
      why = "has a quote inside; quote the whole word";
    else if (quoted && end == line.size())
      why = "the closing quote is missing";
    else if (quoted && end + 1 < line.size() && !is_blank(line[end + 1]))
      why = "text follows the closing quote; put a blank between";
    else if (!words.push(word))
      why = "is one word too many; quote text that has blanks";
    if (why != nullptr) {
      context.mistakes.add(context.line, "\"%s\": %s", Quoted(word).c_str(), why);
      return false;
    }
    at = quoted ? end + 1 : end;
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
  for (const SettingEntry& entry : setting_entries) {
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
  for (const SettingEntry& entry : setting_entries) {
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

using Attempted = std::bitset<setting_entries.size()>;

void parse_line(ParseContext& context, std::string_view line, Attempted& attempted) {
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
  attempted.set(static_cast<std::size_t>(context.entry - setting_entries.data()));
  if (!take_subject(context, rest) || !take_value(context, rest)) return;
  // A file that is missing is filed all the same, so that its owner is not said to have none.
  const bool is_file = context.entry->value == Kind::certificate_file || context.entry->value == Kind::key_file;
  if (parse_value(context) || is_file) context.entry->apply(context);
}

void require(const Attempted& attempted, MistakeList& mistakes) {
  for (std::size_t i = 0; i < setting_entries.size(); ++i) {
    const SettingEntry& entry = setting_entries[i];
    const bool per_partner = entry.path.find(domain_token) != std::string_view::npos;
    if (!entry.required || attempted[i] || per_partner) continue;
    const ValueDescription& value = describe(entry.value);
    mistakes.add(0, "\"set %.*s %.*s\" is missing: %.*s", SALLYPORT_SV(entry.path), SALLYPORT_SV(value.placeholder),
                 SALLYPORT_SV(entry.help));
  }
}

}  // namespace

std::span<const SettingEntry> setting_table() { return setting_entries; }

const ValueDescription& describe(ValueKind kind) { return value_descriptions[static_cast<std::size_t>(kind)]; }

bool parse_settings(SettingsImage& image, Settings& settings, MistakeList& mistakes) {
  settings.clear();
  Attempted attempted;
  const std::size_t mistakes_before = mistakes.total();
  const auto text = image.text();
  std::string_view rest(text.data(), text.size());
  for (std::uint32_t line = 1; !rest.empty(); ++line) {
    ParseContext context(image, settings, mistakes, line);
    parse_line(context, take_line(rest), attempted);
  }
  require(attempted, mistakes);
  check_settings(settings, mistakes);
  return mistakes.total() == mistakes_before;
}

}  // namespace sallyport::firmware
