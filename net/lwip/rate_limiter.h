// RateLimiter: a token bucket. Time is given, not read.
#pragma once

#include <algorithm>
#include <cstdint>

#include "hal/base/time.h"

namespace sallyport::net {

class RateLimiter {
 public:
  /// `burst` tokens at most, one more each `interval`.
  constexpr RateLimiter(std::int64_t burst, Duration interval) : burst_(burst), interval_(interval), tokens_(burst) {}

  bool take(Instant now) {
    const std::int64_t earned = (now - refilled_) / interval_;
    if (earned > 0) {
      tokens_ = std::min(burst_, tokens_ + earned);
      refilled_ = tokens_ == burst_ ? now : refilled_ + earned * interval_;
    }
    if (tokens_ == 0) return false;
    --tokens_;
    return true;
  }

 private:
  std::int64_t burst_;
  Duration interval_;
  std::int64_t tokens_;
  Instant refilled_{};
};

}  // namespace sallyport::net
