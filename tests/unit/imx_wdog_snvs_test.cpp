// Watchdog and real-time clock against devices in memory. Sections are those of the i.MX 6ULL Reference Manual (same
// blocks).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>
#include <vector>

#include "hal/drivers/imx_snvs/imx_snvs.h"
#include "hal/drivers/imx_wdog/imx_wdog.h"

namespace sallyport::hal {
namespace {

using testing::ElementsAre;
using testing::Pair;

class WdogDevice final : public MmioObserver {
 public:
  WdogDevice() { mmio_observer = this; }
  ~WdogDevice() { mmio_observer = nullptr; }

  WdogRegisters registers{};
  std::vector<std::pair<std::size_t, std::uint32_t>> writes;  // offset, value

  std::uint32_t on_read(const volatile void*, std::uint32_t stored) override { return stored; }
  std::uint32_t on_write(const volatile void* address, std::uint32_t, std::uint32_t written) override {
    const auto* at = static_cast<const volatile char*>(address);
    writes.emplace_back(at - reinterpret_cast<const volatile char*>(&registers), written);
    return written;
  }
};

TEST(ImxWdog, TimeOutIsInHalfSecondsAndTheFirstServiceFollows_Wcr) {
  WdogDevice device;
  ImxWdog watchdog{device.registers};
  watchdog.start(std::chrono::seconds{8});
  // WT 15 is 8 s; WDA, SRS, WDT, WDE, WDBG.
  EXPECT_THAT(device.writes, ElementsAre(Pair(0, 15u << 8 | 0x3E), Pair(8, 0), Pair(2, 0x5555), Pair(2, 0xAAAA)));
}

TEST(ImxWdog, LongestTimeOutFitsTheField_Wcr) {
  WdogDevice device;
  ImxWdog watchdog{device.registers};
  watchdog.start(ImxWdog::max_timeout);
  EXPECT_EQ(0xFF, device.registers.wcr.read() >> 8);
}

TEST(ImxWdog, ImpossibleTimeOutIsOurBug) {
  WdogDevice device;
  ImxWdog watchdog{device.registers};
  EXPECT_DEATH(watchdog.start(std::chrono::seconds{0}), "timeout");
  EXPECT_DEATH(watchdog.start(std::chrono::seconds{129}), "timeout");
}

TEST(ImxWdog, SecondStartWritesNothing_Wcr) {
  WdogDevice device;
  ImxWdog watchdog{device.registers};
  watchdog.start(std::chrono::seconds{8});
  device.writes.clear();
  watchdog.start(std::chrono::seconds{4});
  EXPECT_THAT(device.writes, ElementsAre());
}

TEST(ImxWdog, RefreshIsTheServiceSequenceAndOnlyAfterStart_Wsr) {
  WdogDevice device;
  ImxWdog watchdog{device.registers};
  watchdog.refresh();
  EXPECT_THAT(device.writes, ElementsAre());
  watchdog.start(std::chrono::seconds{8});
  device.writes.clear();
  watchdog.refresh();
  EXPECT_THAT(device.writes, ElementsAre(Pair(2, 0x5555), Pair(2, 0xAAAA)));
}

TEST(ImxWdog, ResetAssertsBothKindsMoreThanOnce_Err004346) {
  WdogDevice device;
  ImxWdog::reset_now(device.registers);
  EXPECT_GE(device.writes.size(), 2u);
  for (const auto& [offset, value] : device.writes) {
    EXPECT_EQ(0u, offset);
    EXPECT_EQ(0u, value & (1u << 5 | 1u << 4)) << "WDA and SRS are active low";
  }
}

/// Counts on by `ticks_per_read`, can be written only while it stands, and has none of that when absent.
class SnvsDevice final : public MmioObserver {
 public:
  SnvsDevice() { mmio_observer = this; }
  ~SnvsDevice() { mmio_observer = nullptr; }

  SnvsRegisters registers{};
  std::uint64_t counter = 0, ticks_per_read = 1;
  bool enabled = true, present = true;

  std::uint32_t on_read(const volatile void* address, std::uint32_t stored) override {
    if (!present) return 0;
    if (address == &registers.lpcr) return enabled;
    if (address != &registers.lpsrtcmr && address != &registers.lpsrtclr) return stored;
    if (enabled) counter += ticks_per_read;
    return static_cast<std::uint32_t>(address == &registers.lpsrtcmr ? counter >> 32 & 0x7FFF : counter);
  }
  std::uint32_t on_write(const volatile void* address, std::uint32_t, std::uint32_t written) override {
    if (address == &registers.lpcr) enabled = (written & 1) != 0;
    const bool counter_half = address == &registers.lpsrtcmr || address == &registers.lpsrtclr;
    EXPECT_FALSE(counter_half && enabled && present) << "written while it counts";
    if (address == &registers.lpsrtcmr) counter = (counter & 0xFFFF'FFFFu) | std::uint64_t{written} << 32;
    if (address == &registers.lpsrtclr) counter = (counter & ~std::uint64_t{0xFFFF'FFFFu}) | written;
    return written;
  }
};

constexpr UnixTime sample{std::chrono::seconds{1'790'000'000}};
constexpr std::uint64_t sample_ticks = 1'790'000'000ull << 15;

TEST(ImxSnvs, CounterIsUnixTimeAt32768Hz_Srtc) {
  SnvsDevice device;
  device.counter = sample_ticks + 20'000;
  EXPECT_EQ(sample, (ImxSnvs{device.registers}.read()));
}

TEST(ImxSnvs, CarryBetweenTheHalvesIsReadAgain_Srtc) {
  SnvsDevice device;
  // The lower half overflows between the two reads; a naive reading would be 36 hours off.
  device.counter = (sample_ticks | 0xFFFF'FFFFu) - 1;
  const auto now = ImxSnvs{device.registers}.read();
  ASSERT_TRUE(now);
  const auto expected = static_cast<std::int64_t>(device.counter >> 15);
  EXPECT_NEAR(static_cast<double>(expected), static_cast<double>(now->time_since_epoch().count()), 1);
}

TEST(ImxSnvs, CounterThatNeverSettlesIsNoTime) {
  SnvsDevice device;
  device.counter = sample_ticks;
  device.ticks_per_read = 40'000;
  EXPECT_FALSE((ImxSnvs{device.registers}.read()));
}

TEST(ImxSnvs, AbsentOrNeverSetIsNoTime) {
  SnvsDevice device;
  device.counter = 1000ull << 15;  // power-on a quarter of an hour ago
  EXPECT_FALSE((ImxSnvs{device.registers}.read()));
  device.present = false;
  EXPECT_FALSE((ImxSnvs{device.registers}.read()));
}

TEST(ImxSnvs, SetStopsTheCounterAndStartsItAgain_Srtc) {
  SnvsDevice device;
  ImxSnvs clock{device.registers};
  EXPECT_TRUE(clock.set(sample));
  EXPECT_TRUE(device.enabled);
  EXPECT_EQ(sample, clock.read());
}

TEST(ImxSnvs, SetSaysWhenThereIsNoCounter) {
  SnvsDevice device;
  device.present = false;
  EXPECT_FALSE((ImxSnvs{device.registers}.set(sample)));
}

TEST(ImxSnvs, SetRefusesATimeThatCannotBe) {
  SnvsDevice device;
  device.counter = sample_ticks;
  ImxSnvs clock{device.registers};
  EXPECT_FALSE(clock.set(UnixTime{std::chrono::seconds{5}}));
  EXPECT_TRUE(clock.read()) << "the good time is kept";
}

}  // namespace
}  // namespace sallyport::hal
