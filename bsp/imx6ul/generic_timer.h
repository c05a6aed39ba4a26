// GenericTimer: MonotonicClock and one-shot wake-up on the core's virtual timer (DDI 0406C chapter B8).
#pragma once

#include <cstdint>

#include "hal/clock.h"

namespace sallyport::bsp::imx6ul {

class GenericTimer final : public hal::MonotonicClock {
 public:
  GenericTimer() = default;
  GenericTimer(const GenericTimer&) = delete;
  GenericTimer& operator=(const GenericTimer&) = delete;

  /// Starts the system counter where no boot loader has done it. Before anything asks for the time.
  void start();
  Instant now() const override;

  /// Raises the timer's interrupt at `deadline`, or in an hour if that is sooner; at once when it has passed.
  void wake_at(Instant deadline);
  /// The virtual timer's interrupt: the wake-up has done its work.
  void on_interrupt();

 private:
  std::uint32_t frequency_hz_ = 0;
  std::uint32_t microseconds_per_tick_q32_ = 0;  // 2^-32 us
};

}  // namespace sallyport::bsp::imx6ul
