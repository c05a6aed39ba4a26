#include "boards/host/control.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>

#include "hal/base/log.h"

namespace sallyport::boards::host {

Result<void, const char*> Control::open(const char* path) {
  // Also open for writing, by ourselves: else every writer that leaves would be an end of file.
  fifo_ = ::open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (fifo_ < 0) return unexpected("does not open");
  struct stat status = {};
  if (::fstat(fifo_, &status) == 0 && S_ISFIFO(status.st_mode)) return {};
  ::close(fifo_);
  fifo_ = -1;
  errno = 0;
  return unexpected("is not a FIFO");
}

bool Control::obey() {
  bool reset = false;
  std::array<char, 80> bytes;
  const ssize_t got = fifo_ < 0 ? 0 : ::read(fifo_, bytes.data(), bytes.size());
  for (ssize_t i = 0; i < got; ++i) {
    const char byte = bytes[static_cast<std::size_t>(i)];
    if (byte != '\n') {
      static_cast<void>(line_.append({&byte, 1}));  // too long a line is none of ours, cut or not
      continue;
    }
    reset |= obey_line(line_);
    line_.clear();
  }
  return reset;
}

bool Control::obey_line(std::string_view line) {
  if (line == "reset") return true;
  if (line == "link external down") {
    external_.set_cable(false);
  } else if (line == "link external up") {
    external_.set_cable(true);
  } else if (line == "link internal down") {
    internal_.set_cable(false);
  } else if (line == "link internal up") {
    internal_.set_cable(true);
  } else {
    std::fprintf(stderr, "sallyport: control: \"%.*s\" is not understood\n", SALLYPORT_SV(line));
  }
  return false;
}

}  // namespace sallyport::boards::host
