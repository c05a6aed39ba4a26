#include "firmware/console/console.h"

#include <algorithm>
#include <charconv>
#include <cinttypes>
#include <cstring>
#include <utility>

#include "firmware/config/suggestion.h"

namespace sallyport::firmware {
namespace {

constexpr std::string_view command_prompt = "sallyport> ";
constexpr std::string_view reboot_prompt = "Restart the appliance? Type yes: ";
constexpr char interrupt = 0x03;  // ^C
constexpr std::size_t default_log_entries = 20;
constexpr std::size_t max_commands = 16;
/// Of one poll(), so that a terminal cannot hold the loop up.
constexpr std::size_t max_steps = 16;

/// Takes the first word off `text`; empty at its end.
std::string_view take_word(std::string_view& text) {
  const std::size_t begin = std::min(text.find_first_not_of(' '), text.size());
  text.remove_prefix(begin);
  const std::size_t end = std::min(text.find(' '), text.size());
  const std::string_view word = text.substr(0, end);
  text.remove_prefix(end);
  return word;
}

/// The word of `words` at `index`; empty when there are fewer.
std::string_view word_at(std::string_view words, std::size_t index) {
  std::string_view word = take_word(words);
  for (; index > 0; --index) word = take_word(words);
  return word;
}

std::size_t count_words(std::string_view words) {
  std::size_t count = 0;
  while (!take_word(words).empty()) ++count;
  return count;
}

}  // namespace

Console::Console(hal::SerialPort& port, LogRing& log, StatusSource& status, RebootHandler& reboot)
    : port_(port), log_(log), status_(status), reboot_(reboot) {
  editor_.set_prompt(command_prompt);
}

bool Console::poll() {
  output_.flush_to(port_);
  if (mode_ == Mode::rebooting) {
    if (!output_.empty()) return true;
    mode_ = Mode::command;
    reboot_.reboot();
  }
  log_.settle();
  read_port();
  say_lost_output();
  run_listing();
  print_log();
  take_input();
  show_prompt();
  output_.flush_to(port_);
  return !output_.empty() || listing_ != Listing::none || mode_ == Mode::rebooting;
}

void Console::drain(const hal::MonotonicClock& clock, Duration limit) {
  const Instant end = clock.now() + limit;
  do {
    print_log();
    output_.flush_to(port_);
  } while ((!output_.empty() || !log_.at_end(shown_log_)) && clock.now() < end);
}

// ^C is looked for here and not when its turn comes: it ends the very listing that keeps input waiting.
void Console::read_port() {
  if (input_taken_ > 0) {
    std::memmove(input_.data(), input_.data() + input_taken_, input_count_ - input_taken_);
    input_count_ -= input_taken_;
    input_taken_ = 0;
  }
  const std::size_t count = port_.read(std::span(input_).subspan(input_count_));
  const auto fresh = std::span(input_).subspan(input_count_, count);
  input_count_ += count;
  if (listing_ == Listing::none || std::find(fresh.begin(), fresh.end(), interrupt) == fresh.end()) return;
  listing_ = Listing::none;
  input_count_ = 0;
  printer_.line("^C");
}

void Console::say_lost_output() {
  if (!output_.has_lost_lines() || !has_room(2)) return;
  hide_prompt();
  printer_.line("[%" PRIu32 " lines of output were lost]", output_.take_lost_lines());
}

// New events, between the operator's keystrokes but not within a listing.
void Console::print_log() {
  for (std::size_t step = 0; step < max_steps && listing_ == Listing::none && has_room(2); ++step) {
    std::uint64_t lost = 0;
    const auto entry = log_.read(shown_log_, lost);
    if (!entry) return;
    hide_prompt();
    if (lost > 0) printer_.line("[%" PRIu64 " events came too fast to be shown here]", lost);
    printer_.text(to_line(*entry));
  }
}

void Console::run_listing() {
  for (std::size_t step = 0; step < max_steps && listing_ != Listing::none && has_room(max_step_lines); ++step)
    if (!step_listing()) listing_ = Listing::none;
}

/// False when the listing is at its end.
bool Console::step_listing() {
  switch (listing_) {
    case Listing::none: return false;
    case Listing::status: return status_.write_status(listing_cursor_, printer_);
    case Listing::sessions: return status_.write_sessions(listing_cursor_, printer_);
    case Listing::help: {
      if (listing_cursor_ == commands().size()) return false;
      const Command& command = commands()[listing_cursor_++];
      FixedString<40> usage(command.words);
      if (!command.arguments.empty()) static_cast<void>(usage.append(" "));
      static_cast<void>(usage.append(command.arguments));
      printer_.line("  %-18s %.*s", usage.c_str(), SALLYPORT_SV(command.help));
      return true;
    }
    case Listing::log: {
      std::uint64_t lost = 0;
      if (log_cursor_.sequence >= log_end_) return false;
      const auto entry = log_.read(log_cursor_, lost);
      if (!entry) return false;
      printer_.text(to_line(*entry));
      return true;
    }
  }
  return false;
}

void Console::take_input() {
  while (listing_ == Listing::none && mode_ != Mode::rebooting && input_taken_ < input_count_ &&
         has_room(max_step_lines)) {
    show_prompt();
    handle(editor_.feed(input_[input_taken_++]));
  }
}

void Console::handle(LineEditor::Event event) {
  if (event == LineEditor::Event::none) return;
  prompt_shown_ = false;
  const FixedString<LineEditor::max_line> line(editor_.line());
  editor_.start();
  if (event == LineEditor::Event::too_long) {
    printer_.line("The line has more than %zu characters and was not used.", LineEditor::max_line);
  } else if (mode_ == Mode::confirm_reboot) {
    confirm_reboot(event == LineEditor::Event::line ? line.view() : std::string_view{});
  } else if (event == LineEditor::Event::line) {
    run_line(line);
  }
}

void Console::run_line(std::string_view line) {
  Words words;
  std::string_view rest = line;
  for (std::string_view word = take_word(rest); !word.empty(); word = take_word(rest)) {
    if (words.push(word)) continue;
    printer_.line("Too many words; no command takes as many. Type help for the list of commands.");
    return;
  }
  if (words.empty()) return;
  editor_.remember(line);
  if (words.size() == 1 && words[0] == "?") return help({});
  const Command* command = find_command(words);
  if (command == nullptr) return;
  const Arguments arguments = std::as_const(words).view().subspan(count_words(command->words));
  if (!arguments.empty() && command->arguments.empty()) {
    printer_.line("\"%.*s\": \"%.*s\" takes nothing more.", SALLYPORT_SV(arguments[0]), SALLYPORT_SV(command->words));
    return;
  }
  (this->*command->run)(arguments);
}

void Console::confirm_reboot(std::string_view answer) {
  mode_ = Mode::command;
  editor_.set_prompt(command_prompt);
  if (answer == "yes") return reboot(std::array<std::string_view, 1>{"now"});
  printer_.line("Not restarted.");
}

std::span<const Console::Command> Console::commands() {
  static constexpr std::array all{
      Command{"show status", "", "One screen: links, clock, storage, streams, memory", &Console::show_status},
      Command{"show sessions", "", "Every stream, partners' and gateways'", &Console::show_sessions},
      Command{"show log", "[N]", "The last N events (20)", &Console::show_log},
      Command{"reboot", "[now]", "Restart; asks first, unless told now", &Console::reboot},
      Command{"help", "", "This list; ? does the same", &Console::help},
  };
  static_assert(all.size() <= max_commands);
  return all;
}

// Word by word: a whole word counts before an abbreviation, and an abbreviation only when it leaves one word. nullptr:
// what was typed is not one command, and it has been said why.
const Console::Command* Console::find_command(const Words& words) {
  BoundedList<const Command*, max_commands> candidates;
  for (const Command& command : commands()) static_cast<void>(candidates.push(&command));

  for (std::size_t i = 0; i < words.size(); ++i) {
    // A command that is complete takes the remaining words as arguments.
    if (candidates.size() == 1 && count_words(candidates[0]->words) == i) return candidates[0];
    if (words[i] == "?") return say_choices(words.view().first(i), candidates.view(), "allowed"), nullptr;
    const auto keep = [&](auto&& fits) {
      BoundedList<const Command*, max_commands> kept;
      for (const Command* command : candidates)
        if (fits(word_at(command->words, i))) static_cast<void>(kept.push(command));
      return kept;
    };
    auto kept = keep([&](std::string_view word) { return word == words[i]; });
    if (kept.empty()) kept = keep([&](std::string_view word) { return word.starts_with(words[i]); });
    if (kept.empty()) return refuse_unknown(words), nullptr;
    const std::string_view first = word_at(kept[0]->words, i);
    const bool one_word =
        std::all_of(kept.begin(), kept.end(), [&](const Command* c) { return word_at(c->words, i) == first; });
    if (!one_word) return say_choices(words.view().first(i + 1), kept.view(), "ambiguous, could be"), nullptr;
    candidates = kept;
  }
  if (candidates.size() == 1 && count_words(candidates[0]->words) == words.size()) return candidates[0];
  return say_choices(words.view(), candidates.view(), "incomplete, could be"), nullptr;
}

void Console::say_choices(Arguments words, std::span<const Command* const> candidates, const char* what) {
  FixedString<80> typed;
  for (const std::string_view word : words) {
    if (!typed.empty()) static_cast<void>(typed.append(" "));
    static_cast<void>(typed.append(word));
  }
  FixedString<120> list;
  for (const Command* command : candidates) {
    if (!list.empty()) static_cast<void>(list.append(", "));
    static_cast<void>(list.append(command->words));
  }
  printer_.line("\"%s\": %s: %s", typed.c_str(), what, list.c_str());
}

void Console::refuse_unknown(const Words& words) {
  // How far each command is from what was typed, over the words that both have.
  const auto distance_of = [&](const Command& command) {
    std::size_t distance = 0;
    for (std::size_t i = 0; i < count_words(command.words); ++i) {
      const std::string_view typed = i < words.size() ? words[i] : std::string_view{};
      const std::string_view word = word_at(command.words, i);
      distance += word.starts_with(typed) ? 0 : edit_distance(typed, word);
    }
    return distance;
  };
  std::size_t nearest = LineEditor::max_line;
  for (const Command& command : commands()) nearest = std::min(nearest, distance_of(command));
  FixedString<80> list;
  for (const Command& command : commands()) {
    if (distance_of(command) != nearest) continue;
    if (!list.empty()) static_cast<void>(list.append(", "));
    static_cast<void>(list.append(command.words));
  }
  printer_.line("\"%.*s\" is no command here. Nearest: %s. Type help for all.",
                static_cast<int>(std::min<std::size_t>(words[0].size(), 24)), words[0].data(), list.c_str());
}

void Console::show_log(Arguments arguments) {
  std::size_t count = default_log_entries;
  if (!arguments.empty()) {
    const char* end = arguments[0].data() + arguments[0].size();
    const auto [stop, error] = std::from_chars(arguments[0].data(), end, count);
    if (error != std::errc{} || stop != end || count == 0 || arguments.size() > 1) {
      printer_.line("\"%.*s\": not a number of events; write such as: show log 50", SALLYPORT_SV(arguments[0]));
      return;
    }
  }
  log_cursor_ = log_.last(count);
  log_end_ = log_cursor_.sequence + std::min(count, log_.size());
  start_listing(Listing::log);
}

void Console::reboot(Arguments arguments) {
  if (arguments.empty()) {
    mode_ = Mode::confirm_reboot;
    editor_.set_prompt(reboot_prompt);
    return;
  }
  if (arguments.size() > 1 || arguments[0] != "now") {
    printer_.line("\"%.*s\": only \"reboot\" and \"reboot now\" are known.", SALLYPORT_SV(arguments[0]));
    return;
  }
  printer_.line("Restarting.");
  mode_ = Mode::rebooting;
}

void Console::start_listing(Listing listing) {
  listing_ = listing;
  listing_cursor_ = 0;
}

void Console::show_prompt() {
  if (prompt_shown_ || listing_ != Listing::none || mode_ == Mode::rebooting || !has_room(1)) return;
  if (!log_.at_end(shown_log_)) return;
  editor_.draw();
  prompt_shown_ = true;
}

void Console::hide_prompt() {
  if (prompt_shown_) editor_.erase();
  prompt_shown_ = false;
}

bool Console::has_room(std::size_t lines) const { return output_.room() >= lines * (Printer::max_line + 2); }

}  // namespace sallyport::firmware
