#include "tests/fakes/wire_host.h"

#include <algorithm>

namespace sallyport::fakes {
namespace {

using net::IpAddress;
using net::IpFamily;

void put_u16(Octets& into, unsigned value) {
  into.push_back(static_cast<std::uint8_t>(value >> 8));
  into.push_back(static_cast<std::uint8_t>(value));
}

void put_u32(Octets& into, std::uint32_t value) {
  put_u16(into, value >> 16);
  put_u16(into, value & 0xFFFF);
}

void put(Octets& into, std::span<const std::uint8_t> bytes) { into.insert(into.end(), bytes.begin(), bytes.end()); }

std::uint16_t get_u16(const Octets& from, std::size_t at) {
  return static_cast<std::uint16_t>(from.at(at) << 8 | from.at(at + 1));
}

std::uint32_t get_u32(const Octets& from, std::size_t at) {
  return static_cast<std::uint32_t>(get_u16(from, at)) << 16 | get_u16(from, at + 2);
}

std::uint16_t internet_checksum(const Octets& bytes) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < bytes.size(); i += 2)
    sum += static_cast<std::uint32_t>(bytes[i] << 8 | (i + 1 < bytes.size() ? bytes[i + 1] : 0));
  while (sum >> 16 != 0) sum = (sum & 0xFFFF) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}

IpAddress read_address(const Octets& from, std::size_t at, IpFamily family) {
  if (family == IpFamily::v4) return IpAddress::v4({from.at(at), from.at(at + 1), from.at(at + 2), from.at(at + 3)});
  std::array<std::uint8_t, 16> bytes;
  std::copy_n(from.begin() + static_cast<std::ptrdiff_t>(at), 16, bytes.begin());
  return IpAddress::v6(bytes);
}

}  // namespace

IpAddress address(std::string_view text) { return IpAddress::parse(text).value(); }

Octets octets(std::string_view text) { return {text.begin(), text.end()}; }

std::string text(const Octets& octets) { return {octets.begin(), octets.end()}; }

std::uint16_t transport_checksum(const Packet& packet) {
  Octets pseudo;
  put(pseudo, packet.from.bytes());
  put(pseudo, packet.to.bytes());
  put_u32(pseudo, static_cast<std::uint32_t>(packet.payload.size()));
  put_u32(pseudo, packet.protocol);
  put(pseudo, packet.payload);
  return internet_checksum(pseudo);
}

bool WireHost::poll() {
  bool any = false;
  while (const hal::ReceivedFrame received = nic_.receive()) {
    const auto bytes = received.buffer.first(received.length);
    Frame frame;
    for (const std::byte byte : bytes) frame.push_back(static_cast<std::uint8_t>(byte));
    nic_.release(received);
    take(frame);
    any = true;
  }
  return any;
}

void WireHost::take(const Frame& frame) {
  switch (get_u16(frame, 12)) {
    case 0x0806: return take_arp(frame);
    case 0x0800:
    case 0x86DD: return take_packet(frame);
    default: return;
  }
}

void WireHost::take_arp(const Frame& frame) {
  link_frames.push_back(frame);
  if (get_u16(frame, 20) != 1 || !answer_link_layer) return;
  const IpAddress target = read_address(frame, 38, IpFamily::v4);
  if (!owns(target)) return;
  Frame reply;
  put(reply, std::span(frame).subspan(6, 6));
  put(reply, nic_.address());
  put(reply, std::span(frame).subspan(12, 8));
  put_u16(reply, 2);
  put(reply, nic_.address());
  put(reply, target.bytes());
  put(reply, std::span(frame).subspan(22, 10));
  send_frame(reply);
}

void WireHost::take_packet(const Frame& frame) {
  const Octets bytes(frame.begin() + 14, frame.end());
  Packet packet;
  const IpFamily family = bytes.at(0) >> 4 == 4 ? IpFamily::v4 : IpFamily::v6;
  if (family == IpFamily::v4) {
    if (internet_checksum({bytes.begin(), bytes.begin() + 20}) != 0) return;
    packet.from = read_address(bytes, 12, family);
    packet.to = read_address(bytes, 16, family);
    packet.protocol = bytes.at(9);
    packet.hop_limit = bytes.at(8);
    packet.identification = get_u16(bytes, 4);
    packet.payload.assign(bytes.begin() + 20, bytes.begin() + get_u16(bytes, 2));
  } else {
    packet.from = read_address(bytes, 8, family);
    packet.to = read_address(bytes, 24, family);
    packet.protocol = bytes.at(6);
    packet.hop_limit = bytes.at(7);
    packet.payload.assign(bytes.begin() + 40, bytes.begin() + 40 + get_u16(bytes, 4));
  }
  if (take_solicitation(packet, frame)) return;
  if (packet.protocol == 6) {
    if (transport_checksum(packet) == 0) segments.push_back(segment_of(packet));
  } else {
    packets.push_back(packet);
  }
}

bool WireHost::take_solicitation(const Packet& packet, const Frame& frame) {
  if (packet.protocol != 58 || packet.payload.at(0) < 133 || packet.payload.at(0) > 136) return false;
  link_frames.push_back(frame);
  if (packet.payload.at(0) != 135 || !answer_link_layer || packet.from.is_unspecified()) return true;
  const IpAddress target = read_address(packet.payload, 8, IpFamily::v6);
  if (!owns(target)) return true;
  Packet advertisement{target, packet.from, 58, 255, {136, 0, 0, 0, 0x60, 0, 0, 0}, 0};
  put(advertisement.payload, target.bytes());
  put(advertisement.payload, std::array<std::uint8_t, 2>{2, 1});
  put(advertisement.payload, nic_.address());
  const std::uint16_t checksum = transport_checksum(advertisement);
  advertisement.payload[2] = static_cast<std::uint8_t>(checksum >> 8);
  advertisement.payload[3] = static_cast<std::uint8_t>(checksum);
  send(advertisement);
  return true;
}

bool WireHost::owns(const IpAddress& wanted) const { return std::find(own_.begin(), own_.end(), wanted) != own_.end(); }

Frame WireHost::frame_of(const Packet& packet) const {
  Frame frame;
  if (packet.to.family() == IpFamily::v6 && packet.to.is_multicast()) {
    put(frame, std::array<std::uint8_t, 2>{0x33, 0x33});
    put(frame, packet.to.bytes().subspan(12));
  } else {
    put(frame, device_);
  }
  put(frame, nic_.address());
  if (packet.to.family() == IpFamily::v4) {
    put_u16(frame, 0x0800);
    Octets header{0x45, 0};
    put_u16(header, static_cast<unsigned>(20 + packet.payload.size()));
    put_u16(header, packet.identification);
    put_u16(header, 0x4000);
    header.push_back(packet.hop_limit);
    header.push_back(packet.protocol);
    put_u16(header, 0);
    put(header, packet.from.bytes());
    put(header, packet.to.bytes());
    const std::uint16_t checksum = internet_checksum(header);
    header[10] = static_cast<std::uint8_t>(checksum >> 8);
    header[11] = static_cast<std::uint8_t>(checksum);
    put(frame, header);
  } else {
    put_u16(frame, 0x86DD);
    put_u32(frame, 0x60000000);
    put_u16(frame, static_cast<unsigned>(packet.payload.size()));
    frame.push_back(packet.protocol);
    frame.push_back(packet.hop_limit);
    put(frame, packet.from.bytes());
    put(frame, packet.to.bytes());
  }
  put(frame, packet.payload);
  return frame;
}

void WireHost::send_frame(const Frame& frame) {
  std::vector<std::byte> bytes;
  for (const std::uint8_t byte : frame) bytes.push_back(std::byte{byte});
  const std::array<std::span<const std::byte>, 1> parts{bytes};
  nic_.transmit(parts);
}

void WireHost::send(const Packet& packet) { send_frame(frame_of(packet)); }

void WireHost::send(const Segment& segment) { send(packet_of(segment)); }

Packet WireHost::packet_of(const Segment& segment) {
  Packet packet{segment.from.address, segment.to.address, 6, 64, {}, 0};
  Octets& bytes = packet.payload;
  put_u16(bytes, segment.from.port);
  put_u16(bytes, segment.to.port);
  put_u32(bytes, segment.sequence);
  put_u32(bytes, segment.acknowledgment);
  Octets options = segment.options;
  while (options.size() % 4 != 0) options.push_back(0);
  bytes.push_back(static_cast<std::uint8_t>((20 + options.size()) / 4 << 4));
  bytes.push_back(segment.flags);
  put_u16(bytes, segment.window);
  put_u32(bytes, 0);
  put(bytes, options);
  put(bytes, segment.payload);
  const std::uint16_t checksum = transport_checksum(packet);
  bytes[16] = static_cast<std::uint8_t>(checksum >> 8);
  bytes[17] = static_cast<std::uint8_t>(checksum);
  return packet;
}

Segment WireHost::segment_of(const Packet& packet) {
  const Octets& bytes = packet.payload;
  Segment segment;
  segment.from = {packet.from, get_u16(bytes, 0)};
  segment.to = {packet.to, get_u16(bytes, 2)};
  segment.sequence = get_u32(bytes, 4);
  segment.acknowledgment = get_u32(bytes, 8);
  const std::ptrdiff_t header = bytes.at(12) / 16 * 4;
  segment.flags = bytes.at(13);
  segment.window = get_u16(bytes, 14);
  segment.options.assign(bytes.begin() + 20, bytes.begin() + header);
  segment.payload.assign(bytes.begin() + header, bytes.end());
  return segment;
}

Packet WireHost::echo_request(const IpAddress& from, const IpAddress& to, const Octets& content) const {
  const bool v4 = to.family() == IpFamily::v4;
  Packet packet{from,
                to,
                static_cast<std::uint8_t>(v4 ? 1 : 58),
                64,
                {static_cast<std::uint8_t>(v4 ? 8 : 128), 0, 0, 0, 0, 1, 0, 1},
                0};
  put(packet.payload, content);
  const std::uint16_t checksum = v4 ? internet_checksum(packet.payload) : transport_checksum(packet);
  packet.payload[2] = static_cast<std::uint8_t>(checksum >> 8);
  packet.payload[3] = static_cast<std::uint8_t>(checksum);
  return packet;
}

void TcpPeer::send_syn() {
  Segment syn = segment(next_, {}, tcp_flag::syn);
  syn.acknowledgment = 0;
  syn.options = {2, 4, static_cast<std::uint8_t>(mss >> 8), static_cast<std::uint8_t>(mss)};
  host_.send(syn);
  ++next_;
}

std::optional<Segment> TcpPeer::take() {
  for (auto at = host_.segments.begin(); at != host_.segments.end(); ++at) {
    if (at->to != own_ || at->from.address != device_.address) continue;
    if (device_.port != 0 && at->from.port != device_.port) continue;
    Segment found = *at;
    host_.segments.erase(at);
    return found;
  }
  return std::nullopt;
}

void TcpPeer::poll() {
  while (const auto segment = take()) take_segment(*segment);
}

void TcpPeer::take_segment(const Segment& got) {
  using namespace tcp_flag;
  if (got.has(rst)) {
    reset = true;
    return;
  }
  device_window = got.window;
  if (got.has(ack)) device_acknowledged = got.acknowledgment;
  if (got.has(syn)) {
    if (!got.has(ack) && !accepts) return;
    device_.port = got.from.port;
    expected_ = got.sequence + 1;
    if (got.options.size() >= 4 && got.options[0] == 2) device_mss = get_u16(got.options, 2);
    if (got.has(ack)) {
      established = true;
      return send_ack();
    }
    Segment answer = segment(next_, {}, syn | ack);
    answer.options = {2, 4, static_cast<std::uint8_t>(mss >> 8), static_cast<std::uint8_t>(mss)};
    host_.send(answer);
    ++next_;
    established = true;
    return;
  }
  const bool occupies = !got.payload.empty() || got.has(fin);
  const std::uint32_t known = expected_ - got.sequence;  // bytes of it that we have already
  if (known <= got.payload.size()) {
    received += text(got.payload).substr(known);
    expected_ = got.sequence + static_cast<std::uint32_t>(got.payload.size());
    if (got.has(fin)) {
      ++expected_;
      fin_received = true;
    }
  }
  if (occupies && acknowledges) send_ack();
}

Segment TcpPeer::segment(std::uint32_t sequence, const Octets& payload, std::uint8_t flags) const {
  return {own_, device_, sequence, expected_, flags, window, {}, payload};
}

void TcpPeer::send(const Octets& payload, std::uint8_t extra_flags) {
  host_.send(segment(next_, payload, static_cast<std::uint8_t>(tcp_flag::ack | tcp_flag::psh | extra_flags)));
  next_ += static_cast<std::uint32_t>(payload.size());
}

void TcpPeer::send_fin() {
  host_.send(segment(next_, {}, tcp_flag::ack | tcp_flag::fin));
  ++next_;
}

void TcpPeer::send_rst() { host_.send(segment(next_, {}, tcp_flag::rst | tcp_flag::ack)); }

void TcpPeer::send_ack() { host_.send(segment(next_, {}, tcp_flag::ack)); }

}  // namespace sallyport::fakes
