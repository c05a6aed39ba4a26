// LogRing: where log() ends. The newest events stay in a static ring, the oldest give way; the console prints them as
// they come and `show log` again. Nothing is written anywhere else, so a flood of events costs memory bandwidth and
// nothing more.
//
// A module that says the same line again within fold_window is counted, and the count is said when the window ends. A
// module has a burst of lines and a rate; what is above is counted, and the count is said with its next line. Bytes
// that are not printable ASCII are escaped (firmware/printable.h).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "hal/base/fixed_string.h"
#include "hal/base/log.h"
#include "hal/base/time.h"
#include "hal/clock.h"

namespace sallyport::firmware {

using LogText = FixedString<max_log_line>;
using LogLine = FixedString<max_log_line + 64>;

struct LogEntry {
  Instant time;  // since power-on
  LogLevel level = LogLevel::info;
  std::string_view module;
  LogText text;
};

/// "[   12.345678] warning net/tls: the certificate has expired"
LogLine to_line(const LogEntry& entry);
std::string_view to_text(LogLevel level);

class LogRing final : public LogSink {
 public:
  static constexpr std::size_t capacity_bytes = 64 * 1024;  // about 600 events
  static constexpr std::size_t max_modules = 32;            // from the last on they share one allowance
  static constexpr unsigned burst = 100;                    // lines a module may write at once
  static constexpr unsigned lines_per_second = 20;          // and from then on
  static constexpr Duration fold_window = std::chrono::seconds(10);

  /// A place in the log. A default one is the beginning of time.
  struct Cursor {
    std::uint64_t position = 0;
    std::uint64_t sequence = 0;
  };

  explicit LogRing(const hal::MonotonicClock& clock) : clock_(clock) {}
  LogRing(const LogRing&) = delete;
  LogRing& operator=(const LogRing&) = delete;

  void write(LogLevel level, std::string_view module, std::string_view message) override;
  /// Events less important than `level` are not kept.
  void set_level(LogLevel level) { level_ = level; }
  /// Says the counts whose time has come. Call it as often as you like: it looks once a second.
  void settle();

  /// The entry at `cursor`, which moves behind it; nullopt at the end. `lost` is how many gave way before they were
  /// read.
  std::optional<LogEntry> read(Cursor& cursor, std::uint64_t& lost) const;
  bool at_end(const Cursor& cursor) const { return cursor.position >= end_.position; }
  /// The place of the last `count` entries, or of as many as there are.
  Cursor last(std::size_t count) const;
  std::size_t size() const { return static_cast<std::size_t>(end_.sequence - begin_.sequence); }

 private:
  struct Header {
    Instant time;
    const char* module = nullptr;  // static string
    std::uint16_t text_bytes = 0;
    std::uint8_t module_bytes = 0;
    LogLevel level = LogLevel::info;
  };
  struct Module {
    std::string_view name;
    LogText last_text;
    LogLevel last_level = LogLevel::info;
    Instant last_shown;
    Instant refilled;
    unsigned allowance = burst;
    std::uint32_t repeated = 0;
    std::uint32_t suppressed = 0;
  };

  Module& find_module(std::string_view name, Instant now);
  void refill(Module& module, Instant now);
  void say_repeated(Module& module, Instant now);
  void say_suppressed(Module& module, Instant now);

  void append(Instant now, LogLevel level, std::string_view module, std::string_view text);
  void drop_oldest();
  Header read_header(std::uint64_t position) const;
  void copy_in(const void* from, std::size_t bytes);
  void copy_out(std::uint64_t position, void* to, std::size_t bytes) const;

  const hal::MonotonicClock& clock_;
  LogLevel level_ = LogLevel::info;
  Instant next_settle_;
  Cursor begin_;
  Cursor end_;
  std::array<Module, max_modules> modules_{};
  std::size_t module_count_ = 0;
  std::array<char, capacity_bytes> bytes_{};
};

}  // namespace sallyport::firmware
