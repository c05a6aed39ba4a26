// IpAddress, IpPrefix, Endpoint: addresses of both families without any network stack, as settings, DNS, logs and the
// console use them. Values in network byte order.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "hal/base/fixed_string.h"

namespace sallyport::net {

enum class IpFamily : std::uint8_t { v4, v6 };

using IpText = FixedString<45>;        // longest IPv6 text, RFC 5952 form
using EndpointText = FixedString<53>;  // "[...]:65535"

class IpAddress {
 public:
  constexpr IpAddress() = default;  // 0.0.0.0
  static IpAddress v4(const std::array<std::uint8_t, 4>& bytes);
  static IpAddress v6(const std::array<std::uint8_t, 16>& bytes);
  /// Dotted quad, or RFC 4291 text. Nothing else (no octal, no scope id).
  static std::optional<IpAddress> parse(std::string_view text);

  IpFamily family() const { return family_; }
  /// 4 or 16 bytes.
  std::span<const std::uint8_t> bytes() const { return {bytes_.data(), family_ == IpFamily::v4 ? 4U : 16U}; }
  bool is_unspecified() const;
  bool is_loopback() const;
  bool is_multicast() const;
  bool is_link_local() const;
  IpText text() const;

  friend bool operator==(const IpAddress&, const IpAddress&) = default;

 private:
  IpFamily family_ = IpFamily::v4;
  std::array<std::uint8_t, 16> bytes_{};
};

/// An interface's address and its prefix length, "203.0.113.10/24".
struct IpPrefix {
  IpAddress address;
  std::uint8_t length = 0;  // bits

  static std::optional<IpPrefix> parse(std::string_view text);
  bool contains(const IpAddress& other) const;
  friend bool operator==(const IpPrefix&, const IpPrefix&) = default;
};

struct Endpoint {
  IpAddress address;
  std::uint16_t port = 0;  // host byte order

  EndpointText text() const;
  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

}  // namespace sallyport::net
