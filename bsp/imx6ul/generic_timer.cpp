#include "bsp/imx6ul/generic_timer.h"

#include <algorithm>
#include <cstddef>

#include "bsp/imx6ul/soc.h"
#include "hal/base/assert.h"
#include "hal/drivers/mmio.h"

namespace sallyport::bsp::imx6ul {
namespace {

/// The counter behind all generic timers (DDI 0406C appendix D5.7), control frame.
struct SystemCounter {
  hal::Register32 control;  // 0x00 CNTCR
  std::uint32_t reserved_04[7];
  hal::Register32 frequency[3];  // 0x20 CNTFID0..2
};
static_assert(offsetof(SystemCounter, frequency) == 0x20);

constexpr std::uint32_t counter_enable = 1u << 0;
constexpr std::uint32_t counter_frequency_0 = 1u << 8;
constexpr std::uint32_t crystal_third_hz = 8'000'000;  // 24 MHz / 3, what CNTFID0 stands for after reset

constexpr std::uint32_t timer_enable = 1u << 0;
constexpr std::uint32_t timer_masked = 1u << 1;

constexpr std::int64_t microseconds_per_second = 1'000'000;
constexpr Duration longest_sleep = 1h;

constexpr std::uint32_t tick_length_q32(std::uint32_t frequency_hz) {
  return static_cast<std::uint32_t>((static_cast<std::uint64_t>(microseconds_per_second) << 32) / frequency_hz);
}

// ticks * length >> 32, in two halves: a division of 64 bits at every look at the clock would be the slowest thing in
// the loop. The length is rounded down by less than 2^-32 us a tick: 1.3 ms a day at 62.5 MHz.
constexpr std::int64_t microseconds(std::uint64_t ticks, std::uint32_t tick_length) {
  const std::uint64_t high = (ticks >> 32) * tick_length;
  const std::uint64_t low = (ticks & 0xFFFF'FFFFu) * tick_length >> 32;
  return static_cast<std::int64_t>(high + low);
}

constexpr std::int64_t year_in_seconds = 31'536'000;
constexpr std::int64_t drift_in_ten_years(std::uint32_t frequency_hz) {
  const std::uint64_t ticks = static_cast<std::uint64_t>(10 * year_in_seconds) * frequency_hz;
  return 10 * year_in_seconds * microseconds_per_second - microseconds(ticks, tick_length_q32(frequency_hz));
}
static_assert(microseconds(0, tick_length_q32(62'500'000)) == 0);
static_assert(microseconds(8'000'000, tick_length_q32(8'000'000)) == 1'000'000);
// Before and behind the carry into the upper half.
static_assert(microseconds(0xFFFF'FFFFu, tick_length_q32(8'000'000)) == 536'870'911);
static_assert(microseconds(0x1'0000'0000u, tick_length_q32(8'000'000)) == 536'870'912);
static_assert(drift_in_ten_years(62'500'000) >= 0 && drift_in_ten_years(62'500'000) < 5 * microseconds_per_second);
static_assert(drift_in_ten_years(8'000'000) == 0);

std::uint32_t read_frequency() {
  std::uint32_t hz = 0;
  asm volatile("mrc p15, 0, %0, c14, c0, 0" : "=r"(hz));  // CNTFRQ
  return hz;
}

std::uint64_t read_counter() {
  std::uint64_t ticks = 0;
  asm volatile("isb\n mrrc p15, 1, %Q0, %R0, c14" : "=r"(ticks)::"memory");  // CNTVCT
  return ticks;
}

void write_timer_control(std::uint32_t value) {
  asm volatile("mcr p15, 0, %0, c14, c3, 1\n isb" ::"r"(value));  // CNTV_CTL
}

}  // namespace

void GenericTimer::start() {
  frequency_hz_ = read_frequency();
  if (frequency_hz_ == 0) {
    auto& counter = registers_at<SystemCounter>(system_counter_address);
    counter.control.write(counter_enable | counter_frequency_0);
    frequency_hz_ = crystal_third_hz;
    asm volatile("mcr p15, 0, %0, c14, c0, 0" ::"r"(frequency_hz_));  // secure state may
  }
  SALLYPORT_ASSERT(frequency_hz_ > microseconds_per_second);
  microseconds_per_tick_q32_ = tick_length_q32(frequency_hz_);
  write_timer_control(0);
}

Instant GenericTimer::now() const {
  return Instant{Duration{microseconds(read_counter(), microseconds_per_tick_q32_)}};
}

void GenericTimer::wake_at(Instant deadline) {
  const Instant present = now();
  const Duration delay = deadline <= present ? Duration{0} : std::min<Duration>(deadline - present, longest_sleep);
  // Rounded up: waking a tick early would spin once more around the loop.
  const auto ticks = static_cast<std::uint64_t>(
                         (delay.count() * static_cast<std::int64_t>(frequency_hz_) + microseconds_per_second - 1) /
                         microseconds_per_second) +
                     1;
  const std::uint64_t compare = read_counter() + ticks;
  asm volatile("mcrr p15, 3, %Q0, %R0, c14" ::"r"(compare));  // CNTV_CVAL
  write_timer_control(timer_enable);
}

void GenericTimer::on_interrupt() { write_timer_control(timer_enable | timer_masked); }

}  // namespace sallyport::bsp::imx6ul
