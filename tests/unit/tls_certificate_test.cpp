// Whose certificate is accepted for what: in the handshake where it is demanded, afterwards by certify() where it is
// not.
#include <array>
#include <ostream>

#include "net/tls/secure_connection.h"
#include "tests/fakes/memory_byte_stream.h"
#include "tests/unit/tls_test_support.h"

namespace sallyport::net::tls {
namespace {

using testing::HasSubstr;

struct Row {
  const char* certificate;
  const char* domain;
  std::optional<CertificateError> error;  // none: accepted
  friend std::ostream& operator<<(std::ostream& out, const Row& row) {
    return out << row.certificate << " " << row.domain;
  }
};

constexpr auto accepted = std::nullopt;

// What a peer may present; a server of ours would not even offer a certificate that no server may use.
const Row client_only[] = {{"client-auth-only", "partner.example", CertificateError::wrong_usage}};

const Row rows[] = {
    {"partner", "partner.example", accepted},
    {"partner", "PARTNER.example", accepted},
    {"partner", "chat.partner.example", CertificateError::wrong_name},
    {"partner", "partner", CertificateError::wrong_name},
    {"wildcard", "chat.partner.example", accepted},
    {"wildcard", "partner.example", CertificateError::wrong_name},
    {"wildcard", "a.b.partner.example", CertificateError::wrong_name},
    {"xmpp-addr", "partner.example", accepted},
    {"srv-name", "partner.example", accepted},
    {"srv-client", "partner.example", CertificateError::wrong_name},
    {"cn-only", "partner.example", CertificateError::wrong_name},
    {"address", "partner.example", CertificateError::wrong_name},
    {"address", "192.0.2.1", CertificateError::wrong_name},
    {"many-names", "domain-99.partner.example", accepted},
    {"server-auth-only", "partner.example", accepted},
    {"no-usage", "partner.example", accepted},
    {"any-usage", "partner.example", accepted},
    {"expired", "partner.example", CertificateError::expired},
    {"not-yet-valid", "partner.example", CertificateError::not_yet_valid},
    {"foreign", "partner.example", CertificateError::not_trusted},
    {"impostor", "partner.example", CertificateError::not_trusted},
    {"self-signed", "partner.example", CertificateError::not_trusted},
    {"issued-by-a-leaf", "partner.example", CertificateError::not_trusted},
    {"partner-chain", "partner.example", accepted},
    {"missing-intermediate", "partner.example", CertificateError::not_trusted},
    {"expired-intermediate", "partner.example", CertificateError::expired},
    {"ordinary-unknown", "partner.example", accepted},
};

std::string name_of(const testing::TestParamInfo<Row>& row) {
  std::string name = std::string(row.param.certificate) + "_for_" + row.param.domain;
  std::ranges::replace_if(
      name, [](char letter) { return !std::isalnum(static_cast<unsigned char>(letter)); }, '_');
  return name;
}

class TlsCertificates : public TlsSessionTest {
 protected:
  TlsParameters server_with(const Credentials& credentials) {
    return {.role = TlsRole::server, .credentials = &credentials};
  }
  TlsParameters client_with(const Credentials& credentials, std::string_view name) {
    return {.role = TlsRole::client, .credentials = &credentials, .anchors = &ca.anchors, .server_name = name};
  }

  LoadedCredentials edge{"edge"};
  LoadedAnchors ca{"ca"};
};

// 5269, inbound: the handshake asks for a certificate and takes any; certify() judges it.
class Inbound : public TlsCertificates, public testing::WithParamInterface<Row> {};

TEST_P(Inbound, IsJudgedAfterTheHandshake_Rfc6120_13_7) {
  const LoadedCredentials partner(GetParam().certificate);
  start(server_with(edge.credentials), client_with(partner.credentials, "edge.example"));
  expect_secured();
  const auto certified = server.session.certify(GetParam().domain, ca.anchors);
  if (GetParam().error) {
    ASSERT_FALSE(certified);
    EXPECT_EQ(certified.error(), *GetParam().error) << to_text(certified.error());
  } else {
    ASSERT_TRUE(certified) << to_text(certified.error());
    EXPECT_EQ(certified->domain(), GetParam().domain);
  }
}

INSTANTIATE_TEST_SUITE_P(Certificates, Inbound, testing::ValuesIn(rows), name_of);
INSTANTIATE_TEST_SUITE_P(ClientCertificates, Inbound, testing::ValuesIn(client_only), name_of);

// 5269, outbound: the handshake fails on our side, and the peer is told why.
class Outbound : public TlsCertificates, public testing::WithParamInterface<Row> {};

TEST_P(Outbound, IsJudgedInTheHandshake_Rfc6120_13_7) {
  for (const auto version : {MBEDTLS_SSL_VERSION_TLS1_3, MBEDTLS_SSL_VERSION_TLS1_2}) {
    End near{engine, tasks}, far{engine, tasks};
    fakes::MemoryByteStream::join(near.stream, far.stream);
    const LoadedCredentials partner(GetParam().certificate);
    limit_version(partner.credentials, version);
    far.session.start_tls(server_with(partner.credentials));
    near.session.start_tls(client_with(edge.credentials, GetParam().domain));
    settle();
    EXPECT_EQ(near.session.secured(), !GetParam().error) << near.session.failure().explanation.c_str();
    if (near.session.secured()) {
      EXPECT_TRUE(near.session.certify(GetParam().domain, ca.anchors));
      continue;
    }
    EXPECT_EQ(near.session.failure().fault, TransportFault::certificate);
    EXPECT_EQ(near.session.state(), TransportState::closed);
    if (GetParam().error) {
      EXPECT_THAT(near.session.failure().explanation.c_str(), HasSubstr(to_text(*GetParam().error)));
    }
    EXPECT_EQ(far.session.failure().fault, TransportFault::tls_peer_alert) << far.session.failure().explanation.c_str();
  }
}

INSTANTIATE_TEST_SUITE_P(Certificates, Outbound, testing::ValuesIn(rows), name_of);

TEST_F(TlsCertificates, TheAlertsInBothExplanationsAgree) {
  for (const auto& [certificate, alert] :
       {std::pair{"expired", "certificate_expired (45)"}, std::pair{"foreign", "unknown_ca (48)"},
        std::pair{"cn-only", "bad_certificate (42)"}, std::pair{"not-yet-valid", "certificate_unknown (46)"}}) {
    End near{engine, tasks}, far{engine, tasks};
    fakes::MemoryByteStream::join(near.stream, far.stream);
    const LoadedCredentials partner(certificate);
    far.session.start_tls(server_with(partner.credentials));
    near.session.start_tls(client_with(edge.credentials, "partner.example"));
    settle();
    EXPECT_THAT(near.session.failure().explanation.c_str(), HasSubstr(alert)) << certificate;
    EXPECT_THAT(far.session.failure().explanation.c_str(), HasSubstr(alert)) << certificate;
  }
}

TEST_F(TlsCertificates, RefusesAnUnknownCriticalExtension_Rfc5280_4_2) {
  // Our own parser refuses to load such a certificate, so it comes from a test's: as a CA, where nobody looks inside.
  const LoadedCredentials partner("partner");
  start(server_with(edge.credentials), client_with(partner.credentials, "edge.example"));
  expect_secured();
  OwnedArena arena{16 * 1024};
  TrustAnchors anchors(*arena);
  EXPECT_FALSE(anchors.load(pki_file("critical-unknown.crt")));
  EXPECT_EQ(server.session.certify("partner.example", anchors).error(), CertificateError::not_trusted);
}

TEST_F(TlsCertificates, NobodyIsCertifiedWithoutTls) {
  EXPECT_EQ(server.session.certify("partner.example", ca.anchors).error(), CertificateError::none_presented);
}

TEST_F(TlsCertificates, ClientsMayAcceptAnyServerToJudgeItLater) {
  const LoadedCredentials partner("self-signed");
  TlsParameters lenient = client_with(edge.credentials, "partner.example");
  lenient.anchors = nullptr;
  start(server_with(partner.credentials), lenient);
  expect_secured();
  EXPECT_EQ(client.session.certify("partner.example", ca.anchors).error(), CertificateError::not_trusted);
}

TEST_F(TlsCertificates, OneOfTheRequiredNamesIsEnough) {
  const LoadedCredentials partner("partner");
  const std::array<std::string_view, 2> names = {"other.example", "partner.example"};
  TlsParameters parameters = client_with(edge.credentials, "proxy.partner.example");
  parameters.required_names = names;
  start(server_with(partner.credentials), parameters);
  expect_secured();
}

// The clock ---------------------------------------------------------------------------------------------------------

class TlsClock : public TlsCertificates {
 protected:
  LoadedCredentials partner{"short-chain"};
};

TEST_F(TlsClock, UnknownTimeCertifiesNobody) {
  hal::WallClock unknown(monotonic);
  PeerVerifier verifier(unknown);
  ArenaScope scope(*partner.arena);
  auto* certificate = const_cast<mbedtls_x509_crt*>(&partner.credentials.certificate());
  EXPECT_EQ(verifier.certify(certificate, "partner.example", ca.anchors).error(), CertificateError::clock_unknown);
  std::uint32_t flags = 0;
  verifier.expect(ca.anchors, {}, TlsRole::client);
  PeerVerifier::on_certificate(&verifier, certificate, 0, &flags);
  EXPECT_NE(flags, 0U);
  EXPECT_EQ(verifier.handshake_error(flags), CertificateError::clock_unknown);
}

TEST_F(TlsClock, AVerdictHoldsUntilTheFirstOfTheChainExpires) {
  start(server_with(edge.credentials), client_with(partner.credentials, "edge.example"));
  expect_secured();
  EXPECT_TRUE(server.session.certify("partner.example", ca.anchors));
  monotonic.advance(59min);
  EXPECT_TRUE(server.session.certify("partner.example", ca.anchors));
  monotonic.advance(2min);
  EXPECT_EQ(server.session.certify("partner.example", ca.anchors).error(), CertificateError::expired);
}

TEST_F(TlsClock, AVerdictIsAboutItsAnchorsOnly) {
  const LoadedAnchors foreign("foreign-ca");
  start(server_with(edge.credentials), client_with(partner.credentials, "edge.example"));
  expect_secured();
  EXPECT_TRUE(server.session.certify("partner.example", ca.anchors));
  EXPECT_EQ(server.session.certify("partner.example", foreign.anchors).error(), CertificateError::not_trusted);
  EXPECT_TRUE(server.session.certify("partner.example", ca.anchors));
}

TEST_F(TlsClock, WallClockStartsAtItsFloorAndRefusesToBeEarlier) {
  hal::WallClock wall(monotonic);
  EXPECT_FALSE(wall.known());
  EXPECT_EQ(wall.now(), std::nullopt);
  wall.set_floor(test_time);
  EXPECT_EQ(wall.source(), hal::WallClock::Source::floor);
  monotonic.advance(90s);
  EXPECT_EQ(wall.now(), test_time + 90s);
  EXPECT_FALSE(wall.set(test_time - 1s));
  EXPECT_EQ(wall.source(), hal::WallClock::Source::floor);
  EXPECT_TRUE(wall.set(test_time + 1h));
  EXPECT_EQ(wall.source(), hal::WallClock::Source::set);
  wall.set_floor(test_time + 30min);
  EXPECT_EQ(wall.now(), test_time + 1h) << "a floor below the time changes nothing";
  EXPECT_EQ(wall.source(), hal::WallClock::Source::set);
}

// 23456: the gateway's certificate is demanded in the handshake ---------------------------------------------------------

class Internal23456 : public TlsCertificates {
 protected:
  void start_gateway(const Credentials& credentials) {
    start(
        {.role = TlsRole::server, .credentials = &edge.credentials, .anchors = &ca.anchors, .required_names = admitted},
        client_with(credentials, "edge.example"));
  }
  void expect_refused(CertificateError error) {
    EXPECT_FALSE(server.session.secured());
    EXPECT_EQ(server.session.state(), TransportState::closed);
    EXPECT_EQ(server.session.failure().fault, TransportFault::certificate);
    EXPECT_THAT(server.session.failure().explanation.c_str(), HasSubstr(to_text(error)));
    EXPECT_EQ(server.arena->in_use(), 0U);
  }

  const std::array<std::string_view, 2> admitted = {"gateway.example", "partner.example"};
};

TEST_F(Internal23456, AdmitsTheGatewayOfTheSettings) {
  const LoadedCredentials gateway("partner");
  start_gateway(gateway.credentials);
  expect_secured();
  EXPECT_TRUE(server.session.certify("partner.example", ca.anchors));
  EXPECT_EQ(server.session.certify("gateway.example", ca.anchors).error(), CertificateError::wrong_name);
}

TEST_F(Internal23456, AdmitsAClientOnlyCertificate) {
  const LoadedCredentials gateway("client-auth-only");
  start_gateway(gateway.credentials);
  expect_secured();
  EXPECT_TRUE(server.session.certify("partner.example", ca.anchors));
}

TEST_F(Internal23456, RefusesEveryOtherCertificate) {
  for (const auto& [certificate, error] :
       {std::pair{"edge", CertificateError::wrong_name}, std::pair{"foreign", CertificateError::not_trusted},
        std::pair{"self-signed", CertificateError::not_trusted}, std::pair{"expired", CertificateError::expired},
        std::pair{"not-yet-valid", CertificateError::not_yet_valid}, std::pair{"cn-only", CertificateError::wrong_name},
        std::pair{"server-auth-only", CertificateError::wrong_usage}}) {
    for (const auto version : {MBEDTLS_SSL_VERSION_TLS1_3, MBEDTLS_SSL_VERSION_TLS1_2}) {
      End near{engine, tasks}, far{engine, tasks};
      fakes::MemoryByteStream::join(near.stream, far.stream);
      const LoadedCredentials gateway(certificate);
      limit_version(gateway.credentials, version);
      near.session.start_tls({.role = TlsRole::server,
                              .credentials = &edge.credentials,
                              .anchors = &ca.anchors,
                              .required_names = admitted});
      far.session.start_tls(client_with(gateway.credentials, "edge.example"));
      settle();
      EXPECT_FALSE(near.session.secured()) << certificate;
      EXPECT_EQ(near.session.failure().fault, TransportFault::certificate) << certificate;
      EXPECT_THAT(near.session.failure().explanation.c_str(), HasSubstr(to_text(error))) << certificate;
      EXPECT_EQ(far.session.failure().fault, TransportFault::tls_peer_alert)
          << certificate << ": " << far.session.failure().explanation.c_str();
      EXPECT_EQ(near.received + far.received, "") << certificate;
    }
  }
}

}  // namespace
}  // namespace sallyport::net::tls
