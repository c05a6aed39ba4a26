// ParseContext: what the parser's parts share while one line is parsed. Private to the settings' language: only
// settings_parser.cpp (lines), setting_values.cpp (values) and settings_table.cpp (what can be set) include it.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "firmware/config/settings_parser.h"
#include "hal/base/fixed_string.h"
#include "net/ip_address.h"

namespace sallyport::firmware {

/// One line while it is parsed, and its value in the one field that its kind has.
struct ParseContext {
  ParseContext(SettingsImage& from, Settings& into, MistakeList& list, std::uint32_t number_of_line)
      : image(from), settings(into), mistakes(list), line(number_of_line) {}

  SettingsImage& image;
  Settings& settings;
  MistakeList& mistakes;
  std::uint32_t line;
  const SettingEntry* entry = nullptr;

  std::string_view subject;  // the domain that <domain> in the path stands for, comparable form
  std::string_view word;     // the value as written
  std::string_view text;     // domain (comparable form), text
  net::IpPrefix prefix;
  net::IpAddress address;
  FileReference file;
  std::uint32_t number = 0;
  LogLevel level = LogLevel::info;
};

inline constexpr std::size_t max_setting_entries = 64;

/// Mistakes quote what was typed, but not a kilobyte of it.
struct Quoted {
  explicit Quoted(std::string_view word) : text(word.substr(0, 48)) {
    if (word.size() > 48) static_cast<void>(text.append("..."));
  }
  const char* c_str() const { return text.c_str(); }
  FixedString<51> text;
};

/// Puts the value that context.word holds into the field of its kind. False when it is refused; the mistake is said.
bool parse_value(ParseContext& context);

/// The domain in its comparable form, written back over `word` in the image; nullopt when it is none.
std::optional<std::string_view> normalise_domain(ParseContext& context, std::string_view word);

}  // namespace sallyport::firmware
