// The receiving entity on the internal side: direct TLS, bidi, a stream per pair, and the trunk.
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
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

class Gateway : public testing::Test {
 protected:
  void SetUp() override {
    test_.policy.offers_bidi = true;
    test_.policy.direct_tls = true;
    test_.accept();
  }
  void direct_tls(std::vector<std::string> names) {
    peer_.say("\x16\x03\x01");
    ASSERT_TRUE(test_.transport.waits_for_handshake());
    std::array<std::byte, 8> hello;
    test_.transport.read(hello);
    test_.transport.finish_handshake(peer_.certificate(std::move(names)));
    world_.settle();
  }
  /// A trunk whose certificate carries these names.
  void trunk(std::vector<std::string> names) {
    direct_tls(std::move(names));
    peer_.say(stream_header("corp.example", "edge.example"));
    peer_.say(std::string(bidi_element) + std::string(auth_empty));
    peer_.say(stream_header("corp.example", "edge.example"));
    ASSERT_EQ(test_.handler.established, 1);
  }
  void pair() {
    direct_tls({"corp.example"});
    peer_.say(stream_header("corp.example", "partner.example"));
    peer_.say(std::string(bidi_element) + std::string(auth_empty));
    peer_.say(stream_header("corp.example", "partner.example"));
    ASSERT_EQ(test_.handler.established, 1);
  }

  StreamWorld world_;
  StreamUnderTest<net::Internal> test_{world_};
  ScriptedPeer<net::Internal> peer_{test_};
};

TEST_F(Gateway, KnowsTlsByItsFirstByte) {
  direct_tls({"corp.example"});
  EXPECT_EQ(test_.transport.tls_parameters->role, net::TlsRole::server);
  EXPECT_TRUE(test_.transport.secured());
}

TEST_F(Gateway, SpeaksStarttlsAsWell_Rfc6120_5) {
  EXPECT_THAT(peer_.say(stream_header("corp.example", "partner.example")), HasSubstr("<starttls "));
  EXPECT_EQ(peer_.say(starttls_element), proceed_element);
  EXPECT_TRUE(test_.transport.waits_for_handshake());
}

TEST_F(Gateway, WaitsForTheFirstByte) {
  world_.settle();
  EXPECT_FALSE(test_.transport.waits_for_handshake());
  EXPECT_EQ(test_.stream->stage(), StreamStage::header);
}

TEST_F(Gateway, OffersBidiBesideExternal_Xep0288_2_1) {
  direct_tls({"corp.example"});
  const std::string answer = peer_.say(stream_header("corp.example", "partner.example"));
  EXPECT_THAT(answer, HasSubstr(" from='partner.example'"));
  EXPECT_THAT(answer, EndsWith("<mechanism>EXTERNAL</mechanism></mechanisms><bidi xmlns='urn:xmpp:features:bidi'/>"
                               "</stream:features>"));
}

TEST_F(Gateway, TakesBidiAndAuthPipelinedAsProsodySendsThem_Xep0288_2_2) {
  direct_tls({"corp.example"});
  peer_.say(stream_header("corp.example", "partner.example"));
  EXPECT_EQ(peer_.say(std::string(bidi_element) + std::string(auth_empty)), success_element);
  EXPECT_THAT(peer_.say(stream_header("corp.example", "partner.example")), EndsWith("<stream:features/>"));
  EXPECT_EQ(test_.handler.established, 1);
  EXPECT_TRUE(test_.stream->bidi());
  EXPECT_TRUE(test_.stream->can_send());
  EXPECT_FALSE(test_.stream->trunk());
}

TEST_F(Gateway, MaySendNothingWhenBidiWasNotAskedFor) {
  direct_tls({"corp.example"});
  peer_.say(stream_header("corp.example", "partner.example"));
  peer_.say(auth_empty);
  peer_.say(stream_header("corp.example", "partner.example"));
  EXPECT_EQ(test_.handler.established, 1);
  EXPECT_FALSE(test_.stream->can_send());
}

TEST_F(Gateway, RefusesACertificateThatDoesNotCarryTheLocalDomain) {
  direct_tls({"gateway.int.example"});
  EXPECT_THAT(peer_.say(stream_header("corp.example", "partner.example")), HasSubstr("<not-authorized "));
}

TEST_F(Gateway, RefusesTlsInsideTls) {
  direct_tls({"corp.example"});
  EXPECT_THAT(peer_.say("\x16\x03\x01"), HasSubstr("<stream:error>"));
}

TEST_F(Gateway, RelaysOnlyItsPairOnAStreamPerPair) {
  pair();
  EXPECT_THAT(peer_.say("<message from='a@corp.example' to='b@partner.example'/>"), IsEmpty());
  EXPECT_EQ(test_.handler.received.size(), 1U);
  EXPECT_THAT(peer_.say("<message from='a@corp.example' to='b@other.example'/>"), HasSubstr("<improper-addressing "));
}

TEST_F(Gateway, RefusesAnotherLocalDomainOnAStreamPerPair) {
  pair();
  EXPECT_THAT(peer_.say("<message from='a@branch.example' to='b@partner.example'/>"), HasSubstr("<invalid-from "));
}

TEST_F(Gateway, TakesEveryPartnerOnTheTrunk) {
  trunk({"corp.example"});
  EXPECT_TRUE(test_.stream->trunk());
  peer_.say(
      "<message from='a@corp.example' to='b@partner.example'/><message from='a@corp.example' to='b@other.example'/>");
  ASSERT_EQ(test_.handler.received.size(), 2U);
  EXPECT_EQ(test_.handler.received.front().to, test_.policy.partner);
}

TEST_F(Gateway, HandsUpATrunksStanzaToAnUnknownDomainSoThatItCanBeAnswered) {
  trunk({"corp.example"});
  EXPECT_THAT(
      peer_.say("<message from='a@corp.example' to='b@nowhere.example'/><message from='a@corp.example' to='b@b@b'/>"),
      IsEmpty());
  ASSERT_EQ(test_.handler.received.size(), 2U);
  EXPECT_FALSE(test_.handler.received.front().to.valid());
}

TEST_F(Gateway, TakesEveryLocalDomainThatTheTrunksCertificateCarries) {
  trunk({"corp.example", "branch.example"});
  EXPECT_TRUE(test_.stream->carries(test_.policy.branch));
  EXPECT_THAT(peer_.say("<message from='a@branch.example' to='b@partner.example'/>"), IsEmpty());
  EXPECT_EQ(test_.handler.received.size(), 1U);
}

TEST_F(Gateway, RefusesALocalDomainThatTheTrunksCertificateDoesNotCarry) {
  trunk({"corp.example"});
  EXPECT_FALSE(test_.stream->carries(test_.policy.branch));
  EXPECT_THAT(peer_.say("<message from='a@branch.example' to='b@partner.example'/>"), HasSubstr("<invalid-from "));
}

TEST_F(Gateway, RefusesAPartnersDomainAsATrunksFrom) {
  trunk({"corp.example", "partner.example"});
  EXPECT_FALSE(test_.stream->carries(test_.policy.partner));
  EXPECT_THAT(peer_.say("<message from='a@partner.example' to='b@other.example'/>"), HasSubstr("<invalid-from "));
}

TEST_F(Gateway, AsksForEachDomainOfATrunkOnce) {
  trunk({"corp.example", "branch.example"});
  const unsigned before = test_.transport.certify_calls;
  for (int i = 0; i < 10; ++i) peer_.say("<message from='a@branch.example' to='b@partner.example'/>");
  EXPECT_EQ(test_.transport.certify_calls, before + 1);
}

TEST_F(Gateway, RefusesATrunksStanzaWithoutAddresses_Rfc6120_8_1_1_2) {
  trunk({"corp.example"});
  EXPECT_THAT(peer_.say("<message from='a@corp.example'/>"), HasSubstr("<improper-addressing "));
}

}  // namespace
}  // namespace sallyport::xmpp
