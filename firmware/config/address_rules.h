// Which addresses can be a host's, whatever the setting.
#pragma once

#include <algorithm>
#include <cstdint>

#include "net/ip_address.h"

namespace sallyport::firmware {

/// nullptr: `address` may be a host's. Else why it cannot, as a clause.
inline const char* why_no_host(const net::IpAddress& address) {
  const auto bytes = address.bytes();
  if (address.is_unspecified()) return "the unspecified address is nobody's";
  if (address.is_loopback()) return "a loopback address never leaves a host";
  if (address.is_multicast()) return "a multicast address is no host's";
  if (address.family() == net::IpFamily::v4) {
    if (bytes[0] == 0) return "addresses of 0.0.0.0/8 are no host's";         // RFC 1122 3.2.1.3
    if (bytes[0] >= 240) return "addresses from 240.0.0.0 up are no host's";  // RFC 1112 4, RFC 919
    return nullptr;
  }
  const bool mapped = std::all_of(bytes.begin(), bytes.begin() + 10, [](std::uint8_t byte) { return byte == 0; }) &&
                      bytes[10] == 0xFF && bytes[11] == 0xFF;  // RFC 4291 2.5.5.2
  return mapped ? "this is an IPv4 address in the form of IPv6; write it as IPv4" : nullptr;
}

/// The all-zeros or all-ones host of an IPv4 network (RFC 1122 3.2.1.3). Point-to-point networks have none (RFC 3021).
inline bool is_network_or_broadcast(const net::IpPrefix& prefix) {
  if (prefix.address.family() == net::IpFamily::v6 || prefix.length >= 31) return false;
  std::uint32_t value = 0;
  for (const std::uint8_t byte : prefix.address.bytes()) value = value << 8 | byte;
  const std::uint32_t host_mask = 0xFFFFFFFFU >> prefix.length;
  return (value & host_mask) == 0 || (value & host_mask) == host_mask;
}

}  // namespace sallyport::firmware
