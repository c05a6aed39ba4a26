#include "firmware/log.h"

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <cstring>

#include "firmware/printable.h"

namespace sallyport::firmware {

std::string_view to_text(LogLevel level) {
  switch (level) {
    case LogLevel::error: return "error";
    case LogLevel::warning: return "warning";
    case LogLevel::notice: return "notice";
    case LogLevel::info: return "info";
    case LogLevel::debug: return "debug";
  }
  return "unknown";
}

LogLine to_line(const LogEntry& entry) {
  const std::int64_t microseconds = entry.time.time_since_epoch().count();
  std::array<char, 64> head{};
  std::snprintf(head.data(), head.size(), "[%5" PRId64 ".%06" PRId64 "] %-7.*s %.*s: ", microseconds / 1'000'000,
                microseconds % 1'000'000, SALLYPORT_SV(to_text(entry.level)),
                static_cast<int>(std::min<std::size_t>(entry.module.size(), 24)), entry.module.data());
  LogLine line{std::string_view(head.data())};
  static_cast<void>(line.append(entry.text));
  return line;
}

void LogRing::write(LogLevel level, std::string_view name, std::string_view message) {
  if (level > level_) return;
  const Instant now = clock_.now();
  Module& module = find_module(name, now);
  LogText text;
  append_printable(text, message);

  if (module.last_text == text.view() && module.last_level == level && !text.empty() &&
      now - module.last_shown < fold_window) {
    ++module.repeated;
    return;
  }
  refill(module, now);
  say_repeated(module, now);
  if (module.allowance == 0) {
    ++module.suppressed;
    return;
  }
  say_suppressed(module, now);
  --module.allowance;
  append(now, level, name, text);
  module.last_text = text;
  module.last_level = level;
  module.last_shown = now;
}

void LogRing::settle() {
  const Instant now = clock_.now();
  if (now < next_settle_) return;
  next_settle_ = now + std::chrono::seconds(1);
  for (std::size_t i = 0; i < module_count_; ++i) {
    Module& module = modules_[i];
    if (now - module.last_shown >= fold_window) say_repeated(module, now);
    refill(module, now);
    if (module.allowance > 0) say_suppressed(module, now);
  }
}

std::optional<LogEntry> LogRing::read(Cursor& cursor, std::uint64_t& lost) const {
  lost = 0;
  if (cursor.position < begin_.position) {
    lost = begin_.sequence - cursor.sequence;
    cursor = begin_;
  }
  if (at_end(cursor)) return std::nullopt;
  const Header header = read_header(cursor.position);
  LogEntry entry{header.time, header.level, {header.module, header.module_bytes}, {}};
  std::array<char, max_log_line> text;
  copy_out(cursor.position + sizeof header, text.data(), header.text_bytes);
  static_cast<void>(entry.text.assign({text.data(), header.text_bytes}));
  cursor.position += sizeof header + header.text_bytes;
  ++cursor.sequence;
  return entry;
}

LogRing::Cursor LogRing::last(std::size_t count) const {
  Cursor cursor = begin_;
  for (std::size_t skip = size() - std::min(size(), count); skip > 0; --skip) {
    cursor.position += sizeof(Header) + read_header(cursor.position).text_bytes;
    ++cursor.sequence;
  }
  return cursor;
}

LogRing::Module& LogRing::find_module(std::string_view name, Instant now) {
  for (std::size_t i = 0; i < module_count_; ++i)
    if (modules_[i].name == name) return modules_[i];
  if (module_count_ == modules_.size()) return modules_.back();
  Module& module = modules_[module_count_++];
  module.name = module_count_ == modules_.size() ? std::string_view("others") : name;
  module.refilled = now;
  return module;
}

void LogRing::refill(Module& module, Instant now) {
  constexpr Duration per_line = Duration(std::chrono::seconds(1)) / lines_per_second;
  const auto earned = (now - module.refilled) / per_line;
  if (earned <= 0) return;
  module.allowance = static_cast<unsigned>(std::min<std::int64_t>(burst, module.allowance + earned));
  module.refilled += earned * per_line;
}

void LogRing::say_repeated(Module& module, Instant now) {
  if (module.repeated == 0) return;
  std::array<char, 48> count{};
  std::snprintf(count.data(), count.size(), "repeated %" PRIu32 " times: ", module.repeated);
  LogText text{std::string_view(count.data())};
  append_printable(text, module.last_text);
  append(now, module.last_level, module.name, text);
  module.repeated = 0;
}

void LogRing::say_suppressed(Module& module, Instant now) {
  if (module.suppressed == 0) return;
  std::array<char, 80> text{};
  std::snprintf(text.data(), text.size(), "%" PRIu32 " lines suppressed (more than %u a second)", module.suppressed,
                lines_per_second);
  append(now, LogLevel::warning, module.name, std::string_view(text.data()));
  module.suppressed = 0;
}

void LogRing::append(Instant now, LogLevel level, std::string_view module, std::string_view text) {
  const Header header{now, module.data(), static_cast<std::uint16_t>(text.size()),
                      static_cast<std::uint8_t>(std::min<std::size_t>(module.size(), 255)), level};
  while (end_.position - begin_.position + sizeof header + text.size() > capacity_bytes) drop_oldest();
  copy_in(&header, sizeof header);
  copy_in(text.data(), text.size());
  ++end_.sequence;
}

void LogRing::drop_oldest() {
  begin_.position += sizeof(Header) + read_header(begin_.position).text_bytes;
  ++begin_.sequence;
}

LogRing::Header LogRing::read_header(std::uint64_t position) const {
  Header header;
  copy_out(position, &header, sizeof header);
  return header;
}

void LogRing::copy_in(const void* from, std::size_t bytes) {
  const std::size_t at = static_cast<std::size_t>(end_.position % capacity_bytes);
  const std::size_t first = std::min(bytes, capacity_bytes - at);
  std::memcpy(bytes_.data() + at, from, first);
  std::memcpy(bytes_.data(), static_cast<const char*>(from) + first, bytes - first);
  end_.position += bytes;
}

void LogRing::copy_out(std::uint64_t position, void* to, std::size_t bytes) const {
  const std::size_t at = static_cast<std::size_t>(position % capacity_bytes);
  const std::size_t first = std::min(bytes, capacity_bytes - at);
  std::memcpy(to, bytes_.data() + at, first);
  std::memcpy(static_cast<char*>(to) + first, bytes_.data(), bytes - first);
}

}  // namespace sallyport::firmware
