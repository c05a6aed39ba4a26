// ConsoleOutput: what waits for the serial port, and Printer, which writes whole lines into it. Nothing blocks: who
// prints much asks for room first and goes on later; what has no room is counted, and the console says how much was
// lost.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "hal/serial_port.h"

namespace sallyport::firmware {

class ConsoleOutput {
 public:
  static constexpr std::size_t capacity = 8192;  // bytes: 0.7 s of a 115200 baud line

  /// All of `text` or nothing; false when there is no room.
  bool push(std::string_view text);
  std::size_t room() const { return capacity - (head_ - tail_); }
  bool empty() const { return head_ == tail_; }
  /// Hands over what the port takes now.
  void flush_to(hal::SerialPort& port);

  void count_lost_line() { ++lost_lines_; }
  bool has_lost_lines() const { return lost_lines_ > 0; }
  /// Lines that had no room since the last call.
  std::uint32_t take_lost_lines();

 private:
  std::array<char, capacity> bytes_{};
  std::size_t head_ = 0;  // both only grow; a difference of unsigned values is right across the wrap
  std::size_t tail_ = 0;
  std::uint32_t lost_lines_ = 0;
  static_assert((capacity & (capacity - 1)) == 0);
};

class Printer {
 public:
  /// Longer lines are cut. A terminal has 80 columns: tables stay below.
  static constexpr std::size_t max_line = 320;

  explicit Printer(ConsoleOutput& output) : output_(output) {}

  /// One line and its end. Bytes that are not printable ASCII are escaped, so values from peers may be printed as they
  /// are.
  [[gnu::format(printf, 2, 3)]] void line(const char* format, ...);
  /// As line(), from text that is not a format.
  void text(std::string_view text);

 private:
  ConsoleOutput& output_;
};

}  // namespace sallyport::firmware
