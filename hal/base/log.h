// log(): structured one-line events from any module. The sink (firmware/log) keeps them in a static ring and prints
// them on the console. Never pass stanza bodies, keys or passphrases. A line longer than max_log_line is cut.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace sallyport {

/// RFC 5424 severities that the appliance uses.
enum class LogLevel : std::uint8_t { error = 3, warning = 4, notice = 5, info = 6, debug = 7 };

inline constexpr std::size_t max_log_line = 240;  // bytes, NUL excluded

class LogSink {
 public:
  /// `module` is a static string such as "net/tls". `message` is only valid during the call.
  virtual void write(LogLevel level, std::string_view module, std::string_view message) = 0;

 protected:
  ~LogSink() = default;
};

/// The sink must outlive every log() call; nullptr discards.
void set_log_sink(LogSink* sink);

[[gnu::format(printf, 3, 4)]] void log(LogLevel level, const char* module, const char* format, ...);

}  // namespace sallyport

/// printf arguments of a std::string_view for "%.*s".
#define SALLYPORT_SV(view) static_cast<int>((view).size()), (view).data()
