#include "boards/host/host_board.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "hal/base/assert.h"

namespace sallyport {

namespace boards::host {

namespace {

// A handler and an eventfd, not a signalfd: a debugger's Ctrl-C does not reach a process that blocks SIGINT.
volatile sig_atomic_t stop_signal = 0;
int stop_event = -1;

void on_stop(int signal) {
  stop_signal = signal;
  const int saved = errno;
  constexpr std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t ignored = ::write(stop_event, &one, sizeof one);
  errno = saved;
}

constinit bool ready_for_asserts = false;

}  // namespace

HostBoard::HostBoard()
    : real_time_clock_(clock_),
      external_mac_(external_address, external_pool_),
      internal_mac_(internal_address, internal_pool_),
      control_(external_mac_, internal_mac_) {}

void HostBoard::power_on(int argument_count, char** arguments) {
  for (int i = 0; i < argument_count; ++i) {
    if (std::string_view(arguments[i]).starts_with(resume_console_option)) continue;
    SALLYPORT_ASSERT(argument_count_ < max_arguments);
    arguments_[argument_count_++] = arguments[i];
  }
  stop_event = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  struct sigaction action = {};
  action.sa_handler = on_stop;
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  ready_for_asserts = true;
}

void HostBoard::wait_for_event(Instant deadline) {
  std::array<pollfd, 6> requests{};
  std::size_t count = 0;
  requests[count++] = {.fd = stop_event, .events = POLLIN, .revents = 0};
  requests[count++] = {.fd = external_mac_.pollable_descriptor(), .events = POLLIN, .revents = 0};
  requests[count++] = {.fd = internal_mac_.pollable_descriptor(), .events = POLLIN, .revents = 0};
  requests[count++] = {.fd = control_.descriptor(), .events = POLLIN, .revents = 0};
  count += console_.poll_requests(std::span(requests).subspan<4, 2>());

  constexpr std::int64_t longest_us =
      3'600'000'000;  // keeps timespec in range for `never`; a wake-up an hour harms nobody
  const std::int64_t wait_us =
      deadline == never ? longest_us : std::clamp<std::int64_t>((deadline - clock_.now()).count(), 0, longest_us);
  const timespec timeout = {.tv_sec = wait_us / 1'000'000, .tv_nsec = wait_us % 1'000'000 * 1'000};
  ::ppoll(requests.data(), count, &timeout, nullptr);
  console_.poll_results(std::span(requests).first(count).subspan(4));

  if (stop_signal != 0) {
    console_.restore();
    std::exit(EXIT_SUCCESS);
  }
  if (requests[3].revents != 0 && control_.obey()) reset();
}

void HostBoard::reset() {
  console_.restore();
  std::array<char, 80> option{};
  const auto console = console_.resume_argument();
  std::snprintf(option.data(), option.size(), "%s%s", resume_console_option.data(), console.c_str());
  arguments_[argument_count_] = option.data();
  ::alarm(0);  // the watchdog's timer would outlive exec
  ::execv("/proc/self/exe", arguments_.data());
  std::perror("sallyport: cannot start again");
  std::abort();
}

HostBoard& host_board() {
  static HostBoard board;
  return board;
}

}  // namespace boards::host

bsp::Board& bsp::board() { return boards::host::host_board(); }

void assertion_failed(const char* expression, const char* file, int line) {
  std::array<char, 512> text{};
  const int length =
      std::snprintf(text.data(), text.size(), "\r\nassertion failed: %s (%s:%d)\r\n", expression, file, line);
  const auto size = std::min(static_cast<std::size_t>(std::max(length, 0)), text.size() - 1);
  [[maybe_unused]] const ssize_t ignored = ::write(STDERR_FILENO, text.data(), size);
  if (boards::host::ready_for_asserts) {
    auto& console = boards::host::host_board().console_port();
    console.write({text.data(), size});
    console.restore();
  }
  std::abort();
}

}  // namespace sallyport
