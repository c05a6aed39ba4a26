// Clocks. The monotonic one always runs; the real-time clock may be absent (nullopt).
#pragma once

#include <optional>

#include "hal/base/time.h"

namespace sallyport::hal {

class MonotonicClock {
 public:
  /// Time since power-on; never goes back.
  virtual Instant now() const = 0;

 protected:
  ~MonotonicClock() = default;
};

class RealTimeClock {
 public:
  /// nullopt: no RTC, or it was never set.
  virtual std::optional<UnixTime> read() = 0;
  virtual bool set(UnixTime time) = 0;

 protected:
  ~RealTimeClock() = default;
};

}  // namespace sallyport::hal
