// The receiving entity on the external side, against a scripted partner.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <string>

#include "net/side.h"
#include "tests/fakes/scripted_peer.h"
#include "tests/fakes/stream_under_test.h"
#include "xmpp/base64.h"
#include "xmpp/s2s_stream.h"

namespace sallyport::xmpp {
namespace {

using namespace fakes;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

constexpr std::string_view our_header =
    "<?xml version='1.0'?><stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams'";

std::string failure(std::string_view condition) {
  return "<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><" + std::string(condition) + "/></failure>";
}

std::string auth(std::string_view text, std::string_view mechanism = "EXTERNAL") {
  return "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='" + std::string(mechanism) + "'>" +
         std::string(text) + "</auth>";
}

std::string base64(std::string_view text) {
  std::array<char, 1024> buffer;
  return std::string(base64_encode(text, buffer));
}

class Receiving : public testing::Test {
 protected:
  void SetUp() override { test_.accept(); }

  /// The answer holds this stream error, and the stream ends.
  void expect_error(const std::string& answer, StreamErrorCondition condition) {
    EXPECT_THAT(answer, HasSubstr("<stream:error><" + std::string(to_text(condition)) +
                                  " xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>"));
    EXPECT_THAT(answer, EndsWith("</stream:error></stream:stream>"));
    EXPECT_TRUE(test_.transport.closed_by_owner());
    test_.transport.peer_closes();
    test_.world.settle();
    ASSERT_EQ(test_.handler.closed.size(), 1U);
    EXPECT_FALSE(test_.handler.closed[0].graceful);
    EXPECT_THAT(std::string(test_.handler.closed[0].explanation), HasSubstr(std::string(to_text(condition))));
    EXPECT_EQ(test_.handler.received.size(), 0U);
  }
  void expect_header_error(const std::string& header, StreamErrorCondition condition) {
    const std::string answer = peer_.say(header);
    EXPECT_THAT(answer, StartsWith(our_header)) << "RFC 6120 4.9.1.2";
    expect_error(answer, condition);
  }
  /// A stream whose partner has been offered SASL EXTERNAL.
  std::string offered() {
    peer_.secure("partner.example", "corp.example", peer_.certificate({"partner.example"}));
    return peer_.say(stream_header("partner.example", "corp.example"));
  }

  StreamWorld world_;
  StreamUnderTest<net::External> test_{world_};
  ScriptedPeer<net::External> peer_{test_};
};

// Headers ---------------------------------------------------------------------------------------------------------------

TEST_F(Receiving, AnswersTheHeaderAndRequiresStarttls_Rfc6120_4_7_5_3) {
  const std::string answer = peer_.say(stream_header("partner.example", "corp.example"));
  EXPECT_THAT(answer, StartsWith(our_header));
  EXPECT_THAT(answer, HasSubstr(" from='corp.example'"));
  EXPECT_THAT(answer, HasSubstr(" to='partner.example'"));
  EXPECT_THAT(answer, HasSubstr(" version='1.0'>"));
  EXPECT_THAT(answer,
              EndsWith("<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls>"
                       "</stream:features>"));
  EXPECT_EQ(test_.stream->stage(), StreamStage::starttls);
}

TEST_F(Receiving, GivesEachStreamAnIdOf128BitsThatDiffers_Rfc6120_4_7_3) {
  const auto id_of = [](const std::string& header) {
    const std::size_t begin = header.find(" id='") + 5;
    return header.substr(begin, header.find('\'', begin) - begin);
  };
  const std::string first = id_of(peer_.say(stream_header("partner.example", "corp.example")));
  peer_.say(starttls_element);
  test_.transport.finish_handshake(peer_.certificate({"partner.example"}));
  const std::string second = id_of(peer_.say(stream_header("partner.example", "corp.example")));
  EXPECT_EQ(first.size(), 32U);
  EXPECT_EQ(second.size(), 32U);
  EXPECT_NE(first, second);
}

TEST_F(Receiving, TakesAHeaderWithoutFromBeforeTls) {
  const std::string answer = peer_.say(stream_header("", "corp.example"));
  EXPECT_THAT(answer, HasSubstr("<starttls"));
  EXPECT_THAT(answer, Not(HasSubstr(" to='")));
}

TEST_F(Receiving, RefusesAHostThatItDoesNotServe_Rfc6120_4_9_3_6) {
  const std::string answer = peer_.say(stream_header("partner.example", "elsewhere.example"));
  EXPECT_THAT(answer, StartsWith(our_header));
  EXPECT_THAT(answer, Not(HasSubstr("elsewhere.example")));
  expect_error(answer, StreamErrorCondition::host_unknown);
}

TEST_F(Receiving, RefusesADomainThatIsNoPartner) {
  expect_header_error(stream_header("stranger.example", "corp.example"), StreamErrorCondition::policy_violation);
}

TEST_F(Receiving, RefusesAHeaderWithoutTo_Rfc6120_4_7_2) {
  expect_header_error(stream_header("partner.example", ""), StreamErrorCondition::improper_addressing);
}

TEST_F(Receiving, RefusesAnOlderProtocol_Rfc6120_4_7_5) {
  expect_header_error(stream_header("partner.example", "corp.example", ""), StreamErrorCondition::unsupported_version);
}

TEST_F(Receiving, TakesALaterVersionAndAnswersWithItsOwn_Rfc6120_4_7_5) {
  EXPECT_THAT(peer_.say(stream_header("partner.example", "corp.example", "version='1.7'")),
              HasSubstr(" version='1.0'>"));
  EXPECT_EQ(test_.stream->stage(), StreamStage::starttls);
}

TEST_F(Receiving, SendsItsHeaderBeforeAnErrorAboutTheOther_Rfc6120_4_9_1_2) {
  expect_header_error("<html>", StreamErrorCondition::invalid_namespace);
}

TEST_F(Receiving, RefusesTlsWhereOnlyStarttlsIsSpoken) {
  expect_header_error("\x16\x03\x01\x02", StreamErrorCondition::unsupported_encoding);
}

TEST_F(Receiving, RefusesASecondHeader) {
  peer_.say(stream_header("partner.example", "corp.example"));
  expect_error(peer_.say("<stream:stream xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>"),
               StreamErrorCondition::policy_violation);
}

// STARTTLS --------------------------------------------------------------------------------------------------------------

TEST_F(Receiving, StartsTlsAsTheServer_Rfc6120_5_4_2_3) {
  peer_.say(stream_header("partner.example", "corp.example"));
  EXPECT_EQ(peer_.say(starttls_element), proceed_element);
  EXPECT_TRUE(test_.transport.waits_for_handshake());
  ASSERT_TRUE(test_.transport.tls_parameters);
  EXPECT_EQ(test_.transport.tls_parameters->role, net::TlsRole::server);
  EXPECT_EQ(test_.stream->stage(), StreamStage::tls);
}

TEST_F(Receiving, FreesItsParserForTheHandshake) {
  peer_.say(stream_header("partner.example", "corp.example"));
  EXPECT_GT(test_.arena.in_use(), 0U);
  peer_.say(starttls_element);
  EXPECT_EQ(test_.arena.in_use(), 0U);
}

TEST_F(Receiving, RefusesWhatIsPipelinedBehindStarttls_Rfc6120_5_3_Cve2011_0411) {
  peer_.say(stream_header("partner.example", "corp.example"));
  peer_.say(std::string(starttls_element) + stream_header("partner.example", "corp.example"));
  EXPECT_FALSE(test_.transport.waits_for_handshake());
  EXPECT_TRUE(test_.transport.closed_by_owner() || test_.transport.aborted());
}

TEST_F(Receiving, RefusesStanzasInTheClear_Rfc6120_4_9_3_12) {
  peer_.say(stream_header("partner.example", "corp.example"));
  expect_error(peer_.say("<message from='a@partner.example' to='b@corp.example'/>"),
               StreamErrorCondition::not_authorized);
}

TEST_F(Receiving, RefusesAuthenticationInTheClear_Rfc6120_5_3_1) {
  peer_.say(stream_header("partner.example", "corp.example"));
  expect_error(peer_.say(auth_empty), StreamErrorCondition::policy_violation);
}

TEST_F(Receiving, RefusesDialbackThatIsNotOffered) {
  peer_.say(stream_header("partner.example", "corp.example"));
  expect_error(
      peer_.say("<db:result xmlns:db='jabber:server:dialback' from='partner.example' to='corp.example'>x</db:result>"),
      StreamErrorCondition::not_authorized);
}

TEST_F(Receiving, ReportsAFailedHandshakeInWords) {
  peer_.say(stream_header("partner.example", "corp.example"));
  peer_.say(starttls_element);
  test_.transport.fail(net::TransportFault::tls_peer_alert, "the peer sent alert 40");
  world_.settle();
  ASSERT_EQ(test_.handler.closed.size(), 1U);
  EXPECT_EQ(test_.handler.closed[0].reached, StreamStage::tls);
  EXPECT_EQ(test_.handler.closed[0].explanation, "the peer sent alert 40");
}

// Certificate and SASL EXTERNAL --------------------------------------------------------------------------------------------

TEST_F(Receiving, OffersExternalToACertificateThatIsThePartners_Xep0178_2) {
  EXPECT_THAT(offered(),
              EndsWith("<stream:features><mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>EXTERNAL"
                       "</mechanism></mechanisms></stream:features>"));
  EXPECT_EQ(test_.stream->authenticated(), nullptr);
}

struct CertificateCase {
  FakeCertificate certificate;
  std::string_view words;
};

TEST_F(Receiving, RefusesACertificateThatIsNotThePartners_Rfc6120_13_7_2) {
  FakeAuthority foreign;
  const std::array cases = {
      CertificateCase{{}, net::to_text(net::CertificateError::none_presented)},
      CertificateCase{{.names = {"other.example"}, .issuer = &test_.policy.authority.anchors()},
                      net::to_text(net::CertificateError::wrong_name)},
      CertificateCase{{.names = {"partner.example"}, .issuer = &foreign.anchors()},
                      net::to_text(net::CertificateError::not_trusted)},
      CertificateCase{{.names = {"partner.example"},
                       .issuer = &test_.policy.authority.anchors(),
                       .fault = net::CertificateError::expired},
                      net::to_text(net::CertificateError::expired)},
  };
  for (const CertificateCase& each : cases) {
    StreamWorld world;
    StreamUnderTest<net::External> test(world);
    ScriptedPeer<net::External> peer(test);
    test.accept();
    const net::tls::TrustAnchors* issuer =
        each.certificate.issuer == &foreign.anchors() ? &foreign.anchors() : &test.policy.authority.anchors();
    FakeCertificate certificate = each.certificate;
    certificate.issuer = issuer;
    peer.secure("partner.example", "corp.example", certificate);
    const std::string answer = peer.say(stream_header("partner.example", "corp.example"));
    EXPECT_THAT(answer, StartsWith(our_header));
    EXPECT_THAT(answer, HasSubstr("<not-authorized xmlns"));
    EXPECT_THAT(answer, HasSubstr(each.words));
    EXPECT_THAT(answer, Not(HasSubstr("EXTERNAL")));
    EXPECT_EQ(test.stream->authenticated(), nullptr);
  }
}

TEST_F(Receiving, EstablishesWithTheFromOfTheStream_Xep0178_2) {
  for (const std::string& text : {std::string("="), base64("partner.example"), base64("Partner.Example.")}) {
    StreamWorld world;
    StreamUnderTest<net::External> test(world);
    ScriptedPeer<net::External> peer(test);
    test.accept();
    peer.secure("partner.example", "corp.example", peer.certificate({"partner.example"}));
    peer.say(stream_header("partner.example", "corp.example"));
    EXPECT_EQ(peer.say(auth(text)), success_element) << text;
    EXPECT_EQ(test.stream->authenticated(), nullptr) << "RFC 6120 6.4.6: the stream begins anew first";
    EXPECT_EQ(test.handler.established, 0);
    EXPECT_THAT(peer.say(stream_header("partner.example", "corp.example")), EndsWith("<stream:features/>"));
    EXPECT_EQ(test.handler.established, 1);
    ASSERT_NE(test.stream->authenticated(), nullptr);
    EXPECT_EQ(test.stream->authenticated()->domain(), test.policy.partner);
    EXPECT_EQ(test.stream->authenticated()->method(), AuthenticationMethod::sasl_external);
    EXPECT_EQ(test.stream->stage(), StreamStage::established);
  }
}

TEST_F(Receiving, AsksForTheInitialResponseThatIsMissing_Rfc6120_6_4_2) {
  offered();
  EXPECT_EQ(peer_.say(auth("")), "<challenge xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>");
  EXPECT_EQ(
      peer_.say("<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>" + base64("partner.example") + "</response>"),
      success_element);
}

TEST_F(Receiving, TakesAnEmptyResponseForTheFromOfTheStream_Xep0178_2) {
  offered();
  peer_.say(auth(""));
  EXPECT_EQ(peer_.say("<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>"), success_element);
}

TEST_F(Receiving, RefusesAnotherAuthorizationIdentity_Rfc6120_6_5_6) {
  for (const char* identity : {"other.example", "corp.example", "stranger.example", "partner.example/x",
                               "a@partner.example", "partner.example\n", " "}) {
    StreamWorld world;
    StreamUnderTest<net::External> test(world);
    ScriptedPeer<net::External> peer(test);
    test.accept();
    peer.secure("partner.example", "corp.example", peer.certificate({"partner.example", "other.example"}));
    peer.say(stream_header("partner.example", "corp.example"));
    EXPECT_EQ(peer.say(auth(base64(identity))), failure("invalid-authzid")) << identity;
    EXPECT_EQ(test.stream->authenticated(), nullptr);
  }
}

TEST_F(Receiving, RefusesWhatIsNoBase64_Rfc6120_6_5_5) {
  offered();
  EXPECT_EQ(peer_.say(auth("not base 64!")), failure("incorrect-encoding"));
}

TEST_F(Receiving, RefusesAnIdentityThatIsLongerThanAnyDomain) {
  offered();
  EXPECT_EQ(peer_.say(auth(base64(std::string(700, 'a')))), failure("incorrect-encoding"));
}

TEST_F(Receiving, RefusesAnotherMechanism_Rfc6120_6_5_7) {
  offered();
  EXPECT_EQ(peer_.say(auth("AGEAYg==", "PLAIN")), failure("invalid-mechanism"));
  EXPECT_EQ(peer_.say(auth_empty), success_element) << "RFC 6120 6.4.5: it may try again";
}

TEST_F(Receiving, RefusesAResponseWithoutAChallenge_Rfc6120_6_5_8) {
  offered();
  EXPECT_EQ(peer_.say("<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>=</response>"), failure("malformed-request"));
}

TEST_F(Receiving, LetsThePeerAbort_Rfc6120_6_4_4) {
  offered();
  peer_.say(auth(""));
  EXPECT_EQ(peer_.say("<abort xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>"), failure("aborted"));
}

TEST_F(Receiving, EndsAfterThreeFailedAttempts_Rfc6120_6_4_5) {
  offered();
  EXPECT_EQ(peer_.say(auth("", "PLAIN")), failure("invalid-mechanism"));
  EXPECT_EQ(peer_.say(auth("", "PLAIN")), failure("invalid-mechanism"));
  expect_error(peer_.say(auth("", "PLAIN")), StreamErrorCondition::policy_violation);
}

TEST_F(Receiving, RefusesStanzasBeforeAuthentication_Rfc6120_4_9_3_12) {
  offered();
  expect_error(
      peer_.say("<iq type='get' id='1' from='partner.example' to='corp.example'><ping xmlns='urn:xmpp:ping'/></iq>"),
      StreamErrorCondition::not_authorized);
}

TEST_F(Receiving, RefusesStanzasPipelinedBehindAuth) {
  offered();
  expect_error(peer_.say(std::string(auth_empty) + "<message from='a@partner.example' to='b@corp.example'/>"),
               StreamErrorCondition::policy_violation);
  EXPECT_EQ(test_.handler.established, 0);
}

TEST_F(Receiving, RefusesBidiThatWasNotOffered_Xep0288) {
  offered();
  expect_error(peer_.say(bidi_element), StreamErrorCondition::unsupported_stanza_type);
}

TEST_F(Receiving, RefusesAChangedFromAfterTls_Rfc6120_4_9_3_9) {
  peer_.secure("partner.example", "corp.example", peer_.certificate({"partner.example", "other.example"}));
  expect_header_error(stream_header("other.example", "corp.example"), StreamErrorCondition::invalid_from);
}

TEST_F(Receiving, RefusesAChangedToAfterTls) {
  peer_.secure("partner.example", "corp.example", peer_.certificate({"partner.example"}));
  expect_header_error(stream_header("partner.example", "branch.example"), StreamErrorCondition::improper_addressing);
}

TEST_F(Receiving, RefusesAHeaderWithoutFromAfterTls_Rfc6120_4_7_1) {
  peer_.secure("", "corp.example", peer_.certificate({"partner.example"}));
  expect_header_error(stream_header("", "corp.example"), StreamErrorCondition::improper_addressing);
}

TEST_F(Receiving, RefusesAChangedFromAfterAuthentication_Rfc6120_4_9_3_9) {
  peer_.secure("partner.example", "corp.example", peer_.certificate({"partner.example", "other.example"}));
  peer_.say(stream_header("partner.example", "corp.example"));
  peer_.say(auth_empty);
  expect_header_error(stream_header("other.example", "corp.example"), StreamErrorCondition::invalid_from);
  EXPECT_EQ(test_.handler.established, 0);
}

// Stanzas -----------------------------------------------------------------------------------------------------------------

class Established : public Receiving {
 protected:
  void SetUp() override {
    test_.accept();
    peer_.establish("partner.example", "corp.example");
    ASSERT_EQ(test_.handler.established, 1);
  }
};

TEST_F(Established, TakesStanzasInOrder_Rfc6120_10_1) {
  std::string input;
  for (int i = 0; i < 100; ++i)
    input += "<message from='a@partner.example' to='b@corp.example' id='" + std::to_string(i) + "'/>";
  EXPECT_THAT(peer_.say(input), IsEmpty());
  std::string output;
  while (!test_.handler.received.empty()) output += test_.handler.next_text();
  EXPECT_EQ(output, input);
  EXPECT_EQ(test_.stream->counters().stanzas_received, 100U);
}

TEST_F(Established, RefusesASpoofedFrom_Rfc6120_8_1_2_2) {
  expect_error(peer_.say("<message from='a@other.example' to='b@corp.example'/>"), StreamErrorCondition::invalid_from);
}

TEST_F(Established, RefusesAFromOfOurOwn_Rfc6120_8_1_2_2) {
  expect_error(peer_.say("<message from='a@corp.example' to='b@corp.example'/>"), StreamErrorCondition::invalid_from);
}

TEST_F(Established, RefusesAToThatIsNotServed_Rfc6120_4_9_3_6) {
  expect_error(peer_.say("<message from='a@partner.example' to='b@elsewhere.example'/>"),
               StreamErrorCondition::host_unknown);
}

TEST_F(Established, RefusesToRelayBetweenPartners_Rfc6120_4_9_3_6) {
  expect_error(peer_.say("<message from='a@partner.example' to='b@other.example'/>"),
               StreamErrorCondition::host_unknown);
}

TEST_F(Established, RefusesAToOfAnotherStream_Rfc6120_4_9_3_7) {
  expect_error(peer_.say("<message from='a@partner.example' to='b@branch.example'/>"),
               StreamErrorCondition::improper_addressing);
}

TEST_F(Established, RefusesAStanzaWithoutAddresses_Rfc6120_8_1_1_2) {
  expect_error(peer_.say("<message from='a@partner.example'/>"), StreamErrorCondition::improper_addressing);
}

TEST_F(Established, RefusesAnUnknownElement_Rfc6120_4_9_3_24) {
  expect_error(peer_.say("<query from='a@partner.example' to='b@corp.example'/>"),
               StreamErrorCondition::unsupported_stanza_type);
}

TEST_F(Established, RefusesAClientsStanza_Rfc6120_4_9_3_24) {
  expect_error(peer_.say("<message xmlns='jabber:client' from='a@partner.example' to='b@corp.example'/>"),
               StreamErrorCondition::unsupported_stanza_type);
}

TEST_F(Established, KeepsWhatCameBeforeAnError) {
  peer_.say(
      "<message from='a@partner.example' to='b@corp.example'/><message from='a@other.example' to='b@corp.example'/>");
  EXPECT_EQ(test_.handler.received.size(), 1U);
}

TEST_F(Established, TakesWhiteSpaceAsKeepAlive_Rfc6120_4_6_1) {
  EXPECT_THAT(peer_.say(" "), IsEmpty());
  EXPECT_THAT(peer_.say("\n"), IsEmpty());
  EXPECT_EQ(test_.stream->stage(), StreamStage::established);
}

TEST_F(Established, MaySendNothingWithoutBidi_Rfc6120_4_3) { EXPECT_FALSE(test_.stream->can_send()); }

TEST_F(Established, ReportsThePeersStreamErrorInItsWords_Rfc6120_4_9) {
  const std::string answer = peer_.say(
      "<stream:error><system-shutdown xmlns='urn:ietf:params:xml:ns:xmpp-streams'/><text "
      "xmlns='urn:ietf:params:xml:ns:xmpp-streams'>back soon</text></stream:error>");
  EXPECT_EQ(answer, end_element);
  test_.transport.peer_closes();
  world_.settle();
  ASSERT_EQ(test_.handler.closed.size(), 1U);
  EXPECT_EQ(test_.handler.closed[0].explanation, "the peer closed the stream: system-shutdown, back soon");
  EXPECT_EQ(test_.handler.closed[0].reached, StreamStage::established);
}

TEST_F(Established, AnswersTheEndOfTheStream_Rfc6120_4_4) {
  EXPECT_EQ(peer_.say(end_element), end_element);
  EXPECT_TRUE(test_.transport.closed_by_owner());
  EXPECT_TRUE(test_.handler.closed.empty()) << "the connection is still there";
  test_.transport.peer_closes();
  world_.settle();
  ASSERT_EQ(test_.handler.closed.size(), 1U);
  EXPECT_TRUE(test_.handler.closed[0].graceful);
}

TEST_F(Established, ReportsAConnectionThatEndsWithoutTheStream) {
  test_.transport.peer_closes();
  world_.settle();
  ASSERT_EQ(test_.handler.closed.size(), 1U);
  EXPECT_FALSE(test_.handler.closed[0].graceful);
  EXPECT_EQ(test_.handler.closed[0].explanation, "the peer closed the connection without ending the stream");
}

TEST_F(Established, ReadsToTheEndBeforeItClosesAfterAnError) {
  peer_.say("<message from='a@other.example' to='b@corp.example'/>" + std::string(100'000, ' '));
  EXPECT_EQ(test_.transport.unread(), 0U) << "unread bytes would turn our FIN into a reset";
}

TEST_F(Established, ForgetsEverythingWhenItEnds) {
  peer_.say("<message from='a@partner.example' to='b@corp.example'><body>half");
  test_.transport.fail(net::TransportFault::peer_reset, "reset by the peer");
  world_.settle();
  ASSERT_EQ(test_.handler.closed.size(), 1U);
  EXPECT_EQ(test_.handler.closed[0].explanation, "reset by the peer");
  EXPECT_EQ(test_.arena.in_use(), 0U);
  EXPECT_EQ(test_.pool.available(), test_.pool.capacity());
}

}  // namespace
}  // namespace sallyport::xmpp
