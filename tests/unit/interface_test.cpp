#include "net/lwip/interface.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>

#include "lwip/ip4.h"
#include "lwip/ip6.h"
#include "lwip/memp.h"
#include "net/lwip/connection.h"
#include "net/lwip/listener.h"
#include "net/lwip/neighbor_messages.h"
#include "net/lwip/udp_socket.h"
#include "tests/fakes/two_sided_stack.h"

namespace sallyport::net {
namespace {

using fakes::address;
using fakes::Frame;
using fakes::Octets;
using fakes::octets;
using fakes::Packet;
using fakes::Segment;
using fakes::TwoSidedStack;
namespace flag = fakes::tcp_flag;

Frame frame_of(const NeighborFrame& made) {
  return {made.bytes.begin(), made.bytes.begin() + static_cast<std::ptrdiff_t>(made.length)};
}

class IdleTask final : public Task {
 public:
  void run() override { ++runs; }
  int runs = 0;
};

class InterfaceTest : public testing::Test {
 protected:
  static Segment syn(const char* from, const char* to, std::uint16_t port) {
    return {{address(from), 40000}, {address(to), port}, 77, 0, flag::syn, 8192, {2, 4, 5, 0xB4}, {}};
  }
  std::uint64_t refused(const InterfaceBody& interface, Refusal why) const {
    return interface.counters().by_reason[static_cast<std::size_t>(why)];
  }
  std::size_t echo_replies(fakes::WireHost& host) const {
    return static_cast<std::size_t>(std::count_if(host.packets.begin(), host.packets.end(), [](const Packet& packet) {
      return packet.payload[0] == (packet.protocol == 1 ? 0 : 129);
    }));
  }

  TwoSidedStack net;
};

// ---- ICMP ----

TEST_F(InterfaceTest, AnswersEchoRequests_Rfc792_Rfc4443) {
  const Octets content = octets("sixteen byte pad");
  net.outside.send(net.outside.echo_request(address("198.51.100.7"), address(TwoSidedStack::external_v4), content));
  net.outside.send(net.outside.echo_request(address("2001:db8:77::7"), address(TwoSidedStack::external_v6), content));
  net.inside.send(
      net.inside.echo_request(address(TwoSidedStack::gateway_v4), address(TwoSidedStack::internal_v4), content));
  net.settle();
  ASSERT_EQ(net.outside.packets.size(), 2U);
  EXPECT_EQ(echo_replies(net.outside), 2U);
  EXPECT_EQ(echo_replies(net.inside), 1U);
  EXPECT_EQ(net.outside.packets[0].to, address("198.51.100.7")) << "over the router";
  for (const Packet& reply : net.outside.packets)
    EXPECT_EQ(Octets(reply.payload.begin() + 8, reply.payload.end()), content);
}

TEST_F(InterfaceTest, AnswersTheLargestEchoRequest) {
  net.outside.send(net.outside.echo_request(address(TwoSidedStack::partner_v4), address(TwoSidedStack::external_v4),
                                            Octets(1472, 7)));
  net.outside.send(net.outside.echo_request(address(TwoSidedStack::partner_v6), address(TwoSidedStack::external_v6),
                                            Octets(1452, 7)));
  net.settle();
  EXPECT_EQ(echo_replies(net.outside), 2U);
}

TEST_F(InterfaceTest, LimitsTheRateOfEchoReplies) {
  const Packet request =
      net.outside.echo_request(address(TwoSidedStack::partner_v4), address(TwoSidedStack::external_v4), octets("x"));
  for (int i = 0; i < 500; ++i) {
    net.outside.send(request);
    net.settle();
  }
  EXPECT_EQ(echo_replies(net.outside), 50U);
  EXPECT_EQ(net.external.counters().rate_limited, 450U);
  net.inside.send(
      net.inside.echo_request(address(TwoSidedStack::gateway_v4), address(TwoSidedStack::internal_v4), octets("x")));
  net.settle();
  EXPECT_EQ(echo_replies(net.inside), 1U) << "each side has its own rate";
  net.run(1s);
  net.outside.send(request);
  net.settle();
  EXPECT_EQ(echo_replies(net.outside), 51U);
}

// ---- strong host model ----

TEST_F(InterfaceTest, RefusesTheOtherSidesAddressOnEachWire_Rfc1122_3_3_4_2) {
  IdleTask task;
  net.outside.send(syn("198.51.100.7", TwoSidedStack::internal_v4, Internal::listen_port));
  net.outside.send(syn("198.51.100.7", TwoSidedStack::internal_v4, External::listen_port));
  net.outside.send(syn("2001:db8:77::7", TwoSidedStack::internal_v6, Internal::listen_port));
  net.outside.send(net.outside.echo_request(address("198.51.100.7"), address(TwoSidedStack::internal_v4), {}));
  net.inside.send(syn(TwoSidedStack::gateway_v4, TwoSidedStack::external_v4, External::listen_port));
  net.inside.send(syn(TwoSidedStack::gateway_v6, TwoSidedStack::external_v6, External::listen_port));
  net.run(2s);
  EXPECT_EQ(refused(net.external, Refusal::destination_address), 4U);
  EXPECT_EQ(refused(net.internal, Refusal::destination_address), 2U);
  EXPECT_TRUE(net.outside.segments.empty());
  EXPECT_TRUE(net.inside.segments.empty());
  EXPECT_TRUE(net.outside.packets.empty());
}

TEST_F(InterfaceTest, ForwardsNothing) {
  net.outside.send(net.outside.echo_request(address("198.51.100.7"), address(TwoSidedStack::gateway_v4), {}));
  net.outside.send(net.outside.echo_request(address("2001:db8:77::7"), address(TwoSidedStack::gateway_v6), {}));
  net.inside.send(net.inside.echo_request(address(TwoSidedStack::gateway_v4), address("198.51.100.7"), {}));
  net.run(2s);
  EXPECT_TRUE(net.inside.packets.empty());
  EXPECT_TRUE(net.outside.packets.empty());
  EXPECT_TRUE(net.inside.link_frames.empty()) << "nobody was even asked for";
}

/// The second line: even if the filter let such a packet through, lwIP would not take it.
TEST_F(InterfaceTest, LwipItselfRefusesTheOtherSidesAddress) {
  const auto inject = [this](const Packet& packet, InterfaceBody& interface) {
    const Frame frame = net.outside.frame_of(packet);
    pbuf* p = pbuf_alloc(PBUF_RAW, static_cast<u16_t>(frame.size() - 14), PBUF_RAM);
    std::copy(frame.begin() + 14, frame.end(), static_cast<std::uint8_t*>(p->payload));
    const bool v4 = packet.to.family() == IpFamily::v4;
    EXPECT_EQ(v4 ? ip4_input(p, &interface.lwip_netif()) : ip6_input(p, &interface.lwip_netif()), ERR_OK);
    net.settle();
  };
  inject(net.outside.echo_request(address("198.51.100.7"), address(TwoSidedStack::internal_v4), {}), net.external);
  inject(net.outside.echo_request(address("2001:db8:77::7"), address(TwoSidedStack::internal_v6), {}), net.external);
  inject(net.outside.echo_request(address(TwoSidedStack::gateway_v4), address(TwoSidedStack::external_v4), {}),
         net.internal);
  EXPECT_EQ(net.external.strong_host_refusals(), 2U);
  EXPECT_EQ(net.internal.strong_host_refusals(), 1U);
  EXPECT_TRUE(net.outside.packets.empty());
  EXPECT_TRUE(net.inside.packets.empty());
  inject(net.outside.echo_request(address(TwoSidedStack::partner_v4), address(TwoSidedStack::external_v4), {}),
         net.external);
  EXPECT_EQ(echo_replies(net.outside), 1U) << "its own address it takes";
}

TEST_F(InterfaceTest, RefusesSourcesOfTheOtherSide) {
  net.outside.send(syn(TwoSidedStack::gateway_v4, TwoSidedStack::external_v4, External::listen_port));
  net.outside.send(syn(TwoSidedStack::gateway_v6, TwoSidedStack::external_v6, External::listen_port));
  net.inside.send(syn(TwoSidedStack::partner_v4, TwoSidedStack::internal_v4, Internal::listen_port));
  net.settle();
  EXPECT_EQ(refused(net.external, Refusal::source_address), 2U);
  EXPECT_EQ(refused(net.internal, Refusal::source_address), 1U);
}

TEST_F(InterfaceTest, PacketNumbersTellNothing_Rfc6864) {
  std::set<std::uint16_t> numbers;
  std::set<std::uint16_t> steps;
  std::uint16_t previous = 0;
  for (int i = 0; i < 40; ++i) {
    net.outside.send(
        net.outside.echo_request(address(TwoSidedStack::partner_v4), address(TwoSidedStack::external_v4), {}));
    net.settle();
    const std::uint16_t number = net.outside.packets.back().identification;  // its header checksum was verified
    numbers.insert(number);
    steps.insert(static_cast<std::uint16_t>(number - previous));
    previous = number;
  }
  EXPECT_GE(numbers.size(), 39U);
  EXPECT_GE(steps.size(), 39U);
}

// ---- neighbours ----

TEST_F(InterfaceTest, AnswersArpAndSolicitations) {
  net.outside.send_frame(frame_of(make_solicitation({fakes::outside_mac, address(TwoSidedStack::partner_v4)},
                                                    address(TwoSidedStack::external_v4), std::nullopt)));
  net.outside.send_frame(frame_of(make_solicitation({fakes::outside_mac, address(TwoSidedStack::partner_v6)},
                                                    address(TwoSidedStack::external_v6), std::nullopt)));
  net.settle();
  ASSERT_EQ(net.outside.link_frames.size(), 2U);
  for (const Frame& frame : net.outside.link_frames) {
    const auto reply = parse_neighbor_message(std::as_bytes(std::span(frame)));
    ASSERT_TRUE(reply) << "checksum";
    EXPECT_EQ(reply->kind, NeighborMessage::Kind::advertisement);
    EXPECT_EQ(reply->mac, fakes::external_mac);
    EXPECT_TRUE(reply->solicited);
  }
}

TEST_F(InterfaceTest, AnswersAnIpv4AddressProbe_Rfc5227_2_1_1) {
  net.outside.send_frame(frame_of(
      make_solicitation({fakes::outside_mac, address("0.0.0.0")}, address(TwoSidedStack::external_v4), std::nullopt)));
  net.settle();
  ASSERT_EQ(net.outside.link_frames.size(), 1U);
  EXPECT_EQ(parse_neighbor_message(std::as_bytes(std::span(net.outside.link_frames[0])))->sender,
            address(TwoSidedStack::external_v4));
}

TEST_F(InterfaceTest, IgnoresASolicitationWithAWrongChecksum) {
  Frame frame = frame_of(make_solicitation({fakes::outside_mac, address(TwoSidedStack::partner_v6)},
                                           address(TwoSidedStack::external_v6), std::nullopt));
  frame[14 + 40 + 2] ^= 1;
  net.outside.send_frame(frame);
  net.settle();
  EXPECT_TRUE(net.outside.link_frames.empty());
}

TEST_F(InterfaceTest, AnnouncesItselfWhenTheCableIsPlugged_Rfc5227_2_3_Rfc4861_7_2_6) {
  net.external_wire.pull();
  net.run(1s);
  net.outside.link_frames.clear();
  net.external_wire.plug();
  net.run(1s);
  std::set<std::string> announced;
  for (const Frame& frame : net.outside.link_frames) {
    const auto message = parse_neighbor_message(std::as_bytes(std::span(frame)));
    ASSERT_TRUE(message);
    EXPECT_FALSE(message->solicited);
    announced.insert(std::string(message->target.text().view()));
  }
  EXPECT_EQ(announced,
            (std::set<std::string>{TwoSidedStack::external_v4, TwoSidedStack::external_v6, "fe80::ff:fe00:1"}));
}

TEST_F(InterfaceTest, AScanOutsideForgetsNobodyInside) {
  IdleTask task;
  Connection<Internal> connection(net.internal, net.tasks, task);
  ASSERT_TRUE(connection.connect({address(TwoSidedStack::gateway_v4), 53}));
  net.settle();
  net.inside.link_frames.clear();
  net.inside.segments.clear();
  for (int i = 1; i < 255; ++i) {  // each makes us ask for an address on the outer link
    const std::string from = "203.0.113." + std::to_string(i);
    net.outside.send(net.outside.echo_request(address(from), address(TwoSidedStack::external_v4), {}));
    net.run(20ms);
  }
  EXPECT_GT(net.outside.link_frames.size(), 100U);
  connection.abort();
  net.inside.segments.clear();
  Connection<Internal> next(net.internal, net.tasks, task);
  ASSERT_TRUE(next.connect({address(TwoSidedStack::gateway_v4), 53}));
  net.settle();
  EXPECT_TRUE(net.inside.link_frames.empty()) << "the gateway is still known";
  EXPECT_EQ(net.inside.segments.size(), 1U);
}

// ---- addresses ----

TEST_F(InterfaceTest, AnAddressThatAnotherHostHasIsNotUsed_Rfc4862_5_4) {
  InterfaceSettings settings = net.external.settings();
  settings.v6 = IpPrefix::parse("2001:db8:e::99/64");
  net.outside.own(address("2001:db8:e::99"));
  net.external.bring_up(settings);
  bool asked = false;
  for (int i = 0; i < 60 && !asked; ++i) {
    net.run(50ms);
    for (const Frame& frame : net.outside.link_frames) {
      const auto message = parse_neighbor_message(std::as_bytes(std::span(frame)));
      asked = asked || (message && message->sender.is_unspecified() && message->target == address("2001:db8:e::99"));
    }
  }
  ASSERT_TRUE(asked) << "duplicate address detection";
  net.outside.send_frame(frame_of(make_announcement({fakes::outside_mac, address("2001:db8:e::99")})));
  net.run(3s);
  EXPECT_EQ(net.external.local_address(address("2001:db8::1")), std::nullopt);
  EXPECT_TRUE(net.external.local_address(address("198.51.100.1")).has_value());
}

TEST_F(InterfaceTest, ChoosesTheAddressByFamilyAndScope) {
  EXPECT_EQ(net.external.local_address(address("198.51.100.1")), address(TwoSidedStack::external_v4));
  EXPECT_EQ(net.external.local_address(address("2001:db8:99::1")), address(TwoSidedStack::external_v6));
  EXPECT_EQ(net.external.local_address(address("fe80::1")), address("fe80::ff:fe00:1"));
}

TEST_F(InterfaceTest, KnowsWhereItCanSend) {
  EXPECT_TRUE(net.external.has_route(address("198.51.100.1")));
  EXPECT_TRUE(net.external.has_route(address("2001:db8:99::1")));
  EXPECT_FALSE(net.internal.has_route(address("198.51.100.1"))) << "no gateway inside";
  EXPECT_TRUE(net.internal.has_route(address("10.1.200.1")));
  EXPECT_FALSE(net.internal.has_route(address("2001:db8:99::1")));
}

TEST_F(InterfaceTest, TakesNewAddressesWhileItRuns) {
  InterfaceSettings settings = net.external.settings();
  settings.v4 = IpPrefix::parse("203.0.113.20/24");
  net.external.bring_up(settings);
  net.settle();
  net.outside.send(
      net.outside.echo_request(address(TwoSidedStack::partner_v4), address(TwoSidedStack::external_v4), {}));
  net.outside.send(net.outside.echo_request(address(TwoSidedStack::partner_v4), address("203.0.113.20"), {}));
  net.settle();
  EXPECT_EQ(echo_replies(net.outside), 1U);
}

TEST_F(InterfaceTest, WorksWithoutIpv4OrWithoutGlobalIpv6) {
  net.external.bring_up({std::nullopt, IpPrefix::parse("2001:db8:e::10/64"), std::nullopt, std::nullopt});
  net.internal.bring_up({IpPrefix::parse("10.1.0.10/16"), std::nullopt, std::nullopt, std::nullopt});
  net.run(1s);
  net.outside.send(
      net.outside.echo_request(address(TwoSidedStack::partner_v4), address(TwoSidedStack::external_v4), {}));
  net.outside.send(
      net.outside.echo_request(address(TwoSidedStack::partner_v6), address(TwoSidedStack::external_v6), {}));
  net.inside.send(net.inside.echo_request(address(TwoSidedStack::gateway_v4), address(TwoSidedStack::internal_v4), {}));
  net.inside.send(net.inside.echo_request(address(TwoSidedStack::gateway_v6), address(TwoSidedStack::internal_v6), {}));
  net.settle();
  EXPECT_EQ(echo_replies(net.outside), 1U);
  EXPECT_EQ(echo_replies(net.inside), 1U);
}

TEST_F(InterfaceTest, ReportsItsGroupsWhenAsked_Rfc2710_4) {
  Packet query{
      address("fe80::1"), address("ff02::1"), 0, 1, {58, 0, 5, 2, 0, 0, 1, 0, 130, 0, 0, 0, 0x03, 0xE8, 0, 0}, 0};
  query.payload.resize(8 + 24);
  Packet plain = query;  // the checksum is over the ICMPv6 message alone
  plain.protocol = 58;
  plain.payload.erase(plain.payload.begin(), plain.payload.begin() + 8);
  const std::uint16_t checksum = fakes::transport_checksum(plain);
  query.payload[10] = static_cast<std::uint8_t>(checksum >> 8);
  query.payload[11] = static_cast<std::uint8_t>(checksum);
  net.outside.packets.clear();
  net.outside.send(query);
  net.run(2s);
  std::set<std::string> groups;
  for (const Packet& report : net.outside.packets)
    if (report.protocol == 0 && report.payload.at(8) == 131) groups.insert(std::string(report.to.text().view()));
  EXPECT_TRUE(groups.contains("ff02::1:ff00:10"));
  EXPECT_TRUE(groups.contains("ff02::1:ff00:1"));
}

// ---- UDP ----

TEST_F(InterfaceTest, AsksAndHearsOverUdp) {
  IdleTask task;
  UdpSocket<External> socket(net.external, net.tasks, task);
  const Endpoint server{address("203.0.113.1"), 53};
  const std::string question = "a question";
  ASSERT_TRUE(socket.send(server, std::as_bytes(std::span(question))));
  net.settle();
  ASSERT_EQ(net.outside.packets.size(), 1U);
  const Packet asked = net.outside.packets[0];
  EXPECT_EQ(fakes::transport_checksum(asked), 0);
  EXPECT_EQ(fakes::text({asked.payload.begin() + 8, asked.payload.end()}), question);
  const std::uint16_t port = static_cast<std::uint16_t>(asked.payload[0] << 8 | asked.payload[1]);

  const auto answer = [&](const char* from, std::uint16_t to_port, std::string_view content) {
    Packet reply{address(from),
                 address(TwoSidedStack::external_v4),
                 17,
                 64,
                 {0, 53, std::uint8_t(to_port >> 8), std::uint8_t(to_port), 0, std::uint8_t(8 + content.size()), 0, 0},
                 0};
    reply.payload.insert(reply.payload.end(), content.begin(), content.end());
    const std::uint16_t checksum = fakes::transport_checksum(reply);
    reply.payload[6] = static_cast<std::uint8_t>(checksum >> 8), reply.payload[7] = static_cast<std::uint8_t>(checksum);
    net.outside.send(reply);
    net.settle();
  };
  answer("203.0.113.2", port, "spoofed");
  answer("203.0.113.1", static_cast<std::uint16_t>(port + 1), "guessed");
  std::array<std::byte, 512> buffer;
  EXPECT_EQ(socket.receive(buffer), std::nullopt);
  EXPECT_EQ(refused(net.external, Refusal::port), 2U);
  EXPECT_EQ(task.runs, 0);
  answer("203.0.113.1", port, "the answer");
  EXPECT_EQ(task.runs, 1);
  const auto received = socket.receive(buffer);
  ASSERT_TRUE(received);
  EXPECT_EQ(received->from, server);
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(buffer.data()), received->length), "the answer");
  EXPECT_EQ(net.external_nic.held(), 0U);

  net.run(20s);
  answer("203.0.113.1", port, "too late");
  EXPECT_EQ(socket.receive(buffer), std::nullopt);
}

TEST_F(InterfaceTest, EachQuestionHasAPortOfItsOwn_Rfc5452_9_2) {
  IdleTask task;
  UdpSocket<External> socket(net.external, net.tasks, task);
  std::set<int> ports;
  for (int i = 0; i < 40; ++i) {
    ASSERT_TRUE(socket.send({address("2001:db8:e::1"), 53}, std::as_bytes(std::span("x", 1))));
    net.settle();
    ports.insert(net.outside.packets.back().payload[0] << 8 | net.outside.packets.back().payload[1]);
  }
  EXPECT_GE(ports.size(), 38U);
  EXPECT_GE(*ports.begin(), 49152);
}

TEST_F(InterfaceTest, UnreadRepliesAreBounded) {
  IdleTask task;
  {
    UdpSocket<External> socket(net.external, net.tasks, task);
    ASSERT_TRUE(socket.send({address("203.0.113.1"), 53}, std::as_bytes(std::span("x", 1))));
    net.settle();
    const Packet asked = net.outside.packets[0];
    Packet reply{asked.to, asked.from, 17, 64, {0, 53, asked.payload[0], asked.payload[1], 0, 9, 0, 0, 'y'}, 0};
    for (int i = 0; i < 20; ++i) net.outside.send(reply);
    net.settle();
    EXPECT_EQ(net.external_nic.held(), UdpSocketBody::max_waiting);
  }
  EXPECT_EQ(net.external_nic.held(), 0U);
  net.outside.packets.clear();
}

TEST_F(InterfaceTest, SendsNoDatagramWithoutARoute) {
  IdleTask task;
  UdpSocket<Internal> socket(net.internal, net.tasks, task);
  EXPECT_FALSE(socket.send({address("198.51.100.1"), 53}, std::as_bytes(std::span("x", 1))));
  const std::vector<std::byte> large(UdpSocketBody::max_payload + 1);
  EXPECT_FALSE(socket.send({address("10.1.0.53"), 53}, large));
}

// ---- time and memory ----

TEST_F(InterfaceTest, SleepsBetweenTimers) {
  net.run(5s);
  for (int i = 0; i < 50; ++i) {
    const Instant next = net.stack.next_deadline();
    ASSERT_GE(next, net.clock.now());
    ASSERT_LE(next, net.clock.now() + 1s);
    net.clock.advance(std::max<Duration>(next - net.clock.now(), 1ms));
    net.stack.poll(net.clock.now());
  }
}

TEST_F(InterfaceTest, LwipsPoolsFitTheBound) {
  std::size_t bytes = 0;
  for (const memp_desc* pool : memp_pools) bytes += std::size_t{pool->size} * pool->num;
  EXPECT_LE(bytes, stack_memory_bound);
  EXPECT_GE(bytes, stack_memory_bound * 9 / 10) << "the bound says something";
}

/// Every frame that the filter admits goes through all of lwIP: no assertion, no sanitizer report, no buffer lost.
TEST_F(InterfaceTest, SurvivesMutatedTraffic) {
  class Refuser final : public Acceptor<External> {
   public:
    explicit Refuser(TwoSidedStack& net) : net_(net) {}
    Connection<External>* accept(const Endpoint&) override {
      if (connections.size() >= 50) connections.erase(connections.begin());
      return nullptr_or_new();
    }
    void accepted(Connection<External>&) override {}
    std::vector<std::unique_ptr<Connection<External>>> connections;

   private:
    Connection<External>* nullptr_or_new() {
      connections.push_back(std::make_unique<Connection<External>>(net_.external, net_.tasks, task_));
      return connections.back().get();
    }
    TwoSidedStack& net_;
    IdleTask task_;
  };
  auto acceptor = std::make_unique<Refuser>(net);
  S2sListener listener(net.external, *acceptor);
  ASSERT_TRUE(listener.open());

  std::uint32_t state = 4711;
  const auto random = [&state](std::uint32_t below) {
    state = state * 1664525 + 1013904223;
    return (state >> 8) % below;
  };
  std::deque<Segment> seen;
  for (int round = 0; round < 6000; ++round) {
    net.settle();
    for (const Segment& segment : net.outside.segments) seen.push_back(segment);
    net.outside.segments.clear();
    net.outside.packets.clear();
    net.outside.link_frames.clear();
    while (seen.size() > 30) seen.pop_front();
    Segment next = syn(TwoSidedStack::partner_v4, TwoSidedStack::external_v4, External::listen_port);
    next.from.port = static_cast<std::uint16_t>(1000 + random(40));
    if (!seen.empty() && random(5) != 0) {  // go on with something that the device said
      const Segment& last = seen[random(static_cast<std::uint32_t>(seen.size()))];
      const std::uint8_t flags = std::array<std::uint8_t, 8>{flag::ack,
                                                             flag::ack,
                                                             flag::ack | flag::psh,
                                                             flag::ack | flag::fin,
                                                             flag::rst,
                                                             flag::syn | flag::ack,
                                                             flag::rst | flag::ack,
                                                             flag::ack}[random(8)];
      next = {last.to,
              last.from,
              last.acknowledgment + (random(3) == 0 ? random(3000) : 0),
              last.sequence + (last.has(flag::syn) || last.has(flag::fin) ? 1U : 0U) + random(2),
              flags,
              static_cast<std::uint16_t>(random(20000)),
              {},
              Octets(random(4) == 0 ? random(1460) : random(20), 'x')};
    }
    Frame frame = net.outside.frame_of(fakes::WireHost::packet_of(next));
    if (random(10) == 0)
      frame[random(static_cast<std::uint32_t>(frame.size()))] ^= static_cast<std::uint8_t>(1U << random(8));
    net.outside.send_frame(frame);
    for (auto& connection : acceptor->connections) {
      if (random(20) == 0 && !connection->peek().empty())
        connection->consume(1 + random(static_cast<std::uint32_t>(connection->peek().size())));
      if (random(40) == 0) {
        const std::vector<std::byte> data(random(4000));
        connection->write(data);
        connection->flush();
      }
      if (random(200) == 0) connection->close();
    }
    if (random(3) == 0) net.run(std::chrono::milliseconds(random(2000)));
  }
  EXPECT_GT(net.external.counters().admitted, 3000U);
  acceptor->connections.clear();
  listener.close();
  net.run(200s);
  EXPECT_EQ(net.external_nic.held(), 0U);
  EXPECT_EQ(net.stack.flows().in_use(), 0U);
  EXPECT_EQ(net.external.tcp_counters().half_open, 0U);
  for (const memp_t pool : {MEMP_TCP_PCB, MEMP_TCP_SEG}) EXPECT_EQ(memp_pools[pool]->stats->used, 0U) << pool;
}

/// The same for everything that is not TCP: ARP, neighbour discovery, MLD, ICMP, UDP.
TEST_F(InterfaceTest, SurvivesMutatedControlTraffic) {
  IdleTask task;
  auto socket = std::make_unique<UdpSocket<External>>(net.external, net.tasks, task);
  const LinkEndpoint partner{fakes::outside_mac, address(TwoSidedStack::partner_v4)};
  const LinkEndpoint partner_v6{fakes::outside_mac, address(TwoSidedStack::partner_v6)};
  const LinkEndpoint ours{fakes::external_mac, address(TwoSidedStack::external_v4)};
  const LinkEndpoint ours_v6{fakes::external_mac, address(TwoSidedStack::external_v6)};
  std::vector<Frame> seeds{
      frame_of(make_solicitation(partner, ours.address, std::nullopt)),
      frame_of(make_advertisement(partner, ours)),
      frame_of(make_announcement(partner)),
      frame_of(make_solicitation(partner_v6, ours_v6.address, std::nullopt)),
      frame_of(make_advertisement(partner_v6, ours_v6)),
      frame_of(make_announcement(partner_v6)),
      net.outside.frame_of(net.outside.echo_request(partner.address, ours.address, Octets(64, 'x'))),
      net.outside.frame_of(net.outside.echo_request(partner_v6.address, ours_v6.address, Octets(64, 'x')))};
  Packet error{partner.address, ours.address, 1, 64, Octets(48, 0), 0};
  error.payload[0] = 3;
  error.payload[8] = 0x45;
  error.payload[17] = 6;
  seeds.push_back(net.outside.frame_of(error));

  std::uint32_t state = 815;
  const auto random = [&state](std::size_t below) {
    state = state * 1664525 + 1013904223;
    return (state >> 8) % static_cast<std::uint32_t>(below);
  };
  for (int round = 0; round < 5000; ++round) {
    if (round % 50 == 0) {
      ASSERT_TRUE(socket->send({partner.address, 53}, std::as_bytes(std::span("q", 1))));
      net.settle();
    }
    Frame frame = seeds[random(seeds.size())];
    if (random(8) == 0 && !net.outside.packets.empty() && net.outside.packets.back().protocol == 17) {
      const Packet& asked = net.outside.packets.back();
      Packet reply{asked.to, asked.from, 17, 64, {0, 53, asked.payload[0], asked.payload[1], 0, 12, 0, 0, 1, 2, 3, 4},
                   0};
      frame = net.outside.frame_of(reply);
    }
    for (std::uint32_t changes = random(3); changes > 0; --changes)
      frame[random(frame.size())] = static_cast<std::uint8_t>(random(256));
    if (random(8) == 0) frame.resize(random(frame.size()) + 1);
    net.outside.send_frame(frame);
    if (random(10) == 0) {
      std::array<std::byte, 16> buffer;
      static_cast<void>(socket->receive(buffer));
    }
    net.run(std::chrono::milliseconds(random(40)));
  }
  EXPECT_GT(net.external.counters().admitted, 1000U);
  socket.reset();
  net.run(5s);
  EXPECT_EQ(net.external_nic.held(), 0U);
  net.outside.packets.clear();
  net.inside.send(net.inside.echo_request(address(TwoSidedStack::gateway_v4), address(TwoSidedStack::internal_v4), {}));
  net.settle();
  EXPECT_EQ(echo_replies(net.inside), 1U);
}

}  // namespace
}  // namespace sallyport::net
