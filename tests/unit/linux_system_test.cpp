#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <array>
#include <ctime>

#include "hal/drivers/linux_system/linux_system.h"

namespace sallyport::hal {
namespace {

class FakeClock final : public MonotonicClock {
 public:
  Instant now() const override { return time; }
  Instant time{};
};

TEST(LinuxMonotonicClock, BeginsAtZeroAndNeverGoesBack) {
  const LinuxMonotonicClock clock;
  Instant last = clock.now();
  EXPECT_GE(last, Instant{});
  EXPECT_LT(last, Instant{} + 60s);
  for (int i = 0; i < 1000; ++i) {
    const Instant now = clock.now();
    EXPECT_GE(now, last);
    last = now;
  }
}

TEST(LinuxRealTimeClock, AbsentClockReadsNothingAndCannotBeSet) {
  const FakeClock monotonic;
  LinuxRealTimeClock clock(monotonic);
  EXPECT_EQ(clock.read(), std::nullopt);
  EXPECT_FALSE(clock.set(UnixTime(1s)));
}

TEST(LinuxRealTimeClock, FollowsTheHost) {
  const FakeClock monotonic;
  LinuxRealTimeClock clock(monotonic);
  clock.follow_host();
  const auto now = UnixTime(std::chrono::seconds(std::time(nullptr)));
  ASSERT_TRUE(clock.read().has_value());
  EXPECT_LE(std::chrono::abs(*clock.read() - now), 2s);
}

TEST(LinuxRealTimeClock, RunsOnFromTheTimeItWasSetTo) {
  FakeClock monotonic;
  monotonic.time += 5s;
  LinuxRealTimeClock clock(monotonic);
  clock.follow_host();
  ASSERT_TRUE(clock.set(UnixTime(1'000'000'000s)));
  EXPECT_EQ(clock.read(), UnixTime(1'000'000'000s));
  monotonic.time += 90min;
  EXPECT_EQ(clock.read(), UnixTime(1'000'005'400s));
}

TEST(LinuxEntropySource, FillsBuffersDifferently) {
  LinuxEntropySource source;
  std::array<std::byte, 32> first{}, second{};
  EXPECT_EQ(source.read(first), first.size());
  EXPECT_EQ(source.read(second), second.size());
  EXPECT_NE(first, second);
}

TEST(LinuxEntropySource, DeliversNothingWhenTheBoardHasNoGenerator) {
  LinuxEntropySource source;
  source.enable(false);
  std::array<std::byte, 8> bytes{};
  EXPECT_EQ(source.read(bytes), 0U);
  EXPECT_TRUE(std::ranges::all_of(bytes, [](std::byte byte) { return byte == std::byte{0}; }));
}

TEST(LinuxEntropySource, CycleCounterMoves) {
  LinuxEntropySource source;
  const std::uint32_t start = source.cycle_counter();
  bool moved = false;
  for (int i = 0; i < 1'000'000 && !moved; ++i) moved = source.cycle_counter() != start;
  EXPECT_TRUE(moved);
}

TEST(LinuxWatchdogDeathTest, AbortsWhenItExpires) {
  EXPECT_DEATH(
      {
        LinuxWatchdog watchdog;
        watchdog.start(3600s);
        ::raise(SIGALRM);  // what the kernel does after the hour
      },
      "watchdog: the event loop hangs");
}

}  // namespace
}  // namespace sallyport::hal
