// SecureConnection between our own client and server: handshakes, data, closing, memory, over wires that misbehave.
#include <array>
#include <tuple>

#include "net/tls/secure_connection.h"
#include "tests/fakes/memory_byte_stream.h"
#include "tests/unit/tls_test_support.h"

namespace sallyport::net::tls {
namespace {

using testing::AllOf;
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
  void connect() {
    start(server_side(), client_side());
    expect_secured();
  }

  LoadedCredentials edge{"edge"}, partner{"partner"};
  LoadedAnchors ca{"ca"};
};

TEST_F(TlsSession, HandshakesWithTls13AndMutualCertificates_Rfc8446) {
  connect();
  EXPECT_EQ(client.session.tls_description(), "TLSv1.3 TLS1-3-CHACHA20-POLY1305-SHA256");
  EXPECT_EQ(server.session.tls_description(), client.session.tls_description());
  EXPECT_TRUE(server.session.certify("partner.example", ca.anchors));
  EXPECT_TRUE(client.session.certify("edge.example", ca.anchors));
  EXPECT_GT(server.looks, 0);
  EXPECT_GT(client.looks, 0);
}

TEST_F(TlsSession, ReportsItsStateInOrder) {
  EXPECT_EQ(client.session.state(), TransportState::open);
  EXPECT_EQ(client.session.tls_description(), "");
  client.session.start_tls(client_side());
  EXPECT_EQ(client.session.state(), TransportState::securing);
  EXPECT_EQ(client.session.write_room(), 0U);
  EXPECT_EQ(client.write("too early"), 0U);
  server.session.start_tls(server_side());
  settle();
  EXPECT_EQ(client.session.state(), TransportState::open);
  EXPECT_EQ(client.session.failure().fault, TransportFault::none);
}

TEST_F(TlsSession, CarriesBytesBothWays) {
  connect();
  client.say("<stream:stream to='edge.example'>");
  server.say("<stream:features/>");
  settle();
  EXPECT_EQ(server.received, "<stream:stream to='edge.example'>");
  EXPECT_EQ(client.received, "<stream:features/>");
  EXPECT_TRUE(client.session.all_acknowledged());
}

TEST_F(TlsSession, CarriesBytesInTheClearBeforeTls_Rfc6120_5) {
  client.say("<starttls/>");
  settle();
  EXPECT_EQ(server.received, "<starttls/>");
  server.say("<proceed/>");
  server.session.start_tls(server_side());
  settle();
  EXPECT_EQ(client.received, "<proceed/>");
  client.session.start_tls(client_side());
  settle();
  expect_secured();
}

TEST_F(TlsSession, ShowsTheFirstByteOfDirectTls_Xep0368) {
  server.read_along = false;
  client.session.start_tls(client_side());
  for (int round = 0; round < 10; ++round) tasks.run_ready();
  EXPECT_EQ(server.session.peek_first_byte(), 0x16);
  server.read_along = true;
  server.session.start_tls(server_side());
  settle();
  expect_secured();
  EXPECT_EQ(server.session.peek_first_byte(), -1);
}

TEST_F(TlsSession, NegotiatesAlpnWhenOffered_Xep0368) {
  TlsParameters with_alpn = client_side();
  with_alpn.alpn = true;
  start(server_side(), with_alpn);
  expect_secured();
}

// Cleartext behind the upgrade --------------------------------------------------------------------------------------

class InjectedCleartext : public TlsSession {
 protected:
  void expect_refused(End& end) {
    EXPECT_EQ(end.session.state(), TransportState::closed);
    EXPECT_FALSE(end.session.secured());
    EXPECT_EQ(end.session.failure().fault, TransportFault::tls_local);
    EXPECT_THAT(end.session.failure().explanation.c_str(), HasSubstr("cleartext"));
    EXPECT_TRUE(end.stream.fin_sent());
    EXPECT_EQ(end.arena->in_use(), 0U);
  }
};

TEST_F(InjectedCleartext, BehindStarttlsFailsTheServer_Cve2011_0411) {
  server.read_along = false;
  client.say("<starttls/><message/>");
  settle();
  std::array<std::byte, 11> starttls;
  ASSERT_EQ(server.session.read(starttls), starttls.size());
  server.session.start_tls(server_side());
  settle();
  expect_refused(server);
}

TEST_F(InjectedCleartext, BehindProceedFailsTheClient_Cve2011_0411) {
  client.read_along = false;
  server.say("<proceed/><message/>");
  settle();
  std::array<std::byte, 10> proceed;
  ASSERT_EQ(client.session.read(proceed), proceed.size());
  client.session.start_tls(client_side());
  settle();
  expect_refused(client);
}

TEST_F(InjectedCleartext, InsideTheHandshakeFailsIt) {
  client.session.start_tls(client_side());
  const std::string_view stanza = "<message from='mallory'/>";
  server.stream.inject(std::as_bytes(std::span(stanza)));
  server.session.start_tls(server_side());
  settle();
  EXPECT_EQ(server.session.failure().fault, TransportFault::tls_local);
  EXPECT_EQ(server.received, "");
}

// Versions, keys, memory --------------------------------------------------------------------------------------------

struct Pairing {
  mbedtls_ssl_protocol_version version;
  const char* server;
  const char* client;
  const char* anchors;
};

class Pairings : public TlsSessionTest, public testing::WithParamInterface<Pairing> {
 protected:
  /// The rest of the arena is for the XML parser: 2 KB, 4 more after stanzas, and its buffer.
  static constexpr std::size_t most_when_idle = 29 * 1024, most_scratch = 12 * 1024;

  LoadedCredentials edge{GetParam().server}, partner{GetParam().client};
  LoadedAnchors anchors{GetParam().anchors};
};

TEST_P(Pairings, HandshakeAndStayWithinTheirArena) {
  for (const auto* credentials : {&edge.credentials, &partner.credentials})
    limit_version(*credentials, GetParam().version);
  // Mutual and demanded on both sides: the most work and the most memory.
  start({.role = TlsRole::server, .credentials = &edge.credentials, .anchors = &anchors.anchors},
        {.role = TlsRole::client,
         .credentials = &partner.credentials,
         .anchors = &anchors.anchors,
         .server_name = "edge.example"});
  expect_secured();
  const bool tls13 = GetParam().version == MBEDTLS_SSL_VERSION_TLS1_3;
  EXPECT_THAT(std::string(client.session.tls_description()), StartsWith(tls13 ? "TLSv1.3" : "TLSv1.2"));
  for (End* end : {&server, &client}) {
    const char* role = end == &server ? "server" : "client";
    std::printf("%-8s %s %-12s to %-16s peak %5zu idle %5zu scratch %5zu bytes\n", role, tls13 ? "1.3" : "1.2",
                GetParam().server, GetParam().client, end->arena->high_water(), end->arena->in_use(),
                engine.scratch_high_water());
    EXPECT_LE(end->arena->in_use(), most_when_idle) << role;
  }
  EXPECT_LE(engine.scratch_high_water(), most_scratch);
  EXPECT_TRUE(server.session.certify("partner.example", anchors.anchors));
  client.say("over the session");
  settle();
  EXPECT_EQ(server.received, "over the session");
}

INSTANTIATE_TEST_SUITE_P(VersionsAndKeys, Pairings,
                         testing::Values(Pairing{MBEDTLS_SSL_VERSION_TLS1_3, "edge", "partner", "ca"},
                                         Pairing{MBEDTLS_SSL_VERSION_TLS1_2, "edge", "partner", "ca"},
                                         Pairing{MBEDTLS_SSL_VERSION_TLS1_3, "edge", "partner-chain", "ca"},
                                         Pairing{MBEDTLS_SSL_VERSION_TLS1_3, "edge-p384", "partner", "ca"},
                                         Pairing{MBEDTLS_SSL_VERSION_TLS1_2, "edge-p384", "partner", "ca"},
                                         Pairing{MBEDTLS_SSL_VERSION_TLS1_3, "edge-rsa", "partner-rsa", "rsa-ca"},
                                         Pairing{MBEDTLS_SSL_VERSION_TLS1_2, "edge-rsa", "partner-rsa", "rsa-ca"},
                                         Pairing{MBEDTLS_SSL_VERSION_TLS1_3, "edge-rsa", "partner-rsa-4096", "rsa-ca"},
                                         Pairing{MBEDTLS_SSL_VERSION_TLS1_2, "edge-rsa", "partner-rsa-4096", "rsa-ca"}),
                         [](const auto& test) {
                           std::string name = std::string(test.param.server) + "_" + test.param.client +
                                              (test.param.version == MBEDTLS_SSL_VERSION_TLS1_3 ? "_Tls13" : "_Tls12");
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

TEST_F(TlsSession, LeavesNothingInItsArena) {
  OwnedArena arena{End::arena_bytes};
  fakes::MemoryByteStream near{tasks}, far{tasks};
  fakes::MemoryByteStream::join(near, far);
  {
    SecureConnection session(engine, near, *arena, client);
    near.set_task(session);
    session.start_tls(client_side());
    settle();
    EXPECT_GT(arena->in_use(), 0U);
    EXPECT_EQ(psa_key_slots_in_use(), 1U);
  }
  EXPECT_EQ(arena->in_use(), 0U);
  EXPECT_EQ(psa_key_slots_in_use(), 0U);
}

// RSA contexts keep values that they compute on first use; none of them may end up in a session's arena.
TEST_F(TlsSession, LeavesNothingOfRsaCredentialsInSessions) {
  LoadedCredentials rsa_edge{"edge-rsa"}, rsa_partner{"partner-rsa"};
  LoadedAnchors rsa_ca{"rsa-ca"};
  const std::size_t edge_bytes = rsa_edge.arena->in_use(), ca_bytes = rsa_ca.arena->in_use();
  for (int round = 0; round < 8; ++round) {
    End near{engine, tasks}, far{engine, tasks};
    fakes::MemoryByteStream::join(near.stream, far.stream);
    near.session.start_tls({.role = TlsRole::server, .credentials = &rsa_edge.credentials, .anchors = &rsa_ca.anchors});
    far.session.start_tls({.role = TlsRole::client,
                           .credentials = &rsa_partner.credentials,
                           .anchors = &rsa_ca.anchors,
                           .server_name = "edge.example"});
    settle();
    ASSERT_TRUE(near.session.secured() && far.session.secured());
    near.session.abort();
    far.session.abort();
    EXPECT_EQ(near.arena->in_use(), 0U);
    EXPECT_EQ(far.arena->in_use(), 0U);
    near.arena->reset();
    far.arena->reset();
  }
  EXPECT_EQ(rsa_edge.arena->in_use(), edge_bytes);
  EXPECT_EQ(rsa_ca.arena->in_use(), ca_bytes);
}

TEST_F(TlsSession, SaysWhenItsArenaIsTooSmall) {
  int secured = 0;
  for (std::size_t bytes = 16 * 1024; bytes <= 34 * 1024; bytes += 512) {
    End near{engine, tasks}, far{engine, tasks, bytes};
    fakes::MemoryByteStream::join(near.stream, far.stream);
    near.session.start_tls(server_side());
    far.session.start_tls(client_side());
    settle();
    if (far.session.secured()) {
      ++secured;
      continue;
    }
    EXPECT_EQ(far.session.failure().fault, TransportFault::resources) << bytes;
    EXPECT_EQ(far.session.state(), TransportState::closed) << bytes;
    EXPECT_EQ(far.arena->in_use(), 0U) << bytes;
    EXPECT_EQ(secured, 0) << "with less memory it succeeded, with " << bytes << " it does not";
  }
  EXPECT_GT(secured, 0);
}

TEST_F(TlsSession, HoldsNoKeySlotOnceItIsEstablished) {
  connect();
  EXPECT_EQ(psa_key_slots_in_use(), 0U);
}

TEST_F(TlsSession, AServerHoldsNoKeySlotWhileItWaitsForItsClient) {
  // The client's Finished never arrives: the server has sent its flight and waits.
  client.session.start_tls(client_side());
  server.session.start_tls(server_side());
  client.stream.set_window(0);
  settle();
  EXPECT_EQ(server.session.state(), TransportState::securing);
  EXPECT_EQ(psa_key_slots_in_use(), 1U) << "the client's";
  client.session.abort();
  EXPECT_EQ(psa_key_slots_in_use(), 0U);
}

TEST_F(TlsSession, AsManyClientsAsPlannedShakeHandsAtOnce) {
  std::vector<std::unique_ptr<End>> waiting;
  std::vector<std::unique_ptr<fakes::MemoryByteStream>> silent;
  for (std::size_t count = 0; count < max_concurrent_handshakes; ++count) {
    waiting.push_back(std::make_unique<End>(engine, tasks));
    silent.push_back(std::make_unique<fakes::MemoryByteStream>(tasks));
    fakes::MemoryByteStream::join(waiting.back()->stream, *silent.back());
    waiting.back()->session.start_tls(client_side());
  }
  settle();
  EXPECT_EQ(psa_key_slots_in_use(), max_concurrent_handshakes);
  EXPECT_TRUE(
      std::ranges::all_of(waiting, [](const auto& end) { return end->session.state() == TransportState::securing; }));
  End one_more{engine, tasks};
  fakes::MemoryByteStream nobody{tasks};
  fakes::MemoryByteStream::join(one_more.stream, nobody);
  one_more.session.start_tls(client_side());
  settle();
  EXPECT_EQ(one_more.session.failure().fault, TransportFault::resources);
  EXPECT_THAT(one_more.session.failure().explanation.c_str(), HasSubstr("at the same time"));
  // All of them wait, and still a server can answer and the last client can finish.
  fakes::MemoryByteStream::join(waiting.back()->stream, server.stream);
  silent.back()->consume(0);
  const auto hello = silent.back()->peek();
  ASSERT_FALSE(hello.empty());
  server.stream.inject(hello);
  server.session.start_tls(server_side());
  settle();
  EXPECT_TRUE(waiting.back()->session.secured()) << waiting.back()->session.failure().explanation.c_str();
  EXPECT_EQ(psa_key_slots_in_use(), max_concurrent_handshakes - 1);
}

// Wires --------------------------------------------------------------------------------------------------------------

TEST_F(TlsSession, TakesOneByteAtATime) {
  for (End* end : {&server, &client}) end->stream.set_segment(1);
  connect();
  client.say(std::string(3000, 'x'));
  settle();
  EXPECT_EQ(server.received, std::string(3000, 'x'));
}

TEST_F(TlsSession, TakesTheSmallestWindows) {
  for (End* end : {&server, &client}) end->stream.set_window(7);
  connect();
  client.say(std::string(3000, 'y'));
  settle();
  EXPECT_EQ(server.received, std::string(3000, 'y'));
}

TEST_F(TlsSession, KeepsWhatItTookWhenTheWindowCloses) {
  connect();
  server.read_along = false;
  server.stream.set_window(100);
  std::string sent;
  for (int piece = 0; piece < 50; ++piece) {
    const std::string text = "<message id='" + std::to_string(piece) + "'>" + std::string(300, 'z') + "</message>";
    sent.append(text, 0, client.write(text));
    client.session.flush();
  }
  EXPECT_EQ(client.session.write_room(), 0U);
  EXPECT_FALSE(client.session.all_acknowledged());
  EXPECT_GT(sent.size(), 0U);
  settle();
  EXPECT_EQ(server.received, "");
  server.stream.set_window(5000);
  server.read_along = true;
  server.run();
  settle();
  EXPECT_EQ(server.received, sent);
  EXPECT_EQ(client.session.write_room(), RecordStage::capacity);
}

TEST_F(TlsSession, TakesAtLeastItsWriteRoom) {
  connect();
  for (const std::size_t already : {0U, 1U, 4094U, 4095U, 4096U}) {
    ASSERT_EQ(client.write(std::string(already, 'a')), already);
    const std::size_t room = client.session.write_room();
    EXPECT_EQ(client.write(std::string(room, 'b')), room);
    client.session.flush();
    settle();
  }
}

TEST_F(TlsSession, CarriesAMegabyteUnaltered) {
  connect();
  client.stream.set_window(5840);
  server.stream.set_window(5840);
  std::string text(1 << 20, '\0');
  for (std::size_t at = 0; at < text.size(); ++at) text[at] = static_cast<char>(at * 31 % 251);
  for (std::size_t sent = 0; sent < text.size();) {
    sent += client.write(std::string_view(text).substr(sent, 10000));
    client.session.flush();
    tasks.run_ready();
  }
  settle();
  EXPECT_TRUE(server.received == text);
}

TEST_F(TlsSession, SendsSmallWritesInOneRecord) {
  connect();
  RecordCounter counter;
  counter.watch(server.stream);
  for (int piece = 0; piece < 10; ++piece) EXPECT_EQ(client.write("<presence/>"), 11U);
  EXPECT_EQ(counter.records, 0U);
  client.session.flush();
  settle();
  EXPECT_EQ(counter.records, 1U);
  EXPECT_EQ(server.received.size(), 110U);
}

TEST_F(TlsSession, FillsRecordsOfALargeWrite) {
  connect();
  RecordCounter counter;
  counter.watch(server.stream);
  client.say("prefix" + std::string(3 * RecordStage::capacity, 'w'));
  settle();
  EXPECT_EQ(counter.records, 4U);
  EXPECT_LE(counter.largest, RecordStage::capacity + 1 + 16);  // content type, tag
}

TEST_F(TlsSession, SharesTheStageWithOtherSessions) {
  connect();
  End other_server{engine, tasks}, other_client{engine, tasks};
  fakes::MemoryByteStream::join(other_server.stream, other_client.stream);
  other_server.session.start_tls(server_side());
  other_client.session.start_tls(client_side());
  settle();
  for (int turn = 0; turn < 3; ++turn) {
    EXPECT_EQ(client.write("one "), 4U);
    EXPECT_EQ(other_client.write("other "), 6U);
    EXPECT_EQ(server.write("back "), 5U);
  }
  for (End* end : {&client, &other_client, &server}) end->session.flush();
  settle();
  EXPECT_EQ(server.received, "one one one ");
  EXPECT_EQ(other_server.received, "other other other ");
  EXPECT_EQ(client.received, "back back back ");
}

TEST_F(TlsSession, SendsStagedBytesOfADestroyedSessionNowhere) {
  connect();
  {
    End other_server{engine, tasks}, other_client{engine, tasks};
    fakes::MemoryByteStream::join(other_server.stream, other_client.stream);
    other_server.session.start_tls(server_side());
    other_client.session.start_tls(client_side());
    settle();
    EXPECT_EQ(other_client.write("never flushed"), 13U);
  }
  client.say("after it");
  settle();
  EXPECT_EQ(server.received, "after it");
}

TEST_F(TlsSession, RefusesAnAlteredRecord_Rfc8446_5_2) {
  connect();
  server.stream.set_tap([](void*, std::vector<std::byte>& bytes) { bytes.back() ^= std::byte{1}; }, nullptr);
  client.say("<message/>");
  settle();
  EXPECT_EQ(server.received, "");
  EXPECT_EQ(server.session.failure().fault, TransportFault::tls_local);
  EXPECT_THAT(server.session.failure().explanation.c_str(),
              AllOf(HasSubstr("altered"), HasSubstr("bad_record_mac (20)")));
  EXPECT_EQ(client.session.failure().fault, TransportFault::tls_peer_alert);
  EXPECT_THAT(client.session.failure().explanation.c_str(), HasSubstr("bad_record_mac (20)"));
}

TEST_F(TlsSession, SaysThatThePeerResetIt) {
  connect();
  server.session.abort();
  settle();
  EXPECT_EQ(client.session.state(), TransportState::closed);
  EXPECT_EQ(client.session.failure().fault, TransportFault::peer_reset);
  EXPECT_EQ(client.arena->in_use(), 0U);
}

TEST_F(TlsSession, SaysThatThePeerWentAwayDuringTheHandshake) {
  client.session.start_tls(client_side());
  server.session.close();
  settle();
  EXPECT_EQ(client.session.failure().fault, TransportFault::peer_reset);
  EXPECT_THAT(client.session.failure().explanation.c_str(), HasSubstr("during the TLS handshake"));
}

// Closing ------------------------------------------------------------------------------------------------------------

TEST_F(TlsSession, ClosesAfterEverythingWritten_Rfc8446_6_1) {
  connect();
  EXPECT_EQ(client.write("</stream:stream>"), 16U);
  client.session.close();
  client.session.close();
  settle();
  EXPECT_EQ(server.received, "</stream:stream>");
  EXPECT_TRUE(server.session.end_of_stream());
  EXPECT_FALSE(server.session.truncated());
  EXPECT_EQ(client.write("more"), 0U);
  server.say("</stream:stream>");
  server.session.close();
  settle();
  EXPECT_EQ(client.received, "</stream:stream>");
  EXPECT_EQ(client.session.state(), TransportState::closed);
  EXPECT_EQ(server.session.state(), TransportState::closed);
  EXPECT_EQ(client.session.failure().fault, TransportFault::none);
}

TEST_F(TlsSession, ClosesThroughASmallWindow) {
  connect();
  server.stream.set_window(10);
  server.read_along = false;
  EXPECT_EQ(client.write("last words"), 10U);
  client.session.close();
  settle();
  EXPECT_FALSE(client.stream.fin_sent());
  server.read_along = true;
  server.run();
  settle();
  EXPECT_EQ(server.received, "last words");
  EXPECT_TRUE(server.session.end_of_stream());
  EXPECT_FALSE(server.session.truncated());
  EXPECT_TRUE(client.stream.fin_sent());
}

TEST_F(TlsSession, NoticesTruncation_Rfc8446_6_1) {
  connect();
  client.say("<message>cut");
  client.stream.close();
  settle();
  EXPECT_EQ(server.received, "<message>cut");
  EXPECT_TRUE(server.session.end_of_stream());
  EXPECT_TRUE(server.session.truncated());
}

TEST_F(TlsSession, ReadsOnAfterThePeerHasClosed) {
  connect();
  server.read_along = false;
  client.say("read me");
  client.session.close();
  server.session.close();
  settle();
  EXPECT_EQ(server.session.state(), TransportState::open);
  server.read_along = true;
  server.run();
  EXPECT_EQ(server.received, "read me");
  EXPECT_EQ(server.session.state(), TransportState::closed);
}

TEST_F(TlsSession, AbortsAtOnce) {
  connect();
  EXPECT_EQ(client.write("forgotten"), 9U);
  client.session.abort();
  EXPECT_EQ(client.session.state(), TransportState::closed);
  EXPECT_TRUE(client.stream.aborted());
  EXPECT_EQ(client.arena->in_use(), 0U);
  settle();
  EXPECT_EQ(server.received, "");
}

}  // namespace
}  // namespace sallyport::net::tls
