#include "net/lwip/frame_filter.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "net/lwip/neighbor_messages.h"
#include "tests/fakes/wire_host.h"

namespace sallyport::net {
namespace {

using fakes::address;
using fakes::Frame;
using fakes::Octets;
using fakes::Packet;
using fakes::Segment;
namespace flag = fakes::tcp_flag;

constexpr hal::MacAddress device{0x02, 0, 0, 0, 0, 0x01}, stranger{0x02, 0, 0, 0, 0, 0x11};
constexpr hal::MacAddress all_ones{0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};

class Expected final : public ExpectedReplies {
 public:
  bool tcp_expected(const Endpoint& remote, std::uint16_t local_port) const override {
    return tcp.contains(key(remote, local_port));
  }
  bool udp_expected(const Endpoint& remote, std::uint16_t local_port) const override {
    return udp.contains(key(remote, local_port));
  }
  static std::string key(const Endpoint& remote, std::uint16_t local_port) {
    return std::string(remote.text().view()) + " " + std::to_string(local_port);
  }
  std::set<std::string> tcp, udp;
};

class FrameFilterTest : public testing::Test {
 protected:
  FrameFilterTest() : nic(stranger), host(nic, device), filter(expected) {
    FilterSettings settings;
    settings.mac = device;
    settings.listen_port = 5269;
    settings.v4 = IpPrefix::parse("203.0.113.10/24");
    settings.v6_global = IpPrefix::parse("2001:db8:e::10/64");
    settings.v6_link_local = IpPrefix::parse("fe80::ff:fe00:1/64");
    settings.other_v4 = IpPrefix::parse("10.1.0.10/16");
    settings.other_v6 = IpPrefix::parse("2001:db8:1::10/64");
    filter.configure(settings);
  }

  FrameVerdict check(const Frame& frame) const { return filter.check(std::as_bytes(std::span(frame))); }
  FrameVerdict check(const Packet& packet) const { return check(host.frame_of(packet)); }
  FrameVerdict check(const Segment& segment) const { return check(fakes::WireHost::packet_of(segment)); }
  Refusal refusal(const auto& what) const { return check(what).refusal; }

  static Segment syn(const char* from = "198.51.100.7", const char* to = "203.0.113.10", std::uint16_t port = 5269) {
    return {{address(from), 40000}, {address(to), port}, 1, 0, flag::syn, 8192, {2, 4, 0x05, 0xB4}, {}};
  }
  static Segment syn_v6() { return syn("2001:db8:77::7", "2001:db8:e::10"); }
  static Packet udp(const char* from, std::uint16_t from_port, const char* to, std::uint16_t to_port) {
    return {address(from),
            address(to),
            17,
            64,
            {std::uint8_t(from_port >> 8), std::uint8_t(from_port), std::uint8_t(to_port >> 8), std::uint8_t(to_port),
             0, 9, 0, 0, 'x'},
            0};
  }
  /// A TCP header with raw options, its offset made to fit.
  static Segment with_options(Octets options, std::uint8_t flags = flag::syn) {
    Segment segment = syn();
    segment.flags = flags;
    while (options.size() % 4 != 0) options.push_back(1);
    segment.options = std::move(options);
    return segment;
  }
  Packet icmp(const char* from, const char* to, std::uint8_t type, std::size_t bytes = 8) const {
    Packet packet{address(from), address(to), 58, 64, Octets(bytes), 0};
    if (packet.to.family() == IpFamily::v4) packet.protocol = 1;
    packet.payload[0] = type;
    return packet;
  }

  static Frame frame_of(const NeighborFrame& made) {
    return {made.bytes.begin(), made.bytes.begin() + std::ptrdiff_t(made.length)};
  }
  static Frame arp_request(const char* sender = "203.0.113.1", const char* target = "203.0.113.10") {
    return frame_of(make_solicitation({stranger, address(sender)}, address(target), std::nullopt));
  }
  static Frame arp_reply(const char* sender = "203.0.113.1") {
    return frame_of(make_advertisement({stranger, address(sender)}, {device, address("203.0.113.10")}));
  }
  static Frame solicitation(const char* sender = "fe80::5", const char* target = "2001:db8:e::10") {
    return frame_of(make_solicitation({stranger, address(sender)}, address(target), std::nullopt));
  }
  static Frame advertisement(const char* about = "2001:db8:e::1") {
    return frame_of(make_advertisement({stranger, address(about)}, {device, address("2001:db8:e::10")}));
  }
  static constexpr std::size_t v6_hop_limit = 14 + 7, nd_code = 14 + 40 + 1, nd_flags = 14 + 40 + 4,
                               nd_option_length = 14 + 40 + 25, nd_option_mac = 14 + 40 + 26;

  Expected expected;
  fakes::FakeEthernetMac nic;
  fakes::WireHost host;
  FrameFilter filter;
};

// ---- Ethernet ----

TEST_F(FrameFilterTest, RefusesFramesOfImpossibleLength_Ieee8023) {
  EXPECT_EQ(refusal(Frame{}), Refusal::length);
  EXPECT_EQ(refusal(Frame(13)), Refusal::length);
  Frame frame = host.frame_of(fakes::WireHost::packet_of(syn()));
  frame.resize(1514);
  EXPECT_TRUE(check(frame).admitted()) << "padding is allowed";
  frame.resize(1515);
  EXPECT_EQ(refusal(frame), Refusal::length);
}

TEST_F(FrameFilterTest, RefusesEveryTruncationOfAPacket) {
  for (const Packet& packet : {fakes::WireHost::packet_of(syn()), fakes::WireHost::packet_of(syn_v6()),
                               host.echo_request(address("198.51.100.7"), address("203.0.113.10"), {1, 2})}) {
    const Frame whole = host.frame_of(packet);
    ASSERT_TRUE(check(whole).admitted());
    for (std::size_t length = 0; length < whole.size(); ++length) {
      Frame frame = whole;
      frame.resize(length);
      frame.shrink_to_fit();
      EXPECT_FALSE(check(frame).admitted()) << length;
    }
  }
}

TEST_F(FrameFilterTest, RefusesForeignDestinationMac) {
  Frame frame = host.frame_of(fakes::WireHost::packet_of(syn()));
  frame[5] ^= 1;
  EXPECT_EQ(refusal(frame), Refusal::destination_mac);
  std::copy(all_ones.begin(), all_ones.end(), frame.begin());
  EXPECT_EQ(refusal(frame), Refusal::destination_mac) << "unicast IP in a broadcast frame, RFC 1122 3.3.6";
  Frame v6 = host.frame_of(fakes::WireHost::packet_of(syn_v6()));
  std::copy(all_ones.begin(), all_ones.end(), v6.begin());
  EXPECT_EQ(refusal(v6), Refusal::destination_mac);
  Frame group = solicitation();
  group[5] ^= 1;
  EXPECT_EQ(refusal(group), Refusal::destination_mac) << "the group's MAC is another one, RFC 2464 7";
  Frame arp = arp_request();
  arp[0] = 0x33;
  EXPECT_EQ(refusal(arp), Refusal::destination_mac);
}

TEST_F(FrameFilterTest, RefusesImpossibleSourceMac) {
  Frame frame = host.frame_of(fakes::WireHost::packet_of(syn()));
  frame[6] |= 1;
  EXPECT_EQ(refusal(frame), Refusal::source_mac);
  std::fill_n(frame.begin() + 6, 6, 0);
  EXPECT_EQ(refusal(frame), Refusal::source_mac);
  std::copy(device.begin(), device.end(), frame.begin() + 6);
  EXPECT_EQ(refusal(frame), Refusal::source_mac);
}

TEST_F(FrameFilterTest, RefusesOtherEthertypes) {
  Frame frame = host.frame_of(fakes::WireHost::packet_of(syn()));
  for (const int type : {0x8100, 0x88A8, 0x8847, 0x8863, 0x88CC, 0x888E, 0x0842, 46}) {
    frame[12] = static_cast<std::uint8_t>(type >> 8);
    frame[13] = static_cast<std::uint8_t>(type);
    EXPECT_EQ(refusal(frame), Refusal::ethertype) << type;
  }
}

// ---- ARP ----

TEST_F(FrameFilterTest, AdmitsArpAboutOurAddress_Rfc826) {
  EXPECT_TRUE(check(arp_request()).admitted());
  EXPECT_EQ(check(arp_request()).kind, FrameKind::arp);
  EXPECT_TRUE(check(arp_reply()).admitted());
  EXPECT_TRUE(check(arp_request("0.0.0.0")).admitted()) << "a probe, RFC 5227 2.1.1";
  EXPECT_TRUE(check(frame_of(make_announcement({stranger, address("203.0.113.1")}))).admitted()) << "RFC 5227 2.3";
}

TEST_F(FrameFilterTest, RefusesArpThatIsNotForUs) {
  EXPECT_EQ(refusal(arp_request("203.0.113.1", "203.0.113.11")), Refusal::arp);
  EXPECT_EQ(refusal(arp_request("198.51.100.1")), Refusal::arp) << "a sender outside our subnet";
  EXPECT_EQ(refusal(arp_request("203.0.113.10")), Refusal::arp) << "a sender with our address";
  EXPECT_EQ(refusal(arp_request("203.0.113.255")), Refusal::arp) << "a sender with the broadcast address";
  Frame broadcast_reply = arp_reply();
  std::copy(all_ones.begin(), all_ones.end(), broadcast_reply.begin());
  EXPECT_EQ(refusal(broadcast_reply), Refusal::arp);
}

TEST_F(FrameFilterTest, RefusesMalformedArp) {
  for (const std::size_t at : {14U, 15U, 16U, 17U, 18U, 19U, 20U}) {
    Frame frame = arp_request();
    frame[at] ^= 0x40;
    EXPECT_EQ(refusal(frame), Refusal::arp) << at;
  }
  Frame reverse = arp_request();
  reverse[21] = 3;  // RARP
  EXPECT_EQ(refusal(reverse), Refusal::arp);
  Frame group_sender = arp_request();
  group_sender[22] |= 1;
  EXPECT_EQ(refusal(group_sender), Refusal::arp);
  Frame our_mac = arp_request();
  std::copy(device.begin(), device.end(), our_mac.begin() + 22);
  EXPECT_EQ(refusal(our_mac), Refusal::arp);
  Frame truncated = arp_request();
  truncated.resize(14 + 27);
  EXPECT_EQ(refusal(truncated), Refusal::length);
}

TEST_F(FrameFilterTest, RefusesArpWithoutAnIpv4Address) {
  FilterSettings settings = filter.settings();
  settings.v4.reset();
  filter.configure(settings);
  EXPECT_EQ(refusal(arp_request()), Refusal::arp);
  EXPECT_EQ(refusal(syn()), Refusal::destination_address);
}

// ---- IP headers ----

TEST_F(FrameFilterTest, RefusesMalformedIpv4Headers_Rfc791) {
  Frame frame = host.frame_of(fakes::WireHost::packet_of(syn()));
  frame[14] = 0x65;
  EXPECT_EQ(refusal(frame), Refusal::ip_header) << "version";
  frame[14] = 0x44;
  EXPECT_EQ(refusal(frame), Refusal::ip_header) << "header length";
  frame[14] = 0x46;
  EXPECT_EQ(refusal(frame), Refusal::ip_options);
  frame[14] = 0x4F;
  EXPECT_EQ(refusal(frame), Refusal::ip_options);
  frame[14] = 0x45;
  frame[16] = 0xFF;
  EXPECT_EQ(refusal(frame), Refusal::ip_header) << "longer than the frame";
  frame[16] = 0, frame[17] = 19;
  EXPECT_EQ(refusal(frame), Refusal::ip_header) << "shorter than its header";
}

TEST_F(FrameFilterTest, RefusesFragments) {
  for (const auto& [high, low] :
       {std::pair{0x20, 0x00}, std::pair{0x00, 0x01}, std::pair{0x1F, 0xFF}, std::pair{0x20, 0x10}}) {
    Frame frame = host.frame_of(fakes::WireHost::packet_of(syn()));
    frame[20] = static_cast<std::uint8_t>(high), frame[21] = static_cast<std::uint8_t>(low);
    EXPECT_EQ(refusal(frame), Refusal::fragment) << high << " " << low;
  }
  Packet v6 = fakes::WireHost::packet_of(syn_v6());
  v6.protocol = 44;
  EXPECT_EQ(refusal(v6), Refusal::fragment);
}

TEST_F(FrameFilterTest, RefusesIpv6ExtensionHeadersAndLengths_Rfc8200) {
  Packet packet = fakes::WireHost::packet_of(syn_v6());
  for (const std::uint8_t header : {std::uint8_t{0}, std::uint8_t{43}, std::uint8_t{60}}) {
    packet.protocol = header;
    EXPECT_EQ(refusal(packet), Refusal::ip_options) << int{header};
  }
  for (const std::uint8_t header :
       {std::uint8_t{50}, std::uint8_t{51}, std::uint8_t{59}, std::uint8_t{135}, std::uint8_t{132}}) {
    packet.protocol = header;
    EXPECT_EQ(refusal(packet), Refusal::protocol) << int{header};
  }
  Frame frame = host.frame_of(fakes::WireHost::packet_of(syn_v6()));
  frame[14] = 0x50;
  EXPECT_EQ(refusal(frame), Refusal::ip_header);
  frame[14] = 0x60, frame[18] = 0xFF;
  EXPECT_EQ(refusal(frame), Refusal::ip_header) << "longer than the frame";
  frame[18] = 0, frame[19] = 0;
  EXPECT_EQ(refusal(frame), Refusal::ip_header) << "jumbogram or empty";
}

TEST_F(FrameFilterTest, AdmitsOnlyOurOwnDestination_Rfc1122_3_3_4_2) {
  EXPECT_TRUE(check(syn()).admitted());
  EXPECT_TRUE(check(syn_v6()).admitted());
  for (const char* other :
       {"10.1.0.10", "203.0.113.11", "203.0.113.255", "255.255.255.255", "224.0.0.1", "127.0.0.1", "0.0.0.0"})
    EXPECT_EQ(refusal(syn("198.51.100.7", other)), Refusal::destination_address) << other;
  for (const char* other : {"2001:db8:1::10", "2001:db8:e::11", "::1", "::", "::ffff:203.0.113.10"})
    EXPECT_EQ(refusal(syn("2001:db8:77::7", other)), Refusal::destination_address) << other;
  for (const char* group : {"ff02::1", "ff02::1:ff00:10", "ff05::2"})
    EXPECT_EQ(refusal(syn("2001:db8:77::7", group)), Refusal::destination_address) << group;
}

TEST_F(FrameFilterTest, RefusesSourcesThatCannotBeTrue) {
  for (const char* source : {"203.0.113.10", "203.0.113.255", "203.0.113.0", "0.0.0.0", "0.1.2.3", "127.0.0.1",
                             "224.0.0.5", "240.0.0.1", "255.255.255.255", "10.1.0.5", "10.1.255.255"})
    EXPECT_EQ(refusal(syn(source)), Refusal::source_address) << source;
  for (const char* source :
       {"2001:db8:e::10", "fe80::ff:fe00:1", "::", "::1", "ff02::1", "::ffff:198.51.100.7", "2001:db8:1::5"})
    EXPECT_EQ(refusal(syn(source, "2001:db8:e::10")), Refusal::source_address) << source;
  EXPECT_TRUE(check(syn("10.2.0.5")).admitted()) << "private, but not the other side's";
}

TEST_F(FrameFilterTest, SmallestSubnetsHaveNoBroadcastAddress_Rfc3021) {
  FilterSettings settings = filter.settings();
  settings.v4 = IpPrefix::parse("203.0.113.10/31");
  filter.configure(settings);
  EXPECT_TRUE(check(syn("203.0.113.11")).admitted());
}

TEST_F(FrameFilterTest, RefusesOtherProtocols) {
  Packet packet = fakes::WireHost::packet_of(syn());
  for (const std::uint8_t protocol : {std::uint8_t{0}, std::uint8_t{2}, std::uint8_t{4}, std::uint8_t{41},
                                      std::uint8_t{47}, std::uint8_t{50}, std::uint8_t{58}, std::uint8_t{132}}) {
    packet.protocol = protocol;
    EXPECT_EQ(refusal(packet), Refusal::protocol) << int{protocol};
  }
}

// ---- ICMP ----

TEST_F(FrameFilterTest, AdmitsEchoRequestsAndErrors_Rfc1122_3_2_2) {
  EXPECT_EQ(check(icmp("198.51.100.7", "203.0.113.10", 8)).kind, FrameKind::echo_request);
  EXPECT_TRUE(check(icmp("198.51.100.7", "203.0.113.10", 8)).admitted());
  for (const std::uint8_t type : {std::uint8_t{3}, std::uint8_t{11}, std::uint8_t{12}}) {
    const FrameVerdict verdict = check(icmp("198.51.100.7", "203.0.113.10", type, 36));
    EXPECT_TRUE(verdict.admitted()) << int{type};
    EXPECT_EQ(verdict.kind, FrameKind::icmp_error);
    EXPECT_EQ(refusal(icmp("198.51.100.7", "203.0.113.10", type, 35)), Refusal::icmp) << "too little is quoted";
  }
}

TEST_F(FrameFilterTest, RefusesOtherIcmp) {
  for (const std::uint8_t type : {std::uint8_t{0}, std::uint8_t{4}, std::uint8_t{5}, std::uint8_t{9}, std::uint8_t{10},
                                  std::uint8_t{13}, std::uint8_t{15}, std::uint8_t{17}, std::uint8_t{255}})
    EXPECT_EQ(refusal(icmp("198.51.100.7", "203.0.113.10", type, 64)), Refusal::icmp) << int{type};
  EXPECT_EQ(refusal(icmp("198.51.100.7", "203.0.113.10", 8, 7)), Refusal::icmp);
  Packet code = icmp("198.51.100.7", "203.0.113.10", 8);
  code.payload[1] = 1;
  EXPECT_EQ(refusal(code), Refusal::icmp);
}

TEST_F(FrameFilterTest, AdmitsIcmpv6EchoAndErrors_Rfc4443) {
  EXPECT_EQ(check(icmp("2001:db8:77::7", "2001:db8:e::10", 128)).kind, FrameKind::echo_request);
  for (const std::uint8_t type : {std::uint8_t{1}, std::uint8_t{2}, std::uint8_t{3}, std::uint8_t{4}}) {
    EXPECT_EQ(check(icmp("2001:db8:77::7", "2001:db8:e::10", type, 56)).kind, FrameKind::icmp_error);
    EXPECT_TRUE(check(icmp("2001:db8:77::7", "2001:db8:e::10", type, 56)).admitted());
    EXPECT_EQ(refusal(icmp("2001:db8:77::7", "2001:db8:e::10", type, 55)), Refusal::icmp);
  }
  for (const std::uint8_t type : {std::uint8_t{0}, std::uint8_t{5}, std::uint8_t{100}, std::uint8_t{127},
                                  std::uint8_t{129}, std::uint8_t{138}, std::uint8_t{139}, std::uint8_t{255}})
    EXPECT_EQ(refusal(icmp("2001:db8:77::7", "2001:db8:e::10", type, 64)), Refusal::icmp) << int{type};
  EXPECT_EQ(refusal(icmp("2001:db8:77::7", "ff02::1", 128)), Refusal::destination_address) << "no group is answered";
  EXPECT_EQ(refusal(icmp("::", "2001:db8:e::10", 128)), Refusal::source_address);
  EXPECT_EQ(refusal(icmp("2001:db8:77::7", "2001:db8:e::10", 128, 7)), Refusal::icmp);
}

// ---- neighbour discovery, MLD ----

TEST_F(FrameFilterTest, AdmitsNeighbourDiscovery_Rfc4861_7_1) {
  EXPECT_TRUE(check(solicitation()).admitted());
  EXPECT_EQ(check(solicitation()).kind, FrameKind::neighbor_discovery);
  EXPECT_TRUE(check(solicitation("fe80::5", "fe80::ff:fe00:1")).admitted());
  EXPECT_TRUE(
      check(frame_of(make_solicitation({stranger, address("fe80::5")}, address("2001:db8:e::10"), device))).admitted());
  EXPECT_TRUE(check(advertisement()).admitted());
  EXPECT_TRUE(check(frame_of(make_announcement({stranger, address("2001:db8:e::1")}))).admitted());
}

TEST_F(FrameFilterTest, RefusesRoutersAndRedirects) {
  for (const std::uint8_t type :
       {std::uint8_t{133}, std::uint8_t{134}, std::uint8_t{137}, std::uint8_t{131}, std::uint8_t{132}}) {
    Frame frame = advertisement();
    frame[14 + 40] = type;
    EXPECT_EQ(refusal(frame), Refusal::neighbor_discovery) << int{type};
  }
}

TEST_F(FrameFilterTest, RefusesNeighbourDiscoveryFromAfar_Rfc4861_11_2) {
  for (Frame frame : {solicitation(), advertisement()}) {
    frame[v6_hop_limit] = 254;
    EXPECT_EQ(refusal(frame), Refusal::neighbor_discovery);
  }
}

TEST_F(FrameFilterTest, RefusesMalformedNeighbourDiscovery) {
  for (const Frame& good : {solicitation(), advertisement()}) {
    Frame frame = good;
    frame[nd_code] = 1;
    EXPECT_EQ(refusal(frame), Refusal::neighbor_discovery) << "code";
    frame = good;
    frame[nd_option_length] = 0;
    EXPECT_EQ(refusal(frame), Refusal::neighbor_discovery) << "an option of length 0 never ends";
    frame = good;
    frame[nd_option_length] = 2;
    EXPECT_EQ(refusal(frame), Refusal::neighbor_discovery) << "an option beyond the packet";
    frame = good;
    frame[nd_option_mac] |= 1;
    EXPECT_EQ(refusal(frame), Refusal::neighbor_discovery) << "a group as link-layer address";
    frame = good;
    frame[19] = 31, frame.resize(14 + 40 + 31);
    EXPECT_EQ(refusal(frame), Refusal::neighbor_discovery) << "an option cut short";
    frame = good;
    frame[19] = 23, frame.resize(14 + 40 + 23);
    EXPECT_EQ(refusal(frame), Refusal::neighbor_discovery) << "no target";
  }
}

TEST_F(FrameFilterTest, ChecksSolicitations_Rfc4861_7_1_1) {
  EXPECT_EQ(refusal(solicitation("fe80::5", "2001:db8:e::11")), Refusal::neighbor_discovery) << "not our address";
  Frame unspecified = solicitation("::");
  EXPECT_EQ(refusal(unspecified), Refusal::neighbor_discovery)
      << "duplicate address detection with a link-layer address";
  unspecified[19] = 24, unspecified.resize(14 + 40 + 24);
  EXPECT_TRUE(check(unspecified).admitted());
  Frame unicast = frame_of(make_solicitation({stranger, address("::")}, address("2001:db8:e::10"), device));
  unicast[19] = 24, unicast.resize(14 + 40 + 24);
  EXPECT_EQ(refusal(unicast), Refusal::neighbor_discovery) << "duplicate address detection asks a group";
  Frame other_group = solicitation();
  other_group[14 + 24 + 15] ^= 1, other_group[5] ^= 1;
  EXPECT_EQ(refusal(other_group), Refusal::neighbor_discovery);
}

TEST_F(FrameFilterTest, ChecksAdvertisements_Rfc4861_7_1_2) {
  Frame group_target = advertisement();
  group_target[14 + 40 + 8] = 0xFF;
  EXPECT_EQ(refusal(group_target), Refusal::neighbor_discovery);
  Frame to_all = frame_of(make_announcement({stranger, address("2001:db8:e::1")}));
  to_all[nd_flags] |= 0x40;
  EXPECT_EQ(refusal(to_all), Refusal::neighbor_discovery) << "solicited, to everybody";
  EXPECT_EQ(refusal(frame_of(make_announcement({stranger, address("::")}))), Refusal::neighbor_discovery);
}

TEST_F(FrameFilterTest, AdmitsAnAdvertisementThatOurAddressIsTaken_Rfc4862_5_4_4) {
  EXPECT_TRUE(check(frame_of(make_announcement({stranger, address("2001:db8:e::10")}))).admitted());
  EXPECT_EQ(refusal(solicitation("2001:db8:e::10")), Refusal::source_address);
}

TEST_F(FrameFilterTest, AdmitsMulticastListenerQueries_Rfc2710_3) {
  Packet query{
      address("fe80::1"), address("ff02::1"), 0, 1, {58, 0, 5, 2, 0, 0, 1, 0, 130, 0, 0, 0, 0x27, 0x10, 0, 0}, 0};
  query.payload.resize(8 + 24);
  EXPECT_TRUE(check(query).admitted());
  EXPECT_EQ(check(query).kind, FrameKind::multicast_listener);
  Packet far = query;
  far.hop_limit = 2;
  EXPECT_EQ(refusal(far), Refusal::icmp);
  Packet global = query;
  global.from = address("2001:db8:e::1");
  EXPECT_EQ(refusal(global), Refusal::icmp);
  Packet report = query;
  report.payload[8] = 131;
  EXPECT_EQ(refusal(report), Refusal::icmp);
  Packet no_alert = query;
  no_alert.payload[2] = 1;
  EXPECT_EQ(refusal(no_alert), Refusal::ip_options);
  Packet tcp_behind = query;
  tcp_behind.payload[0] = 6;
  EXPECT_EQ(refusal(tcp_behind), Refusal::ip_options);
  Packet cut = query;
  cut.payload.resize(8 + 23);
  EXPECT_EQ(refusal(cut), Refusal::icmp);
  Packet unicast = query;
  unicast.to = address("2001:db8:e::10");
  EXPECT_EQ(refusal(unicast), Refusal::icmp);
}

// ---- TCP ----

TEST_F(FrameFilterTest, AdmitsOnlyTheServicePort) {
  EXPECT_EQ(check(syn()).kind, FrameKind::tcp);
  for (const std::uint16_t port :
       {std::uint16_t{1}, std::uint16_t{22}, std::uint16_t{80}, std::uint16_t{5222}, std::uint16_t{5268},
        std::uint16_t{5270}, std::uint16_t{23456}, std::uint16_t{50000}, std::uint16_t{65535}})
    EXPECT_EQ(refusal(syn("198.51.100.7", "203.0.113.10", port)), Refusal::port) << port;
}

TEST_F(FrameFilterTest, AdmitsRepliesToOurConnections) {
  Segment reply = syn("198.51.100.7", "203.0.113.10", 50000);
  reply.flags = flag::syn | flag::ack;
  EXPECT_EQ(refusal(reply), Refusal::port);
  expected.tcp.insert(Expected::key(reply.from, 50000));
  EXPECT_TRUE(check(reply).admitted());
  Segment other_port = reply;
  other_port.to.port = 50001;
  EXPECT_EQ(refusal(other_port), Refusal::port);
  Segment other_host = reply;
  other_host.from.address = address("198.51.100.8");
  EXPECT_EQ(refusal(other_host), Refusal::port);
  Segment other_source = reply;
  other_source.from.port = 40001;
  EXPECT_EQ(refusal(other_source), Refusal::port);
}

TEST_F(FrameFilterTest, RefusesMalformedTcpHeaders_Rfc9293_3_1) {
  Packet packet = fakes::WireHost::packet_of(syn());
  for (const std::uint8_t offset : {std::uint8_t{0x00}, std::uint8_t{0x40}, std::uint8_t{0x70}, std::uint8_t{0xF0}}) {
    packet.payload[12] = offset;
    EXPECT_EQ(refusal(packet), Refusal::tcp_header) << int{offset};
  }
  Segment no_port = syn();
  no_port.from.port = 0;
  EXPECT_EQ(refusal(no_port), Refusal::tcp_header);
  EXPECT_EQ(refusal(syn("198.51.100.7", "203.0.113.10", 0)), Refusal::tcp_header);
}

TEST_F(FrameFilterTest, RefusesImpossibleFlags) {
  for (const int flags : {0, flag::fin + 0, flag::psh + 0, flag::fin | flag::psh | 0x20, flag::syn | flag::fin,
                          flag::syn | flag::rst, 0x3F, 0xFF}) {
    Segment segment = syn();
    segment.flags = static_cast<std::uint8_t>(flags);
    segment.options.clear();
    EXPECT_EQ(refusal(segment), Refusal::tcp_header) << flags;
  }
  for (const int flags : {int{flag::ack}, flag::ack | flag::fin, int{flag::rst}, flag::rst | flag::ack,
                          flag::ack | flag::psh, 0xC0 | flag::syn /* ECN setup, RFC 3168 6.1.1 */}) {
    Segment segment = syn();
    segment.flags = static_cast<std::uint8_t>(flags);
    segment.options.clear();
    EXPECT_TRUE(check(segment).admitted()) << flags;
  }
}

TEST_F(FrameFilterTest, AdmitsTheUsualTcpOptions) {
  EXPECT_TRUE(check(with_options({2, 4, 5, 0xB4, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7})).admitted())
      << "Linux";
  EXPECT_TRUE(check(with_options({2, 4, 5, 0xB4, 1, 3, 3, 8, 1, 1, 4, 2})).admitted()) << "Windows";
  EXPECT_TRUE(check(with_options({1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 1}, flag::ack)).admitted());
  EXPECT_TRUE(check(with_options({1, 1, 5, 10, 0, 0, 0, 1, 0, 0, 0, 2}, flag::ack)).admitted()) << "SACK";
  EXPECT_TRUE(check(with_options({0, 0xFF, 0xFF, 0xFF})).admitted()) << "nothing is read behind the end";
  EXPECT_TRUE(check(with_options({})).admitted());
  EXPECT_TRUE(check(with_options({254, 4, 0xAA, 0xBB})).admitted()) << "unknown ones are skipped, RFC 9293 3.2";
}

TEST_F(FrameFilterTest, RefusesTcpOptionsBeyondTheHeader_Lwip3d896ba0) {
  for (const Octets& options : {Octets{1, 1, 1, 2}, Octets{1, 1, 2, 4}, Octets{1, 2, 4, 5}, Octets{8, 10, 0, 0},
                                Octets{1, 1, 1, 8}, Octets{1, 1, 3, 3}, Octets{254, 0, 0, 0}, Octets{254, 1, 0, 0},
                                Octets{254, 5, 0, 0}, Octets{1, 1, 1, 254}, Octets{254, 255, 0, 0}}) {
    EXPECT_EQ(refusal(with_options(options)), Refusal::tcp_options) << int{options[0]} << " " << int{options[1]};
  }
}

TEST_F(FrameFilterTest, RefusesTcpOptionsOfWrongLength) {
  EXPECT_EQ(refusal(with_options({2, 3, 5, 1})), Refusal::tcp_options);
  EXPECT_EQ(refusal(with_options({2, 5, 5, 0xB4, 0})), Refusal::tcp_options);
  EXPECT_EQ(refusal(with_options({3, 4, 7, 0})), Refusal::tcp_options);
  EXPECT_EQ(refusal(with_options({4, 3, 0, 1})), Refusal::tcp_options);
  EXPECT_EQ(refusal(with_options({8, 9, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1})), Refusal::tcp_options);
}

TEST_F(FrameFilterTest, RefusesMaximumSegmentSizeOutsideASyn) {
  // lwIP would take it as new, and assert when a queued segment is longer.
  EXPECT_EQ(refusal(with_options({2, 4, 5, 0xB4}, flag::ack)), Refusal::tcp_options);
  EXPECT_TRUE(check(with_options({2, 4, 5, 0xB4}, flag::syn)).admitted());
}

TEST_F(FrameFilterTest, RefusesTinyMaximumSegmentSize) {
  EXPECT_EQ(refusal(with_options({2, 4, 0, 0})), Refusal::tcp_options);
  EXPECT_EQ(refusal(with_options({2, 4, 0, 0xFF})), Refusal::tcp_options);
  EXPECT_TRUE(check(with_options({2, 4, 1, 0})).admitted());
}

// ---- UDP ----

TEST_F(FrameFilterTest, AdmitsOnlyExpectedUdp) {
  const Packet reply = udp("198.51.100.53", 53, "203.0.113.10", 50123);
  EXPECT_EQ(refusal(reply), Refusal::port);
  expected.udp.insert(Expected::key({address("198.51.100.53"), 53}, 50123));
  EXPECT_TRUE(check(reply).admitted());
  EXPECT_EQ(check(reply).kind, FrameKind::udp);
  EXPECT_EQ(refusal(udp("198.51.100.54", 53, "203.0.113.10", 50123)), Refusal::port);
  EXPECT_EQ(refusal(udp("198.51.100.53", 54, "203.0.113.10", 50123)), Refusal::port);
  EXPECT_EQ(refusal(udp("198.51.100.53", 53, "203.0.113.10", 5269)), Refusal::port) << "the TCP port serves no UDP";
  EXPECT_EQ(refusal(udp("198.51.100.53", 0, "203.0.113.10", 50123)), Refusal::port);
}

TEST_F(FrameFilterTest, RefusesMalformedUdp_Rfc768) {
  expected.udp.insert(Expected::key({address("198.51.100.53"), 53}, 50123));
  Packet reply = udp("198.51.100.53", 53, "203.0.113.10", 50123);
  reply.payload[5] = 7;
  EXPECT_EQ(refusal(reply), Refusal::length);
  reply.payload[5] = 10;
  EXPECT_EQ(refusal(reply), Refusal::length);
  reply.payload.resize(7);
  EXPECT_EQ(refusal(reply), Refusal::length);
}

TEST_F(FrameFilterTest, NamesEveryReason) {
  std::set<std::string> names;
  for (std::size_t i = 0; i < refusal_reasons; ++i) names.insert(std::string(to_text(static_cast<Refusal>(i))));
  EXPECT_EQ(names.size(), refusal_reasons);
  EXPECT_FALSE(names.contains("unknown"));
}

/// Nothing that arrives makes the filter read outside the frame (AddressSanitizer watches the exact allocation).
TEST_F(FrameFilterTest, SurvivesRandomAndMutatedFrames) {
  expected.tcp.insert(Expected::key({address("198.51.100.7"), 40000}, 50000));
  const std::vector<Frame> seeds{arp_request(),
                                 arp_reply(),
                                 solicitation(),
                                 advertisement(),
                                 host.frame_of(fakes::WireHost::packet_of(syn())),
                                 host.frame_of(fakes::WireHost::packet_of(syn_v6())),
                                 host.frame_of(icmp("198.51.100.7", "203.0.113.10", 3, 40)),
                                 host.frame_of(udp("198.51.100.53", 53, "203.0.113.10", 50123))};
  std::uint32_t state = 12345;
  const auto random = [&state](std::uint32_t below) {
    state = state * 1664525 + 1013904223;
    return (state >> 8) % below;
  };
  std::size_t admitted = 0;
  for (int round = 0; round < 20000; ++round) {
    Frame frame = seeds[random(static_cast<std::uint32_t>(seeds.size()))];
    for (std::uint32_t changes = random(4); changes > 0; --changes)
      frame[random(static_cast<std::uint32_t>(frame.size()))] = static_cast<std::uint8_t>(random(256));
    if (random(4) == 0) frame.resize(random(static_cast<std::uint32_t>(frame.size() + 1)));
    frame.shrink_to_fit();
    admitted += check(frame).admitted() ? 1U : 0U;
  }
  EXPECT_GT(admitted, 1000U);
  EXPECT_LT(admitted, 19000U);
}

}  // namespace
}  // namespace sallyport::net
