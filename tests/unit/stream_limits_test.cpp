// Every bound and deadline of a stream, reached.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "net/side.h"
#include "tests/fakes/scripted_peer.h"
#include "tests/fakes/stream_under_test.h"
#include "xmpp/s2s_stream.h"

namespace sallyport::xmpp {
namespace {

using namespace fakes;
using testing::HasSubstr;
using testing::IsEmpty;

class StreamLimit : public testing::Test {
 protected:
  /// Lets time pass, as the owner sees it, and gives what the stream says about it.
  std::string pass(Duration time) {
    for (const Duration step = std::chrono::milliseconds(250); time > Duration::zero(); time -= step) {
      world_.clock.advance(std::min(step, time));
      test_.stream->poll();
      world_.settle();
    }
    return test_.transport.sent();
  }
  void initiate() {
    test_.make();
    test_.stream->start_initiating({.local = test_.policy.corp, .remote = test_.policy.partner});
  }
  void expect_explanation(std::string_view words) {
    ASSERT_EQ(test_.handler.closed.size(), 1U);
    EXPECT_THAT(std::string(test_.handler.closed[0].explanation), HasSubstr(words));
  }
  const StreamLimits& limits() const { return test_.policy.bounds; }
  static constexpr Duration moment = std::chrono::milliseconds(1);

  StreamWorld world_;
  StreamUnderTest<net::External> test_{world_};
  ScriptedPeer<net::External> peer_{test_};
};

TEST_F(StreamLimit, EndsAConnectionThatIsNotMade) {
  initiate();
  pass(limits().establishment - moment);
  EXPECT_TRUE(test_.handler.closed.empty());
  pass(moment);
  expect_explanation("no connection in time");
  EXPECT_TRUE(test_.transport.aborted());
}

TEST_F(StreamLimit, EndsAStreamWithoutAHeader) {
  test_.accept();
  EXPECT_THAT(pass(limits().header - moment), IsEmpty());
  EXPECT_THAT(pass(moment), HasSubstr("<connection-timeout "));
  EXPECT_TRUE(test_.transport.closed_by_owner());
}

TEST_F(StreamLimit, IsNotMovedByADripOfBytes_Cve2021_32918) {
  test_.accept();
  std::string answer;
  const std::string header = "<stream:stream " + std::string(1'000, ' ');
  for (const char byte : header) {
    answer += peer_.say({&byte, 1});
    answer += pass(std::chrono::seconds(1));
    if (!answer.empty()) break;
  }
  EXPECT_THAT(answer, HasSubstr("<connection-timeout "));
  EXPECT_LE(world_.clock.now() - test_.stream->counters().started, limits().header + std::chrono::seconds(1));
}

TEST_F(StreamLimit, EndsAHandshakeThatTakesTooLong) {
  test_.accept();
  peer_.say(stream_header("partner.example", "corp.example"));
  peer_.say(starttls_element);
  pass(limits().tls - moment);
  EXPECT_TRUE(test_.handler.closed.empty());
  pass(moment);
  expect_explanation("TLS handshake took too long");
  EXPECT_TRUE(test_.transport.aborted());
}

TEST_F(StreamLimit, EndsAStreamThatDoesNotAuthenticateHoweverBusyItIs) {
  test_.accept();
  peer_.secure("partner.example", "corp.example", peer_.certificate({"partner.example"}));
  peer_.say(stream_header("partner.example", "corp.example"));
  std::string answer;
  int seconds = 0;
  for (; seconds < 100 && answer.empty(); ++seconds) {
    peer_.say(" ");
    answer = pass(std::chrono::seconds(1));
  }
  EXPECT_EQ(seconds, 60);
  EXPECT_THAT(answer, HasSubstr("<connection-timeout "));
}

TEST_F(StreamLimit, CountsTheBytesBeforeAuthentication_Cve2021_32918) {
  test_.accept();
  peer_.secure("partner.example", "corp.example", peer_.certificate({"partner.example"}));
  peer_.say(stream_header("partner.example", "corp.example"));
  EXPECT_THAT(peer_.say(std::string(limits().negotiation_bytes - 2'000, ' ')), IsEmpty());
  EXPECT_THAT(peer_.say(std::string(2'000, ' ')), HasSubstr("<policy-violation "));
}

TEST_F(StreamLimit, CountsTheBytesBeforeAuthenticationOverRestarts) {
  test_.accept();
  peer_.say(stream_header("partner.example", "corp.example"));
  peer_.say(std::string(limits().negotiation_bytes - 2'000, ' '));
  peer_.say(starttls_element);
  test_.transport.finish_handshake(peer_.certificate({"partner.example"}));
  EXPECT_THAT(peer_.say(stream_header("partner.example", "corp.example") + std::string(2'000, ' ')),
              HasSubstr("<policy-violation "));
}

TEST_F(StreamLimit, CountsNoBytesAfterAuthentication) {
  test_.accept();
  peer_.establish("partner.example", "corp.example");
  EXPECT_THAT(peer_.say(std::string(10 * limits().negotiation_bytes, ' ')), IsEmpty());
  EXPECT_EQ(test_.stream->stage(), StreamStage::established);
}

TEST_F(StreamLimit, TakesFewBytesOfMemoryBeforeAuthentication_Cve2021_32918) {
  test_.accept();
  peer_.say(stream_header("partner.example", "corp.example"));
  EXPECT_LE(test_.arena.in_use(), 11'000U) << "expat's first buffer, tables and pools";
  EXPECT_EQ(test_.pool.available(), test_.pool.capacity());
}

TEST_F(StreamLimit, EndsAStanzaThatArrivesTooSlowly) {
  test_.accept();
  peer_.establish("partner.example", "corp.example");
  peer_.say("<message from='a@partner.example' to='b@corp.example'><body>");
  std::string answer;
  for (int i = 0; i < 29; ++i) {
    EXPECT_THAT(peer_.say("x"), IsEmpty());
    EXPECT_THAT(pass(std::chrono::seconds(1)), IsEmpty());
  }
  EXPECT_THAT(pass(std::chrono::seconds(1)), HasSubstr("<policy-violation "));
  EXPECT_EQ(test_.pool.available(), test_.pool.capacity()) << "and its chunks are free";
}

TEST_F(StreamLimit, EndsATagThatArrivesTooSlowly) {
  test_.accept();
  peer_.establish("partner.example", "corp.example");
  peer_.say("<mess");
  EXPECT_THAT(pass(limits().stanza), HasSubstr("<policy-violation "));
}

TEST_F(StreamLimit, GivesEachStanzaItsOwnTime) {
  test_.accept();
  peer_.establish("partner.example", "corp.example");
  const std::string half = "<message from='a@partner.example' to='b@corp.example'>";
  peer_.say(half);
  for (int i = 0; i < 5; ++i) {
    EXPECT_THAT(pass(std::chrono::seconds(20)), IsEmpty());
    EXPECT_THAT(peer_.say("</message>" + half), IsEmpty());
  }
  EXPECT_EQ(test_.handler.received.size(), 5U);
}

TEST_F(StreamLimit, SaysSoWhenItIsOurMemoryThatIsMissing) {
  test_.accept();
  peer_.establish("partner.example", "corp.example");
  while (test_.pool.available() > 0) static_cast<void>(test_.pool.acquire());
  peer_.say("<message from='a@partner.example' to='b@corp.example'/>");
  EXPECT_THAT(pass(limits().stanza), HasSubstr("<resource-constraint "));
}

TEST_F(StreamLimit, EndsAStreamWithoutStanzasGracefully) {
  test_.accept();
  peer_.establish("partner.example", "corp.example");
  std::string answer;
  for (int i = 0; i < 599; ++i) {
    peer_.say(" ");
    answer += pass(std::chrono::seconds(1));
  }
  EXPECT_THAT(answer, IsEmpty());
  EXPECT_EQ(pass(std::chrono::seconds(1)), end_element);
  peer_.say(end_element);
  test_.transport.peer_closes();
  world_.settle();
  expect_explanation("no stanza for 600 s");
  EXPECT_TRUE(test_.handler.closed[0].graceful);
}

TEST_F(StreamLimit, CountsEachStanzaAsActivity) {
  test_.accept();
  peer_.establish("partner.example", "corp.example");
  for (int i = 0; i < 4; ++i) {
    EXPECT_THAT(pass(std::chrono::seconds(590)), IsEmpty());
    peer_.say("<presence from='a@partner.example' to='b@corp.example'/>");
  }
  EXPECT_EQ(test_.stream->stage(), StreamStage::established);
}

TEST_F(StreamLimit, WaitsABoundedTimeForThePeersEnd_Rfc6120_4_4) {
  test_.accept();
  peer_.establish("partner.example", "corp.example");
  test_.stream->close();
  EXPECT_EQ(pass(moment), end_element);
  pass(limits().close - 2 * moment);
  EXPECT_FALSE(test_.transport.closed_by_owner());
  pass(2 * moment);
  EXPECT_TRUE(test_.transport.closed_by_owner());
  EXPECT_TRUE(test_.handler.closed.empty());
  pass(limits().close + moment);
  EXPECT_TRUE(test_.transport.aborted());
  ASSERT_EQ(test_.handler.closed.size(), 1U);
  EXPECT_FALSE(test_.handler.closed[0].graceful);
}

TEST_F(StreamLimit, AbortsWhenThePeerDoesNotCloseAfterAnError) {
  test_.accept();
  peer_.say("<html>");
  EXPECT_TRUE(test_.transport.closed_by_owner());
  EXPECT_TRUE(test_.handler.closed.empty());
  pass(limits().close + moment);
  EXPECT_TRUE(test_.transport.aborted());
  ASSERT_EQ(test_.handler.closed.size(), 1U);
}

TEST_F(StreamLimit, DoesNotFlushForeverToAPeerThatHardlyReads) {
  test_.policy.offers_bidi = true;
  test_.accept();
  peer_.establish("partner.example", "corp.example", true);
  peer_.say("<message from='a@partner.example' to='b@corp.example'><body>" + std::string(5'000, 'b') +
            "</body></message>");
  test_.transport.room = 0;
  ASSERT_TRUE(test_.stream->send(test_.handler.received.pop()));
  test_.stream->close();
  world_.settle();
  for (int i = 0; i < 60 && test_.handler.closed.empty(); ++i) {
    test_.transport.more_room(10);
    pass(std::chrono::seconds(1));
  }
  ASSERT_EQ(test_.handler.closed.size(), 1U);
  EXPECT_LE(world_.clock.now() - test_.stream->counters().established, limits().stanza + 2 * limits().close);
  EXPECT_EQ(test_.stream->unsent().size(), 1U);
}

TEST_F(StreamLimit, EndsAPeerThatReadsNothingOfTheNegotiation) {
  test_.accept();
  test_.transport.room = 0;
  peer_.say(stream_header("partner.example", "corp.example"));
  peer_.say(starttls_element);
  ASSERT_EQ(test_.handler.closed.size(), 1U);
  EXPECT_TRUE(test_.transport.aborted());
  EXPECT_THAT(std::string(test_.handler.closed[0].explanation), HasSubstr("does not read"));
}

TEST_F(StreamLimit, EndsWithoutAnArena) {
  std::vector<void*> hoard;
  for (std::size_t bytes = 16'384; bytes >= 8; bytes /= 2)
    while (void* memory = test_.arena.allocate(bytes)) hoard.push_back(memory);
  test_.accept();
  EXPECT_THAT(peer_.say(stream_header("partner.example", "corp.example")), HasSubstr("<resource-constraint "));
  for (void* memory : hoard) test_.arena.release(memory);
}

}  // namespace
}  // namespace sallyport::xmpp
