// The initiating entity on the external side, against a scripted partner.
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
using testing::Not;
using testing::StartsWith;

const std::string auth_corp =
    "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='EXTERNAL'>Y29ycC5leGFtcGxl</auth>";

std::string header_of_partner(std::string_view id) {
  return stream_header("partner.example", "corp.example", "id='" + std::string(id) + "' version='1.0'");
}

class Initiating : public testing::Test {
 protected:
  void SetUp() override {
    test_.make();
    test_.stream->start_initiating({.local = test_.policy.corp, .remote = test_.policy.partner});
    test_.transport.connected();
  }
  void secure() { peer_.accept_secured("partner.example", "corp.example", peer_.certificate({"partner.example"})); }
  /// It ended, for this reason, and says so.
  void expect_closed(StreamStage reached, const std::string& explanation) {
    test_.transport.peer_closes();
    world_.settle();
    ASSERT_EQ(test_.handler.closed.size(), 1U);
    EXPECT_EQ(test_.handler.closed[0].reached, reached);
    EXPECT_THAT(std::string(test_.handler.closed[0].explanation), HasSubstr(explanation));
    EXPECT_EQ(test_.handler.established, 0);
  }

  StreamWorld world_;
  StreamUnderTest<net::External> test_{world_};
  ScriptedPeer<net::External> peer_{test_};
};

TEST_F(Initiating, OpensItsStreamWhenTheConnectionIsThere_Rfc6120_4_2) {
  const std::string header = peer_.answer();
  EXPECT_THAT(header, StartsWith("<?xml version='1.0'?><stream:stream xmlns='jabber:server' "
                                 "xmlns:stream='http://etherx.jabber.org/streams'"));
  EXPECT_THAT(header, HasSubstr(" from='corp.example'"));
  EXPECT_THAT(header, HasSubstr(" to='partner.example'"));
  EXPECT_THAT(header, HasSubstr(" version='1.0'"));
  EXPECT_THAT(header, Not(HasSubstr(" id="))) << "RFC 6120 4.7.3: the receiving entity gives it";
}

TEST_F(Initiating, WaitsForTheConnection) {
  StreamUnderTest<net::External> test(world_);
  test.make();
  test.stream->start_initiating({.local = test.policy.corp, .remote = test.policy.partner});
  world_.settle();
  EXPECT_THAT(test.transport.sent(), IsEmpty());
  EXPECT_EQ(test.stream->stage(), StreamStage::connecting);
}

TEST_F(Initiating, NegotiatesStarttlsAndExternal_Rfc6120_9_2) {
  peer_.answer();
  EXPECT_THAT(peer_.say(header_of_partner("1")), IsEmpty());
  EXPECT_EQ(peer_.say(features_starttls), starttls_element);
  peer_.say(proceed_element);
  ASSERT_TRUE(test_.transport.waits_for_handshake());
  EXPECT_EQ(test_.transport.tls_parameters->role, net::TlsRole::client);
  EXPECT_EQ(test_.transport.tls_parameters->server_name, "partner.example");
  EXPECT_EQ(test_.transport.tls_parameters->anchors, &test_.policy.authority.anchors());
  test_.transport.finish_handshake(peer_.certificate({"partner.example"}));
  EXPECT_THAT(peer_.answer(), HasSubstr("<stream:stream "));
  peer_.say(header_of_partner("2"));
  EXPECT_EQ(peer_.say(features_external), auth_corp) << "XEP-0178: the identity is the stream's from";
  EXPECT_THAT(peer_.say(success_element), HasSubstr("<stream:stream ")) << "RFC 6120 6.4.6";
  EXPECT_EQ(test_.handler.established, 0);
  peer_.say(header_of_partner("3"));
  EXPECT_EQ(test_.handler.established, 0);
  peer_.say("<stream:features/>");
  EXPECT_EQ(test_.handler.established, 1);
  ASSERT_NE(test_.stream->authenticated(), nullptr);
  EXPECT_EQ(test_.stream->authenticated()->domain(), test_.policy.partner);
  EXPECT_EQ(test_.stream->authenticated()->method(), AuthenticationMethod::tls_certificate);
  EXPECT_TRUE(test_.stream->can_send());
  EXPECT_FALSE(test_.stream->bidi());
}

TEST_F(Initiating, TakesAnAnswerWithoutFrom) {
  peer_.answer();
  peer_.say(stream_header("", "", "id='1' version='1.0'"));
  EXPECT_EQ(peer_.say(features_starttls), starttls_element);
}

TEST_F(Initiating, RefusesAnAnswerFromAnotherDomain_Rfc6120_4_7_1) {
  peer_.answer();
  EXPECT_THAT(peer_.say(stream_header("other.example", "corp.example", "id='1' version='1.0'")),
              HasSubstr("<invalid-from "));
  expect_closed(StreamStage::header, "invalid-from");
}

TEST_F(Initiating, RefusesAnOlderProtocol_Rfc6120_4_7_5) {
  peer_.answer();
  EXPECT_THAT(peer_.say(stream_header("partner.example", "corp.example", "id='1'")),
              HasSubstr("<unsupported-version "));
  expect_closed(StreamStage::header, "unsupported-version");
}

TEST_F(Initiating, EndsWhenStarttlsIsNotOffered) {
  peer_.answer();
  peer_.say(header_of_partner("1"));
  EXPECT_EQ(peer_.say("<stream:features><dialback xmlns='urn:xmpp:features:dialback'/></stream:features>"),
            end_element);
  expect_closed(StreamStage::starttls, "does not offer STARTTLS");
}

TEST_F(Initiating, EndsWhenTlsIsRefused_Rfc6120_5_4_2_2) {
  peer_.answer();
  peer_.say(header_of_partner("1"));
  peer_.say(features_starttls);
  EXPECT_EQ(peer_.say("<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"), end_element);
  expect_closed(StreamStage::starttls, "refused to start TLS");
}

TEST_F(Initiating, RefusesWhatIsPipelinedBehindProceed_Cve2011_0411) {
  peer_.answer();
  peer_.say(header_of_partner("1"));
  peer_.say(features_starttls);
  peer_.say(std::string(proceed_element) + "<stream:features>");
  EXPECT_FALSE(test_.transport.waits_for_handshake());
  expect_closed(StreamStage::starttls, "in the clear");
}

TEST_F(Initiating, EndsWhenTheCertificateIsNotThePartners_Rfc6120_13_7_2) {
  peer_.accept_secured("partner.example", "corp.example", peer_.certificate({"other.example"}));
  EXPECT_THAT(test_.transport.sent(), IsEmpty()) << "not a byte of ours goes to a stranger";
  expect_closed(StreamStage::tls, std::string(net::to_text(net::CertificateError::wrong_name)));
}

TEST_F(Initiating, ExplainsThatExternalIsNotOffered) {
  secure();
  peer_.say(header_of_partner("2"));
  EXPECT_EQ(peer_.say("<stream:features><dialback xmlns='urn:xmpp:features:dialback'/></stream:features>"),
            end_element);
  expect_closed(StreamStage::authentication, "does not offer SASL EXTERNAL");
}

TEST_F(Initiating, ReportsAFailureOfSaslInThePartnersWords_Rfc6120_6_4_5) {
  secure();
  peer_.say(header_of_partner("2"));
  peer_.say(features_external);
  EXPECT_EQ(peer_.say("<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><not-authorized/><text xml:lang='en'>your "
                      "certificate is unknown</text></failure>"),
            end_element);
  expect_closed(StreamStage::authentication, "refused SASL EXTERNAL: not-authorized, your certificate is unknown");
}

TEST_F(Initiating, ReportsAStreamErrorInThePartnersWords_Rfc6120_4_9) {
  peer_.answer();
  peer_.say(header_of_partner("1"));
  EXPECT_EQ(peer_.say("<stream:error><host-unknown xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>"),
            end_element);
  expect_closed(StreamStage::starttls, "the peer closed the stream: host-unknown");
}

TEST_F(Initiating, ReportsAConnectionThatFails) {
  StreamUnderTest<net::External> test(world_);
  test.make();
  test.stream->start_initiating({.local = test.policy.corp, .remote = test.policy.partner});
  test.transport.fail(net::TransportFault::connect, "connection refused");
  world_.settle();
  ASSERT_EQ(test.handler.closed.size(), 1U);
  EXPECT_EQ(test.handler.closed[0].reached, StreamStage::connecting);
  EXPECT_EQ(test.handler.closed[0].explanation, "connection refused");
}

TEST_F(Initiating, RefusesStanzasWhereThePeerMayNotSend_Rfc6120_4_9_3_12) {
  peer_.accept_established("partner.example", "corp.example");
  ASSERT_EQ(test_.handler.established, 1);
  EXPECT_THAT(peer_.say("<message from='a@partner.example' to='b@corp.example'/>"), HasSubstr("<not-authorized "));
  EXPECT_EQ(test_.handler.offered, 0);
}

TEST_F(Initiating, TakesWhiteSpaceAfterSuccess) {
  secure();
  peer_.say(header_of_partner("2"));
  peer_.say(features_external);
  EXPECT_THAT(peer_.say(std::string(success_element) + "\n"), HasSubstr("<stream:stream "));
}

TEST_F(Initiating, ObservesNoOrderButTheProtocols) {
  // Each of these at the wrong time ends the stream, and authenticates nobody.
  for (const std::string_view element :
       {success_element, proceed_element, auth_empty, starttls_element, bidi_element}) {
    StreamWorld world;
    StreamUnderTest<net::External> test(world);
    ScriptedPeer<net::External> peer(test);
    test.make();
    test.stream->start_initiating({.local = test.policy.corp, .remote = test.policy.partner});
    test.transport.connected();
    peer.answer();
    peer.say(header_of_partner("1"));
    EXPECT_THAT(peer.say(element), HasSubstr("<stream:error>")) << element;
    EXPECT_EQ(test.handler.established, 0);
  }
}

TEST_F(Initiating, AsksForBidiWhereItIsWantedAndOffered_Xep0288) {
  test_.policy.offers_bidi = true;
  secure();
  peer_.say(header_of_partner("2"));
  EXPECT_EQ(peer_.say(features_external), std::string(bidi_element) + auth_corp);
  peer_.say(success_element);
  peer_.say(header_of_partner("3"));
  peer_.say("<stream:features/>");
  EXPECT_TRUE(test_.stream->bidi());
  EXPECT_THAT(peer_.say("<message from='a@partner.example' to='b@corp.example'/>"), IsEmpty());
  EXPECT_EQ(test_.handler.received.size(), 1U);
  EXPECT_THAT(peer_.say("<message from='a@other.example' to='b@corp.example'/>"), HasSubstr("<invalid-from "));
}

}  // namespace
}  // namespace sallyport::xmpp
