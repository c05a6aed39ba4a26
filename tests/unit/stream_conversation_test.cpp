// Two S2sStreams that talk to each other, in both roles and on both sides.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/side.h"
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

}  // namespace
}  // namespace sallyport::xmpp
