// BorderRelay between real streams: partners' and gateways' servers are streams of their own at the far end of fake
// transports, DNS answers from memory.
#include "firmware/relay/border_relay.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "tests/fakes/fake_datagram_socket.h"
#include "tests/fakes/stream_under_test.h"
#include "tests/unit/dns_test_support.h"

namespace sallyport::firmware {
namespace {

using fakes::FakeCertificate;
using fakes::StreamUnderTest;
using fakes::StreamWorld;
using net::External;
using net::Internal;
using testing::HasSubstr;
using testing::IsEmpty;
using xmpp::DomainKind;

/// One of our streams with its place in the relay, and the server at the far end.
template <net::Side S, net::Side Far>
struct Link {
  Link(StreamWorld& world, BorderRelay& relay, const xmpp::StreamServices& services,
       const fakes::FakeStreamPolicy& policy, std::string their_name)
      : far(world), transport(world.tasks), peer(relay), stream(services, transport, arena, peer) {
    peer.stream = &stream;
    transport.set_task(stream);
    far.policy.offers_bidi = policy.offers_bidi;
    far.make();
    transport.connect_to(
        far.transport,
        {.names = {"corp.example", "partner.example", "edge.example"}, .issuer = &far.policy.authority.anchors()},
        {.names = {std::move(their_name)}, .issuer = &policy.authority.anchors()});
  }

  /// What the far server writes, byte for byte.
  void far_sends(std::string_view xml) {
    far.transport.write(std::as_bytes(std::span(xml)));
    far.transport.flush();
  }

  StreamUnderTest<Far> far;
  fakes::FakeTransport transport;
  alignas(8) std::array<std::byte, StreamUnderTest<S>::arena_bytes> memory;
  Arena arena{memory};
  Peer<S> peer;
  xmpp::S2sStream<S> stream;
};

using PartnerLink = Link<External, Internal>;  // for the partner's server corp.example is the peer
using GatewayLink = Link<Internal, External>;

class BorderRelayTest : public testing::Test, public PartnerDialer, public PeerOwner<Internal> {
 protected:
  static constexpr Duration gateway_wait = 30s;

  BorderRelayTest() {
    internal_policy.offers_bidi = true;
    socket.set_task(resolver);
    const net::IpAddress server = net::dns::ip("192.0.2.53");
    resolver.configure({.servers = std::span(&server, 1), .v4 = true, .v6 = false});
  }

  /// Streams leave the relay before they are destroyed.
  void TearDown() override {
    for (auto& link : partner_links) link->transport.fail(net::TransportFault::peer_reset, "end of the test");
    for (auto& link : gateway_links) link->transport.fail(net::TransportFault::peer_reset, "end of the test");
    world.settle();
    answer_dns();
  }

  // PartnerDialer and PeerOwner. Links are kept, so that a test can read what has arrived at their far ends.
  Peer<External>* dial(const net::Endpoint& endpoint, const xmpp::StreamAddresses& pair) override {
    dialled.push_back(endpoint);
    if (partner_links.size() >= max_partner_links) return nullptr;
    PartnerLink& link = make_partner_link();
    if (dialled.size() <= dead_endpoints) {
      link.transport.fail(net::TransportFault::connect, "connection refused");
    } else {
      link.transport.room = partner_room;
      link.far.stream->start_receiving();
    }
    link.stream.start_initiating(pair);
    return &link.peer;
  }
  void retire(Peer<External>&) override { ++retired; }
  void retire(Peer<Internal>&) override { ++retired; }

  PartnerLink& make_partner_link() {
    partner_links.push_back(
        std::make_unique<PartnerLink>(world, relay, external_services, external_policy, "partner.example"));
    return *partner_links.back();
  }
  PartnerLink& partner_connects() {
    PartnerLink& link = make_partner_link();
    link.stream.start_receiving();
    link.far.stream->start_initiating({.local = link.far.policy.partner, .remote = link.far.policy.corp});
    world.settle();
    EXPECT_EQ(link.stream.stage(), xmpp::StreamStage::established);
    return link;
  }
  GatewayLink& gateway_connects(bool trunk = false) {
    gateway_links.push_back(
        std::make_unique<GatewayLink>(world, relay, internal_services, internal_policy, "corp.example"));
    GatewayLink& link = *gateway_links.back();
    link.stream.start_receiving();
    link.far.stream->start_initiating(
        {.local = link.far.policy.corp, .remote = trunk ? link.far.policy.edge : link.far.policy.partner});
    world.settle();
    EXPECT_EQ(link.stream.stage(), xmpp::StreamStage::established);
    return link;
  }

  /// Answers every question: no SRV records, and one address, or no such domain.
  void answer_dns() {
    for (int round = 0; round < 8; ++round) {
      world.settle();
      while (!socket.sent.empty()) {
        const auto query = socket.sent.front();
        socket.sent.pop_front();
        const auto seen = net::dns::SeenQuery::parse(query.payload);
        using net::dns::MessageBuilder;
        MessageBuilder reply(seen.id, domain_exists ? MessageBuilder::response : MessageBuilder::response | 3U);
        reply.question(seen.question);
        if (domain_exists && seen.question.type == net::dns::RecordType::a)
          for (const char* address : addresses)
            reply.record("partner.example", net::dns::RecordType::a, net::dns::address_data(address));
        socket.deliver(query.peer, reply.bytes());
      }
    }
    world.settle();
  }

  void pass(Duration time) {
    for (Duration step{}; step < time; step += 250ms) {
      world.clock.advance(250ms);
      relay.poll();
      resolver.poll();
      world.settle();
    }
  }

  static std::string message(int number, std::string_view from, std::string_view to, std::string_view type = "chat") {
    return "<message type='" + std::string(type) + "' from='" + std::string(from) + "' to='" + std::string(to) +
           "' id='n" + std::to_string(number) + "'><body>" + std::string(40, 'b') + "</body></message>";
  }
  static std::string outwards(int number) { return message(number, "r@corp.example", "j@partner.example"); }
  static std::string inwards(int number) { return message(number, "j@partner.example", "r@corp.example"); }

  StreamWorld world;
  fakes::FakeStreamPolicy external_policy{DomainKind::partner};
  fakes::FakeStreamPolicy internal_policy{DomainKind::local};
  std::vector<xmpp::Chunk> external_memory = std::vector<xmpp::Chunk>(512);
  std::vector<xmpp::Chunk> internal_memory = std::vector<xmpp::Chunk>(512);
  xmpp::ChunkPool external_chunks{external_memory};
  xmpp::ChunkPool internal_chunks{internal_memory};
  std::vector<xmpp::Chunk> answer_memory = std::vector<xmpp::Chunk>(8);
  xmpp::ChunkPool external_answers{std::span(answer_memory).first(4)};
  xmpp::ChunkPool internal_answers{std::span(answer_memory).last(4)};
  xmpp::StreamServices external_services{world.tasks,     world.clock,     world.random,
                                         external_chunks, external_policy, 16'384};
  xmpp::StreamServices internal_services{world.tasks,     world.clock,     world.random,
                                         internal_chunks, internal_policy, 16'384};

  fakes::FakeDatagramSocket socket{world.tasks};
  net::dns::TestDialer dns_dialer{world.tasks};
  net::dns::ServiceResolver resolver{world.tasks, world.clock, world.random, socket, dns_dialer};
  bool domain_exists = true;
  std::vector<const char*> addresses{"198.51.100.7"};

  std::size_t max_partner_links = 8;
  std::size_t dead_endpoints = 0;
  std::size_t partner_room = SIZE_MAX;
  std::vector<net::Endpoint> dialled;
  int retired = 0;

  std::unique_ptr<BorderRelay> relay_memory = std::make_unique<BorderRelay>(
      BorderRelay::Services{world.tasks, world.clock, external_policy.domains, resolver, *this, *this, external_answers,
                            internal_answers, gateway_wait});
  BorderRelay& relay = *relay_memory;
  std::vector<std::unique_ptr<PartnerLink>> partner_links;
  std::vector<std::unique_ptr<GatewayLink>> gateway_links;
};

struct Idle final : Task {
  void run() override {}
};

/// From now on nobody reads at the far end: what arrives stays, to be read by arrived(). (As the initiating entity our
/// own stream class speaks for one pair only; a trunk's gateway takes any domain's stanzas.)
template <class AnyLink>
void stop_reading(AnyLink& link, Idle& idle) {
  link.far.transport.set_task(idle);
}
template <class AnyLink>
std::string arrived(AnyLink& link) {
  std::array<char, 4096> bytes{};
  return {bytes.data(), link.far.transport.read(std::as_writable_bytes(std::span(bytes)))};
}

template <class AnyLink>
std::vector<std::string> received(AnyLink& link) {
  std::vector<std::string> stanzas;
  for (std::string text = link.far.handler.next_text(); !text.empty(); text = link.far.handler.next_text())
    stanzas.push_back(text);
  return stanzas;
}

TEST_F(BorderRelayTest, CarriesStanzasInwardsUnchanged) {
  GatewayLink& gateway = gateway_connects();
  PartnerLink& partner = partner_connects();
  partner.far_sends(inwards(1) + inwards(2));
  world.settle();
  EXPECT_THAT(received(gateway), testing::ElementsAre(inwards(1), inwards(2)));
  EXPECT_EQ(relay.counters().inwards, 2U);
}

TEST_F(BorderRelayTest, OpensAStreamForTheFirstStanzaAndKeepsTheOrder_Rfc6120_10_1) {
  GatewayLink& gateway = gateway_connects();
  gateway.far_sends(outwards(1) + outwards(2));
  world.settle();
  EXPECT_THAT(dialled, IsEmpty()) << "not before the look-up has ended";
  gateway.far_sends(outwards(3));
  answer_dns();
  ASSERT_EQ(partner_links.size(), 1U);
  EXPECT_EQ(dialled[0].address, net::dns::ip("198.51.100.7"));
  EXPECT_THAT(received(*partner_links[0]), testing::ElementsAre(outwards(1), outwards(2), outwards(3)));
  gateway.far_sends(outwards(4));
  world.settle();
  EXPECT_THAT(received(*partner_links[0]), testing::ElementsAre(outwards(4)));
  EXPECT_EQ(dialled.size(), 1U);
}

TEST_F(BorderRelayTest, TriesEveryAddressInTurn_Rfc6120_3_2) {
  addresses = {"198.51.100.7", "198.51.100.8", "198.51.100.9"};
  dead_endpoints = 2;
  GatewayLink& gateway = gateway_connects();
  gateway.far_sends(outwards(1));
  answer_dns();
  EXPECT_EQ(dialled.size(), 3U);
  EXPECT_THAT(received(*partner_links.back()), testing::ElementsAre(outwards(1)));
}

TEST_F(BorderRelayTest, AnswersWithRemoteServerNotFound_Rfc6120_8_3_3_15) {
  domain_exists = false;
  GatewayLink& gateway = gateway_connects();
  gateway.far_sends(outwards(1));
  gateway.far_sends(message(2, "r@corp.example", "j@partner.example", "error"));
  gateway.far_sends("<iq type='result' id='3' from='r@corp.example' to='j@partner.example'/>");
  gateway.far_sends("<iq type='get' id='4' from='r@corp.example' to='j@partner.example'><q xmlns='x'/></iq>");
  answer_dns();
  const auto answers = received(gateway);
  ASSERT_EQ(answers.size(), 2U) << "an error never answers an error, nor a result (RFC 6120 8.3.1)";
  EXPECT_THAT(answers[0], HasSubstr("id='n1'"));
  EXPECT_THAT(answers[0], HasSubstr("remote-server-not-found"));
  EXPECT_THAT(answers[0], HasSubstr("from='j@partner.example'"));
  EXPECT_THAT(answers[1], HasSubstr("id='4'"));
  EXPECT_EQ(relay.counters().answered, 2U);
  EXPECT_EQ(relay.counters().unanswered, 2U);
}

TEST_F(BorderRelayTest, AnswersWithRemoteServerTimeoutWhenNoAddressAnswers_Rfc6120_8_3_3_16) {
  dead_endpoints = 1;
  GatewayLink& gateway = gateway_connects();
  gateway.far_sends(outwards(1));
  answer_dns();
  const auto answers = received(gateway);
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_THAT(answers[0], HasSubstr("remote-server-timeout"));
  EXPECT_THAT(answers[0], HasSubstr("connection refused"));
}

TEST_F(BorderRelayTest, BacksOffAfterAFailureAndThenTriesAgain) {
  dead_endpoints = 1;
  GatewayLink& gateway = gateway_connects();
  gateway.far_sends(outwards(1));
  answer_dns();
  received(gateway);
  gateway.far_sends(outwards(2));
  answer_dns();
  EXPECT_EQ(dialled.size(), 1U) << "waits for the back-off";
  pass(limits::route_backoff_first + 500ms);
  answer_dns();
  EXPECT_EQ(dialled.size(), 2U);
  EXPECT_THAT(received(*partner_links.back()), testing::ElementsAre(outwards(2)));
}

TEST_F(BorderRelayTest, AnswersForADomainThatIsNoPartner) {
  Idle idle;
  GatewayLink& gateway = gateway_connects(true);
  stop_reading(gateway, idle);
  gateway.far_sends(message(1, "r@corp.example", "x@stranger.example"));
  world.settle();
  EXPECT_THAT(arrived(gateway), HasSubstr("remote-server-not-found"));
  EXPECT_THAT(dialled, IsEmpty());
}

TEST_F(BorderRelayTest, AnswersWithResourceConstraintWhenEveryStreamIsInUse) {
  max_partner_links = 0;
  GatewayLink& gateway = gateway_connects();
  gateway.far_sends(outwards(1));
  answer_dns();
  const auto answers = received(gateway);
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_THAT(answers[0], HasSubstr("resource-constraint"));
}

TEST_F(BorderRelayTest, HoldsStanzasUntilTheGatewayComes) {
  PartnerLink& partner = partner_connects();
  partner.far_sends(inwards(1) + inwards(2));
  world.settle();
  pass(gateway_wait / 2);
  GatewayLink& gateway = gateway_connects();
  EXPECT_THAT(received(gateway), testing::ElementsAre(inwards(1), inwards(2)));
}

TEST_F(BorderRelayTest, AnswersWhenTheGatewayDoesNotComeInTime_Rfc6120_8_3_3_16) {
  PartnerLink& partner = partner_connects();
  partner.far_sends(inwards(1));
  world.settle();
  pass(gateway_wait - 1s);
  EXPECT_EQ(relay.counters().answered, 0U);
  pass(2s);
  answer_dns();  // the answer goes on our own stream to the partner
  ASSERT_EQ(partner_links.size(), 2U);
  const auto answers = received(*partner_links.back());
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_THAT(answers[0], HasSubstr("remote-server-timeout"));
  EXPECT_THAT(answers[0], HasSubstr("to='j@partner.example'"));
}

TEST_F(BorderRelayTest, SlowPartnerHoldsTheGatewayBackAndNothingIsLost) {
  partner_room = 4096;  // enough to negotiate
  GatewayLink& gateway = gateway_connects();
  gateway.far_sends(outwards(0));
  answer_dns();
  ASSERT_EQ(partner_links.size(), 1U);
  partner_links[0]->transport.more_room(0);
  std::vector<std::string> sent{outwards(0)};
  for (int i = 1; i <= 1000; ++i) {
    sent.push_back(outwards(i));
    gateway.far_sends(sent.back());
  }
  world.settle();
  EXPECT_GT(relay.counters().held_back, 0U);
  EXPECT_GT(gateway.transport.unread(), 0U) << "what has no room stays with the sender's TCP";
  EXPECT_LT(internal_memory.size() - internal_chunks.available(), 400U);

  std::vector<std::string> arrived = received(*partner_links[0]);
  for (int i = 0; i < 10'000 && arrived.size() < sent.size(); ++i) {
    partner_links[0]->transport.more_room(1500);
    world.settle();
    for (auto& stanza : received(*partner_links[0])) arrived.push_back(stanza);
  }
  EXPECT_EQ(arrived, sent);
  EXPECT_EQ(internal_chunks.available(), internal_memory.size());
}

TEST_F(BorderRelayTest, SlowGatewayHoldsThePartnerBackAndNothingIsLost) {
  GatewayLink& gateway = gateway_connects();
  PartnerLink& partner = partner_connects();
  gateway.transport.more_room(0);
  std::vector<std::string> sent;
  for (int i = 0; i < 1000; ++i) {
    sent.push_back(inwards(i));
    partner.far_sends(sent.back());
  }
  world.settle();
  EXPECT_GT(partner.transport.unread(), 0U);
  std::vector<std::string> arrived;
  for (int i = 0; i < 10'000 && arrived.size() < sent.size(); ++i) {
    gateway.transport.more_room(1500);
    world.settle();
    for (auto& stanza : received(gateway)) arrived.push_back(stanza);
  }
  EXPECT_EQ(arrived, sent);
  EXPECT_EQ(external_chunks.available(), external_memory.size());
}

TEST_F(BorderRelayTest, WhatALostGatewayStreamDidNotTakeGoesToTheNext) {
  GatewayLink& gateway = gateway_connects();
  PartnerLink& partner = partner_connects();
  gateway.transport.more_room(0);
  partner.far_sends(inwards(1) + inwards(2) + inwards(3));
  world.settle();
  gateway.transport.fail(net::TransportFault::peer_reset, "reset");
  world.settle();
  EXPECT_EQ(retired, 1);
  partner.far_sends(inwards(4));
  world.settle();
  GatewayLink& next = gateway_connects();
  EXPECT_THAT(received(next), testing::ElementsAre(inwards(1), inwards(2), inwards(3), inwards(4)));
  EXPECT_EQ(relay.counters().repeated, 3U);
}

TEST_F(BorderRelayTest, TheStreamOfThePairGoesBeforeTheTrunk) {
  Idle idle;
  GatewayLink& trunk = gateway_connects(true);
  stop_reading(trunk, idle);
  PartnerLink& partner = partner_connects();
  partner.far_sends(inwards(1));
  world.settle();
  EXPECT_EQ(arrived(trunk), inwards(1));
  GatewayLink& pair = gateway_connects();
  partner.far_sends(inwards(2));
  world.settle();
  EXPECT_THAT(received(pair), testing::ElementsAre(inwards(2)));
  pair.transport.fail(net::TransportFault::peer_reset, "reset");
  world.settle();
  partner.far_sends(inwards(3));
  world.settle();
  EXPECT_EQ(arrived(trunk), inwards(3));
}

TEST_F(BorderRelayTest, FullChunkPoolNeverKeepsAnAnswerBackForever) {
  // Everything that waits fills the side's pool; the answers, which need chunks of it too, must still come.
  domain_exists = false;
  std::vector<std::string> sent;
  GatewayLink& gateway = gateway_connects();
  const std::string large = "<message from='r@corp.example' to='j@partner.example' id='big'><body>" +
                            std::string(120'000, 'x') + "</body></message>";
  gateway.far_sends(large + large + large);
  answer_dns();
  pass(10s);
  answer_dns();
  pass(120s);
  answer_dns();
  pass(1s);
  EXPECT_EQ(received(gateway).size(), 3U);
  EXPECT_EQ(internal_chunks.available(), internal_memory.size());
}

TEST_F(BorderRelayTest, ForgetsARouteThatIsNotUsed) {
  GatewayLink& gateway = gateway_connects();
  domain_exists = false;
  gateway.far_sends(outwards(1));
  answer_dns();
  EXPECT_EQ(relay.routes_in_use(), 1U);
  pass(limits::route_idle + 1s);
  EXPECT_EQ(relay.routes_in_use(), 0U);
}

}  // namespace
}  // namespace sallyport::firmware
