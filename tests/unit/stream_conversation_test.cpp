// Two S2sStreams that talk to each other, in both roles and on both sides.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "net/side.h"
#include "tests/fakes/scripted_peer.h"
#include "tests/fakes/stream_under_test.h"
#include "xmpp/s2s_stream.h"

namespace sallyport::xmpp {
namespace {

using fakes::FakeCertificate;
using fakes::StreamUnderTest;
using fakes::StreamWorld;
using net::External;

// The partner's server is an External stream with the kinds of the domains exchanged: for it corp.example is the
// partner.
struct Conversation {
  explicit Conversation(bool bidi = false) {
    partner.policy.offers_bidi = edge.policy.offers_bidi = bidi;
    edge.make();
    partner.make();
    const FakeCertificate edges{.names = {"corp.example"}, .issuer = &partner.policy.authority.anchors()};
    const FakeCertificate partners{.names = {"partner.example"}, .issuer = &edge.policy.authority.anchors()};
    edge.transport.connect_to(partner.transport, edges, partners);
  }

  void partner_opens() {
    edge.stream->start_receiving();
    partner.stream->start_initiating({.local = partner.policy.partner, .remote = partner.policy.corp});
    world.settle();
  }
  void edge_opens() {
    partner.stream->start_receiving();
    edge.stream->start_initiating({.local = edge.policy.corp, .remote = edge.policy.partner});
    world.settle();
  }

  StreamWorld world;
  StreamUnderTest<External> edge{world};
  StreamUnderTest<net::Internal> partner{world};
};

TEST(Conversation, NegotiatesStarttlsAndSaslExternal_Rfc6120_5_6_Xep0178) {
  Conversation talk;
  talk.partner_opens();
  EXPECT_EQ(talk.edge.handler.established, 1);
  EXPECT_EQ(talk.partner.handler.established, 1);
  EXPECT_EQ(talk.edge.stream->stage(), StreamStage::established);
  ASSERT_NE(talk.edge.stream->authenticated(), nullptr);
  EXPECT_EQ(talk.edge.stream->authenticated()->domain(), talk.edge.policy.partner);
  EXPECT_EQ(talk.edge.stream->authenticated()->method(), AuthenticationMethod::sasl_external);
  EXPECT_EQ(talk.partner.stream->authenticated()->method(), AuthenticationMethod::tls_certificate);
  EXPECT_FALSE(talk.edge.stream->can_send());
  EXPECT_TRUE(talk.partner.stream->can_send());
}

// A stanza as the partner would send it; made by an established stream, since nobody else can make one.
std::string message(int number, std::size_t body = 40) {
  return "<message from='a@partner.example' to='b@corp.example' id='" + std::to_string(number) + "'><body>" +
         std::string(body, 'b') + "</body></message>";
}

TEST(Conversation, NegotiatesInTheOtherDirectionToo) {
  Conversation talk;
  talk.edge_opens();
  EXPECT_EQ(talk.edge.handler.established, 1);
  EXPECT_EQ(talk.partner.handler.established, 1);
  EXPECT_TRUE(talk.edge.stream->can_send());
  EXPECT_FALSE(talk.partner.stream->can_send());
}

TEST(Conversation, NegotiatesBidi_Xep0288) {
  Conversation talk(true);
  talk.partner_opens();
  EXPECT_TRUE(talk.edge.stream->bidi());
  EXPECT_TRUE(talk.partner.stream->bidi());
  EXPECT_TRUE(talk.edge.stream->can_send());
  EXPECT_TRUE(talk.partner.stream->can_send());
}

TEST(Conversation, NegotiatesByteByByte) {
  Conversation talk;
  talk.edge.transport.largest_read = talk.partner.transport.largest_read = 1;
  talk.partner_opens();
  EXPECT_EQ(talk.edge.handler.established, 1);
  EXPECT_EQ(talk.partner.handler.established, 1);
}

TEST(Conversation, EndsGracefullyOnBothSides_Rfc6120_4_4) {
  Conversation talk;
  talk.partner_opens();
  talk.partner.stream->close();
  talk.world.settle();
  ASSERT_EQ(talk.edge.handler.closed.size(), 1U);
  ASSERT_EQ(talk.partner.handler.closed.size(), 1U);
  EXPECT_TRUE(talk.edge.handler.closed[0].graceful);
  EXPECT_TRUE(talk.partner.handler.closed[0].graceful);
  EXPECT_EQ(talk.edge.handler.closed[0].explanation, "the peer closed the stream");
  EXPECT_EQ(talk.partner.handler.closed[0].explanation, "closed by this side");
  EXPECT_EQ(talk.edge.arena.in_use(), 0U);
  EXPECT_EQ(talk.partner.arena.in_use(), 0U);
}

TEST(Conversation, EndsWhenBothSidesCloseAtOnce_Rfc6120_4_4) {
  Conversation talk;
  talk.partner_opens();
  talk.partner.stream->close();
  talk.edge.stream->close();
  talk.world.settle();
  ASSERT_EQ(talk.edge.handler.closed.size(), 1U);
  ASSERT_EQ(talk.partner.handler.closed.size(), 1U);
  EXPECT_TRUE(talk.edge.handler.closed[0].graceful);
  EXPECT_TRUE(talk.partner.handler.closed[0].graceful);
}

TEST(Conversation, TellsThePeerWhy) {
  Conversation talk;
  talk.partner_opens();
  talk.edge.stream->close(StreamError(StreamErrorCondition::system_shutdown, "the edge <restarts>"));
  talk.world.settle();
  ASSERT_EQ(talk.partner.handler.closed.size(), 1U);
  EXPECT_EQ(talk.partner.handler.closed[0].explanation,
            "the peer closed the stream: system-shutdown, the edge <restarts>");
  ASSERT_EQ(talk.edge.handler.closed.size(), 1U);
}

// Sending ---------------------------------------------------------------------------------------------------------------

// The edge's bidi stream, with stanzas that can go back: what the partner sent is what the edge sends.
class Sending : public testing::Test {
 protected:
  void SetUp() override {
    test_.policy.offers_bidi = true;
    test_.accept();
    peer_.establish("partner.example", "corp.example", true);
    ASSERT_TRUE(test_.stream->can_send());
  }
  /// Has the peer send stanzas, so that the handler holds them.
  void supply(int count, std::size_t body = 40) {
    for (int i = 0; i < count; ++i) peer_.say(message(i, body));
    ASSERT_EQ(test_.handler.received.size(), static_cast<std::size_t>(count));
  }
  /// Sends what the handler holds until the stream takes no more.
  int send_all() {
    int sent = 0;
    while (!test_.handler.received.empty()) {
      auto stanza = test_.handler.received.pop();
      if (!test_.stream->send(std::move(stanza))) {
        kept_.push(std::move(stanza));
        break;
      }
      ++sent;
    }
    return sent;
  }

  StreamWorld world_;
  StreamUnderTest<net::External> test_{world_, 1024, 16 * chunk_bytes};
  fakes::ScriptedPeer<net::External> peer_{test_};
  StanzaQueue<net::External> kept_;
};

TEST_F(Sending, WritesStanzasInOrderAndFlushesOnce) {
  supply(5);
  const unsigned flushes = test_.transport.flushes();
  EXPECT_EQ(send_all(), 5);
  EXPECT_EQ(peer_.answer(), message(0) + message(1) + message(2) + message(3) + message(4));
  EXPECT_EQ(test_.transport.flushes(), flushes + 1);
  EXPECT_EQ(test_.stream->counters().stanzas_sent, 5U);
  EXPECT_EQ(test_.pool.available(), test_.pool.capacity());
}

TEST_F(Sending, BoundsItsQueueAndTellsWhenThereIsRoom) {
  supply(40);
  test_.transport.room = 0;
  EXPECT_EQ(send_all(), 16);
  EXPECT_EQ(kept_.size(), 1U) << "the stanza that found no room is untouched";
  EXPECT_EQ(test_.handler.room, 0);
  test_.transport.more_room(9 * message(10).size());
  EXPECT_EQ(peer_.answer().size(), 9 * message(10).size());  // nine stanzas, and the beginning of the tenth
  EXPECT_EQ(test_.handler.room, 1);
  EXPECT_EQ(send_all(), 9);
}

TEST_F(Sending, TakesOneStanzaThatIsLargerThanTheQueue) {
  supply(1, 20'000);
  test_.transport.room = 0;
  EXPECT_EQ(send_all(), 1);
  supply(1);
  EXPECT_EQ(send_all(), 0);
}

TEST_F(Sending, GoesOnInTheMiddleOfAStanza) {
  supply(3, 1'000);
  test_.transport.room = 0;
  EXPECT_EQ(send_all(), 3);
  std::string output;
  for (int i = 0; i < 2'000 && output.size() < 3 * message(0, 1'000).size(); ++i) {
    test_.transport.more_room(static_cast<std::size_t>(i % 7));
    output += peer_.answer();
  }
  EXPECT_EQ(output, message(0, 1'000) + message(1, 1'000) + message(2, 1'000));
}

TEST_F(Sending, KeepsWhatWasNotCompletelyWritten) {
  supply(4);
  test_.transport.room = 0;
  send_all();
  test_.transport.more_room(message(0).size() + 10);
  peer_.answer();
  test_.transport.fail(net::TransportFault::peer_reset, "reset by the peer");
  world_.settle();
  ASSERT_EQ(test_.handler.closed.size(), 1U);
  auto& unsent = test_.stream->unsent();
  ASSERT_EQ(unsent.size(), 3U);
  EXPECT_EQ(fakes::text_of(unsent.front()), message(1)) << "the half written one, whole";
}

TEST_F(Sending, WritesItsQueueBeforeItEnds_Rfc6120_4_4) {
  supply(3);
  send_all();
  test_.stream->close();
  EXPECT_FALSE(test_.stream->can_send());
  EXPECT_EQ(peer_.answer(), message(0) + message(1) + message(2) + "</stream:stream>");
}

TEST_F(Sending, WritesItsQueueBeforeItAnswersTheEnd_Rfc6120_4_4) {
  supply(2);
  test_.transport.room = 0;
  send_all();
  peer_.say("</stream:stream>");
  EXPECT_FALSE(test_.transport.closed_by_owner());
  test_.transport.more_room(SIZE_MAX);
  EXPECT_EQ(peer_.answer(), message(0) + message(1) + "</stream:stream>");
  EXPECT_TRUE(test_.transport.closed_by_owner());
}

TEST_F(Sending, PutsNoErrorInTheMiddleOfAStanza) {
  supply(3);
  test_.transport.room = 0;
  send_all();
  test_.transport.more_room(10);
  std::string output = peer_.answer();
  test_.stream->close(StreamError(StreamErrorCondition::reset));
  test_.transport.more_room(SIZE_MAX);
  output += peer_.answer();
  EXPECT_EQ(output, message(0) +
                        "<stream:error><reset xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>"
                        "</stream:stream>");
  EXPECT_EQ(test_.stream->unsent().size(), 2U);
}

TEST_F(Sending, TakesNothingOnceItCloses) {
  supply(1);
  test_.stream->close();
  EXPECT_EQ(send_all(), 0);
}

TEST_F(Sending, StillTakesThePeersStanzasWhileItCloses_Rfc6120_4_4) {
  test_.stream->close();
  EXPECT_EQ(peer_.answer(), "</stream:stream>");
  peer_.say(message(7));
  EXPECT_EQ(test_.handler.next_text(), message(7));
  peer_.say("</stream:stream>");
  EXPECT_TRUE(test_.transport.closed_by_owner());
}

TEST_F(Sending, TakesNothingAtAllBeforeItIsEstablished) {
  supply(1);
  StreamUnderTest<External> other(world_);
  other.make();
  other.stream->start_initiating({.local = other.policy.corp, .remote = other.policy.partner});
  auto stanza = test_.handler.received.pop();
  EXPECT_FALSE(other.stream->send(std::move(stanza)));
  EXPECT_EQ(stanza.bytes(), message(0).size());
}

// Back-pressure -----------------------------------------------------------------------------------------------------------

TEST_F(Sending, ReadsNothingMoreWhileTheHandlerHasNoRoom) {
  test_.handler.blocks = true;
  std::string input;
  for (int i = 0; i < 200; ++i) input += message(i);
  peer_.say(input);
  EXPECT_EQ(test_.handler.offered, 1);
  // One window of the parser was read, and no more: the rest closes the peer's window.
  EXPECT_GE(test_.transport.unread(), input.size() - 1'024);
  world_.clock.advance(std::chrono::seconds(400));
  test_.stream->poll();
  world_.settle();
  EXPECT_EQ(test_.stream->stage(), StreamStage::established) << "it is not the peer that is slow";

  test_.handler.blocks = false;
  test_.stream->resume();
  world_.settle();
  std::string output;
  while (!test_.handler.received.empty()) output += test_.handler.next_text();
  EXPECT_EQ(output, input);
}

TEST_F(Sending, OffersTheSameStanzaAgain) {
  test_.handler.blocks = true;
  peer_.say(message(1) + message(2));
  test_.stream->resume();
  world_.settle();
  EXPECT_EQ(test_.handler.offered, 2);
  test_.handler.blocks = false;
  test_.stream->resume();
  world_.settle();
  EXPECT_EQ(test_.handler.next_text(), message(1));
  EXPECT_EQ(test_.handler.next_text(), message(2));
}

TEST_F(Sending, DeliversWhatItHoldsThoughTheConnectionHasEnded) {
  test_.handler.blocks = true;
  peer_.say(message(1));
  test_.transport.fail(net::TransportFault::peer_reset, "reset by the peer");
  world_.settle();
  EXPECT_TRUE(test_.handler.closed.empty());
  test_.handler.blocks = false;
  test_.stream->resume();
  world_.settle();
  EXPECT_EQ(test_.handler.next_text(), message(1));
  EXPECT_EQ(test_.handler.closed.size(), 1U);
}

TEST_F(Sending, GivesUpWhatItHoldsWhenThereIsNoRoomForLong) {
  test_.handler.blocks = true;
  peer_.say(message(1));
  test_.transport.fail(net::TransportFault::peer_reset, "reset by the peer");
  world_.settle();
  world_.clock.advance(test_.policy.bounds.stanza);
  test_.stream->poll();
  EXPECT_EQ(test_.handler.closed.size(), 1U);
  EXPECT_EQ(test_.pool.available(), test_.pool.capacity());
}

TEST_F(Sending, LetsTheHandlerRefuse) {
  test_.handler.refuses = true;
  EXPECT_THAT(peer_.say(message(1) + message(2)), testing::HasSubstr("<policy-violation "));
  EXPECT_EQ(test_.handler.offered, 1);
  EXPECT_EQ(test_.pool.available(), test_.pool.capacity());
}

TEST_F(Sending, LeavesTheLoopToOthersAfterABoundedAmount) {
  std::string input;
  for (int i = 0; i < 100; ++i) input += message(i);
  test_.transport.arrive(input);
  world_.tasks.run_ready();
  EXPECT_LE(test_.handler.offered, 32);
  EXPECT_GT(test_.handler.offered, 0);
  EXPECT_FALSE(world_.tasks.empty());
  world_.settle();
  EXPECT_EQ(test_.handler.offered, 100);
}

TEST(Receiving, WaitsForChunksAndGoesOnWhenThereAreSome) {
  StreamWorld world;
  StreamUnderTest<External> test(world, 8);
  fakes::ScriptedPeer<External> peer(test);
  test.accept();
  peer.establish("partner.example", "corp.example");
  std::string input;
  for (int i = 0; i < 20; ++i) input += message(i, 600);
  peer.say(input);
  ASSERT_LT(test.handler.received.size(), 20U);
  EXPECT_TRUE(world.tasks.empty()) << "it waits without turning";
  std::string output;
  for (int i = 0; i < 20; ++i) {
    output += test.handler.next_text();
    world.settle();
  }
  EXPECT_EQ(output, input);
}

TEST(Receiving, LeavesTheChunksToOthersOnceItEnds) {
  struct CountingWaiter final : ChunkWaiter {
    void chunks_available() override { ++told; }
    int told = 0;
  };
  StreamWorld world;
  StreamUnderTest<External> test(world, 8);
  fakes::ScriptedPeer<External> peer(test);
  test.accept();
  peer.establish("partner.example", "corp.example");
  std::vector<Chunk*> taken;
  while (Chunk* chunk = test.pool.acquire()) taken.push_back(chunk);
  peer.say(message(1));  // it waits in front of us
  CountingWaiter other;
  test.pool.wait(other);
  test.stream->close(StreamError(StreamErrorCondition::system_shutdown));
  test.pool.release(*taken.back());
  taken.pop_back();
  EXPECT_EQ(other.told, 1);
  for (Chunk* chunk : taken) test.pool.release(*chunk);
}

}  // namespace
}  // namespace sallyport::xmpp
