// The language of the settings: lines of `set PATH VALUE`, one table for everything that can be set.
//
//   set system name edge.corp.example      # a comment
//   set partner p.example description "Our friends, since 2019"
//
// Words are separated by blanks; a word with blanks is written in double quotes (no escapes inside). `#` at the start
// of a word begins a comment. Lines end with LF or CRLF and have at most max_line_bytes. Outside quotes and comments
// only printable ASCII.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "firmware/config/mistakes.h"
#include "firmware/config/settings.h"
#include "firmware/config/settings_image.h"

namespace sallyport::firmware {

inline constexpr std::size_t max_line_bytes = 1024;  // line end excluded

enum class ValueKind : std::uint8_t {
  none,
  domain,
  prefix,
  address,
  certificate_file,
  key_file,
  text,
  seconds,
  log_level
};

struct ValueDescription {
  std::string_view placeholder;  // "ADDRESS/LENGTH"
  std::string_view allowed;      // what is accepted, with an example
};

struct ParseContext;  // settings_parser.cpp

/// One line of the table. `path` is words; `<domain>` in it stands for a domain name.
struct SettingEntry {
  std::string_view path;
  ValueKind value;
  std::string_view times;        // how often it may be set: "once", "once per family", "up to 4 times"
  bool required;                 // at least once, per partner where the path names one
  std::string_view fallback;     // what holds when it is not set; empty: nothing
  std::string_view help;         // one sentence
  void (*apply)(ParseContext&);  // files the checked value
};

/// Everything that can be set, in the order of the reference. Parser, docs/settings.md and later completion use it.
std::span<const SettingEntry> setting_table();
const ValueDescription& describe(ValueKind kind);

/// Parses and checks the text of `image` into `settings` (cleared first). Domain names are brought into their
/// comparable form in place. True when there is no mistake; else `settings` must not be used, and `mistakes` says why.
[[nodiscard]] bool parse_settings(SettingsImage& image, Settings& settings, MistakeList& mistakes);

}  // namespace sallyport::firmware
