#include "hal/base/log.h"

#include <algorithm>
#include <array>
#include <cstdarg>
#include <cstdio>

namespace sallyport {

namespace {

LogSink* current_sink = nullptr;

/// The length of `line`, at most `limit`, that does not end inside a UTF-8 sequence (RFC 3629).
std::size_t whole_characters(const char* line, std::size_t limit) {
  std::size_t end = limit;
  while (end > 0 && (static_cast<unsigned char>(line[end]) & 0xC0U) == 0x80U) --end;
  return end;
}

/// Names and texts in a message may come from a peer. Control characters (C0, DEL, and C1 in UTF-8) could forge lines
/// in a log or drive the operator's terminal.
void blank_control_characters(char* line, std::size_t size) {
  for (std::size_t i = 0; i < size; ++i) {
    const auto byte = static_cast<unsigned char>(line[i]);
    const bool c1 = byte == 0xC2U && i + 1 < size && static_cast<unsigned char>(line[i + 1]) < 0xA0U;
    if (byte < 0x20U || byte == 0x7FU || c1) line[i] = '?';
    if (c1) line[++i] = '?';
  }
}

}  // namespace

void set_log_sink(LogSink* sink) { current_sink = sink; }

void log(LogLevel level, const char* module, const char* format, ...) {
  if (current_sink == nullptr) return;
  // Room for one byte more than is kept, which shows whether the cut is inside a character.
  std::array<char, max_log_line + 2> line;
  std::va_list arguments;
  va_start(arguments, format);
  const int formatted = std::vsnprintf(line.data(), line.size(), format, arguments);
  va_end(arguments);
  if (formatted < 0) return;
  std::size_t size = static_cast<std::size_t>(formatted);
  if (size > max_log_line) size = whole_characters(line.data(), max_log_line);
  blank_control_characters(line.data(), size);
  current_sink->write(level, module, std::string_view(line.data(), size));
}

}  // namespace sallyport
