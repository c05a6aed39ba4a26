// FrameFilter: what one interface lets in. Default deny: a frame is admitted only when it is a well-formed part of
// something the appliance serves or started; everything else ends here, before lwIP reads a byte of it.
//
//   ARP                requests for our address and replies to us, from our subnet (RFC 826)
//   IPv6 neighbours    solicitations of our addresses, advertisements (RFC 4861); routers and redirects are refused:
//   the
//                      configuration is static
//   MLD queries        from link-local routers (RFC 2710, RFC 3810): snooping switches need our reports
//   ICMP, ICMPv6       echo requests to us; errors about packets of ours
//   TCP                to the side's port; to other ports only what belongs to a connection that we started
//   UDP                only replies to requests that are waiting for one
//
// Both families obey the strong host model (RFC 1122 3.3.4.2): the destination is an address of *this* interface.
// Sources that cannot be true are refused: multicast, broadcast, loopback, our own addresses, the other side's network.
// So are fragments, IP options and extension headers (but MLD's router alert), and every length that does not add up:
// among them the TCP and neighbour discovery options that lwIP 2.2.1 reads past their end (upstream 3d896ba0, 0a65e654,
// 8e75a40a), and a maximum segment size outside a SYN, which lwIP would take as new and then assert on.
//
// Pure: bytes in, verdict out. Checksums are verified later, rates are limited by the caller (FrameKind says of what).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "hal/ethernet_mac.h"
#include "net/ip_address.h"

namespace sallyport::net {

/// What an admitted frame is; the payload begins behind the Ethernet header, ethernet_header_bytes.
enum class FrameKind : std::uint8_t { arp, neighbor_discovery, multicast_listener, echo_request, icmp_error, tcp, udp };

/// Why a frame was refused. `none`: it was not.
enum class Refusal : std::uint8_t {
  none,
  length,               // shorter or longer than its headers say, or than Ethernet allows
  destination_mac,      // not ours, or a group that this protocol does not use
  source_mac,           // a group, zero, or our own
  ethertype,            // neither ARP, IPv4 nor IPv6
  arp,                  // malformed, not for us, or from outside our subnet
  ip_header,            // version, lengths
  ip_options,           // IPv4 options, IPv6 extension headers
  fragment,             // RFC 791, RFC 8200: we neither send nor need them
  destination_address,  // not an address of this interface
  source_address,       // cannot be true
  protocol,             // neither TCP, UDP, ICMP (IPv4) nor ICMPv6 (IPv6)
  icmp,                 // malformed, or a type that is not served
  neighbor_discovery,   // malformed, not from this link, or from a router
  tcp_header,           // offset, ports, flags
  tcp_options,          // malformed, or where they do not belong
  port,                 // TCP or UDP that nobody waits for
  count_
};

inline constexpr std::size_t refusal_reasons = static_cast<std::size_t>(Refusal::count_);

std::string_view to_text(Refusal refusal);

struct FrameVerdict {
  Refusal refusal = Refusal::none;
  FrameKind kind = FrameKind::arp;  // meaningful when admitted
  constexpr bool admitted() const { return refusal == Refusal::none; }
};

/// What this side has started and waits for.
class ExpectedReplies {
 public:
  virtual bool tcp_expected(const Endpoint& remote, std::uint16_t local_port) const = 0;
  virtual bool udp_expected(const Endpoint& remote, std::uint16_t local_port) const = 0;

 protected:
  ~ExpectedReplies() = default;
};

struct FilterSettings {
  hal::MacAddress mac{};
  std::uint16_t listen_port = 0;
  std::optional<IpPrefix> v4;
  std::optional<IpPrefix> v6_global;
  std::optional<IpPrefix> v6_link_local;  // made from the MAC
  // The other side's: nothing may claim to come from there.
  std::optional<IpPrefix> other_v4;
  std::optional<IpPrefix> other_v6;
};

inline constexpr std::size_t ethernet_header_bytes = 14;
/// A SYN that announces less is refused: each segment that we send costs a block, however short.
inline constexpr std::uint16_t smallest_mss = 256;

class FrameFilter {
 public:
  explicit FrameFilter(const ExpectedReplies& expected) : expected_(expected) {}

  void configure(const FilterSettings& settings) { settings_ = settings; }
  const FilterSettings& settings() const { return settings_; }

  /// `frame` without FCS; padding behind the packet is allowed.
  FrameVerdict check(std::span<const std::byte> frame) const;

 private:
  FrameVerdict check_arp(std::span<const std::uint8_t> frame) const;
  FrameVerdict check_v4(std::span<const std::uint8_t> frame) const;
  FrameVerdict check_v6(std::span<const std::uint8_t> frame) const;
  FrameVerdict check_icmp_v4(std::span<const std::uint8_t> message) const;
  FrameVerdict check_icmp_v6(std::span<const std::uint8_t> packet, std::span<const std::uint8_t> message) const;
  FrameVerdict check_neighbor_solicitation(std::span<const std::uint8_t> packet,
                                           std::span<const std::uint8_t> message) const;
  FrameVerdict check_neighbor_advertisement(std::span<const std::uint8_t> packet,
                                            std::span<const std::uint8_t> message) const;
  FrameVerdict check_multicast_listener(std::span<const std::uint8_t> packet) const;
  FrameVerdict check_tcp(std::span<const std::uint8_t> segment, const IpAddress& source) const;
  FrameVerdict check_udp(std::span<const std::uint8_t> datagram, const IpAddress& source) const;

  bool is_our_v6(std::span<const std::uint8_t> address) const;
  bool is_our_solicited_node_group(std::span<const std::uint8_t> address) const;
  bool plausible_source(const IpAddress& source) const;

  const ExpectedReplies& expected_;
  FilterSettings settings_;
};

}  // namespace sallyport::net
