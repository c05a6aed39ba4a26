#include "hal/drivers/linux_console/console_port.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "hal/base/assert.h"

namespace sallyport::hal {

namespace {

/// A descriptor that polls writable takes this much without blocking, whatever it is (PIPE_BUF is 4096, a tty's room at
/// least 256).
constexpr std::size_t max_chunk = 256;

void close_if_open(int& descriptor) {
  if (descriptor > STDERR_FILENO) ::close(descriptor);
  descriptor = -1;
}

void keep_over_exec(int descriptor) {
  if (descriptor >= 0) ::fcntl(descriptor, F_SETFD, 0);
}

}  // namespace

ConsolePort::~ConsolePort() {
  restore();
  if (output_ != input_) close_if_open(output_);
  close_if_open(input_);
  close_if_open(listener_);
  close_if_open(pty_slave_);
}

void ConsolePort::open_stdio() {
  input_ = STDIN_FILENO;
  output_ = STDOUT_FILENO;
  use_raw_terminal();
}

Result<void, const char*> ConsolePort::open_pty() {
  const int master = ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  std::array<char, decltype(pty_path_)::capacity() + 1> path{};
  if (master < 0 || ::grantpt(master) < 0 || ::unlockpt(master) < 0 ||
      ::ptsname_r(master, path.data(), path.size()) != 0) {
    if (master >= 0) ::close(master);
    return unexpected("no pseudo-terminal to be had");
  }
  pty_slave_ = ::open(path.data(), O_RDWR | O_NOCTTY | O_CLOEXEC);
  termios modes = {};
  if (pty_slave_ < 0 || ::tcgetattr(pty_slave_, &modes) < 0) {
    ::close(master);
    return unexpected("the pseudo-terminal does not open");
  }
  ::cfmakeraw(&modes);
  ::tcsetattr(pty_slave_, TCSANOW, &modes);
  static_cast<void>(pty_path_.assign(path.data()));
  input_ = output_ = master;
  return {};
}

Result<void, const char*> ConsolePort::open_unix(const char* path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (std::strlen(path) >= sizeof address.sun_path) return unexpected("the socket's path is too long");
  std::strcpy(address.sun_path, path);

  struct stat status = {};
  if (::lstat(path, &status) == 0 && S_ISSOCK(status.st_mode)) ::unlink(path);
  listener_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (listener_ < 0 || ::bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0 ||
      ::listen(listener_, 1) < 0) {
    return unexpected("cannot listen on the socket");
  }
  return {};
}

Result<void, const char*> ConsolePort::resume(const char* argument) {
  if (std::sscanf(argument, "%d,%d,%d,%d", &listener_, &input_, &output_, &pty_slave_) != 4) {
    return unexpected("not what a reset left");
  }
  if (input_ == STDIN_FILENO) use_raw_terminal();
  for (const int descriptor : {listener_, input_, output_, pty_slave_}) {
    if (descriptor > STDERR_FILENO) ::fcntl(descriptor, F_SETFD, FD_CLOEXEC);
  }
  return {};
}

void ConsolePort::restore() {
  if (std::exchange(modes_changed_, false)) ::tcsetattr(input_, TCSADRAIN, &modes_);
}

FixedString<48> ConsolePort::resume_argument() {
  for (const int descriptor : {listener_, input_, output_, pty_slave_}) keep_over_exec(descriptor);
  std::array<char, 49> text{};
  std::snprintf(text.data(), text.size(), "%d,%d,%d,%d", listener_, input_, output_, pty_slave_);
  return FixedString<48>(text.data());
}

std::size_t ConsolePort::poll_requests(std::span<pollfd, 2> into) {
  accept_client();
  std::size_t count = 0;
  const bool same = input_ == output_;
  const short output_event = wants_room_ ? POLLOUT : 0;
  if (input_ >= 0) {
    into[count++] = {.fd = input_, .events = static_cast<short>(POLLIN | (same ? output_event : 0)), .revents = 0};
  } else if (listener_ >= 0) {
    into[count++] = {.fd = listener_, .events = POLLIN, .revents = 0};
  }
  if (!same && output_ >= 0 && output_event != 0) into[count++] = {.fd = output_, .events = output_event, .revents = 0};
  return count;
}

void ConsolePort::poll_results(std::span<const pollfd> requests) {
  const bool quiet = std::ranges::all_of(requests, [](const pollfd& request) { return request.revents == 0; });
  blind_reads_ = quiet ? max_blind_reads : 0;
}

std::size_t ConsolePort::read(std::span<char> into) {
  if (blind_reads_ > 0) {
    --blind_reads_;
    return 0;
  }
  accept_client();
  if (input_ < 0 || into.empty() || !ready(input_, POLLIN)) return 0;
  const ssize_t got = ::read(input_, into.data(), into.size());
  if (got > 0) return static_cast<std::size_t>(got);
  if (got == 0 || (errno != EAGAIN && errno != EINTR)) hang_up();
  return 0;
}

std::size_t ConsolePort::write(std::span<const char> from) {
  accept_client();
  wants_room_ = false;
  std::size_t taken = 0;
  while (taken < from.size()) {
    if (output_ < 0) return from.size();
    const auto chunk = from.subspan(taken, std::min(max_chunk, from.size() - taken));
    if (!ready(output_, POLLOUT)) {
      wants_room_ = true;
      break;
    }
    const ssize_t put = ::write(output_, chunk.data(), chunk.size());
    if (put > 0) {
      taken += static_cast<std::size_t>(put);
    } else if (errno == EPIPE || errno == EIO || errno == ECONNRESET || errno == EBADF) {
      if (listener_ >= 0) hang_up();
      output_ = -1;
    } else {
      wants_room_ = true;
      break;
    }
  }
  return taken;
}

void ConsolePort::use_raw_terminal() {
  if (::tcgetattr(STDIN_FILENO, &modes_) < 0) return;
  termios modes = modes_;
  // Keys as a serial line has them: each at once, no echo, Enter is CR. Ctrl-C still ends the process.
  modes.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO | IEXTEN);
  modes.c_iflag &= ~static_cast<tcflag_t>(ICRNL | INLCR | IGNCR);
  modes.c_cc[VMIN] = 1;
  modes.c_cc[VTIME] = 0;
  modes_changed_ = ::tcsetattr(STDIN_FILENO, TCSADRAIN, &modes) == 0;
}

void ConsolePort::accept_client() {
  if (listener_ < 0 || input_ >= 0) return;
  input_ = output_ = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

/// The line's other end is gone: the next client may connect; standard input is not looked at again, output goes on.
void ConsolePort::hang_up() {
  if (listener_ >= 0) output_ = -1;
  close_if_open(input_);
}

bool ConsolePort::ready(int descriptor, short event) const {
  pollfd request = {.fd = descriptor, .events = event, .revents = 0};
  return ::poll(&request, 1, 0) > 0 && (request.revents & (event | POLLERR | POLLHUP)) != 0;
}

}  // namespace sallyport::hal
