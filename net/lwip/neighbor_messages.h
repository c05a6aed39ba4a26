// ARP (RFC 826, RFC 5227) and IPv6 neighbour discovery (RFC 4861) messages: whole Ethernet frames from and to values.
// No state. What parse() gets has passed the frame filter, but for the ICMPv6 checksum, which parse() verifies.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "hal/ethernet_mac.h"
#include "net/ip_address.h"

namespace sallyport::net {

struct NeighborMessage {
  enum class Kind : std::uint8_t { solicitation, advertisement };  // an ARP request, an ARP reply

  Kind kind = Kind::solicitation;
  IpAddress sender;  // unspecified: duplicate address detection, RFC 5227 2.1.1, RFC 4862 5.4
  IpAddress target;  // who is meant; an advertisement is about this address, but for ARP about the sender
  std::optional<hal::MacAddress> mac;  // of the sender, or of the target in an IPv6 advertisement
  bool solicited = true;               // IPv6 advertisement: an answer to us
  bool override_mac = true;            // IPv6 advertisement: replaces what is known
};

/// nullopt: checksum wrong.
std::optional<NeighborMessage> parse_neighbor_message(std::span<const std::byte> frame);

/// A frame in place; the longest is a solicitation: 14 + 40 + 32.
struct NeighborFrame {
  std::array<std::uint8_t, 86> bytes{};
  std::size_t length = 0;
  std::span<const std::byte> view() const { return std::as_bytes(std::span(bytes)).first(length); }
};

struct LinkEndpoint {
  hal::MacAddress mac{};
  IpAddress address;
};

/// Asks who has `target`, of `known` alone if it is given, else of everybody.
NeighborFrame make_solicitation(const LinkEndpoint& from, const IpAddress& target,
                                const std::optional<hal::MacAddress>& known);
/// Tells `to` that `from` is here; of an unspecified `to`, everybody.
NeighborFrame make_advertisement(const LinkEndpoint& from, const LinkEndpoint& to);
/// Tells everybody, unasked: after the link has come up (RFC 5227 2.3, RFC 4861 7.2.6).
NeighborFrame make_announcement(const LinkEndpoint& from);

}  // namespace sallyport::net
