// Interface<Side>: one Ethernet controller, its addresses, its frame filter, and lwIP's netif for it.
//
// Strong host model (RFC 1122 3.3.4.2) on both families: a packet is accepted only on the interface that owns its
// destination address, and is sent only from the interface that owns its source. There is no forwarding in the image.
// The frame filter is default-deny: see net/lwip/frame_filter.h.
//
// Owner: firmware/main.cpp, static storage. Not movable. All calls from the event loop.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "hal/ethernet_mac.h"
#include "net/ip_address.h"
#include "net/side.h"

namespace sallyport::net {

struct InterfaceSettings {
  std::optional<IpPrefix> v4;
  std::optional<IpPrefix> v6;  // one static global address; a link-local one is always made from the MAC
  std::optional<IpAddress> gateway_v4;
  std::optional<IpAddress> gateway_v6;
};

struct FilterCounters {
  std::uint64_t admitted = 0;
  std::uint64_t refused = 0;       // all reasons; frame_filter.h has them one by one
  std::uint64_t rate_limited = 0;  // ICMP beyond its rate
};

class InterfaceBody;  // lwIP's netif and the filter, in interface.cpp

}  // namespace sallyport::net
