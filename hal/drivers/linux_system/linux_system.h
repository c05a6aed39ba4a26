// What the kernel gives the host board in place of a timer, an RTC, a random number generator and a watchdog.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "hal/clock.h"
#include "hal/entropy.h"
#include "hal/watchdog.h"

namespace sallyport::hal {

/// CLOCK_MONOTONIC from the start of the process, so that time begins at 0 as on a board that was just switched on.
class LinuxMonotonicClock final : public MonotonicClock {
 public:
  LinuxMonotonicClock();
  Instant now() const override;

 private:
  std::int64_t start_us_;
};

/// absent: no RTC on this board. host: the kernel's clock. fixed: a clock that was set to a chosen time at the start of
/// the process and runs from there (tests with expired certificates).
///
/// set() changes this process' idea of the time only, never the kernel's.
class LinuxRealTimeClock final : public RealTimeClock {
 public:
  explicit LinuxRealTimeClock(const MonotonicClock& clock) : clock_(clock) {}
  void follow_host();
  std::optional<UnixTime> read() override;
  bool set(UnixTime time) override;

 private:
  const MonotonicClock& clock_;
  std::optional<std::chrono::microseconds> offset_;  // UNIX time at the monotonic clock's 0; nullopt: no RTC
};

/// getrandom(2), never blocking. Without (`enable(false)`) it delivers nothing, as a board without a generator.
class LinuxEntropySource final : public EntropySource {
 public:
  void enable(bool enabled) { enabled_ = enabled; }
  std::size_t read(std::span<std::byte> into) override;
  std::uint32_t cycle_counter() override;

 private:
  bool enabled_ = true;
};

/// Aborts the process (SIGABRT, so that the core shows where it hung), at most `rearm_interval` late. One per process:
/// it uses SIGALRM.
class LinuxWatchdog final : public Watchdog {
 public:
  void start(std::chrono::seconds timeout) override;
  void refresh() override;

 private:
  /// The loop refreshes at every turn; a system call each time would cost as much as a frame.
  static constexpr std::chrono::milliseconds rearm_interval{250};

  std::chrono::seconds timeout_{0};
  std::int64_t armed_us_ = 0;
};

}  // namespace sallyport::hal
