// SecureConnection against OpenSSL in memory: other suites, groups and versions, records of 16 KB, and peers that ask
// for what we do not do.
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "net/tls/secure_connection.h"
#include "tests/fakes/memory_byte_stream.h"
#include "tests/unit/tls_test_support.h"

namespace sallyport::net::tls {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

template <auto release>
struct Release {
  template <class T>
  void operator()(T* object) const {
    release(object);
  }
};
using Context = std::unique_ptr<SSL_CTX, Release<SSL_CTX_free>>;
using Session = std::unique_ptr<SSL_SESSION, Release<SSL_SESSION_free>>;

/// An OpenSSL endpoint on a MemoryByteStream.
class OpensslPeer final : public Task {
 public:
  OpensslPeer(TaskQueue& task_queue, TlsRole role)
      : tasks(task_queue),
        stream(task_queue),
        context(SSL_CTX_new(role == TlsRole::server ? TLS_server_method() : TLS_client_method())),
        role_(role) {
    stream.set_task(*this);
    // What the system's policy forbids is asked for on purpose here.
    SSL_CTX_set_security_level(context.get(), 0);
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, [](int, X509_STORE_CTX*) { return 1; });
  }
  ~OpensslPeer() {
    tasks.cancel(*this);
    SSL_free(ssl);
  }

  void present(const std::string& name) {
    const std::string base = std::string(SALLYPORT_TEST_PKI) + "/" + name;
    ASSERT_EQ(SSL_CTX_use_certificate_chain_file(context.get(), (base + ".crt").c_str()), 1);
    ASSERT_EQ(SSL_CTX_use_PrivateKey_file(context.get(), (base + ".key").c_str(), SSL_FILETYPE_PEM), 1);
  }
  void only_version(int version) {
    SSL_CTX_set_min_proto_version(context.get(), version);
    SSL_CTX_set_max_proto_version(context.get(), version);
  }

  void start() {
    ssl = SSL_new(context.get());
    SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    if (role_ == TlsRole::server) {
      SSL_set_accept_state(ssl);
    } else {
      SSL_set_connect_state(ssl);
      SSL_set_tlsext_host_name(ssl, "edge.example");
    }
    tasks.schedule(*this);
  }

  void run() override {
    if (ssl == nullptr) return;
    while (!stream.peek().empty()) {
      const auto bytes = stream.peek();
      BIO_write(SSL_get_rbio(ssl), bytes.data(), static_cast<int>(bytes.size()));
      stream.consume(bytes.size());
    }
    ERR_clear_error();
    if (!SSL_is_init_finished(ssl)) note(SSL_do_handshake(ssl));
    if (SSL_is_init_finished(ssl)) {
      char buffer[4096];
      int count = 0;
      while ((count = SSL_read(ssl, buffer, sizeof buffer)) > 0)
        received.append(buffer, static_cast<std::size_t>(count));
      note(count);
    }
    push();
  }

  void say(std::string_view text) {
    EXPECT_EQ(SSL_write(ssl, text.data(), static_cast<int>(text.size())), static_cast<int>(text.size()));
    push();
  }
  void push() {
    std::vector<std::byte> bytes(BIO_ctrl_pending(SSL_get_wbio(ssl)));
    if (bytes.empty()) return;
    BIO_read(SSL_get_wbio(ssl), bytes.data(), static_cast<int>(bytes.size()));
    EXPECT_EQ(stream.write(bytes), bytes.size());
    stream.flush();
  }
  bool secured() const { return SSL_is_init_finished(ssl) != 0; }

  TaskQueue& tasks;
  fakes::MemoryByteStream stream;
  Context context;
  SSL* ssl = nullptr;
  std::string received;
  std::string error;  // the first

 private:
  void note(int status) {
    const int code = SSL_get_error(ssl, status);
    if (error.empty() && code == SSL_ERROR_SSL) error = ERR_reason_error_string(ERR_peek_error());
  }
  TlsRole role_;
};

class Openssl : public TlsTest {
 protected:
  ~Openssl() override { settle(); }

  void settle() {
    for (int rounds = 0; !tasks.empty() && rounds < 100000; ++rounds) tasks.run_ready();
    EXPECT_TRUE(tasks.empty());
  }
  void connect(OpensslPeer& peer, const TlsParameters& parameters) {
    fakes::MemoryByteStream::join(ours.stream, peer.stream);
    ours.session.start_tls(parameters);
    peer.start();
    settle();
  }
  TlsParameters server_side() { return {.role = TlsRole::server, .credentials = &edge.credentials}; }
  TlsParameters client_side(const TrustAnchors& anchors) {
    return {.role = TlsRole::client,
            .credentials = &edge.credentials,
            .anchors = &anchors,
            .server_name = "partner.example"};
  }
  void expect_traffic(OpensslPeer& peer) {
    ASSERT_TRUE(ours.session.secured()) << ours.session.failure().explanation.c_str() << " / " << peer.error;
    ASSERT_TRUE(peer.secured()) << peer.error;
    ours.say("from us");
    peer.say("from OpenSSL");
    settle();
    EXPECT_EQ(peer.received, "from us");
    EXPECT_EQ(ours.received, "from OpenSSL");
  }

  LoadedCredentials edge{"edge"};
  LoadedAnchors ca{"ca"};
  End ours{engine, tasks};
};

// Every suite and group that we offer, in both roles -----------------------------------------------------------------

struct Choice {
  int version;
  const char* suites;
  const char* groups;
  const char* certificate;  // OpenSSL's
  const char* anchors;
  bool ours_is_rsa = false;
};

// In TLS 1.2 the groups also limit the curves of ECDSA certificates (RFC 8422 5.1.1), and ours are on P-256.
const Choice choices[] = {
    {TLS1_3_VERSION, "TLS_AES_128_GCM_SHA256", "X25519", "partner", "ca"},
    {TLS1_3_VERSION, "TLS_AES_256_GCM_SHA384", "P-256", "partner", "ca"},
    {TLS1_3_VERSION, "TLS_CHACHA20_POLY1305_SHA256", "P-384", "partner", "ca"},
    {TLS1_3_VERSION, "TLS_AES_128_GCM_SHA256", "P-521:P-384", "partner-rsa", "rsa-ca"},
    {TLS1_3_VERSION, "TLS_AES_256_GCM_SHA384", "X25519", "partner-rsa-4096", "rsa-ca", true},
    {TLS1_2_VERSION, "ECDHE-ECDSA-AES128-GCM-SHA256", "X25519:P-256", "partner", "ca"},
    {TLS1_2_VERSION, "ECDHE-ECDSA-AES256-GCM-SHA384", "P-256", "partner", "ca"},
    {TLS1_2_VERSION, "ECDHE-ECDSA-CHACHA20-POLY1305", "P-384:P-256", "partner", "ca"},
    {TLS1_2_VERSION, "ECDHE-RSA-AES128-GCM-SHA256", "X25519:P-256", "partner-rsa", "rsa-ca", true},
    {TLS1_2_VERSION, "ECDHE-RSA-AES256-GCM-SHA384", "P-256", "partner-rsa", "rsa-ca", true},
    {TLS1_2_VERSION, "ECDHE-RSA-CHACHA20-POLY1305", "X25519:P-256", "partner-rsa-4096", "rsa-ca", true},
};

class Choices : public Openssl, public testing::WithParamInterface<Choice> {
 protected:
  void configure(OpensslPeer& peer) {
    const Choice& choice = GetParam();
    peer.only_version(choice.version);
    if (choice.version == TLS1_3_VERSION) {
      ASSERT_EQ(SSL_CTX_set_ciphersuites(peer.context.get(), choice.suites), 1);
    } else {
      ASSERT_EQ(SSL_CTX_set_cipher_list(peer.context.get(), choice.suites), 1);
    }
    ASSERT_EQ(SSL_CTX_set1_groups_list(peer.context.get(), choice.groups), 1);
    peer.present(choice.certificate);
  }
  LoadedAnchors anchors{GetParam().anchors};
  LoadedCredentials rsa_edge{"edge-rsa"};
};

TEST_P(Choices, OpensslClientReachesOurServer) {
  OpensslPeer peer(tasks, TlsRole::client);
  configure(peer);
  TlsParameters parameters = server_side();
  if (GetParam().ours_is_rsa) parameters.credentials = &rsa_edge.credentials;
  connect(peer, parameters);
  expect_traffic(peer);
  EXPECT_TRUE(ours.session.certify("partner.example", anchors.anchors));
}

TEST_P(Choices, OurClientReachesOpensslServer) {
  OpensslPeer peer(tasks, TlsRole::server);
  configure(peer);
  connect(peer, client_side(anchors.anchors));
  expect_traffic(peer);
  EXPECT_STREQ(SSL_get_servername(peer.ssl, TLSEXT_NAMETYPE_host_name), "partner.example");
  EXPECT_NE(SSL_get0_peer_certificate(peer.ssl), nullptr) << "we present ours";
}

INSTANTIATE_TEST_SUITE_P(OfBoth, Choices, testing::ValuesIn(choices), [](const auto& test) {
  std::string name = std::string(test.param.suites) + "_" + test.param.groups + "_" + test.param.certificate;
  std::ranges::replace_if(
      name, [](char letter) { return !std::isalnum(static_cast<unsigned char>(letter)); }, '_');
  return name;
});

// What RFC 9325 forbids ---------------------------------------------------------------------------------------------

TEST_F(Openssl, OldVersionsAreRefused_Rfc9325_3_1_1) {
  for (const int version : {TLS1_VERSION, TLS1_1_VERSION}) {
    OpensslPeer peer(tasks, TlsRole::client);
    peer.only_version(version);
    SSL_CTX_set_cipher_list(peer.context.get(), "ALL:@SECLEVEL=0");
    End near{engine, tasks};
    fakes::MemoryByteStream::join(near.stream, peer.stream);
    near.session.start_tls(server_side());
    peer.start();
    settle();
    EXPECT_FALSE(near.session.secured());
    EXPECT_THAT(near.session.failure().explanation.c_str(), HasSubstr("neither TLS 1.2 nor TLS 1.3"));
    EXPECT_THAT(peer.error, HasSubstr("protocol version"));
  }
}

TEST_F(Openssl, WeakSuitesAreRefused_Rfc9325_4) {
  for (const char* suites : {"AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA256", "ECDHE-ECDSA-AES128-CCM",
                             "DHE-RSA-AES128-GCM-SHA256", "eNULL", "aNULL"}) {
    OpensslPeer peer(tasks, TlsRole::client);
    peer.only_version(TLS1_2_VERSION);
    ASSERT_EQ(SSL_CTX_set_cipher_list(peer.context.get(), (std::string(suites) + ":@SECLEVEL=0").c_str()), 1) << suites;
    End near{engine, tasks};
    fakes::MemoryByteStream::join(near.stream, peer.stream);
    near.session.start_tls(server_side());
    peer.start();
    settle();
    EXPECT_FALSE(near.session.secured()) << suites;
    EXPECT_THAT(near.session.failure().explanation.c_str(), HasSubstr("handshake_failure (40)")) << suites;
    EXPECT_THAT(peer.error, HasSubstr("handshake failure")) << suites;
  }
}

TEST_F(Openssl, AServerTakesChaChaFromWhoeverHasIt_Rfc8446_4_1_1) {
  // OpenSSL's own order: AES-256-GCM, ChaCha20-Poly1305, AES-128-GCM.
  OpensslPeer peer(tasks, TlsRole::client);
  connect(peer, server_side());
  expect_traffic(peer);
  EXPECT_EQ(ours.session.tls_description(), "TLSv1.3 TLS1-3-CHACHA20-POLY1305-SHA256");
}

TEST_F(Openssl, AServerTakesChaChaAfterAHelloRetryRequestToo_Rfc8446_4_1_4) {
  OpensslPeer peer(tasks, TlsRole::client);
  SSL_CTX_set1_groups_list(peer.context.get(), "P-521:P-384");
  connect(peer, server_side());
  expect_traffic(peer);
  EXPECT_EQ(ours.session.tls_description(), "TLSv1.3 TLS1-3-CHACHA20-POLY1305-SHA256");
}

TEST_F(Openssl, AClientThatTricklesItsHelloIsServedAllTheSame) {
  OpensslPeer peer(tasks, TlsRole::client);
  ours.stream.set_segment(1);
  connect(peer, server_side());
  expect_traffic(peer);
}

// Asking for a certificate -------------------------------------------------------------------------------------------

TEST_F(Openssl, AClientWithoutCertificateIsServedWhereNoneIsDemanded) {
  for (const int version : {TLS1_3_VERSION, TLS1_2_VERSION}) {
    OpensslPeer peer(tasks, TlsRole::client);
    peer.only_version(version);
    End near{engine, tasks};
    fakes::MemoryByteStream::join(near.stream, peer.stream);
    near.session.start_tls(server_side());
    peer.start();
    settle();
    EXPECT_TRUE(near.session.secured());
    EXPECT_EQ(near.session.certify("partner.example", ca.anchors).error(), CertificateError::none_presented);
  }
}

TEST_F(Openssl, AClientWithoutCertificateIsRefusedWhereOneIsDemanded) {
  for (const int version : {TLS1_3_VERSION, TLS1_2_VERSION}) {
    OpensslPeer peer(tasks, TlsRole::client);
    peer.only_version(version);
    End near{engine, tasks};
    fakes::MemoryByteStream::join(near.stream, peer.stream);
    TlsParameters parameters = server_side();
    parameters.anchors = &ca.anchors;
    near.session.start_tls(parameters);
    peer.start();
    settle();
    EXPECT_FALSE(near.session.secured());
    EXPECT_EQ(near.session.failure().fault, TransportFault::certificate);
    EXPECT_THAT(near.session.failure().explanation.c_str(), HasSubstr("no certificate was presented"));
    EXPECT_FALSE(peer.error.empty());
    EXPECT_THAT(peer.error, testing::Not(HasSubstr("mac")));
  }
}

TEST_F(Openssl, ARefusedClientLearnsWhy) {
  for (const int version : {TLS1_3_VERSION, TLS1_2_VERSION}) {
    OpensslPeer peer(tasks, TlsRole::client);
    peer.only_version(version);
    peer.present("foreign");
    End near{engine, tasks};
    fakes::MemoryByteStream::join(near.stream, peer.stream);
    TlsParameters parameters = server_side();
    parameters.anchors = &ca.anchors;
    near.session.start_tls(parameters);
    peer.start();
    settle();
    EXPECT_THAT(near.session.failure().explanation.c_str(), HasSubstr("unknown_ca (48)"));
    EXPECT_THAT(peer.error, HasSubstr("unknown ca"));
  }
}

TEST_F(Openssl, ARefusedServerLearnsWhy) {
  for (const int version : {TLS1_3_VERSION, TLS1_2_VERSION}) {
    OpensslPeer peer(tasks, TlsRole::server);
    peer.only_version(version);
    peer.present("expired");
    End near{engine, tasks};
    fakes::MemoryByteStream::join(near.stream, peer.stream);
    near.session.start_tls(client_side(ca.anchors));
    peer.start();
    settle();
    EXPECT_THAT(near.session.failure().explanation.c_str(), HasSubstr("has expired"));
    EXPECT_THAT(peer.error, HasSubstr("certificate expired"));
  }
}

TEST_F(Openssl, ACriticalExtensionThatWeDoNotKnowIsRefused_Rfc5280_4_2) {
  OpensslPeer client(tasks, TlsRole::client);
  client.present("critical-unknown");
  connect(client, server_side());
  EXPECT_FALSE(ours.session.secured());
  EXPECT_EQ(ours.session.failure().fault, TransportFault::certificate);
}

TEST_F(Openssl, AShortRsaKeyIsRefused_Rfc9325_4_5) {
  const LoadedAnchors rsa_ca("rsa-ca");
  OpensslPeer peer(tasks, TlsRole::server);
  peer.present("partner-rsa-1024");
  connect(peer, client_side(rsa_ca.anchors));
  EXPECT_FALSE(ours.session.secured());
  EXPECT_THAT(ours.session.failure().explanation.c_str(), HasSubstr("too weak"));
}

// Records -------------------------------------------------------------------------------------------------------------

TEST_F(Openssl, RecordsOf16KilobytesAreRead_Rfc8446_5_1) {
  for (const int version : {TLS1_3_VERSION, TLS1_2_VERSION}) {
    OpensslPeer peer(tasks, TlsRole::client);
    peer.only_version(version);
    End near{engine, tasks};
    fakes::MemoryByteStream::join(near.stream, peer.stream);
    near.session.start_tls(server_side());
    peer.start();
    settle();
    RecordCounter counter;
    counter.watch(near.stream);
    const std::string body(16384, 'x');
    peer.say(body);
    settle();
    EXPECT_EQ(counter.records, 1U);
    EXPECT_TRUE(near.received == body) << near.received.size();
  }
}

TEST_F(Openssl, EmptyRecordsAndManySmallOnesPass) {
  OpensslPeer peer(tasks, TlsRole::client);
  connect(peer, server_side());
  for (int record = 0; record < 200; ++record) peer.say("r");
  settle();
  EXPECT_EQ(ours.received, std::string(200, 'r'));
}

TEST_F(Openssl, BothEndsCloseInOrder_Rfc8446_6_1) {
  OpensslPeer peer(tasks, TlsRole::client);
  connect(peer, server_side());
  ASSERT_TRUE(ours.session.secured());
  SSL_shutdown(peer.ssl);
  peer.push();
  settle();
  EXPECT_TRUE(ours.session.end_of_stream());
  EXPECT_FALSE(ours.session.truncated());
  ours.session.close();
  settle();
  EXPECT_EQ(SSL_get_shutdown(peer.ssl), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
}

// What we do not do --------------------------------------------------------------------------------------------------

TEST_F(Openssl, RenegotiationIsRefused_Ghsa7jvv) {
  OpensslPeer peer(tasks, TlsRole::client);
  peer.only_version(TLS1_2_VERSION);
  connect(peer, server_side());
  expect_traffic(peer);
  const std::uint64_t sent = ours.stream.bytes_sent();
  ASSERT_EQ(SSL_renegotiate(peer.ssl), 1);
  SSL_do_handshake(peer.ssl);
  peer.push();
  settle();
  EXPECT_LT(ours.stream.bytes_sent() - sent, 64U) << "an alert, no ServerHello";
  EXPECT_THAT(peer.error, HasSubstr("renegotiation"));
}

TEST_F(Openssl, FloodedWithRenegotiationItAnswersNoMoreThanItIsAsked) {
  OpensslPeer peer(tasks, TlsRole::client);
  peer.only_version(TLS1_2_VERSION);
  connect(peer, server_side());
  expect_traffic(peer);
  ours.received.clear();
  for (int round = 0; round < 100; ++round) {
    SSL_renegotiate(peer.ssl);
    SSL_do_handshake(peer.ssl);
    peer.push();
    settle();
  }
  EXPECT_LE(ours.stream.bytes_sent(), peer.stream.bytes_sent() + 4096);
}

TEST_F(Openssl, NoSessionCanBeResumed_Rfc8446_2_2) {
  for (const int version : {TLS1_3_VERSION, TLS1_2_VERSION}) {
    OpensslPeer first(tasks, TlsRole::client);
    first.only_version(version);
    SSL_CTX_set_session_cache_mode(first.context.get(), SSL_SESS_CACHE_CLIENT);
    End near{engine, tasks};
    fakes::MemoryByteStream::join(near.stream, first.stream);
    near.session.start_tls(server_side());
    first.start();
    settle();
    ASSERT_TRUE(near.session.secured());
    near.say("a ticket would have come before this");
    settle();
    Session session(SSL_get1_session(first.ssl));
    EXPECT_EQ(SSL_SESSION_has_ticket(session.get()), 0);

    OpensslPeer second(tasks, TlsRole::client);
    second.only_version(version);
    End again{engine, tasks};
    fakes::MemoryByteStream::join(again.stream, second.stream);
    again.session.start_tls(server_side());
    second.start();
    SSL_set_session(second.ssl, session.get());
    settle();
    EXPECT_TRUE(again.session.secured());
    EXPECT_EQ(SSL_session_reused(second.ssl), 0);
  }
}

TEST_F(Openssl, TicketsOfAServerAreIgnored) {
  OpensslPeer peer(tasks, TlsRole::server);
  peer.only_version(TLS1_3_VERSION);
  peer.present("partner");
  SSL_CTX_set_num_tickets(peer.context.get(), 5);
  connect(peer, client_side(ca.anchors));
  const std::size_t idle = ours.arena->in_use();
  expect_traffic(peer);
  EXPECT_LE(ours.arena->in_use(), idle);
}

TEST_F(Openssl, ForeignProtocolsAreRefused_Rfc7301_3_2) {
  OpensslPeer peer(tasks, TlsRole::client);
  const unsigned char http[] = "\x02h2";
  SSL_CTX_set_alpn_protos(peer.context.get(), http, 3);
  connect(peer, server_side());
  EXPECT_FALSE(ours.session.secured());
  EXPECT_THAT(ours.session.failure().explanation.c_str(), HasSubstr("no_application_protocol (120)"));
}

TEST_F(Openssl, TheProtocolXmppServerIsConfirmed_Xep0368) {
  OpensslPeer peer(tasks, TlsRole::client);
  const unsigned char xmpp[] = "\x0bxmpp-server";
  SSL_CTX_set_alpn_protos(peer.context.get(), xmpp, 12);
  connect(peer, server_side());
  expect_traffic(peer);
  const unsigned char* selected = nullptr;
  unsigned length = 0;
  SSL_get0_alpn_selected(peer.ssl, &selected, &length);
  EXPECT_EQ(std::string(selected, selected + length), "xmpp-server");
}

TEST_F(Openssl, AKeyUpdateEndsTheSessionAndSaysSo_LimitOfMbedTls36) {
  OpensslPeer peer(tasks, TlsRole::client);
  peer.only_version(TLS1_3_VERSION);
  connect(peer, server_side());
  expect_traffic(peer);
  SSL_key_update(peer.ssl, SSL_KEY_UPDATE_NOT_REQUESTED);
  peer.say("under the next keys");
  settle();
  EXPECT_EQ(ours.session.failure().fault, TransportFault::tls_local);
  EXPECT_THAT(ours.session.failure().explanation.c_str(), HasSubstr("out of its order"));
}

}  // namespace
}  // namespace sallyport::net::tls
