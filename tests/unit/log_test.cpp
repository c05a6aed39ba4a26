#include "hal/base/log.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace sallyport {
namespace {

class LogTest : public testing::Test, public LogSink {
 protected:
  LogTest() { set_log_sink(this); }
  ~LogTest() override { set_log_sink(nullptr); }

  void write(LogLevel level, std::string_view module, std::string_view message) override {
    level_ = level;
    module_ = module;
    lines_.emplace_back(message);
  }

  LogLevel level_ = LogLevel::debug;
  std::string module_;
  std::vector<std::string> lines_;
};

TEST_F(LogTest, HandsLevelModuleAndFormattedTextToTheSink) {
  const std::string_view domain = "partner.example";
  log(LogLevel::warning, "xmpp", "stream from %.*s refused (%d)", SALLYPORT_SV(domain), 7);
  ASSERT_EQ(lines_.size(), 1U);
  EXPECT_EQ(level_, LogLevel::warning);
  EXPECT_EQ(module_, "xmpp");
  EXPECT_EQ(lines_[0], "stream from partner.example refused (7)");
}

TEST_F(LogTest, DiscardsWithoutASink) {
  set_log_sink(nullptr);
  log(LogLevel::error, "xmpp", "nobody hears this");
  EXPECT_TRUE(lines_.empty());
}

TEST_F(LogTest, KeepsALineOfExactlyTheMaximum) {
  const std::string exact(max_log_line, 'x');
  log(LogLevel::info, "m", "%s", exact.c_str());
  EXPECT_EQ(lines_.at(0), exact);
}

TEST_F(LogTest, CutsALongerLine) {
  log(LogLevel::info, "m", "%s", std::string(max_log_line + 1, 'x').c_str());
  log(LogLevel::info, "m", "%s", std::string(max_log_line * 4, 'x').c_str());
  EXPECT_EQ(lines_.at(0).size(), max_log_line);
  EXPECT_EQ(lines_.at(1).size(), max_log_line);
}

TEST_F(LogTest, NeverCutsInsideACharacter_Rfc3629) {
  const std::string euro = "\xE2\x82\xAC";
  for (std::size_t before = max_log_line - 3; before <= max_log_line; ++before) {
    log(LogLevel::info, "m", "%s%s tail", std::string(before, 'x').c_str(), euro.c_str());
    const std::string expected = std::string(before, 'x') + (before == max_log_line - 3 ? euro : "");
    EXPECT_EQ(lines_.back(), expected) << before;
  }
}

TEST_F(LogTest, APeersTextCannotForgeLinesOrDriveATerminal) {
  log(LogLevel::info, "m", "%s",
      "a\r\nb\x1b[2Jc\x7f\xC2\x9B"
      "d\xC3\xA9");
  EXPECT_EQ(lines_.at(0), "a??b?[2Jc???d\xC3\xA9");
}

}  // namespace
}  // namespace sallyport
