// ConsolePort: the console's serial line as standard input and output, a pseudo-terminal, a UNIX socket that one client
// at a time connects to (as QEMU's -serial unix:...,server=on,wait=off), or an inherited descriptor.
//
// It keeps no bytes: what write() took is with the kernel, so there is nothing to drain. With no client on the socket,
// or standard output closed, bytes are taken and lost, as on a line nobody listens to.
//
// Owner: boards/host, static storage. Not movable.
#pragma once

#include <poll.h>
#include <termios.h>

#include <array>
#include <cstddef>
#include <span>

#include "hal/base/fixed_string.h"
#include "hal/base/result.h"
#include "hal/serial_port.h"

namespace sallyport::hal {

class ConsolePort final : public SerialPort {
 public:
  ConsolePort() = default;
  ~ConsolePort();
  ConsolePort(const ConsolePort&) = delete;
  ConsolePort& operator=(const ConsolePort&) = delete;

  // Exactly one of these, once. Errors are static texts for the operator; errno has the system's reason.

  /// A terminal on standard input gives every key at once and without echo until restore().
  void open_stdio();
  Result<void, const char*> open_pty();
  /// Replaces a socket that an ended process left at `path`; any other kind of file there is an error.
  Result<void, const char*> open_unix(const char* path);
  /// Continues with the descriptors that resume_argument() named in the process before (reset()).
  Result<void, const char*> resume(const char* argument);

  /// The pseudo-terminal's path, empty for the other kinds.
  std::string_view pty_path() const { return pty_path_; }
  /// Gives the terminal back its modes.
  void restore();
  /// Keeps the descriptors open over exec and says them in a text for resume(): the line stays connected over a reset,
  /// as a real one does.
  FixedString<48> resume_argument();

  /// Up to two descriptors and the events to wait for; also accepts a waiting client. Call before each poll.
  std::size_t poll_requests(std::span<pollfd, 2> into);
  /// The same descriptors after the poll. When they say that nothing came, read() believes it for its next calls.
  void poll_results(std::span<const pollfd> requests);

  std::size_t read(std::span<char> into) override;
  std::size_t write(std::span<const char> from) override;

 private:
  void use_raw_terminal();
  void accept_client();
  void hang_up();
  bool ready(int descriptor, short event) const;

  /// Calls of read() without a look at the line after a poll that found nothing: the loop reads at every turn, and
  /// under load it polls seldom.
  static constexpr unsigned max_blind_reads = 64;

  int listener_ = -1;
  int input_ = -1;
  int output_ = -1;
  int pty_slave_ = -1;  // held open: a pseudo-terminal without any reports a hang-up for ever
  bool wants_room_ = false;
  unsigned blind_reads_ = 0;  // left
  bool modes_changed_ = false;
  termios modes_ = {};
  FixedString<63> pty_path_;
};

}  // namespace sallyport::hal
