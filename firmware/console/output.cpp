#include "firmware/console/output.h"

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <utility>

#include "firmware/printable.h"

namespace sallyport::firmware {

bool ConsoleOutput::push(std::string_view text) {
  if (text.size() > room()) return false;
  const std::size_t at = head_ % capacity;
  const std::size_t first = std::min(text.size(), capacity - at);
  std::memcpy(bytes_.data() + at, text.data(), first);
  std::memcpy(bytes_.data(), text.data() + first, text.size() - first);
  head_ += text.size();
  return true;
}

void ConsoleOutput::flush_to(hal::SerialPort& port) {
  while (!empty()) {
    const std::size_t at = tail_ % capacity;
    const std::size_t count = std::min(head_ - tail_, capacity - at);
    const std::size_t taken = port.write({bytes_.data() + at, count});
    tail_ += taken;
    if (taken < count) return;
  }
}

std::uint32_t ConsoleOutput::take_lost_lines() { return std::exchange(lost_lines_, 0); }

void Printer::line(const char* format, ...) {
  std::array<char, max_line + 1> buffer{};
  std::va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(buffer.data(), buffer.size(), format, arguments);
  va_end(arguments);
  text(std::string_view(buffer.data()));
}

void Printer::text(std::string_view text) {
  FixedString<max_line> printable;
  append_printable(printable, text);
  FixedString<max_line + 2> line(printable.view());
  static_cast<void>(line.append("\r\n"));
  if (!output_.push(line)) output_.count_lost_line();
}

}  // namespace sallyport::firmware
