#include "net/lwip/connection.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "net/lwip/listener.h"
#include "tests/fakes/two_sided_stack.h"

namespace sallyport::net {
namespace {

using fakes::address;
using fakes::octets;
using fakes::Octets;
using fakes::Segment;
using fakes::TcpPeer;
using fakes::TwoSidedStack;
namespace flag = fakes::tcp_flag;

std::span<const std::byte> bytes(std::string_view text) { return std::as_bytes(std::span(text.data(), text.size())); }

/// Counts how often it was scheduled.
class CountingTask final : public Task {
 public:
  void run() override { ++runs; }
  int runs = 0;
};

/// The owner of a connection on one side; reads only when told.
template <Side S>
struct Client {
  Client(Interface<S>& interface, TaskQueue& tasks) : connection(interface, tasks, task) {}

  std::string read_all() {
    std::string all;
    while (!connection.peek().empty()) {
      const auto next = connection.peek();
      all.append(reinterpret_cast<const char*>(next.data()), next.size());
      connection.consume(next.size());
    }
    return all;
  }

  CountingTask task;
  Connection<S> connection;
};

template <Side S>
class OneAcceptor final : public Acceptor<S> {
 public:
  OneAcceptor(Interface<S>& interface, TaskQueue& tasks) : interface_(interface), tasks_(tasks) {}
  Connection<S>* accept(const Endpoint& peer) override {
    last_peer = peer;
    if (refuse) return nullptr;
    clients.push_back(std::make_unique<Client<S>>(interface_, tasks_));
    return &clients.back()->connection;
  }
  void accepted(Connection<S>&) override { ++accepted_count; }

  std::vector<std::unique_ptr<Client<S>>> clients;
  Endpoint last_peer;
  int accepted_count = 0;
  bool refuse = false;

 private:
  Interface<S>& interface_;
  TaskQueue& tasks_;
};

class ConnectionTest : public testing::Test {
 protected:
  ConnectionTest()
      : external_acceptor(net.external, net.tasks),
        internal_acceptor(net.internal, net.tasks),
        external_listener(net.external, external_acceptor),
        internal_listener(net.internal, internal_acceptor) {
    EXPECT_TRUE(external_listener.open());
    EXPECT_TRUE(internal_listener.open());
  }

  TcpPeer partner(std::uint16_t port = 40000, const char* own = TwoSidedStack::partner_v4,
                  const char* device = TwoSidedStack::external_v4) {
    return {net.outside, {address(own), port}, {address(device), External::listen_port}};
  }
  TcpPeer gateway(std::uint16_t port = 40000) {
    return {net.inside,
            {address(TwoSidedStack::gateway_v4), port},
            {address(TwoSidedStack::internal_v4), Internal::listen_port}};
  }

  void establish(TcpPeer& peer) {
    peer.send_syn();
    net.settle();
    peer.poll();
    net.settle();
    ASSERT_TRUE(peer.established);
  }

  TwoSidedStack net;
  OneAcceptor<External> external_acceptor;
  OneAcceptor<Internal> internal_acceptor;
  S2sListener external_listener;
  GatewayListener internal_listener;
};

TEST_F(ConnectionTest, AcceptsOnTheExternalPort) {
  TcpPeer peer = partner();
  establish(peer);
  ASSERT_EQ(external_acceptor.clients.size(), 1U);
  EXPECT_EQ(external_acceptor.accepted_count, 1);
  auto& client = *external_acceptor.clients[0];
  EXPECT_EQ(client.connection.state(), ByteStreamState::open);
  EXPECT_EQ(client.connection.remote().text(), "203.0.113.77:40000");
  EXPECT_GE(client.task.runs, 1);
}

TEST_F(ConnectionTest, CarriesDataBothWaysInOrder) {
  for (const auto& [own, device] : {std::pair{TwoSidedStack::partner_v4, TwoSidedStack::external_v4},
                                    std::pair{TwoSidedStack::partner_v6, TwoSidedStack::external_v6}}) {
    TcpPeer peer = partner(41000, own, device);
    establish(peer);
    auto& client = *external_acceptor.clients.back();
    peer.send("<stream>");
    peer.send("<message/>");
    net.settle();
    EXPECT_EQ(client.read_all(), "<stream><message/>");
    EXPECT_EQ(client.connection.write(bytes("hello ")), 6U);
    EXPECT_EQ(client.connection.write(bytes("peer")), 4U);
    client.connection.flush();
    net.settle();
    peer.poll();
    net.settle();
    EXPECT_EQ(peer.received, "hello peer");
    EXPECT_TRUE(client.connection.all_acknowledged());
  }
}

// ---- accepting ----

TEST_F(ConnectionTest, AcceptsOnTheInternalPort) {
  TcpPeer peer = gateway();
  establish(peer);
  ASSERT_EQ(internal_acceptor.clients.size(), 1U);
  EXPECT_EQ(external_acceptor.clients.size(), 0U);
  EXPECT_EQ(internal_acceptor.clients[0]->connection.remote().port, 40000);
}

TEST_F(ConnectionTest, AnnouncesSegmentsThatNeedNoPathMtuDiscovery) {
  TcpPeer v4 = partner(41000);
  establish(v4);
  EXPECT_EQ(v4.device_mss, 1460);
  TcpPeer v6 = partner(41001, TwoSidedStack::partner_v6, TwoSidedStack::external_v6);
  establish(v6);
  EXPECT_EQ(v6.device_mss, 1220) << "1280 - 40 - 20, RFC 8200 5";
  auto& client = *external_acceptor.clients[1];
  const std::string long_text(5000, 'x');
  EXPECT_EQ(client.connection.write(bytes(long_text)), 5000U);
  client.connection.flush();
  net.run(1s);
  for (const Segment& segment : net.outside.segments) EXPECT_LE(segment.payload.size(), 1220U);
}

TEST_F(ConnectionTest, ResetsAConnectionThatTheAcceptorRefuses) {
  external_acceptor.refuse = true;
  TcpPeer peer = partner();
  peer.send_syn();
  net.settle();
  peer.poll();
  net.settle();
  peer.poll();
  EXPECT_TRUE(peer.reset);
  EXPECT_EQ(net.external.tcp_counters().connections, 0U);
  EXPECT_EQ(net.external.tcp_counters().refused, 1U);
  EXPECT_EQ(net.stack.flows().in_use(), 0U);
}

TEST_F(ConnectionTest, ClosedListenerTakesNoMore) {
  external_listener.close();
  EXPECT_FALSE(external_listener.is_open());
  TcpPeer peer = partner();
  peer.send_syn();
  net.settle();
  peer.poll();
  EXPECT_TRUE(peer.reset);
  EXPECT_TRUE(external_listener.open());
  TcpPeer next = partner(40001);
  establish(next);
}

TEST_F(ConnectionTest, AnotherPortIsSilent) {
  TcpPeer peer(net.outside, {address(TwoSidedStack::partner_v4), 40000}, {address(TwoSidedStack::external_v4), 5222});
  peer.send_syn();
  net.run(2s);
  EXPECT_FALSE(peer.take().has_value());
}

TEST_F(ConnectionTest, TheOldestHalfOpenConnectionYieldsToANewOne) {
  constexpr std::size_t places = side_capacity<External>.half_open;
  std::vector<TcpPeer> flood;
  for (std::size_t i = 0; i < 3 * places; ++i) {
    flood.push_back(partner(static_cast<std::uint16_t>(20000 + i)));
    flood.back().send_syn();
    net.run(5ms);
  }
  EXPECT_EQ(net.external.tcp_counters().half_open, places);
  EXPECT_EQ(net.external.tcp_counters().half_open_evicted, 2 * places);
  TcpPeer honest = partner(50000);
  establish(honest);
  net.settle();
  EXPECT_EQ(external_acceptor.clients.size(), 1U);
  TcpPeer inside = gateway();
  establish(inside);
  net.run(120s);
  EXPECT_EQ(net.external.tcp_counters().half_open, 0U) << "half-open connections end by themselves";
}

TEST_F(ConnectionTest, ABurstOfHonestPeersIsNotReset) {
  constexpr std::size_t places = side_capacity<External>.half_open;
  net.outside.send(
      net.outside.echo_request(address(TwoSidedStack::partner_v4), address(TwoSidedStack::external_v4), {}));
  net.settle();  // the neighbour is known now
  std::vector<TcpPeer> peers;
  for (std::size_t i = 0; i < 2 * places; ++i) {
    peers.push_back(partner(static_cast<std::uint16_t>(20000 + i)));
    peers.back().send_syn();
    net.settle();
  }
  for (TcpPeer& peer : peers) {
    peer.poll();
    net.settle();
  }
  EXPECT_EQ(external_acceptor.clients.size(), places) << "the others' SYNs were dropped, and will come again";
  for (TcpPeer& peer : peers) EXPECT_FALSE(peer.reset);
}

TEST_F(ConnectionTest, AFloodOutsideLeavesRoomInside) {
  for (std::uint16_t i = 0; i < 2000; ++i) {
    TcpPeer attacker = partner(static_cast<std::uint16_t>(10000 + i));
    establish(attacker);
  }
  EXPECT_EQ(external_acceptor.clients.size(), side_capacity<External>.connections);
  EXPECT_EQ(net.external.tcp_counters().connections, side_capacity<External>.connections);
  Client<External> one_more(net.external, net.tasks);
  EXPECT_EQ(one_more.connection.connect({address(TwoSidedStack::partner_v4), 5269}).error(),
            ConnectError::no_resources);
  for (std::uint16_t i = 0; i < side_capacity<Internal>.connections; ++i) {
    TcpPeer inside = gateway(static_cast<std::uint16_t>(30000 + i));
    establish(inside);
  }
  EXPECT_EQ(internal_acceptor.clients.size(), side_capacity<Internal>.connections);
  const std::string text(8 * 1460, 'i');
  EXPECT_EQ(internal_acceptor.clients[0]->connection.write(bytes(text)), text.size()) << "with a full window of blocks";
}

// ---- initiating ----

TEST_F(ConnectionTest, ConnectsToAListeningPeer) {
  Client<External> client(net.external, net.tasks);
  EXPECT_EQ(client.connection.state(), ByteStreamState::idle);
  TcpPeer peer(net.outside, {address(TwoSidedStack::partner_v4), 5269}, {address(TwoSidedStack::external_v4), 0});
  peer.accepts = true;
  ASSERT_TRUE(client.connection.connect({address(TwoSidedStack::partner_v4), 5269}));
  EXPECT_EQ(client.connection.state(), ByteStreamState::connecting);
  net.settle();
  peer.poll();
  net.settle();
  EXPECT_EQ(client.connection.state(), ByteStreamState::open);
  EXPECT_GE(client.task.runs, 1);
  peer.send("hello");
  net.settle();
  EXPECT_EQ(client.read_all(), "hello");
}

TEST_F(ConnectionTest, ConnectsBothFamiliesFromTheRightAddress) {
  for (const char* to : {"198.51.100.9", "2001:db8:99::9"}) {
    net.outside.segments.clear();
    Client<External> client(net.external, net.tasks);
    ASSERT_TRUE(client.connection.connect({address(to), 5269}));
    net.settle();
    ASSERT_EQ(net.outside.segments.size(), 1U) << "over the router";
    const Segment syn = net.outside.segments.front();
    EXPECT_EQ(syn.to.text(), (Endpoint{address(to), 5269}.text()));
    EXPECT_TRUE(syn.has(flag::syn));
    EXPECT_GE(syn.from.port, 49152);
    const bool v6 = address(to).family() == IpFamily::v6;
    EXPECT_EQ(syn.from.address, address(v6 ? TwoSidedStack::external_v6 : TwoSidedStack::external_v4));
  }
  EXPECT_TRUE(net.inside.segments.empty());
}

TEST_F(ConnectionTest, ReportsARefusal) {
  Client<External> client(net.external, net.tasks);
  TcpPeer peer(net.outside, {address(TwoSidedStack::partner_v4), 5269}, {address(TwoSidedStack::external_v4), 0});
  ASSERT_TRUE(client.connection.connect({address(TwoSidedStack::partner_v4), 5269}));
  net.settle();
  const Segment syn = peer.take().value();
  net.outside.send(Segment{syn.to, syn.from, 0, syn.sequence + 1, flag::rst | flag::ack, 0, {}, {}});
  net.settle();
  EXPECT_EQ(client.connection.state(), ByteStreamState::closed);
  EXPECT_EQ(client.connection.failure(), ConnectError::refused);
  EXPECT_EQ(client.task.runs, 1);
  EXPECT_EQ(net.stack.flows().in_use(), 0U);
}

TEST_F(ConnectionTest, IgnoresARefusalThatGuesses) {
  Client<External> client(net.external, net.tasks);
  TcpPeer peer(net.outside, {address(TwoSidedStack::partner_v4), 5269}, {address(TwoSidedStack::external_v4), 0});
  ASSERT_TRUE(client.connection.connect({address(TwoSidedStack::partner_v4), 5269}));
  net.settle();
  const Segment syn = peer.take().value();
  net.outside.send(Segment{syn.to, syn.from, 0, syn.sequence + 2, flag::rst | flag::ack, 0, {}, {}});
  net.settle();
  EXPECT_EQ(client.connection.state(), ByteStreamState::connecting);
}

TEST_F(ConnectionTest, GivesUpAfterTheConnectTimeout) {
  Client<External> client(net.external, net.tasks);
  ASSERT_TRUE(client.connection.connect({address(TwoSidedStack::partner_v4), 5269}));
  net.run(9s);
  EXPECT_EQ(client.connection.state(), ByteStreamState::connecting);
  EXPECT_GE(net.outside.segments.size(), 5U) << "the SYN is repeated";
  net.run(3s);
  EXPECT_EQ(client.connection.state(), ByteStreamState::closed);
  EXPECT_EQ(client.connection.failure(), ConnectError::timed_out);
  EXPECT_EQ(net.stack.flows().in_use(), 0U);
}

TEST_F(ConnectionTest, AnUnansweredNeighbourIsATimeout) {
  Client<External> client(net.external, net.tasks);
  ASSERT_TRUE(client.connection.connect({address("203.0.113.200"), 5269}));
  net.run(13s);
  EXPECT_EQ(client.connection.failure(), ConnectError::timed_out);
}

TEST_F(ConnectionTest, HasNoRouteWithoutAddressOrGateway) {
  Client<Internal> client(net.internal, net.tasks);
  EXPECT_EQ(client.connection.connect({address("198.51.100.9"), 53}).error(), ConnectError::unreachable);
  EXPECT_EQ(client.connection.state(), ByteStreamState::closed);
  EXPECT_EQ(client.connection.failure(), ConnectError::unreachable);
  EXPECT_EQ(client.connection.connect({address("2001:db8:99::9"), 53}).error(), ConnectError::unreachable);
  net.run(5s);
  EXPECT_TRUE(net.inside.segments.empty());
}

TEST_F(ConnectionTest, AnIcmpErrorAboutOurSynEndsTheAttempt_Rfc5461_4_2) {
  for (const bool v6 : {false, true}) {
    Client<External> client(net.external, net.tasks);
    net.outside.segments.clear();
    ASSERT_TRUE(client.connection.connect({address(v6 ? TwoSidedStack::partner_v6 : TwoSidedStack::partner_v4), 5269}));
    net.settle();
    const Segment syn = net.outside.segments.front();
    const auto error_about = [&](std::uint32_t sequence) {
      Segment quoted = syn;
      quoted.sequence = sequence;
      const fakes::Frame frame = net.outside.frame_of(fakes::WireHost::packet_of(quoted));
      fakes::Packet error{address(v6 ? TwoSidedStack::external_router_v6 : TwoSidedStack::external_router_v4),
                          syn.from.address,
                          std::uint8_t(v6 ? 58 : 1),
                          64,
                          {std::uint8_t(v6 ? 1 : 3), 1, 0, 0, 0, 0, 0, 0},
                          0};
      error.payload.insert(error.payload.end(), frame.begin() + 14, frame.begin() + 14 + (v6 ? 40 : 20) + 20);
      net.outside.send(error);
      net.settle();
    };
    error_about(syn.sequence + 1);
    EXPECT_EQ(client.connection.state(), ByteStreamState::connecting) << "not our SYN's number";
    error_about(syn.sequence);
    EXPECT_EQ(client.connection.state(), ByteStreamState::closed);
    EXPECT_EQ(client.connection.failure(), ConnectError::unreachable);
    EXPECT_EQ(client.task.runs, 1);
  }
}

TEST_F(ConnectionTest, CanConnectAgainAfterAFailure) {
  Client<External> client(net.external, net.tasks);
  ASSERT_TRUE(client.connection.connect({address("203.0.113.200"), 5269}));
  net.run(13s);
  ASSERT_EQ(client.connection.state(), ByteStreamState::closed);
  TcpPeer peer(net.outside, {address(TwoSidedStack::partner_v4), 5269}, {address(TwoSidedStack::external_v4), 0});
  peer.accepts = true;
  ASSERT_TRUE(client.connection.connect({address(TwoSidedStack::partner_v4), 5269}));
  net.settle();
  peer.poll();
  net.settle();
  EXPECT_EQ(client.connection.state(), ByteStreamState::open);
  EXPECT_EQ(client.connection.failure(), ConnectError::none);
}

TEST_F(ConnectionTest, SequenceNumbersAndPortsDiffer_Rfc6528_Rfc6056) {
  std::set<std::uint32_t> sequences;
  std::set<std::uint16_t> ports;
  std::set<std::uint32_t> steps;
  std::uint32_t previous = 0;
  for (int i = 0; i < 50; ++i) {
    Client<External> client(net.external, net.tasks);
    ASSERT_TRUE(client.connection.connect({address(TwoSidedStack::partner_v4), 5269}));
    net.settle();
    const Segment syn = net.outside.segments.back();
    sequences.insert(syn.sequence);
    ports.insert(syn.from.port);
    steps.insert(syn.sequence - previous);
    previous = syn.sequence;
  }
  EXPECT_EQ(sequences.size(), 50U);
  EXPECT_EQ(steps.size(), 50U) << "no step from one to the next repeats";
  EXPECT_GE(ports.size(), 45U);
}

TEST_F(ConnectionTest, SequenceNumbersOfOneConnectionGrowWithTime_Rfc6528_3) {
  ip_addr_t local{}, remote{};
  IP_ADDR4(&local, 203, 0, 113, 10);
  IP_ADDR4(&remote, 198, 51, 100, 9);
  const std::uint32_t first = net.stack.initial_sequence_number(local, 50000, remote, 5269);
  net.clock.advance(4ms);
  EXPECT_EQ(net.stack.initial_sequence_number(local, 50000, remote, 5269) - first, 1000U) << "one each 4 us";
  EXPECT_NE(net.stack.initial_sequence_number(local, 50001, remote, 5269), first + 1000);
}

// ---- receiving ----

TEST_F(ConnectionTest, PeekStaysUntilConsumed) {
  TcpPeer peer = partner();
  establish(peer);
  auto& connection = external_acceptor.clients[0]->connection;
  EXPECT_TRUE(connection.peek().empty());
  peer.send("abcdef");
  net.settle();
  EXPECT_EQ(connection.peek().size(), 6U);
  connection.consume(2);
  EXPECT_EQ(static_cast<char>(connection.peek()[0]), 'c');
  connection.consume(0);
  EXPECT_EQ(connection.peek().size(), 4U);
  connection.consume(4);
  EXPECT_TRUE(connection.peek().empty());
  EXPECT_EQ(net.external_nic.held(), 0U);
}

TEST_F(ConnectionTest, AcknowledgesInTheNextTurnSoThatNagleDoesNotWait_Rfc896) {
  TcpPeer peer = partner();
  establish(peer);
  peer.send("a stanza");
  net.settle();  // no time passes
  peer.poll();
  EXPECT_EQ(peer.device_acknowledged, peer.next());
  net.outside.segments.clear();
  net.run(1s);
  EXPECT_TRUE(net.outside.segments.empty()) << "and only once";
}

TEST_F(ConnectionTest, AnAnswerTakesTheAcknowledgmentAlong) {
  TcpPeer peer = partner();
  establish(peer);
  peer.send("ping");
  net.external_wire.carry();
  net.external.poll(1);
  external_acceptor.clients[0]->connection.write(bytes("pong"));
  external_acceptor.clients[0]->connection.flush();
  net.run(500ms);
  ASSERT_EQ(net.outside.segments.size(), 1U);
  EXPECT_EQ(net.outside.segments[0].acknowledgment, peer.next());
}

TEST_F(ConnectionTest, ReceivedDataLieInTheControllersBuffer) {
  TcpPeer peer = partner();
  establish(peer);
  peer.send(Octets(1000, 'x'));
  net.settle();
  EXPECT_EQ(net.external_nic.held(), 1U);
  external_acceptor.clients[0]->read_all();
  EXPECT_EQ(net.external_nic.held(), 0U);
}

TEST_F(ConnectionTest, TheWindowClosesUntilDataAreConsumed) {
  TcpPeer peer = partner();
  establish(peer);
  const std::uint32_t start = peer.next();
  EXPECT_EQ(peer.device_window, window_bytes);
  for (int i = 0; i < 8; ++i) peer.send(Octets(1460, static_cast<std::uint8_t>('a' + i)));
  net.run(500ms);
  peer.poll();
  EXPECT_EQ(peer.device_acknowledged - start, 8U * 1460);
  EXPECT_EQ(peer.device_window, 0);
  peer.send("too much");
  net.run(500ms);
  peer.poll();
  EXPECT_EQ(peer.device_acknowledged - start, 8U * 1460) << "beyond the window";

  auto& client = *external_acceptor.clients[0];
  EXPECT_EQ(client.read_all().size(), 8U * 1460);
  net.settle();
  peer.poll();
  EXPECT_EQ(peer.device_window, window_bytes) << "consuming opens it";
}

TEST_F(ConnectionTest, SegmentsOfOneByteShareABuffer) {
  TcpPeer peer = partner();
  establish(peer);
  std::string sent;
  for (int i = 0; i < 1200; ++i) {
    const char letter = static_cast<char>('a' + i % 26);
    sent += letter;
    peer.send(std::string_view(&letter, 1));
    net.settle();
    peer.poll();
  }
  EXPECT_LE(net.external_nic.held(), 2U);
  EXPECT_EQ(external_acceptor.clients[0]->read_all(), sent);
  EXPECT_EQ(net.external_nic.held(), 0U);
}

TEST_F(ConnectionTest, APeekedSpanStaysWhenMoreArrives) {
  TcpPeer peer = partner();
  establish(peer);
  auto& connection = external_acceptor.clients[0]->connection;
  peer.send("first");
  net.settle();
  const auto span = connection.peek();
  peer.send("second");
  net.settle();
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(span.data()), span.size()), "first");
  EXPECT_EQ(external_acceptor.clients[0]->read_all(), "firstsecond");
}

TEST_F(ConnectionTest, PutsSegmentsInOrder) {
  TcpPeer peer = partner();
  establish(peer);
  const std::uint32_t start = peer.next();
  net.outside.send(peer.segment(start + 5, octets("second"), flag::ack));
  net.settle();
  EXPECT_TRUE(external_acceptor.clients[0]->connection.peek().empty());
  net.outside.send(peer.segment(start, octets("first"), flag::ack));
  net.settle();
  EXPECT_EQ(external_acceptor.clients[0]->read_all(), "firstsecond");
  net.outside.send(peer.segment(start + 3, octets("stsecondthird"), flag::ack));
  net.settle();
  EXPECT_EQ(external_acceptor.clients[0]->read_all(), "third") << "what came twice is given once";
}

TEST_F(ConnectionTest, LossReorderingAndDuplicationLoseNothing) {
  TcpPeer peer = partner();
  establish(peer);
  net.external_wire.reorder = true;
  auto& client = *external_acceptor.clients[0];
  std::string sent, got;
  std::uint32_t random = 7;
  const std::uint32_t start = peer.next();
  for (int round = 0; round < 400 && got.size() < 20000; ++round) {
    // A sender that simply repeats everything in the window, in pieces cut elsewhere each time.
    const std::uint32_t base = peer.device_acknowledged == 0 ? start : peer.device_acknowledged;
    const std::size_t offset = base - start;
    while (sent.size() < offset + 8000) sent += static_cast<char>('A' + sent.size() % 58);
    for (std::size_t at = offset; at < sent.size();) {
      random = random * 1664525 + 1013904223;
      const std::size_t piece = std::min<std::size_t>(1 + random % 1400, sent.size() - at);
      if (random >> 28 != 0)
        net.outside.send(
            peer.segment(start + static_cast<std::uint32_t>(at), octets(sent.substr(at, piece)), flag::ack));
      at += piece;
    }
    net.run(50ms);
    peer.poll();
    got += client.read_all();
  }
  ASSERT_GE(got.size(), 20000U);
  EXPECT_EQ(got, sent.substr(0, got.size()));
}

TEST_F(ConnectionTest, AFullReceivePoolOutsideDropsDataAndNothingElse) {
  std::vector<TcpPeer> peers;
  for (std::uint16_t i = 0; i < 40; ++i) {
    peers.push_back(partner(static_cast<std::uint16_t>(40000 + i)));
    establish(peers.back());
  }
  for (int i = 0; i < 8; ++i)
    for (TcpPeer& peer : peers) {
      peer.send(Octets(1460, 'x'));
      net.settle();
    }
  EXPECT_LT(net.external_nic.held(), net.external_nic.receive_buffers()) << "the last buffers stay free";
  EXPECT_GT(net.external_nic.held(), net.external_nic.receive_buffers() / 2);
  EXPECT_GT(net.external.tcp_counters().shed_segments, 0U);
  TcpPeer late = partner(50000);
  establish(late);  // a SYN still gets in
  TcpPeer inside = gateway();
  establish(inside);
  inside.send(Octets(1000, 'y'));
  net.settle();
  EXPECT_EQ(internal_acceptor.clients[0]->read_all().size(), 1000U);

  for (auto& client : external_acceptor.clients) client->read_all();
  EXPECT_EQ(net.external_nic.held(), 0U);
  late.send("now there is room");
  net.settle();
  EXPECT_EQ(external_acceptor.clients.back()->read_all(), "now there is room");
}

TEST_F(ConnectionTest, OutOfOrderDataYieldWhenThePoolRunsLow) {
  std::vector<TcpPeer> peers;
  for (std::uint16_t i = 0; i < 16; ++i) {
    peers.push_back(partner(static_cast<std::uint16_t>(40000 + i)));
    establish(peers.back());
  }
  for (std::uint32_t gap = 1; gap <= 4; ++gap)
    for (TcpPeer& peer : peers) {
      net.outside.send(peer.segment(peer.next() + gap * 1460, Octets(1460, 'x'), flag::ack));
      net.settle();
    }
  EXPECT_LE(net.external_nic.held(), net.external_nic.receive_buffers() / 2 + 8);
  TcpPeer late = partner(50000);
  establish(late);
  late.send("in order");
  net.settle();
  EXPECT_EQ(external_acceptor.clients.back()->read_all(), "in order");
}

// ---- sending ----

TEST_F(ConnectionTest, WritesAtMostTheRoomItNames) {
  TcpPeer peer = partner();
  establish(peer);
  peer.acknowledges = false;
  auto& connection = external_acceptor.clients[0]->connection;
  const std::string much(100000, 'x');
  std::size_t total = 0;
  while (const std::size_t room = connection.write_room()) {
    const std::size_t part = std::min<std::size_t>(room, 700);
    ASSERT_EQ(connection.write(bytes(much).first(part)), part) << "what was promised is taken";
    total += part;
    ASSERT_LE(total, window_bytes);
  }
  EXPECT_EQ(total, window_bytes);
  EXPECT_EQ(connection.write(bytes("x")), 0U);
  const int runs = external_acceptor.clients[0]->task.runs;
  peer.acknowledges = true;
  connection.flush();
  for (int i = 0; i < 20; ++i) {
    net.run(100ms);
    peer.poll();
  }
  EXPECT_EQ(peer.received.size(), total);
  EXPECT_GT(external_acceptor.clients[0]->task.runs, runs) << "room again";
  EXPECT_EQ(connection.write_room(), window_bytes);
}

TEST_F(ConnectionTest, NothingIsSentBeforeFlushAndThenAtOnce) {
  TcpPeer peer = partner();
  establish(peer);
  auto& connection = external_acceptor.clients[0]->connection;
  net.outside.segments.clear();
  connection.write(bytes("one "));
  connection.write(bytes("two "));
  connection.write(bytes("three"));
  net.settle();
  EXPECT_TRUE(net.outside.segments.empty());
  connection.flush();
  net.settle();
  ASSERT_EQ(net.outside.segments.size(), 1U);
  EXPECT_EQ(fakes::text(net.outside.segments[0].payload), "one two three");
  EXPECT_TRUE(net.outside.segments[0].has(flag::psh));
  connection.write(bytes(" four"));
  connection.flush();
  net.settle();
  EXPECT_EQ(net.outside.segments.size(), 2U) << "no Nagle delay";
}

TEST_F(ConnectionTest, RepeatsWhatIsNotAcknowledged) {
  TcpPeer peer = partner();
  establish(peer);
  auto& connection = external_acceptor.clients[0]->connection;
  int dropped = 0;
  net.external_wire.inspect = [&dropped](fakes::Frame& frame) {
    const bool drop = frame.size() > 60 && dropped < 2 && frame[5] == 0x11;
    dropped += drop ? 1 : 0;
    return !drop;
  };
  connection.write(bytes("a stanza that is long enough to be longer than an acknowledgement"));
  connection.flush();
  net.run(10s);
  peer.poll();
  net.settle();
  EXPECT_EQ(dropped, 2);
  EXPECT_EQ(peer.received, "a stanza that is long enough to be longer than an acknowledgement");
  EXPECT_TRUE(connection.all_acknowledged());
}

TEST_F(ConnectionTest, AFullTransmitRingDelaysAndLosesNothing) {
  TcpPeer peer = partner();
  establish(peer);
  auto& connection = external_acceptor.clients[0]->connection;
  net.external_nic.transmit_ring = 0;
  connection.write(bytes("waits for the ring"));
  connection.flush();
  net.settle();
  net.external_nic.transmit_ring = 4096;
  net.settle();
  peer.poll();
  EXPECT_EQ(peer.received, "waits for the ring") << "without waiting for a timer";
}

TEST_F(ConnectionTest, StalledPeersLeaveBlocksToOthers) {
  std::vector<TcpPeer> peers;
  const std::string much(20000, 'x');
  std::size_t first = 0, last = 0;
  for (std::uint16_t i = 0; i < 400; ++i) {
    peers.push_back(partner(static_cast<std::uint16_t>(30000 + i)));
    establish(peers.back());
    auto& connection = external_acceptor.clients.back()->connection;
    last = connection.write(bytes(much));
    if (i == 0) first = last;
    connection.flush();
  }
  EXPECT_EQ(first, window_bytes);
  EXPECT_GE(last, 1460U) << "each is sure of a segment";
  EXPECT_LT(last, window_bytes);
  TcpPeer inside = gateway();
  establish(inside);
  EXPECT_EQ(internal_acceptor.clients[0]->connection.write(bytes(much)), window_bytes) << "the inside has its own";
}

TEST_F(ConnectionTest, ASmallWindowCountsAsClosed_Rfc9293_3_8_6_2_1) {
  TcpPeer peer = partner();
  establish(peer);
  auto& connection = external_acceptor.clients[0]->connection;
  peer.window = 100;
  peer.send("w");
  peer.send("x");  // a new sequence number: lwIP takes a smaller window only from such a segment
  net.settle();
  peer.poll();
  connection.write(bytes(std::string(1000, 'y')));
  connection.flush();
  net.run(20s);
  for (const Segment& segment : net.outside.segments) EXPECT_LE(segment.payload.size(), 1U) << "probes only";
  peer.window = 16000;
  peer.send_ack();
  net.run(1s);
  peer.poll();
  EXPECT_EQ(peer.received.size(), 1000U);
}

// ---- closing ----

TEST_F(ConnectionTest, ThePeersFinIsTheEndOfTheStream) {
  TcpPeer peer = partner();
  establish(peer);
  auto& client = *external_acceptor.clients[0];
  peer.send("last words");
  peer.send_fin();
  net.settle();
  EXPECT_FALSE(client.connection.end_of_stream()) << "unread data come first";
  EXPECT_EQ(client.read_all(), "last words");
  EXPECT_TRUE(client.connection.end_of_stream());
  EXPECT_EQ(client.connection.state(), ByteStreamState::open) << "we may still write";
  EXPECT_EQ(client.connection.write(bytes("bye")), 3U);
  client.connection.close();
  net.settle();
  peer.poll();
  net.settle();
  EXPECT_EQ(peer.received, "bye");
  EXPECT_TRUE(peer.fin_received);
  EXPECT_EQ(client.connection.state(), ByteStreamState::closed);
  EXPECT_EQ(client.connection.failure(), ConnectError::none);
  EXPECT_TRUE(client.connection.all_acknowledged());
  EXPECT_EQ(net.stack.flows().in_use(), 0U);
}

TEST_F(ConnectionTest, CloseSendsFinAfterTheDataAndReadingGoesOn) {
  TcpPeer peer = partner();
  establish(peer);
  auto& client = *external_acceptor.clients[0];
  const std::string text(6000, 'z');
  EXPECT_EQ(client.connection.write(bytes(text)), 6000U);
  client.connection.close();
  client.connection.close();
  EXPECT_EQ(client.connection.write(bytes("more")), 0U);
  EXPECT_EQ(client.connection.write_room(), 0U);
  for (int i = 0; i < 5; ++i) {
    net.run(100ms);
    peer.poll();
  }
  EXPECT_EQ(peer.received, text);
  EXPECT_TRUE(peer.fin_received);
  peer.send("an answer");
  peer.send_fin();
  net.settle();
  EXPECT_EQ(client.read_all(), "an answer");
  EXPECT_TRUE(client.connection.end_of_stream());
  EXPECT_EQ(client.connection.state(), ByteStreamState::closed);
  EXPECT_EQ(client.connection.failure(), ConnectError::none);
  EXPECT_EQ(net.stack.flows().in_use(), 1U) << "TIME-WAIT";
  net.run(70s);
  EXPECT_EQ(net.stack.flows().in_use(), 0U);
}

TEST_F(ConnectionTest, AResetEndsTheConnection) {
  TcpPeer peer = partner();
  establish(peer);
  auto& client = *external_acceptor.clients[0];
  peer.send("before");
  net.settle();
  peer.send_rst();
  net.settle();
  EXPECT_EQ(client.connection.state(), ByteStreamState::closed);
  EXPECT_EQ(client.connection.failure(), ConnectError::reset);
  EXPECT_FALSE(client.connection.all_acknowledged());
  EXPECT_EQ(client.connection.write(bytes("x")), 0U);
  EXPECT_EQ(client.read_all(), "before") << "what came first may still be read";
  EXPECT_EQ(net.external_nic.held(), 0U);
}

TEST_F(ConnectionTest, AResetOutsideOrBesideTheWindowIsIgnored_Rfc5961_3_2) {
  TcpPeer peer = partner();
  establish(peer);
  for (const std::uint32_t offset : {1U, 5000U, 20000U, 0x80000000U})
    net.outside.send(peer.segment(peer.next() + offset, {}, flag::rst));
  net.settle();
  EXPECT_EQ(external_acceptor.clients[0]->connection.state(), ByteStreamState::open);
}

TEST_F(ConnectionTest, AbortResetsThePeer) {
  TcpPeer peer = partner();
  establish(peer);
  auto& connection = external_acceptor.clients[0]->connection;
  connection.write(bytes("never sent"));
  connection.abort();
  connection.abort();
  EXPECT_EQ(connection.state(), ByteStreamState::closed);
  net.settle();
  peer.poll();
  EXPECT_TRUE(peer.reset);
  EXPECT_EQ(peer.received, "");
  EXPECT_EQ(net.stack.flows().in_use(), 0U);
}

TEST_F(ConnectionTest, DestructionWithoutCloseResets) {
  TcpPeer peer = partner();
  establish(peer);
  peer.send("unread");
  net.settle();
  external_acceptor.clients.clear();
  net.settle();
  peer.poll();
  EXPECT_TRUE(peer.reset);
  EXPECT_EQ(net.external_nic.held(), 0U);
  EXPECT_EQ(net.stack.flows().in_use(), 0U);
}

TEST_F(ConnectionTest, DestructionAfterCloseStillDelivers) {
  TcpPeer peer = partner();
  establish(peer);
  auto& connection = external_acceptor.clients[0]->connection;
  connection.write(bytes("</stream:stream>"));
  connection.close();
  external_acceptor.clients.clear();
  EXPECT_EQ(net.external.tcp_counters().closing, 1U);
  net.settle();
  peer.poll();
  peer.send_fin();
  net.settle();
  EXPECT_EQ(peer.received, "</stream:stream>");
  EXPECT_TRUE(peer.fin_received);
  EXPECT_FALSE(peer.reset);
  net.run(70s);
  EXPECT_EQ(net.stack.flows().in_use(), 0U);
}

TEST_F(ConnectionTest, APeerThatNeverAcknowledgesIsLeftAfterTheLinger) {
  for (const bool owner_stays : {true, false}) {
    TcpPeer peer = partner(owner_stays ? 40000 : 40001);
    establish(peer);
    auto& client = *external_acceptor.clients.back();
    net.external_wire.inspect = [](fakes::Frame& frame) { return frame[5] != 0x01; };  // nothing comes in any more
    client.connection.write(bytes("anybody?"));
    client.connection.close();
    if (!owner_stays) external_acceptor.clients.clear();
    net.run(TcpConnection::linger - 2s);
    EXPECT_EQ(net.stack.flows().in_use(), 1U);
    net.run(4s);
    EXPECT_EQ(net.stack.flows().in_use(), 0U);
    if (owner_stays) {
      EXPECT_EQ(client.connection.state(), ByteStreamState::closed);
      EXPECT_EQ(client.connection.failure(), ConnectError::timed_out);
    }
    net.external_wire.inspect = nullptr;
  }
}

TEST_F(ConnectionTest, TheClosingAreBounded) {
  net.external_wire.inspect = nullptr;
  for (std::uint16_t i = 0; i < side_capacity<External>.closing + 20; ++i) {
    TcpPeer peer = partner(static_cast<std::uint16_t>(40000 + i));
    establish(peer);
    external_acceptor.clients.back()->connection.write(bytes("x"));
    external_acceptor.clients.back()->connection.close();
    external_acceptor.clients.pop_back();
  }
  EXPECT_EQ(net.external.tcp_counters().closing, side_capacity<External>.closing);
}

TEST_F(ConnectionTest, ManyConnectionsInTimeWaitDoNotUseUpTheRest) {
  for (std::uint16_t i = 0; i < 3000; ++i) {
    TcpPeer peer = partner(static_cast<std::uint16_t>(2000 + i));
    establish(peer);
    external_acceptor.clients.back()->connection.close();
    net.settle();
    peer.poll();
    peer.send_fin();
    net.settle();
    ASSERT_EQ(external_acceptor.clients.back()->connection.state(), ByteStreamState::closed);
    external_acceptor.clients.clear();
  }
  TcpPeer inside = gateway();
  establish(inside);
  EXPECT_LE(net.stack.flows().in_use(), tcp_pcbs);
}

TEST_F(ConnectionTest, AnIdleConnectionToADeadPeerEnds_Rfc9293_3_8_4) {
  TcpPeer peer = partner();
  establish(peer);
  auto& client = *external_acceptor.clients[0];
  net.run(100s);
  EXPECT_EQ(client.connection.state(), ByteStreamState::open);
  net.run(120s);  // keep-alive: 120 s + 4 * 15 s
  EXPECT_EQ(client.connection.state(), ByteStreamState::closed);
  EXPECT_EQ(client.connection.failure(), ConnectError::timed_out);
}

TEST_F(ConnectionTest, APulledCableEndsNothingAndDataGoOnAtOnce) {
  TcpPeer peer = partner();
  establish(peer);
  auto& client = *external_acceptor.clients[0];
  net.external_wire.pull();
  net.run(1s);
  EXPECT_FALSE(net.external.link_up());
  client.connection.write(bytes("written while the cable was out"));
  client.connection.flush();
  net.run(60s);
  EXPECT_EQ(client.connection.state(), ByteStreamState::open);
  net.external_wire.plug();
  net.run(1500ms);
  EXPECT_TRUE(net.external.link_up());
  peer.poll();
  EXPECT_EQ(peer.received, "written while the cable was out") << "not after the rest of a long back-off";
}

}  // namespace
}  // namespace sallyport::net
