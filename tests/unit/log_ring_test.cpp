// The log: what stays, what gives way, what is folded and what is held back, and that nothing a peer sends reaches the
// terminal raw.
#include <gmock/gmock.h>

#include <memory>
#include <string>
#include <vector>

#include "firmware/log.h"
#include "firmware/printable.h"
#include "tests/fakes/manual_clock.h"

namespace sallyport::firmware {
namespace {

using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;

class LogRingTest : public testing::Test {
 protected:
  void say(std::string_view text, LogLevel level = LogLevel::info, std::string_view module = "net/tls") {
    ring_->write(level, module, text);
  }
  std::vector<std::string> texts(LogRing::Cursor cursor = {}) {
    std::vector<std::string> result;
    lost_ = 0;
    std::uint64_t lost = 0;
    while (const auto entry = ring_->read(cursor, lost)) {
      lost_ += lost;
      result.emplace_back(entry->text.view());
    }
    return result;
  }

  fakes::ManualClock clock_;
  std::unique_ptr<LogRing> ring_ = std::make_unique<LogRing>(clock_);
  std::uint64_t lost_ = 0;
};

TEST_F(LogRingTest, KeepsEventsInOrderWithTimeLevelAndModule) {
  clock_.advance(11'345'678us);
  say("first", LogLevel::warning);
  clock_.advance(7'654'322us);
  say("second", LogLevel::error, "store");
  LogRing::Cursor cursor;
  std::uint64_t lost = 0;
  EXPECT_EQ(to_line(*ring_->read(cursor, lost)), "[   12.345678] warning net/tls: first");
  EXPECT_FALSE(ring_->at_end(cursor));
  EXPECT_EQ(to_line(*ring_->read(cursor, lost)), "[   20.000000] error   store: second");
  EXPECT_TRUE(ring_->at_end(cursor));
  EXPECT_FALSE(ring_->read(cursor, lost));
  say("third");
  EXPECT_EQ(ring_->read(cursor, lost)->text, "third");
}

TEST_F(LogRingTest, DropsTheOldestAndCountsWhatAReaderMissed) {
  const std::string filler(200, 'x');
  std::size_t written = 0;
  for (; written < 2000; ++written) {
    clock_.advance(1s);
    say(std::to_string(written) + filler);
  }
  const auto kept = texts();
  EXPECT_LT(kept.size(), 350U);
  EXPECT_GT(kept.size(), 250U);
  EXPECT_EQ(lost_, written - kept.size());
  EXPECT_EQ(kept.back(), std::to_string(written - 1) + filler);
  EXPECT_EQ(kept.front(), std::to_string(written - kept.size()) + filler);
  EXPECT_EQ(ring_->size(), kept.size());
}

TEST_F(LogRingTest, GivesTheLastEntries) {
  for (int i = 0; i < 10; ++i) say(std::to_string(i));
  EXPECT_THAT(texts(ring_->last(3)), ElementsAre("7", "8", "9"));
  EXPECT_EQ(texts(ring_->last(100)).size(), 10U);
  EXPECT_THAT(texts(ring_->last(0)), IsEmpty());
}

TEST_F(LogRingTest, LeavesOutWhatIsLessImportantThanTheLevel) {
  say("hidden", LogLevel::debug);
  ring_->set_level(LogLevel::warning);
  say("hidden too", LogLevel::notice);
  say("shown", LogLevel::warning);
  EXPECT_THAT(texts(), ElementsAre("shown"));
}

TEST_F(LogRingTest, FoldsAnEventThatRepeats) {
  for (int i = 0; i < 500; ++i) say("no route");
  EXPECT_THAT(texts(), ElementsAre("no route"));
  clock_.advance(LogRing::fold_window);
  ring_->settle();
  EXPECT_THAT(texts(), ElementsAre("no route", "repeated 499 times: no route"));
  say("no route");
  EXPECT_EQ(texts().size(), 3U);
}

TEST_F(LogRingTest, SaysTheCountBeforeTheModulesNextEvent) {
  say("no route");
  say("no route");
  say("other module", LogLevel::info, "dns");
  say("route is back");
  EXPECT_THAT(texts(), ElementsAre("no route", "other module", "repeated 1 times: no route", "route is back"));
}

TEST_F(LogRingTest, HoldsAModuleToItsRateAndSaysHowMuchIsMissing) {
  for (int i = 0; i < 200; ++i) say("flood " + std::to_string(i));
  say("quiet neighbour", LogLevel::info, "dns");
  EXPECT_EQ(texts().size(), LogRing::burst + 1);
  EXPECT_EQ(texts().back(), "quiet neighbour");
  clock_.advance(50ms);  // one line's worth
  say("flood goes on");
  const auto all = texts();
  EXPECT_EQ(all[all.size() - 2], "100 lines suppressed (more than 20 a second)");
  EXPECT_EQ(all.back(), "flood goes on");
}

TEST_F(LogRingTest, SaysWhatWasSuppressedWhenTheModuleFallsSilent) {
  for (int i = 0; i < 110; ++i) say("flood " + std::to_string(i));
  clock_.advance(5s);
  ring_->settle();
  EXPECT_EQ(texts().back(), "10 lines suppressed (more than 20 a second)");
  clock_.advance(5s);
  ring_->settle();
  EXPECT_EQ(texts().size(), LogRing::burst + 1);
}

TEST_F(LogRingTest, SharesOneAllowanceAmongModulesBeyondItsTable) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < 2 * LogRing::max_modules; ++i) names.push_back("module" + std::to_string(i));
  for (const auto& name : names) say("hello from " + name, LogLevel::info, name);
  EXPECT_EQ(texts().size(), names.size());
  for (int i = 0; i < 200; ++i) say("flood " + std::to_string(i), LogLevel::info, names.back());
  EXPECT_EQ(texts().size(), LogRing::max_modules - 1 + LogRing::burst);
  say("hello again", LogLevel::info, names.front());
  EXPECT_EQ(texts().back(), "hello again");
}

TEST_F(LogRingTest, EscapesWhatCouldDriveATerminal) {
  say("to=\x1b[2Jevil\r\nsallyport> \x7f\xe2\x80\xae");
  EXPECT_THAT(texts(), ElementsAre("to=\\x1b[2Jevil\\x0d\\x0asallyport> \\x7f\\xe2\\x80\\xae"));
}

TEST_F(LogRingTest, CutsALongLineAndShowsThatItDid) {
  say(std::string(1000, 'y'));
  EXPECT_EQ(texts()[0].size(), max_log_line);
  EXPECT_THAT(texts()[0], EndsWith("yyy..."));
}

TEST(Printable, NeverCutsAnEscapeInTheMiddle) {
  FixedString<10> text;
  append_printable(text, "abcd\x01\x02");
  EXPECT_EQ(text, "abcd...");
  FixedString<10> exact;
  append_printable(exact, "abcdef\x01");
  EXPECT_EQ(exact, "abcdef\\x01");
}

}  // namespace
}  // namespace sallyport::firmware
