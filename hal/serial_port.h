// SerialPort: the console's byte stream. Neither call blocks.
#pragma once

#include <cstddef>
#include <span>

namespace sallyport::hal {

class SerialPort {
 public:
  /// Bytes received since the last call, 0 when none. What the driver's ring could not hold is counted, not invented.
  virtual std::size_t read(std::span<char> into) = 0;
  /// Bytes taken; less than given when the transmit ring is full.
  virtual std::size_t write(std::span<const char> from) = 0;

 protected:
  ~SerialPort() = default;
};

}  // namespace sallyport::hal
