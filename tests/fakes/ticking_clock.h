// TickingClock: each look at it lets time pass, so that a driver's wait for a device that never answers ends.
#pragma once

#include "hal/clock.h"

namespace sallyport::fakes {

class TickingClock final : public hal::MonotonicClock {
 public:
  explicit TickingClock(Duration step = 10us) : step_(step) {}

  Instant now() const override { return now_ += step_; }
  void advance(Duration by) { now_ += by; }
  Duration passed() const { return now_.time_since_epoch(); }

 private:
  Duration step_;
  mutable Instant now_{};
};

}  // namespace sallyport::fakes
