#include "net/ip_address.h"

#include <algorithm>
#include <charconv>
#include <cstdio>

namespace sallyport::net {
namespace {

constexpr std::size_t v6_groups = 8;
using Groups = std::array<std::uint16_t, v6_groups>;

/// Decimal digits only, at most `limit`, no leading zero: "010" is octal to some readers and ten to others.
std::optional<std::uint16_t> parse_decimal(std::string_view text, std::uint16_t limit) {
  if (text.empty() || text.front() < '0' || text.front() > '9' || (text.size() > 1 && text.front() == '0'))
    return std::nullopt;
  std::uint16_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value > limit) return std::nullopt;
  return value;
}

std::optional<std::uint16_t> parse_hex_group(std::string_view text) {
  std::uint16_t value = 0;
  if (text.empty() || text.size() > 4) return std::nullopt;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<std::array<std::uint8_t, 4>> parse_v4(std::string_view text) {
  std::array<std::uint8_t, 4> bytes{};
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const bool last = i + 1 == bytes.size();
    const std::size_t end = last ? text.size() : text.find('.');
    if (end == std::string_view::npos) return std::nullopt;
    const auto octet = parse_decimal(text.substr(0, end), 255);
    if (!octet) return std::nullopt;
    bytes[i] = static_cast<std::uint8_t>(*octet);
    if (!last) text.remove_prefix(end + 1);
  }
  return bytes;
}

std::array<std::uint8_t, 16> to_bytes(const Groups& groups) {
  std::array<std::uint8_t, 16> bytes{};
  for (std::size_t i = 0; i < groups.size(); ++i) {
    bytes[2 * i] = static_cast<std::uint8_t>(groups[i] >> 8);
    bytes[2 * i + 1] = static_cast<std::uint8_t>(groups[i]);
  }
  return bytes;
}

/// The text as groups in order; `gap` is where "::" stood.
struct SplitV6 {
  Groups groups{};
  std::size_t count = 0;
  std::optional<std::size_t> gap;

  bool push(std::uint16_t group) {
    if (count == groups.size()) return false;
    groups[count++] = group;
    return true;
  }
};

bool push_dotted_quad(SplitV6& split, std::string_view text) {
  const auto quad = parse_v4(text);
  if (!quad) return false;
  return split.push(static_cast<std::uint16_t>((*quad)[0] << 8 | (*quad)[1])) &&
         split.push(static_cast<std::uint16_t>((*quad)[2] << 8 | (*quad)[3]));
}

std::optional<SplitV6> split_v6(std::string_view text) {
  SplitV6 split;
  if (text.starts_with("::")) {
    split.gap = 0;
    text.remove_prefix(2);
  }
  while (!text.empty()) {
    const std::size_t colon = text.find(':');
    if (colon == std::string_view::npos && text.contains('.'))
      return push_dotted_quad(split, text) ? std::optional(split) : std::nullopt;
    const auto group = parse_hex_group(text.substr(0, colon));
    if (!group || !split.push(*group)) return std::nullopt;
    if (colon == std::string_view::npos) return split;
    text.remove_prefix(colon + 1);
    if (text.starts_with(':')) {
      if (split.gap) return std::nullopt;
      split.gap = split.count;
      text.remove_prefix(1);
    } else if (text.empty()) {
      return std::nullopt;
    }
  }
  return split;
}

/// RFC 4291 2.2: eight groups, or fewer with one "::", the last two groups perhaps as a dotted quad.
std::optional<std::array<std::uint8_t, 16>> parse_v6(std::string_view text) {
  const auto split = split_v6(text);
  if (!split) return std::nullopt;
  if (!split->gap) return split->count == v6_groups ? std::optional(to_bytes(split->groups)) : std::nullopt;
  if (split->count == v6_groups) return std::nullopt;
  Groups groups{};
  const auto from = split->groups.begin();
  std::copy_n(from, *split->gap, groups.begin());
  std::copy_backward(from + static_cast<std::ptrdiff_t>(*split->gap), from + static_cast<std::ptrdiff_t>(split->count),
                     groups.end());
  return to_bytes(groups);
}

struct ZeroRun {
  std::size_t begin = 0;
  std::size_t length = 0;
};

/// RFC 5952 4.2: the longest run of at least two zero groups, the first of equals.
ZeroRun longest_zero_run(const Groups& groups) {
  ZeroRun best;
  for (std::size_t i = 0; i < groups.size();) {
    std::size_t end = i;
    while (end < groups.size() && groups[end] == 0) ++end;
    if (end - i > std::max<std::size_t>(best.length, 1)) best = {i, end - i};
    i = std::max(end, i + 1);
  }
  return best;
}

template <std::size_t N, class... Arguments>
void append_formatted(FixedString<N>& text, const char* format, Arguments... arguments) {
  std::array<char, 24> buffer;
  const int length = std::snprintf(buffer.data(), buffer.size(), format, arguments...);
  static_cast<void>(text.append({buffer.data(), static_cast<std::size_t>(length)}));
}

IpText format_v4(std::span<const std::uint8_t> bytes) {
  IpText text;
  append_formatted(text, "%u.%u.%u.%u", bytes[0], bytes[1], bytes[2], bytes[3]);
  return text;
}

IpText format_v6(std::span<const std::uint8_t> bytes) {
  Groups groups{};
  for (std::size_t i = 0; i < groups.size(); ++i)
    groups[i] = static_cast<std::uint16_t>(bytes[2 * i] << 8 | bytes[2 * i + 1]);
  const ZeroRun run = longest_zero_run(groups);
  IpText text;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    if (run.length != 0 && i == run.begin) {
      static_cast<void>(text.append("::"));
      i += run.length - 1;
      continue;
    }
    const bool after_gap = run.length != 0 && i == run.begin + run.length;
    if (i != 0 && !after_gap) static_cast<void>(text.append(":"));
    append_formatted(text, "%x", static_cast<unsigned>(groups[i]));
  }
  return text;
}

bool equal_bits(std::span<const std::uint8_t> left, std::span<const std::uint8_t> right, std::size_t bits) {
  const std::size_t whole = bits / 8;
  if (!std::equal(left.begin(), left.begin() + static_cast<std::ptrdiff_t>(whole), right.begin())) return false;
  if (bits % 8 == 0) return true;
  const auto mask = static_cast<std::uint8_t>(0xFF << (8 - bits % 8));
  return ((left[whole] ^ right[whole]) & mask) == 0;
}

}  // namespace

IpAddress IpAddress::v4(const std::array<std::uint8_t, 4>& bytes) {
  IpAddress address;
  std::copy(bytes.begin(), bytes.end(), address.bytes_.begin());
  return address;
}

IpAddress IpAddress::v6(const std::array<std::uint8_t, 16>& bytes) {
  IpAddress address;
  address.family_ = IpFamily::v6;
  address.bytes_ = bytes;
  return address;
}

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  if (text.contains(':')) {
    const auto bytes = parse_v6(text);
    return bytes ? std::optional(v6(*bytes)) : std::nullopt;
  }
  const auto bytes = parse_v4(text);
  return bytes ? std::optional(v4(*bytes)) : std::nullopt;
}

bool IpAddress::is_unspecified() const {
  return std::all_of(bytes_.begin(), bytes_.end(), [](std::uint8_t byte) { return byte == 0; });
}

bool IpAddress::is_loopback() const {
  if (family_ == IpFamily::v4) return bytes_[0] == 127;
  return bytes_[15] == 1 && std::all_of(bytes_.begin(), bytes_.end() - 1, [](std::uint8_t byte) { return byte == 0; });
}

bool IpAddress::is_multicast() const {
  return family_ == IpFamily::v4 ? (bytes_[0] & 0xF0) == 0xE0 : bytes_[0] == 0xFF;
}

bool IpAddress::is_link_local() const {
  if (family_ == IpFamily::v4) return bytes_[0] == 169 && bytes_[1] == 254;  // RFC 3927
  return bytes_[0] == 0xFE && (bytes_[1] & 0xC0) == 0x80;                    // RFC 4291 2.5.6
}

IpText IpAddress::text() const { return family_ == IpFamily::v4 ? format_v4(bytes()) : format_v6(bytes()); }

std::optional<IpPrefix> IpPrefix::parse(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const auto address = IpAddress::parse(text.substr(0, slash));
  if (!address) return std::nullopt;
  const auto length = parse_decimal(text.substr(slash + 1), address->family() == IpFamily::v4 ? 32 : 128);
  if (!length) return std::nullopt;
  return IpPrefix{*address, static_cast<std::uint8_t>(*length)};
}

bool IpPrefix::contains(const IpAddress& other) const {
  return other.family() == address.family() && equal_bits(address.bytes(), other.bytes(), length);
}

EndpointText Endpoint::text() const {
  EndpointText text;
  const bool v6 = address.family() == IpFamily::v6;
  if (v6) static_cast<void>(text.append("["));
  static_cast<void>(text.append(address.text()));
  append_formatted(text, v6 ? "]:%u" : ":%u", static_cast<unsigned>(port));
  return text;
}

}  // namespace sallyport::net
