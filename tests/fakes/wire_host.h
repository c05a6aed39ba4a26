// WireHost: a small host at the far end of an EthernetWire. It answers ARP and neighbour solicitations for the
// addresses it was given, keeps every packet it receives, and sends whatever a test makes up, right or wrong. TcpPeer:
// one TCP connection of such a host; it can follow the rules or be told to break them.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "net/ip_address.h"
#include "tests/fakes/fake_ethernet.h"

namespace sallyport::fakes {

using Octets = std::vector<std::uint8_t>;

struct Packet {
  net::IpAddress from, to;
  std::uint8_t protocol = 0;
  std::uint8_t hop_limit = 64;
  Octets payload;
  std::uint16_t identification = 0;  // IPv4
};

namespace tcp_flag {
inline constexpr std::uint8_t fin = 1, syn = 2, rst = 4, psh = 8, ack = 16;
}

struct Segment {
  net::Endpoint from, to;
  std::uint32_t sequence = 0, acknowledgment = 0;
  std::uint8_t flags = 0;
  std::uint16_t window = 8192;
  Octets options;
  Octets payload;

  bool has(std::uint8_t flag) const { return (flags & flag) != 0; }
};

net::IpAddress address(std::string_view text);
Octets octets(std::string_view text);
std::string text(const Octets& octets);

/// RFC 1071, with the pseudo header of the packet's family.
std::uint16_t transport_checksum(const Packet& packet);

class WireHost {
 public:
  WireHost(FakeEthernetMac& nic, const hal::MacAddress& device) : nic_(nic), device_(device) {}

  /// Addresses whose ARP requests and solicitations are answered.
  void own(const net::IpAddress& address) { own_.push_back(address); }

  /// Takes what has arrived: answers for the link layer, sorts the rest. True when there was something.
  bool poll();

  /// The device's MAC is the destination, or the group's.
  void send(const Packet& packet);
  void send(const Segment& segment);
  void send_frame(const Frame& frame);
  /// A packet's frame, to be altered before send_frame().
  Frame frame_of(const Packet& packet) const;
  static Packet packet_of(const Segment& segment);
  static Segment segment_of(const Packet& packet);

  Packet echo_request(const net::IpAddress& from, const net::IpAddress& to, const Octets& content) const;

  std::deque<Segment> segments;   // TCP, checksum verified
  std::deque<Packet> packets;     // everything else that is IP
  std::deque<Frame> link_frames;  // ARP and neighbour discovery, also those that were answered
  bool answer_link_layer = true;

 private:
  void take(const Frame& frame);
  void take_arp(const Frame& frame);
  void take_packet(const Frame& frame);
  bool take_solicitation(const Packet& packet, const Frame& frame);
  bool owns(const net::IpAddress& address) const;

  FakeEthernetMac& nic_;
  hal::MacAddress device_;
  std::vector<net::IpAddress> own_;
};

class TcpPeer {
 public:
  TcpPeer(WireHost& host, const net::Endpoint& own, const net::Endpoint& device, std::uint32_t first_sequence = 1000)
      : host_(host), own_(own), device_(device), next_(first_sequence) {}

  void send_syn();
  /// The next segment that the device has sent on this connection; it is not looked at otherwise.
  std::optional<Segment> take();
  /// Takes segments as a TCP does: keeps data in order, acknowledges, answers a SYN.
  void poll();

  void send(const Octets& payload, std::uint8_t extra_flags = 0);
  void send(std::string_view payload) { send(octets(payload)); }
  void send_fin();
  void send_rst();
  void send_ack();
  /// A segment of this connection at `sequence` that changes nothing here.
  Segment segment(std::uint32_t sequence, const Octets& payload, std::uint8_t flags) const;

  std::string received;
  std::uint16_t window = 16000;           // that we announce
  std::uint16_t device_window = 0;        // that the device announced last
  std::uint32_t device_acknowledged = 0;  // the device's last acknowledgment
  std::optional<std::uint16_t> device_mss;
  bool established = false, fin_received = false, reset = false;
  bool accepts = false;  // answers a SYN
  bool acknowledges = true;
  std::uint16_t mss = 1460;

  std::uint32_t next() const { return next_; }
  std::uint32_t expected() const { return expected_; }

 private:
  void take_segment(const Segment& segment);

  WireHost& host_;
  net::Endpoint own_, device_;
  std::uint32_t next_;          // our next sequence number
  std::uint32_t expected_ = 0;  // the device's next
};

}  // namespace sallyport::fakes
