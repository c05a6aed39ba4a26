// Name: a domain name in wire form (RFC 1035 3.1), lower case, uncompressed, at most 255 bytes. Comparing two is
// comparing their bytes; RFC 4343's case-insensitivity is settled when a name is made.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "hal/base/fixed_string.h"

namespace sallyport::net::dns {

inline constexpr std::size_t max_name_bytes = 255;  // RFC 1035 2.3.4, length bytes and root included
inline constexpr std::size_t max_name_text = 253;   // what fits of dotted text
inline constexpr std::size_t max_label_bytes = 63;  // RFC 1035 2.3.4

class Name {
 public:
  Name() = default;  // the root
  /// A host or service name as settings and stanzas have it: labels of ASCII letters, digits, '-' and '_' (A-labels for
  /// internationalised names), an optional dot at the end. nullopt: anything else, or too long.
  static std::optional<Name> from_text(std::string_view text);

  /// False: too long a label or name, nothing appended. `label` may hold any bytes (RFC 2181 11).
  bool append_label(std::span<const std::byte> label);

  bool is_root() const { return size_ == 1; }
  std::span<const std::byte> wire() const { return {wire_.data(), size_}; }
  /// Dotted, without a dot at the end; "." for the root. Bytes that no host name has are shown as '?'.
  FixedString<max_name_text> text() const;

  friend bool operator==(const Name& left, const Name& right);

 private:
  std::array<std::byte, max_name_bytes> wire_{};
  std::uint8_t size_ = 1;  // the root's zero byte included
};

}  // namespace sallyport::net::dns
