// WallClock: civil time on top of the monotonic clock. It starts at a floor (the moment the card was made: time cannot
// be earlier) and is corrected by a real-time clock or SNTP. Certificates are judged against now(), and not at all
// while it is unknown: a clock that cannot be right is said, not trusted.
#pragma once

#include <cstdint>
#include <optional>

#include "hal/clock.h"

namespace sallyport::hal {

class WallClock {
 public:
  enum class Source : std::uint8_t {
    unknown,  // now() is nullopt
    floor,    // runs from the floor: late by the time between the card's making and this boot
    set,      // from a real-time clock or a time server
  };

  explicit WallClock(const MonotonicClock& monotonic) : monotonic_(monotonic) {}
  WallClock(const WallClock&) = delete;
  WallClock& operator=(const WallClock&) = delete;

  /// The earliest time it can be now. The clock starts there unless it already shows a later time.
  void set_floor(UnixTime floor) {
    floor_ = floor;
    if (source_ == Source::unknown || *now() < floor) adopt(floor, Source::floor);
  }

  /// False, and nothing changes, when `time` is before the floor: that clock cannot be right.
  bool set(UnixTime time) {
    if (time < floor_) return false;
    adopt(time, Source::set);
    return true;
  }

  std::optional<UnixTime> now() const {
    if (source_ == Source::unknown) return std::nullopt;
    return base_ + std::chrono::duration_cast<std::chrono::seconds>(monotonic_.now() - since_);
  }

  Source source() const { return source_; }
  bool known() const { return source_ != Source::unknown; }

 private:
  void adopt(UnixTime time, Source source) {
    base_ = time;
    since_ = monotonic_.now();
    source_ = source;
  }

  const MonotonicClock& monotonic_;
  UnixTime floor_{};
  UnixTime base_{};
  Instant since_{};
  Source source_ = Source::unknown;
};

}  // namespace sallyport::hal
