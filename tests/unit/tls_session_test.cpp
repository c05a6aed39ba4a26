// SecureConnection: handshakes and data between our own client and server, over wires that misbehave.
#include "net/tls/secure_connection.h"
#include "tests/fakes/memory_byte_stream.h"
#include "tests/unit/tls_test_support.h"

namespace sallyport::net::tls {
namespace {

using namespace std::literals;
using testing::HasSubstr;
using testing::StartsWith;

class TlsSession : public TlsSessionTest {
 protected:
  TlsParameters server_side() { return {.role = TlsRole::server, .credentials = &edge.credentials}; }
  TlsParameters client_side() {
    return {.role = TlsRole::client,
            .credentials = &partner.credentials,
            .anchors = &ca.anchors,
            .server_name = "edge.example"};
  }
  void connect() { start(server_side(), client_side()); }
  void expect_secured() {
    EXPECT_TRUE(server.session.secured()) << server.session.failure().explanation.c_str();
    EXPECT_TRUE(client.session.secured()) << client.session.failure().explanation.c_str();
  }

  LoadedCredentials edge{"edge"}, partner{"partner"};
  LoadedAnchors ca{"ca"};
};

TEST_F(TlsSession, HandshakesWithTls13AndMutualCertificates_Rfc8446) {
  connect();
  expect_secured();
  EXPECT_THAT(std::string(client.session.tls_description()), StartsWith("TLSv1.3 TLS1-3-AES-128-GCM-SHA256"));
  EXPECT_TRUE(server.session.certify("partner.example", ca.anchors));
  EXPECT_TRUE(client.session.certify("edge.example", ca.anchors));
}

TEST_F(TlsSession, CarriesBytesBothWays) {
  connect();
  client.say("<stream:stream to='edge.example'>");
  server.say("<stream:features/>");
  settle();
  EXPECT_EQ(server.received, "<stream:stream to='edge.example'>");
  EXPECT_EQ(client.received, "<stream:features/>");
}

}  // namespace
}  // namespace sallyport::net::tls
