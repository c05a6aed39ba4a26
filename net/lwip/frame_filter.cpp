#include "net/lwip/frame_filter.h"

#include <algorithm>

namespace sallyport::net {
namespace {

using Bytes = std::span<const std::uint8_t>;

constexpr std::uint16_t ethertype_v4 = 0x0800;
constexpr std::uint16_t ethertype_arp = 0x0806;
constexpr std::uint16_t ethertype_v6 = 0x86DD;

constexpr std::uint8_t protocol_icmp_v4 = 1;
constexpr std::uint8_t protocol_tcp = 6;
constexpr std::uint8_t protocol_udp = 17;
constexpr std::uint8_t protocol_icmp_v6 = 58;
constexpr std::uint8_t v6_hop_by_hop = 0;
constexpr std::uint8_t v6_routing = 43;
constexpr std::uint8_t v6_fragment = 44;
constexpr std::uint8_t v6_destination_options = 60;

constexpr std::size_t v4_header_bytes = 20;
constexpr std::size_t v6_header_bytes = 40;
constexpr std::size_t tcp_header_bytes = 20;

constexpr std::uint8_t advertisement_type = 136;

constexpr std::uint8_t tcp_fin = 0x01, tcp_syn = 0x02, tcp_rst = 0x04, tcp_ack = 0x10;

constexpr hal::MacAddress broadcast_mac{0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};

constexpr FrameVerdict refuse(Refusal refusal) { return {refusal, FrameKind::arp}; }
constexpr FrameVerdict admit(FrameKind kind) { return {Refusal::none, kind}; }

std::uint16_t read_u16(Bytes bytes, std::size_t at) {
  return static_cast<std::uint16_t>(bytes[at] << 8 | bytes[at + 1]);
}

bool equal(Bytes left, Bytes right) { return std::equal(left.begin(), left.end(), right.begin(), right.end()); }

bool is_group(Bytes mac) { return (mac[0] & 1) != 0; }

bool is_zero(Bytes bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::uint8_t byte) { return byte == 0; });
}

/// A host's own MAC address: neither a group nor zero.
bool is_host_mac(Bytes mac) { return !is_group(mac) && !is_zero(mac); }

IpAddress address_v4(Bytes bytes) { return IpAddress::v4({bytes[0], bytes[1], bytes[2], bytes[3]}); }

IpAddress address_v6(Bytes bytes) {
  std::array<std::uint8_t, 16> copy;
  std::copy_n(bytes.begin(), copy.size(), copy.begin());
  return IpAddress::v6(copy);
}

/// All host bits one, or all zero (RFC 1122 3.2.1.3); a /31 or /32 has neither (RFC 3021).
bool is_subnet_broadcast(const IpPrefix& prefix, const IpAddress& address) {
  if (prefix.length >= 31 || !prefix.contains(address)) return false;
  const auto value = [](const IpAddress& from) {
    const Bytes b = from.bytes();
    return static_cast<std::uint32_t>(b[0]) << 24 | static_cast<std::uint32_t>(b[1]) << 16 |
           static_cast<std::uint32_t>(b[2]) << 8 | b[3];
  };
  const std::uint32_t host_bits = 0xFFFFFFFFU >> prefix.length;
  const std::uint32_t host = value(address) & host_bits;
  return host == 0 || host == host_bits;
}

bool is_v4_mapped(Bytes address) { return is_zero(address.first(10)) && address[10] == 0xFF && address[11] == 0xFF; }

/// RFC 4861 4.6: type, length in units of 8, never 0. Link-layer address options carry an Ethernet host's address.
bool valid_neighbor_options(Bytes options, bool& has_source_link_layer) {
  constexpr std::uint8_t source_link_layer = 1, target_link_layer = 2;
  has_source_link_layer = false;
  while (!options.empty()) {
    if (options.size() < 8 || options[1] == 0 || options[1] * 8U > options.size()) return false;
    const std::uint8_t type = options[0];
    if (type == source_link_layer || type == target_link_layer) {
      if (options[1] != 1 || !is_host_mac(options.subspan(2, 6))) return false;
      if (type == source_link_layer) has_source_link_layer = true;
    }
    options = options.subspan(options[1] * 8U);
  }
  return true;
}

/// RFC 9293 3.1: each option inside the header, the known ones with their length and where they belong.
bool valid_tcp_options(Bytes options, bool syn) {
  constexpr std::uint8_t end = 0, nop = 1, mss = 2, window_scale = 3, sack_permitted = 4, timestamps = 8;
  while (!options.empty() && options[0] != end) {
    if (options[0] == nop) {
      options = options.subspan(1);
      continue;
    }
    if (options.size() < 2 || options[1] < 2 || options[1] > options.size()) return false;
    const std::uint8_t length = options[1];
    switch (options[0]) {
      case mss:
        if (!syn || length != 4 || read_u16(options, 2) < smallest_mss) return false;
        break;
      case window_scale:
        if (length != 3) return false;
        break;
      case sack_permitted:
        if (length != 2) return false;
        break;
      case timestamps:
        if (length != 10) return false;
        break;
      default: break;
    }
    options = options.subspan(length);
  }
  return true;
}

}  // namespace

std::string_view to_text(Refusal refusal) {
  switch (refusal) {
    case Refusal::none: return "none";
    case Refusal::length: return "length";
    case Refusal::destination_mac: return "destination-mac";
    case Refusal::source_mac: return "source-mac";
    case Refusal::ethertype: return "ethertype";
    case Refusal::arp: return "arp";
    case Refusal::ip_header: return "ip-header";
    case Refusal::ip_options: return "ip-options";
    case Refusal::fragment: return "fragment";
    case Refusal::destination_address: return "destination-address";
    case Refusal::source_address: return "source-address";
    case Refusal::protocol: return "protocol";
    case Refusal::icmp: return "icmp";
    case Refusal::neighbor_discovery: return "neighbor-discovery";
    case Refusal::tcp_header: return "tcp-header";
    case Refusal::tcp_options: return "tcp-options";
    case Refusal::port: return "port";
    case Refusal::count_: break;
  }
  return "unknown";
}

FrameVerdict FrameFilter::check(std::span<const std::byte> raw) const {
  const Bytes frame(reinterpret_cast<const std::uint8_t*>(raw.data()), raw.size());
  if (frame.size() < ethernet_header_bytes || frame.size() > hal::max_frame_bytes) return refuse(Refusal::length);
  const Bytes source = frame.subspan(6, 6);
  if (!is_host_mac(source) || equal(source, settings_.mac)) return refuse(Refusal::source_mac);
  switch (read_u16(frame, 12)) {
    case ethertype_v4: return check_v4(frame);
    case ethertype_v6: return check_v6(frame);
    case ethertype_arp: return check_arp(frame);
    default: return refuse(Refusal::ethertype);
  }
}

FrameVerdict FrameFilter::check_arp(Bytes frame) const {
  constexpr std::size_t arp_bytes = 28;
  constexpr std::array<std::uint8_t, 6> ethernet_and_v4{0, 1, 0x08, 0x00, 6, 4};
  constexpr std::uint16_t request = 1, reply = 2;
  const Bytes destination = frame.first(6);
  const bool to_us = equal(destination, settings_.mac);
  if (!to_us && !equal(destination, broadcast_mac)) return refuse(Refusal::destination_mac);
  const Bytes arp = frame.subspan(ethernet_header_bytes);
  if (arp.size() < arp_bytes) return refuse(Refusal::length);
  if (!settings_.v4 || !equal(arp.first(6), ethernet_and_v4)) return refuse(Refusal::arp);
  const std::uint16_t operation = read_u16(arp, 6);
  if (operation != request && !(operation == reply && to_us)) return refuse(Refusal::arp);
  const Bytes sender_mac = arp.subspan(8, 6);
  if (!is_host_mac(sender_mac) || equal(sender_mac, settings_.mac)) return refuse(Refusal::arp);
  const IpAddress sender = address_v4(arp.subspan(14, 4));
  const IpAddress target = address_v4(arp.subspan(24, 4));
  const IpAddress& ours = settings_.v4->address;
  const bool probe = sender.is_unspecified() && operation == request;  // RFC 5227 2.1.1: answered, not learned
  if (!probe && (!settings_.v4->contains(sender) || is_subnet_broadcast(*settings_.v4, sender) || sender == ours))
    return refuse(Refusal::arp);
  const bool announcement = target == sender;  // RFC 5227 2.3: a gateway has moved to another MAC
  if (target != ours && !announcement) return refuse(Refusal::arp);
  return admit(FrameKind::arp);
}

FrameVerdict FrameFilter::check_v4(Bytes frame) const {
  // RFC 1122 3.3.6: a unicast packet in a broadcast frame is refused; group addresses are not served at all.
  if (!equal(frame.first(6), settings_.mac)) return refuse(Refusal::destination_mac);
  const Bytes rest = frame.subspan(ethernet_header_bytes);
  if (rest.size() < v4_header_bytes) return refuse(Refusal::length);
  if (rest[0] >> 4 != 4 || (rest[0] & 0x0F) < 5) return refuse(Refusal::ip_header);
  if ((rest[0] & 0x0F) != 5) return refuse(Refusal::ip_options);
  const std::uint16_t total = read_u16(rest, 2);
  if (total < v4_header_bytes || total > rest.size()) return refuse(Refusal::ip_header);
  if ((read_u16(rest, 6) & 0x3FFF) != 0) return refuse(Refusal::fragment);
  if (!settings_.v4 || !equal(rest.subspan(16, 4), settings_.v4->address.bytes()))
    return refuse(Refusal::destination_address);
  const IpAddress source = address_v4(rest.subspan(12, 4));
  if (!plausible_source(source)) return refuse(Refusal::source_address);
  const Bytes payload = rest.subspan(v4_header_bytes, total - v4_header_bytes);
  switch (rest[9]) {
    case protocol_tcp: return check_tcp(payload, source);
    case protocol_udp: return check_udp(payload, source);
    case protocol_icmp_v4: return check_icmp_v4(payload);
    default: return refuse(Refusal::protocol);
  }
}

FrameVerdict FrameFilter::check_v6(Bytes frame) const {
  const Bytes rest = frame.subspan(ethernet_header_bytes);
  if (rest.size() < v6_header_bytes) return refuse(Refusal::length);
  if (rest[0] >> 4 != 6) return refuse(Refusal::ip_header);
  const std::size_t length = read_u16(rest, 4);
  if (length == 0 || length > rest.size() - v6_header_bytes) return refuse(Refusal::ip_header);
  const Bytes packet = rest.first(v6_header_bytes + length);
  const Bytes payload = packet.subspan(v6_header_bytes);
  const Bytes destination = packet.subspan(24, 16);
  const IpAddress source = address_v6(packet.subspan(8, 16));
  const bool unspecified = source.is_unspecified();  // duplicate address detection; check_icmp_v6 sees to the rest
  // Another host that has one of our addresses says so in an advertisement from that address (RFC 4862 5.4.4).
  const bool conflict =
      packet[6] == protocol_icmp_v6 && payload[0] == advertisement_type && is_our_v6(packet.subspan(8, 16));
  if (!unspecified && !conflict && !plausible_source(source)) return refuse(Refusal::source_address);

  const bool group = destination[0] == 0xFF;
  if (group) {  // RFC 2464 7
    const std::array<std::uint8_t, 6> mac{0x33,           0x33, destination[12], destination[13], destination[14],
                                          destination[15]};
    if (!equal(frame.first(6), mac)) return refuse(Refusal::destination_mac);
  } else {
    if (!equal(frame.first(6), settings_.mac)) return refuse(Refusal::destination_mac);
    if (!is_our_v6(destination)) return refuse(Refusal::destination_address);
  }
  switch (packet[6]) {
    case protocol_icmp_v6: return check_icmp_v6(packet, payload);
    case protocol_tcp:
      if (group) return refuse(Refusal::destination_address);
      return unspecified ? refuse(Refusal::source_address) : check_tcp(payload, source);
    case protocol_udp:
      if (group) return refuse(Refusal::destination_address);
      return unspecified ? refuse(Refusal::source_address) : check_udp(payload, source);
    case v6_hop_by_hop: return check_multicast_listener(packet);
    case v6_fragment: return refuse(Refusal::fragment);
    case v6_routing:
    case v6_destination_options: return refuse(Refusal::ip_options);
    default: return refuse(Refusal::protocol);
  }
}

FrameVerdict FrameFilter::check_icmp_v4(Bytes message) const {
  constexpr std::uint8_t destination_unreachable = 3, echo_request = 8, time_exceeded = 11, parameter_problem = 12;
  constexpr std::size_t quoted_bytes = v4_header_bytes + 8;  // RFC 792
  if (message.size() < 8) return refuse(Refusal::icmp);
  switch (message[0]) {
    case echo_request: return message[1] == 0 ? admit(FrameKind::echo_request) : refuse(Refusal::icmp);
    case destination_unreachable:
    case time_exceeded:
    case parameter_problem:
      return message.size() >= 8 + quoted_bytes ? admit(FrameKind::icmp_error) : refuse(Refusal::icmp);
    default: return refuse(Refusal::icmp);
  }
}

FrameVerdict FrameFilter::check_icmp_v6(Bytes packet, Bytes message) const {
  constexpr std::uint8_t last_error = 4, echo_request = 128, solicitation = 135;
  constexpr std::size_t quoted_bytes = v6_header_bytes + 8;
  if (message.size() < 8) return refuse(Refusal::icmp);
  const std::uint8_t type = message[0];
  if (type == solicitation) return check_neighbor_solicitation(packet, message);
  if (type == advertisement_type) return check_neighbor_advertisement(packet, message);
  if (type >= 130 && type <= 137) return refuse(Refusal::neighbor_discovery);
  // Everything else goes between two hosts.
  if (packet[24] == 0xFF) return refuse(Refusal::destination_address);
  if (is_zero(packet.subspan(8, 16))) return refuse(Refusal::source_address);
  if (type == echo_request) return message[1] == 0 ? admit(FrameKind::echo_request) : refuse(Refusal::icmp);
  if (type >= 1 && type <= last_error && message.size() >= 8 + quoted_bytes) return admit(FrameKind::icmp_error);
  return refuse(Refusal::icmp);
}

/// RFC 4861 7.1.1.
FrameVerdict FrameFilter::check_neighbor_solicitation(Bytes packet, Bytes message) const {
  constexpr FrameVerdict refused = refuse(Refusal::neighbor_discovery);
  bool has_source_link_layer = false;
  if (packet[7] != 255 || message[1] != 0 || message.size() < 24) return refused;
  if (!valid_neighbor_options(message.subspan(24), has_source_link_layer)) return refused;
  if (!is_our_v6(message.subspan(8, 16))) return refused;
  const Bytes destination = packet.subspan(24, 16);
  const bool group = destination[0] == 0xFF;
  if (group && !is_our_solicited_node_group(destination)) return refused;
  const bool unspecified = is_zero(packet.subspan(8, 16));
  if (unspecified && (!group || has_source_link_layer)) return refused;
  return admit(FrameKind::neighbor_discovery);
}

/// RFC 4861 7.1.2.
FrameVerdict FrameFilter::check_neighbor_advertisement(Bytes packet, Bytes message) const {
  constexpr FrameVerdict refused = refuse(Refusal::neighbor_discovery);
  constexpr std::uint8_t solicited = 0x40;
  constexpr std::array<std::uint8_t, 16> all_nodes{0xFF, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  bool has_source_link_layer = false;
  if (packet[7] != 255 || message[1] != 0 || message.size() < 24) return refused;
  if (!valid_neighbor_options(message.subspan(24), has_source_link_layer)) return refused;
  if (message[8] == 0xFF || is_zero(packet.subspan(8, 16))) return refused;
  const Bytes destination = packet.subspan(24, 16);
  const bool group = destination[0] == 0xFF;
  if (group && (!equal(destination, all_nodes) || (message[4] & solicited) != 0)) return refused;
  return admit(FrameKind::neighbor_discovery);
}

/// RFC 2710 3: a query, hop limit 1, link-local source, router alert (RFC 2711) in the only extension header we admit.
FrameVerdict FrameFilter::check_multicast_listener(Bytes packet) const {
  constexpr std::array<std::uint8_t, 8> router_alert{protocol_icmp_v6, 0, 0x05, 0x02, 0, 0, 0x01, 0x00};
  constexpr std::uint8_t query = 130;
  constexpr std::size_t query_bytes = 24;
  const Bytes payload = packet.subspan(v6_header_bytes);
  if (payload.size() < router_alert.size() || !equal(payload.first(8), router_alert))
    return refuse(Refusal::ip_options);
  const Bytes message = payload.subspan(8);
  const bool link_local = packet[8] == 0xFE && (packet[9] & 0xC0) == 0x80;
  if (packet[7] != 1 || !link_local || packet[24] != 0xFF || message.size() < query_bytes || message[0] != query)
    return refuse(Refusal::icmp);
  return admit(FrameKind::multicast_listener);
}

FrameVerdict FrameFilter::check_tcp(Bytes segment, const IpAddress& source) const {
  if (segment.size() < tcp_header_bytes) return refuse(Refusal::tcp_header);
  const std::size_t header = std::size_t{segment[12]} / 16 * 4;
  if (header < tcp_header_bytes || header > segment.size()) return refuse(Refusal::tcp_header);
  const std::uint8_t flags = segment[13];
  const bool syn = (flags & tcp_syn) != 0;
  if ((flags & (tcp_syn | tcp_rst | tcp_ack)) == 0) return refuse(Refusal::tcp_header);
  if (syn && (flags & (tcp_fin | tcp_rst)) != 0) return refuse(Refusal::tcp_header);
  const std::uint16_t source_port = read_u16(segment, 0);
  const std::uint16_t port = read_u16(segment, 2);
  if (source_port == 0 || port == 0) return refuse(Refusal::tcp_header);
  if (port != settings_.listen_port && !expected_.tcp_expected({source, source_port}, port))
    return refuse(Refusal::port);
  if (!valid_tcp_options(segment.subspan(tcp_header_bytes, header - tcp_header_bytes), syn))
    return refuse(Refusal::tcp_options);
  return admit(FrameKind::tcp);
}

FrameVerdict FrameFilter::check_udp(Bytes datagram, const IpAddress& source) const {
  constexpr std::size_t header = 8;
  if (datagram.size() < header || read_u16(datagram, 4) < header || read_u16(datagram, 4) > datagram.size())
    return refuse(Refusal::length);
  const std::uint16_t source_port = read_u16(datagram, 0);
  if (source_port == 0 || !expected_.udp_expected({source, source_port}, read_u16(datagram, 2)))
    return refuse(Refusal::port);
  return admit(FrameKind::udp);
}

bool FrameFilter::is_our_v6(Bytes address) const {
  return (settings_.v6_global && equal(address, settings_.v6_global->address.bytes())) ||
         (settings_.v6_link_local && equal(address, settings_.v6_link_local->address.bytes()));
}

/// RFC 4291 2.7.1: ff02::1:ff and the last 24 bits of the address.
bool FrameFilter::is_our_solicited_node_group(Bytes address) const {
  constexpr std::array<std::uint8_t, 13> prefix{0xFF, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x01, 0xFF};
  if (!equal(address.first(13), prefix)) return false;
  const auto matches = [&](const std::optional<IpPrefix>& ours) {
    return ours && equal(address.subspan(13), ours->address.bytes().subspan(13));
  };
  return matches(settings_.v6_global) || matches(settings_.v6_link_local);
}

bool FrameFilter::plausible_source(const IpAddress& source) const {
  if (source.is_unspecified() || source.is_loopback() || source.is_multicast()) return false;
  if (source.family() == IpFamily::v4) {
    const std::uint8_t first = source.bytes()[0];
    if (first == 0 || first >= 240) return false;  // RFC 1122 3.2.1.3 "this network", class E and limited broadcast
    if (settings_.v4 && (source == settings_.v4->address || is_subnet_broadcast(*settings_.v4, source))) return false;
    return !(settings_.other_v4 && settings_.other_v4->contains(source));
  }
  if (is_v4_mapped(source.bytes()) || is_our_v6(source.bytes())) return false;
  return !(settings_.other_v6 && settings_.other_v6->contains(source));
}

}  // namespace sallyport::net
