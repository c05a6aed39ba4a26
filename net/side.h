// External and Internal: the two types that never mix. Interfaces, listeners, connections, streams and stanzas carry
// one of them as a parameter; only firmware/relay names both. Side (trust) and role (initiating, receiving entity) are
// different axes: neither is ever called "in" or "out".
#pragma once

#include <concepts>
#include <cstdint>
#include <string_view>

namespace sallyport::net {

/// Towards the internet: federated partners.
struct External {
  static constexpr std::string_view name = "external";
  static constexpr std::uint16_t listen_port = 5269;  // IANA xmpp-server, RFC 6120 14.7
};

/// Towards the organisation: its XMPP gateway.
struct Internal {
  static constexpr std::string_view name = "internal";
  static constexpr std::uint16_t listen_port = 23456;  // Lync Server 2013's port summary for the XMPP gateway
};

template <class T>
concept Side = std::same_as<T, External> || std::same_as<T, Internal>;

}  // namespace sallyport::net
