#include "net/lwip/neighbor_messages.h"

#include <algorithm>

namespace sallyport::net {
namespace {

using Bytes = std::span<const std::uint8_t>;

constexpr hal::MacAddress broadcast{0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};
constexpr std::array<std::uint8_t, 16> all_nodes{0xFF, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};

constexpr std::size_t header_bytes = 14;
constexpr std::size_t v6_header_bytes = 40;
constexpr std::uint16_t arp_request = 1, arp_reply = 2;
constexpr std::uint8_t icmp_v6 = 58, solicitation_type = 135, advertisement_type = 136;
constexpr std::uint8_t source_link_layer = 1, target_link_layer = 2;
constexpr std::uint8_t solicited_flag = 0x40, override_flag = 0x20;

class Writer {
 public:
  explicit Writer(NeighborFrame& frame) : frame_(frame) {}

  Writer& u8(std::uint8_t value) {
    frame_.bytes[frame_.length++] = value;
    return *this;
  }
  Writer& u16(std::uint16_t value) {
    return u8(static_cast<std::uint8_t>(value >> 8)).u8(static_cast<std::uint8_t>(value));
  }
  Writer& all(Bytes bytes) {
    for (const std::uint8_t byte : bytes) u8(byte);
    return *this;
  }

 private:
  NeighborFrame& frame_;
};

std::uint32_t add_words(std::uint32_t sum, Bytes bytes) {
  for (std::size_t i = 0; i < bytes.size(); i += 2)
    sum += static_cast<std::uint32_t>(bytes[i] << 8 | (i + 1 < bytes.size() ? bytes[i + 1] : 0));
  return sum;
}

/// Of a packet with IPv6 and ICMPv6 headers (RFC 8200 8.1); 0 when the checksum in it is right.
std::uint16_t icmp_v6_checksum(Bytes packet) {
  const Bytes message = packet.subspan(v6_header_bytes);
  std::uint32_t sum = add_words(0, packet.subspan(8, 32));
  sum += static_cast<std::uint32_t>(message.size()) + icmp_v6;
  sum = add_words(sum, message);
  while (sum >> 16 != 0) sum = (sum & 0xFFFF) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}

IpAddress v6_at(Bytes bytes) {
  std::array<std::uint8_t, 16> address;
  std::copy_n(bytes.begin(), address.size(), address.begin());
  return IpAddress::v6(address);
}

hal::MacAddress mac_at(Bytes bytes) {
  hal::MacAddress mac;
  std::copy_n(bytes.begin(), mac.size(), mac.begin());
  return mac;
}

std::array<std::uint8_t, 16> solicited_node_group(const IpAddress& target) {  // RFC 4291 2.7.1
  std::array<std::uint8_t, 16> group{0xFF, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xFF, 0, 0, 0};
  std::copy_n(target.bytes().begin() + 13, 3, group.begin() + 13);
  return group;
}

hal::MacAddress group_mac(const std::array<std::uint8_t, 16>& group) {  // RFC 2464 7
  return {0x33, 0x33, group[12], group[13], group[14], group[15]};
}

NeighborFrame make_arp(std::uint16_t operation, const LinkEndpoint& from, const LinkEndpoint& to,
                       const hal::MacAddress& destination) {
  NeighborFrame frame;
  Writer(frame).all(destination).all(from.mac).u16(0x0806);
  Writer(frame).u16(1).u16(0x0800).u8(6).u8(4).u16(operation);
  Writer(frame).all(from.mac).all(from.address.bytes()).all(to.mac).all(to.address.bytes());
  return frame;
}

NeighborFrame make_v6(std::uint8_t type, std::uint8_t flags, const LinkEndpoint& from, Bytes destination,
                      const hal::MacAddress& destination_mac, const IpAddress& target) {
  constexpr std::uint16_t message_bytes = 32;
  NeighborFrame frame;
  Writer(frame).all(destination_mac).all(from.mac).u16(0x86DD);
  Writer(frame).u16(0x6000).u16(0).u16(message_bytes).u8(icmp_v6).u8(255).all(from.address.bytes()).all(destination);
  Writer(frame).u8(type).u8(0).u16(0).u8(flags).u8(0).u16(0).all(target.bytes());
  Writer(frame).u8(type == solicitation_type ? source_link_layer : target_link_layer).u8(1).all(from.mac);
  const std::uint16_t checksum = icmp_v6_checksum(Bytes(frame.bytes).first(frame.length).subspan(header_bytes));
  frame.bytes[header_bytes + v6_header_bytes + 2] = static_cast<std::uint8_t>(checksum >> 8);
  frame.bytes[header_bytes + v6_header_bytes + 3] = static_cast<std::uint8_t>(checksum);
  return frame;
}

NeighborMessage parse_arp(Bytes arp) {
  NeighborMessage message;
  message.kind = arp[7] == arp_request ? NeighborMessage::Kind::solicitation : NeighborMessage::Kind::advertisement;
  message.sender = IpAddress::v4({arp[14], arp[15], arp[16], arp[17]});
  message.target = IpAddress::v4({arp[24], arp[25], arp[26], arp[27]});
  message.mac = mac_at(arp.subspan(8));
  message.solicited = message.target != message.sender;
  return message;
}

std::optional<NeighborMessage> parse_v6(Bytes rest) {
  const std::size_t length = static_cast<std::size_t>(rest[4] << 8 | rest[5]);
  const Bytes packet = rest.first(v6_header_bytes + length);
  if (icmp_v6_checksum(packet) != 0) return std::nullopt;
  const Bytes body = packet.subspan(v6_header_bytes);
  const bool solicitation = body[0] == solicitation_type;
  NeighborMessage message;
  message.kind = solicitation ? NeighborMessage::Kind::solicitation : NeighborMessage::Kind::advertisement;
  message.sender = v6_at(packet.subspan(8));
  message.target = v6_at(body.subspan(8));
  message.solicited = (body[4] & solicited_flag) != 0;
  message.override_mac = (body[4] & override_flag) != 0;
  const std::uint8_t wanted = solicitation ? source_link_layer : target_link_layer;
  for (Bytes options = body.subspan(24); !options.empty(); options = options.subspan(options[1] * 8U))
    if (options[0] == wanted) message.mac = mac_at(options.subspan(2));
  return message;
}

}  // namespace

std::optional<NeighborMessage> parse_neighbor_message(std::span<const std::byte> frame) {
  const Bytes bytes(reinterpret_cast<const std::uint8_t*>(frame.data()), frame.size());
  const Bytes rest = bytes.subspan(header_bytes);
  return bytes[12] == 0x08 ? std::optional(parse_arp(rest)) : parse_v6(rest);
}

NeighborFrame make_solicitation(const LinkEndpoint& from, const IpAddress& target,
                                const std::optional<hal::MacAddress>& known) {
  if (target.family() == IpFamily::v4) return make_arp(arp_request, from, {{}, target}, known.value_or(broadcast));
  const auto group = solicited_node_group(target);
  return known ? make_v6(solicitation_type, 0, from, target.bytes(), *known, target)
               : make_v6(solicitation_type, 0, from, group, group_mac(group), target);
}

NeighborFrame make_advertisement(const LinkEndpoint& from, const LinkEndpoint& to) {
  if (from.address.family() == IpFamily::v4) return make_arp(arp_reply, from, to, to.mac);
  if (to.address.is_unspecified()) return make_announcement(from);
  return make_v6(advertisement_type, solicited_flag | override_flag, from, to.address.bytes(), to.mac, from.address);
}

NeighborFrame make_announcement(const LinkEndpoint& from) {
  if (from.address.family() == IpFamily::v4) return make_arp(arp_request, from, {{}, from.address}, broadcast);
  return make_v6(advertisement_type, override_flag, from, all_nodes, group_mac(all_nodes), from.address);
}

}  // namespace sallyport::net
