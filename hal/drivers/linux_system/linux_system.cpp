#include "hal/drivers/linux_system/linux_system.h"

#include <signal.h>
#include <sys/random.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <cstdlib>

namespace sallyport::hal {

namespace {

std::int64_t microseconds_of(clockid_t id) {
  timespec time = {};
  ::clock_gettime(id, &time);
  return std::int64_t{time.tv_sec} * 1'000'000 + time.tv_nsec / 1'000;
}

void watchdog_expired(int) {
  constexpr char message[] = "watchdog: the event loop hangs\n";
  // Nothing is left to do when even this fails.
  [[maybe_unused]] const ssize_t ignored = ::write(STDERR_FILENO, message, sizeof message - 1);
  std::abort();
}

}  // namespace

LinuxMonotonicClock::LinuxMonotonicClock() : start_us_(microseconds_of(CLOCK_MONOTONIC)) {}

Instant LinuxMonotonicClock::now() const { return Instant(Duration(microseconds_of(CLOCK_MONOTONIC) - start_us_)); }

void LinuxRealTimeClock::follow_host() {
  offset_ = std::chrono::microseconds(microseconds_of(CLOCK_REALTIME)) - clock_.now().time_since_epoch();
}

std::optional<UnixTime> LinuxRealTimeClock::read() {
  if (!offset_) return std::nullopt;
  return UnixTime(std::chrono::floor<std::chrono::seconds>(*offset_ + clock_.now().time_since_epoch()));
}

bool LinuxRealTimeClock::set(UnixTime time) {
  if (!offset_) return false;
  offset_ = time.time_since_epoch() - clock_.now().time_since_epoch();
  return true;
}

std::size_t LinuxEntropySource::read(std::span<std::byte> into) {
  if (!enabled_) return 0;
  const ssize_t got = ::getrandom(into.data(), into.size(), GRND_NONBLOCK);
  return got < 0 ? 0 : static_cast<std::size_t>(got);
}

std::uint32_t LinuxEntropySource::cycle_counter() {
#if defined(__x86_64__) || defined(__i386__)
  return static_cast<std::uint32_t>(__builtin_ia32_rdtsc());
#else
  timespec time = {};
  ::clock_gettime(CLOCK_MONOTONIC_RAW, &time);
  return static_cast<std::uint32_t>(time.tv_nsec);
#endif
}

void LinuxWatchdog::start(std::chrono::seconds timeout) {
  timeout_ = timeout;
  struct sigaction action = {};
  action.sa_handler = watchdog_expired;
  ::sigaction(SIGALRM, &action, nullptr);
  armed_us_ = 0;
  refresh();
}

void LinuxWatchdog::refresh() {
  if (timeout_.count() == 0) return;
  const std::int64_t now_us = microseconds_of(CLOCK_MONOTONIC_COARSE);
  if (armed_us_ != 0 && now_us - armed_us_ < std::chrono::microseconds(rearm_interval).count()) return;
  armed_us_ = now_us;
  const itimerval timer = {
      .it_interval = {},
      .it_value = {.tv_sec = timeout_.count(), .tv_usec = std::chrono::microseconds(rearm_interval).count()}};
  ::setitimer(ITIMER_REAL, &timer, nullptr);
}

}  // namespace sallyport::hal
