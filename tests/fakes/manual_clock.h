// ManualClock: time that passes when the test says so.
#pragma once

#include "hal/clock.h"

namespace sallyport::fakes {

class ManualClock final : public hal::MonotonicClock {
 public:
  Instant now() const override { return now_; }
  void advance(Duration by) { now_ += by; }

 private:
  Instant now_{std::chrono::seconds(1)};
};

}  // namespace sallyport::fakes
