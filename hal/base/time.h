// Time as the whole firmware uses it. Instant is monotonic (microseconds since power-on); UnixTime is civil time
// (seconds since 1970-01-01 UTC) and is only trusted when hal/clock.h says so.
#pragma once

#include <chrono>
#include <cstdint>

namespace sallyport {

struct Monotonic {
  using duration = std::chrono::duration<std::int64_t, std::micro>;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<Monotonic, duration>;
  static constexpr bool is_steady = true;
};

using Duration = Monotonic::duration;
using Instant = Monotonic::time_point;
using UnixTime = std::chrono::sys_seconds;

inline constexpr Instant never = Instant::max();

using namespace std::chrono_literals;

}  // namespace sallyport
