// Between our IpAddress and lwIP's. Only net/lwip includes this.
#pragma once

#include <algorithm>
#include <array>

#include "lwip/ip_addr.h"
#include "lwip/netif.h"
#include "net/ip_address.h"

namespace sallyport::net {

/// Link-local addresses get the interface's zone (RFC 4007): without it lwIP cannot tell the two links apart.
inline ip_addr_t to_lwip(const IpAddress& address, const netif& interface) {
  ip_addr_t result{};
  const auto bytes = address.bytes();
  if (address.family() == IpFamily::v4) {
    IP_ADDR4(&result, bytes[0], bytes[1], bytes[2], bytes[3]);
  } else {
    IP_SET_TYPE_VAL(result, IPADDR_TYPE_V6);
    std::copy(bytes.begin(), bytes.end(), reinterpret_cast<std::uint8_t*>(ip_2_ip6(&result)->addr));
    ip6_addr_assign_zone(ip_2_ip6(&result), IP6_UNKNOWN, &interface);
  }
  return result;
}

inline IpAddress from_lwip(const ip4_addr_t& address) {
  std::array<std::uint8_t, 4> bytes;
  std::copy_n(reinterpret_cast<const std::uint8_t*>(&address.addr), bytes.size(), bytes.begin());
  return IpAddress::v4(bytes);
}

inline IpAddress from_lwip(const ip6_addr_t& address) {
  std::array<std::uint8_t, 16> bytes;
  std::copy_n(reinterpret_cast<const std::uint8_t*>(address.addr), bytes.size(), bytes.begin());
  return IpAddress::v6(bytes);
}

inline IpAddress from_lwip(const ip_addr_t& address) {
  return IP_IS_V6_VAL(address) ? from_lwip(*ip_2_ip6(&address)) : from_lwip(*ip_2_ip4(&address));
}

}  // namespace sallyport::net
