// The console as an operator's terminal sees it: what is typed, what comes back, and that neither a slow line nor a
// flood of output or input blocks it or loses anything unsaid.
#include <gmock/gmock.h>

#include <memory>
#include <random>
#include <string>

#include "firmware/console/console.h"
#include "firmware/log.h"
#include "tests/fakes/ticking_clock.h"

namespace sallyport::firmware {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class Terminal final : public hal::SerialPort {
 public:
  std::size_t read(std::span<char> into) override {
    const std::size_t count = std::min(into.size(), typed.size());
    std::copy_n(typed.begin(), count, into.begin());
    typed.erase(0, count);
    return count;
  }
  std::size_t write(std::span<const char> from) override {
    const std::size_t count = std::min(from.size(), room);
    shown.append(from.data(), count);
    everything.append(from.data(), count);
    if (room != unlimited) room -= count;
    return count;
  }
  static constexpr std::size_t unlimited = ~std::size_t{0};
  std::string typed;
  std::string shown;       // since it was last cleared
  std::string everything;  // from the start
  std::size_t room = unlimited;
};

class Rows final : public StatusSource {
 public:
  bool write_status(std::size_t& cursor, Printer& to) override {
    if (cursor == 1) return false;
    ++cursor;
    to.line("uptime %u s", 42U);
    return true;
  }
  bool write_sessions(std::size_t& cursor, Printer& to) override {
    if (cursor == sessions) return false;
    to.line("session %4zu partner%zu.example established", cursor, cursor);
    ++cursor;
    return true;
  }
  std::size_t sessions = 3;
};

class Reboots final : public RebootHandler {
 public:
  explicit Reboots(const Terminal& terminal) : terminal_(terminal) {}
  void reboot() override { ++count, shown_before = terminal_.shown; }
  int count = 0;
  std::string shown_before;

 private:
  const Terminal& terminal_;
};

/// What an 80 column terminal shows in its last line after these bytes.
std::string last_line(const std::string& bytes) {
  std::string line;
  std::size_t column = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const char c = bytes[i];
    if (c == '\r') {
      column = 0;
    } else if (c == '\n') {
      line.clear();
    } else if (c == '\b') {
      column -= column > 0 ? 1 : 0;
    } else if (c == '\x1b') {
      EXPECT_EQ(bytes.substr(i, 3), "\x1b[K");
      line.resize(std::min(line.size(), column));
      i += 2;
    } else if (c != '\a') {
      if (line.size() <= column) line.resize(column + 1, ' ');
      line[column++] = c;
      EXPECT_LE(column, 80U);
    }
  }
  return line;
}

class ConsoleTest : public testing::Test {
 protected:
  ConsoleTest() { poll(); }
  void poll(int times = 8) {
    for (int i = 0; i < times; ++i) console_.poll();
  }
  /// What the screen's last line is now.
  std::string last_line() const { return firmware::last_line(terminal_.everything); }
  /// What it is after typing `text`.
  std::string line_after(const std::string& text) {
    static_cast<void>(type(text));
    return last_line();
  }
  /// What typing `text` shows.
  std::string type(const std::string& text, int polls = 8) {
    terminal_.shown.clear();
    terminal_.typed += text;
    poll(polls);
    return terminal_.shown;
  }

  fakes::TickingClock clock_{1ms};
  Terminal terminal_;
  std::unique_ptr<LogRing> ring_ = std::make_unique<LogRing>(clock_);
  Rows rows_;
  Reboots reboots_{terminal_};
  Console console_{terminal_, *ring_, rows_, reboots_};
};

TEST_F(ConsoleTest, ShowsAPromptAndEchoes) {
  EXPECT_EQ(last_line(), "sallyport> ");
  EXPECT_EQ(type("show"), "show");
}

TEST_F(ConsoleTest, RunsCommandsAndTheirUnambiguousAbbreviations) {
  for (const char* typed : {"show status\r", "sh st\r", "  show   stat  \r", "show status\n", "show status\r\n"})
    EXPECT_THAT(type(typed), HasSubstr("\r\nuptime 42 s\r\n")) << typed;
  EXPECT_THAT(type("s se\r"), HasSubstr("session    2 partner2.example established\r\n"));
  EXPECT_EQ(last_line(), "sallyport> ");
}

TEST_F(ConsoleTest, TakesCarriageReturnWithLineFeedAsOneEnter) {
  const std::string shown = type("\r\n\r\n");
  EXPECT_EQ(std::count(shown.begin(), shown.end(), '>'), 2);
}

TEST_F(ConsoleTest, SaysWhatAnAmbiguousOrIncompleteCommandCouldBe) {
  EXPECT_THAT(type("show s\r"), HasSubstr("\"show s\": ambiguous, could be: show status, show sessions\r\n"));
  EXPECT_THAT(type("show\r"), HasSubstr("\"show\": incomplete, could be: show status, show sessions, show log\r\n"));
  EXPECT_THAT(type("show ?\r"), HasSubstr("\"show\": allowed: show status, show sessions, show log\r\n"));
}

TEST_F(ConsoleTest, RefusesWhatItDoesNotKnowAndNamesTheNearest) {
  EXPECT_THAT(type("shwo status\r"),
              HasSubstr("\"shwo\" is no command here. Nearest: show status. Type help for all.\r\n"));
  EXPECT_THAT(type("show sesions\r"), HasSubstr("Nearest: show sessions."));
  EXPECT_THAT(type("rebot\r"), HasSubstr("Nearest: reboot."));
  EXPECT_THAT(type("configure\r"), HasSubstr("\"configure\" is no command here. Nearest: "));
  EXPECT_THAT(type("show status now\r"), HasSubstr("\"now\": \"show status\" takes nothing more."));
  EXPECT_THAT(type("a b c d e f g h i j\r"), HasSubstr("Too many words"));
}

TEST_F(ConsoleTest, HelpListsEveryCommandInEightyColumns) {
  for (const char* typed : {"help\r", "?\r"}) {
    const std::string shown = type(typed);
    for (const char* command : {"show status", "show sessions", "show log [N]", "reboot [now]", "help"})
      EXPECT_THAT(shown, HasSubstr(std::string("\r\n  ") + command));
    static_cast<void>(firmware::last_line(shown));  // no line leaves the screen
  }
}

TEST_F(ConsoleTest, EditsTheLine) {
  EXPECT_EQ(line_after("shoow\b\b\x7fow status"), "sallyport> show status");
  EXPECT_EQ(line_after("\x17sessions"), "sallyport> show sessions");
  EXPECT_THAT(type("\r"), HasSubstr("session    0"));
  EXPECT_THAT(type("garbage\x15show status\r"), HasSubstr("uptime"));
  EXPECT_THAT(type("how status\x01s\r"), HasSubstr("uptime"));  // ^A
  EXPECT_THAT(type("show sttus\x1b[D\x1b[D\x1b[D"
                   "a\r"),
              HasSubstr("uptime"));                                       // Left
  EXPECT_THAT(type("show statusX\x1b[D\x1b[3~\r"), HasSubstr("uptime"));  // Delete
  EXPECT_THAT(type("show status and more\x1b[H\x06\x06\x06\x06\x06\x06\x06\x06\x06\x06\x06\x0b\r"),
              HasSubstr("uptime"));
  EXPECT_THAT(type("reboot now\x03"), EndsWith("^C\r\n\rsallyport> \x1b[K"));
  EXPECT_EQ(reboots_.count, 0);
}

TEST_F(ConsoleTest, RecallsEarlierLines) {
  static_cast<void>(type("show status\rshow sessions\r"));
  EXPECT_EQ(line_after("\x1b[A"), "sallyport> show sessions");
  EXPECT_EQ(line_after("\x1b[A"), "sallyport> show status");
  EXPECT_EQ(line_after("\x1b[A"), "sallyport> show status") << "there is no earlier one: nothing changes";
  EXPECT_EQ(line_after("\x1bOB"), "sallyport> show sessions");
  EXPECT_EQ(line_after("\x1b[B"), "sallyport> ");
  static_cast<void>(type("\x1b[A\x1b[A\r"));
  EXPECT_THAT(terminal_.shown, HasSubstr("uptime"));
}

TEST_F(ConsoleTest, KeepsALongLineWithinTheScreen) {
  std::string all;
  for (int i = 0; i < 250; ++i) all += static_cast<char>('a' + i % 26);
  const std::string line = line_after(all);
  EXPECT_THAT(line, StartsWith("sallyport> "));
  EXPECT_THAT(line, EndsWith(all.substr(220)));
  EXPECT_EQ(line_after("\x01"), "sallyport> " + all.substr(0, 68));
}

TEST_F(ConsoleTest, RefusesAnOverlongLineWhole) {
  const std::string shown = type("reboot now" + std::string(300, ' ') + "\r");
  EXPECT_THAT(shown, HasSubstr("\a"));
  EXPECT_THAT(shown, HasSubstr("more than 255 characters and was not used"));
  EXPECT_EQ(reboots_.count, 0);
  EXPECT_THAT(type("show status\r"), HasSubstr("uptime"));
}

TEST_F(ConsoleTest, IgnoresControlBytesAndBytesAboveAscii) {
  EXPECT_THAT(type(std::string("\x00\x02\x04\x07\x09\x0c\x11\x13\x1c\x1f", 10) + "show\x80\xff\xc3\xbc status\r"),
              HasSubstr("uptime"));
  EXPECT_THAT(type("\x1b[200~\x1b[1;5C\x1bXshow status\r"), HasSubstr("uptime"));
}

TEST_F(ConsoleTest, AsksBeforeItRestarts) {
  EXPECT_EQ(line_after("reboot\r"), "Restart the appliance? Type yes: ");
  EXPECT_THAT(type("y\r"), HasSubstr("Not restarted."));
  EXPECT_EQ(last_line(), "sallyport> ");
  static_cast<void>(type("reboot\r\x03"));
  EXPECT_THAT(terminal_.shown, HasSubstr("Not restarted."));
  EXPECT_EQ(reboots_.count, 0);
  static_cast<void>(type("reboot\ryes\r"));
  EXPECT_EQ(reboots_.count, 1);
}

TEST_F(ConsoleTest, RestartsAtOnceWhenToldNowAndOnlyAfterTheLastWordIsOut) {
  EXPECT_THAT(type("reboot later\r"), HasSubstr("\"later\": only"));
  terminal_.room = 0;
  terminal_.typed = "reboot now\r";
  poll();
  EXPECT_EQ(reboots_.count, 0);
  terminal_.room = Terminal::unlimited;
  console_.poll();
  EXPECT_EQ(reboots_.count, 1);
  EXPECT_THAT(reboots_.shown_before, EndsWith("Restarting.\r\n"));
}

TEST_F(ConsoleTest, PrintsALongListingWholeOverASlowLine) {
  rows_.sessions = 1016;
  terminal_.shown.clear();
  terminal_.typed = "show sessions\rshow status\r";
  for (int i = 0; i < 20'000 && terminal_.shown.find("uptime") == std::string::npos; ++i) {
    terminal_.room = 11;  // a millisecond at 115200 baud
    console_.poll();
  }
  std::string expected;
  std::array<char, 80> row{};
  for (std::size_t i = 0; i < rows_.sessions; ++i) {
    std::snprintf(row.data(), row.size(), "session %4zu partner%zu.example established\r\n", i, i);
    expected += row.data();
  }
  EXPECT_THAT(terminal_.shown, HasSubstr(expected));
  EXPECT_THAT(terminal_.shown, HasSubstr("uptime"));  // what was typed meanwhile is done afterwards
}

TEST_F(ConsoleTest, EndsAListingOnControlC) {
  rows_.sessions = 1'000'000'000;
  terminal_.typed = "show sessions\r";
  poll(3);
  EXPECT_THAT(type("reboot now\r\x03", 20), HasSubstr("^C\r\n"));
  EXPECT_EQ(last_line(), "sallyport> ");
  EXPECT_EQ(reboots_.count, 0);
  EXPECT_THAT(type("show status\r"), HasSubstr("uptime"));
}

TEST_F(ConsoleTest, PrintsEventsBetweenKeystrokesAndPutsTheLineBack) {
  static_cast<void>(type("show sta"));
  terminal_.shown.clear();
  ring_->write(LogLevel::notice, "relay", "gateway is back");
  poll();
  EXPECT_EQ(terminal_.shown.find("\r\x1b[K["), 0U);
  EXPECT_THAT(terminal_.shown, HasSubstr("notice  relay: gateway is back\r\n"));
  EXPECT_EQ(last_line(), "sallyport> show sta");
  EXPECT_THAT(type("tus\r"), HasSubstr("uptime"));
}

TEST_F(ConsoleTest, SaysHowManyEventsWereTooFastForTheLine) {
  terminal_.room = 0;
  const std::string filler(200, 'x');
  for (int i = 0; i < 1000; ++i) {
    clock_.advance(1s);
    ring_->write(LogLevel::info, "relay", std::to_string(i) + filler);
  }
  terminal_.room = Terminal::unlimited;
  poll(100);
  EXPECT_THAT(terminal_.shown, HasSubstr(" events came too fast to be shown here]\r\n"));
  EXPECT_THAT(terminal_.shown, HasSubstr("relay: 999x"));
}

TEST_F(ConsoleTest, ShowsTheLastEventsAgain) {
  for (int i = 0; i < 30; ++i) ring_->write(LogLevel::info, "relay", "event " + std::to_string(i) + ";");
  poll(100);
  EXPECT_THAT(type("show log 3\r"), HasSubstr("event 27;"));
  EXPECT_THAT(terminal_.shown, Not(HasSubstr("event 26;")));
  EXPECT_THAT(terminal_.shown, HasSubstr("event 29;"));
  EXPECT_THAT(type("show log\r", 30), HasSubstr("event 10;"));
  EXPECT_THAT(terminal_.shown, Not(HasSubstr("event 9;")));
  for (const char* wrong :
       {"show log x\r", "show log 0\r", "show log -1\r", "show log 3 4\r", "show log 99999999999999999999\r"})
    EXPECT_THAT(type(wrong), HasSubstr("not a number of events")) << wrong;
}

TEST_F(ConsoleTest, CountsOutputThatHasNoRoomInsteadOfBlocking) {
  terminal_.room = 0;
  for (int i = 0; i < 500; ++i) console_.printer().line("boot message %d %s", i, std::string(60, '.').c_str());
  terminal_.room = Terminal::unlimited;
  poll();
  EXPECT_THAT(terminal_.shown, HasSubstr("boot message 0 "));
  EXPECT_THAT(terminal_.shown, testing::ContainsRegex("\\[[0-9]+ lines of output were lost\\]\r\n\rsallyport> "));
}

TEST_F(ConsoleTest, DrainEndsWhenEverythingIsOutOrTheTimeIsUp) {
  ring_->write(LogLevel::error, "boot", "no settings");
  console_.drain(clock_, 1s);
  EXPECT_THAT(terminal_.shown, HasSubstr("boot: no settings\r\n"));
  terminal_.room = 0;
  ring_->write(LogLevel::error, "boot", "nobody listens");
  const Duration before = clock_.passed();
  console_.drain(clock_, 1s);
  EXPECT_LT(clock_.passed() - before, 2s);
}

TEST_F(ConsoleTest, AsksToBeCalledAgainWhileOutputWaits) {
  terminal_.room = 0;
  terminal_.typed = "x";
  EXPECT_TRUE(console_.poll());
  terminal_.room = Terminal::unlimited;
  static_cast<void>(console_.poll());
  EXPECT_FALSE(console_.poll());
}

// Issue 4: "random bytes, control characters and over-long lines typed into the console: no effect, no crash" (run
// under ASan).
TEST_F(ConsoleTest, SurvivesRandomInput) {
  std::mt19937 random(4);
  for (int round = 0; round < 3000; ++round) {
    for (int i = 0; i < 100; ++i)
      terminal_.typed += static_cast<char>(random() % 4 == 0 ? random() : 0x1B + random() % 64);
    terminal_.room = random() % 3 == 0 ? random() % 40 : Terminal::unlimited;
    console_.poll();
    if (terminal_.shown.size() > 1'000'000) terminal_.shown.clear();
  }
  terminal_.room = Terminal::unlimited;
  poll(2000);
  EXPECT_EQ(reboots_.count, 0);
  EXPECT_THAT(type("\x03\x03\r"
                   "show status\r"),
              HasSubstr("uptime"));
}

}  // namespace
}  // namespace sallyport::firmware
