// Control: what a tester's hand does to a board, as commands through a FIFO, one a line: "link external down",
// "link external up", "link internal down", "link internal up", "reset". Anything else is complained about on standard
// error.
#pragma once

#include <string_view>

#include "hal/base/fixed_string.h"
#include "hal/base/result.h"
#include "hal/drivers/linux_tap/tap_mac.h"

namespace sallyport::boards::host {

class Control {
 public:
  Control(hal::TapMac& external, hal::TapMac& internal) : external_(external), internal_(internal) {}
  Control(const Control&) = delete;
  Control& operator=(const Control&) = delete;

  /// `path` is an existing FIFO. The error is a static text for the operator.
  Result<void, const char*> open(const char* path);
  /// To poll for POLLIN, or -1.
  int descriptor() const { return fifo_; }
  /// Obeys the commands that have arrived. True: the board is to be reset.
  bool obey();

 private:
  bool obey_line(std::string_view line);

  hal::TapMac& external_;
  hal::TapMac& internal_;
  int fifo_ = -1;
  FixedString<80> line_;
};

}  // namespace sallyport::boards::host
