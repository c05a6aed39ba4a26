#include "tests/bench/tls/tls_bench.h"

#include <algorithm>
#include <array>
#include <cstdarg>
#include <cstdio>
#include <cstring>

#include "bench_pki.h"
#include "hal/base/assert.h"
#include "hal/wall_clock.h"
#include "mbedtls/ecdh.h"
#include "mbedtls/ecdsa.h"
#include "net/tls/credentials.h"
#include "net/tls/drbg.h"
#include "net/tls/engine.h"
#include "net/tls/secure_connection.h"

namespace sallyport::bench {
namespace {

using namespace net;
using namespace net::tls;

/// A wire in memory without limits that matter here; both ends are run by hand.
class Wire final : public ByteStream {
 public:
  void join(Wire& other) { peer_ = &other; }
  void clear() { begin_ = end_ = 0; }

  ByteStreamState state() const override { return ByteStreamState::open; }
  ConnectError failure() const override { return ConnectError::none; }
  Endpoint remote() const override { return {}; }
  std::span<const std::byte> peek() const override { return std::span(bytes_).subspan(begin_, end_ - begin_); }
  void consume(std::size_t count) override {
    begin_ += count;
    if (begin_ == end_) clear();
  }
  bool end_of_stream() const override { return false; }
  std::size_t write_room() const override { return peer_->bytes_.size() - peer_->end_; }
  std::size_t write(std::span<const std::byte> bytes) override {
    const std::size_t count = std::min(bytes.size(), write_room());
    std::memcpy(peer_->bytes_.data() + peer_->end_, bytes.data(), count);
    peer_->end_ += count;
    return count;
  }
  void flush() override {}
  bool all_acknowledged() const override { return true; }
  void close() override {}
  void abort() override {}

 private:
  Wire* peer_ = nullptr;
  std::array<std::byte, 32768> bytes_;
  std::size_t begin_ = 0, end_ = 0;
};

class Nobody final : public Task {
 public:
  void run() override {}
};

struct Figures {
  Duration server{}, client{}, longest{};
};

class Bench {
 public:
  Bench(const hal::MonotonicClock& clock, hal::EntropySource& entropy, Say print) : clock_(clock), say_(print) {
    std::array<std::byte, stored_seed_bytes> seed;
    for (std::size_t i = 0; i < seed.size(); ++i) seed[i] = static_cast<std::byte>(i * 7 + 1);
    SALLYPORT_ASSERT(drbg_.seed(seed, entropy));
    wall_clock_.set_floor(std::chrono::sys_days(std::chrono::year(2026) / 6 / 1));
  }

  void run() {
    public_key_operations();
    handshakes("P-256, mutual", pki::edge_crt, pki::edge_key, pki::partner_crt, pki::partner_key, pki::ca_crt, 16);
    handshakes("RSA-2048 chain, mutual", pki::edge_rsa_crt, pki::edge_rsa_key, pki::partner_rsa_crt,
               pki::partner_rsa_key, pki::rsa_ca_crt, 4);
    handshakes("P-256 server, RSA-4096 client", pki::edge_crt, pki::edge_key, pki::partner_rsa_4096_crt,
               pki::partner_rsa_4096_key, nullptr, 2);
    records();
  }

 private:
  [[gnu::format(printf, 2, 3)]] void say(const char* format, ...) {
    char line[120];
    va_list arguments;
    va_start(arguments, format);
    std::vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    say_(line);
  }

  template <class Operation>
  void operation(const char* name, int times, Operation run) {
    const Instant begin = clock_.now();
    for (int i = 0; i < times; ++i) SALLYPORT_ASSERT(run() == 0);
    const auto each = (clock_.now() - begin).count() * 10 / times;
    say("%-34s %8ld.%ld us", name, static_cast<long>(each / 10), static_cast<long>(each % 10));
  }

  void public_key_operations() {
    ArenaScope scope(server_arena_);
    const struct {
      mbedtls_ecp_group_id id;
      const char* name;
    } groups[] = {{MBEDTLS_ECP_DP_SECP256R1, "P-256"},
                  {MBEDTLS_ECP_DP_CURVE25519, "X25519"},
                  {MBEDTLS_ECP_DP_SECP384R1, "P-384"}};
    for (const auto& group : groups) {
      mbedtls_ecp_keypair pair;
      mbedtls_ecp_keypair_init(&pair);
      mbedtls_mpi r, s;
      mbedtls_mpi_init(&r);
      mbedtls_mpi_init(&s);
      const std::array<unsigned char, 32> digest = {1, 2, 3};
      char name[32];
      const auto label = [&](const char* what) {
        std::snprintf(name, sizeof name, "%s %s", group.name, what);
        return name;
      };
      SALLYPORT_ASSERT(mbedtls_ecp_gen_key(group.id, &pair, Engine::random, nullptr) == 0);
      auto& curve = pair.MBEDTLS_PRIVATE(grp);
      auto& secret = pair.MBEDTLS_PRIVATE(d);
      auto& point = pair.MBEDTLS_PRIVATE(Q);
      operation(label("key pair"), 20,
                [&] { return mbedtls_ecp_gen_keypair(&curve, &secret, &point, Engine::random, nullptr); });
      operation(label("ECDH"), 20,
                [&] { return mbedtls_ecdh_compute_shared(&curve, &r, &point, &secret, Engine::random, nullptr); });
      if (group.id != MBEDTLS_ECP_DP_CURVE25519) {
        operation(label("sign"), 20, [&] {
          return mbedtls_ecdsa_sign(&curve, &r, &s, &secret, digest.data(), digest.size(), Engine::random, nullptr);
        });
        operation(label("verify"), 20,
                  [&] { return mbedtls_ecdsa_verify(&curve, digest.data(), digest.size(), &point, &r, &s); });
      }
      mbedtls_mpi_free(&r);
      mbedtls_mpi_free(&s);
      mbedtls_ecp_keypair_free(&pair);
    }
    server_arena_.reset();
  }

  void handshakes(const char* name, const char* server_chain, const char* server_key, const char* client_chain,
                  const char* client_key, const char* anchors, int times) {
    Credentials server(credentials_arena_), client(credentials_arena_);
    TrustAnchors trust(credentials_arena_);
    SALLYPORT_ASSERT(server.load(server_chain, server_key) && client.load(client_chain, client_key));
    if (anchors != nullptr) SALLYPORT_ASSERT(trust.load(anchors));
    TlsParameters at_server{.role = TlsRole::server, .credentials = &server},
        at_client{.role = TlsRole::client, .credentials = &client, .server_name = "edge.example"};
    if (anchors != nullptr) at_server.anchors = at_client.anchors = &trust;
    Figures total;
    for (int i = 0; i < times; ++i) {
      SecureConnection server_end(engine_, server_wire_, server_arena_, nobody_),
          client_end(engine_, client_wire_, client_arena_, nobody_);
      connect(server_end, at_server, client_end, at_client, total);
    }
    say("%s: server %ld us, client %ld us, longest step %ld us", name, static_cast<long>(total.server.count() / times),
        static_cast<long>(total.client.count() / times), static_cast<long>(total.longest.count()));
    say("  arena: server %lu, client %lu, scratch %lu bytes at the peak",
        static_cast<unsigned long>(server_arena_.high_water()), static_cast<unsigned long>(client_arena_.high_water()),
        static_cast<unsigned long>(engine_.scratch_high_water()));
  }

  void connect(SecureConnection& server, const TlsParameters& at_server, SecureConnection& client,
               const TlsParameters& at_client, Figures& figures) {
    server_wire_.clear();
    client_wire_.clear();
    server.start_tls(at_server);
    client.start_tls(at_client);
    for (int steps = 0; steps < 200 && !(server.secured() && client.secured()); ++steps) {
      if (!client.secured()) step(client, figures.client, figures.longest);
      if (!server.secured()) step(server, figures.server, figures.longest);
    }
    SALLYPORT_ASSERT(server.secured() && client.secured());
    while (!tasks_.empty()) tasks_.run_ready();
  }

  void step(SecureConnection& end, Duration& sum, Duration& longest) {
    tasks_.cancel(end);
    const Instant begin = clock_.now();
    end.run();
    const Duration took = clock_.now() - begin;
    sum += took;
    longest = std::max(longest, took);
  }

  void records() {
    Credentials server(credentials_arena_), client(credentials_arena_);
    SALLYPORT_ASSERT(server.load(pki::edge_crt, pki::edge_key) && client.load(pki::partner_crt, pki::partner_key));
    const int suites[][2] = {{MBEDTLS_TLS1_3_AES_128_GCM_SHA256, 0},
                             {MBEDTLS_TLS1_3_AES_256_GCM_SHA384, 0},
                             {MBEDTLS_TLS1_3_CHACHA20_POLY1305_SHA256, 0}};
    for (const auto& suite : suites) {
      auto& configuration = const_cast<mbedtls_ssl_config&>(client.client_configuration(false, false));
      mbedtls_ssl_conf_ciphersuites(&configuration, suite);
      SecureConnection server_end(engine_, server_wire_, server_arena_, nobody_),
          client_end(engine_, client_wire_, client_arena_, nobody_);
      Figures ignored;
      connect(server_end, {.role = TlsRole::server, .credentials = &server}, client_end,
              {.role = TlsRole::client, .credentials = &client, .server_name = "edge.example"}, ignored);
      say("%.*s", static_cast<int>(client_end.tls_description().size()), client_end.tls_description().data());
      for (const std::size_t size : {200U, 1100U, 8100U}) {
        std::array<std::byte, 8100> stanza{}, received;
        char name[40];
        std::snprintf(name, sizeof name, "  write and read %u bytes", static_cast<unsigned>(size));
        operation(name, 200, [&] {
          if (client_end.write(std::span(stanza).first(size)) != size) return 1;
          client_end.flush();
          return server_end.read(received) == size ? 0 : 1;
        });
      }
    }
  }

  const hal::MonotonicClock& clock_;
  Say say_;
  hal::WallClock wall_clock_{clock_};
  Drbg drbg_;
  TaskQueue tasks_;
  Engine engine_{drbg_, wall_clock_, tasks_};
  Nobody nobody_;
  Wire server_wire_, client_wire_;
  alignas(8) std::array<std::byte, 38 * 1024> server_memory_, client_memory_;
  alignas(8) std::array<std::byte, 64 * 1024> credentials_memory_;
  Arena server_arena_{server_memory_}, client_arena_{client_memory_}, credentials_arena_{credentials_memory_};

 public:
  void join() {
    server_wire_.join(client_wire_);
    client_wire_.join(server_wire_);
  }
};

}  // namespace

void run_tls_bench(const hal::MonotonicClock& clock, hal::EntropySource& entropy, Say say) {
  static Bench bench(clock, entropy, say);
  bench.join();
  bench.run();
}

}  // namespace sallyport::bench
