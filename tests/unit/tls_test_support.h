// What the TLS tests share: a clock that stands still, a seeded generator, the test PKI, and two ends of a TLS session
// in memory, each with its own arena as on the appliance.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "hal/base/arena.h"
#include "hal/wall_clock.h"
#include "net/tls/credentials.h"
#include "net/tls/drbg.h"
#include "net/tls/engine.h"
#include "net/tls/secure_connection.h"
#include "tests/fakes/memory_byte_stream.h"

namespace sallyport::net::tls {

/// Noon of 2026-06-01, which is what the certificates of make_test_pki.py count on.
inline constexpr UnixTime test_time = std::chrono::sys_days(std::chrono::year(2026) / 6 / 1) + 12h;

class ManualClock final : public hal::MonotonicClock {
 public:
  Instant now() const override { return now_; }
  void advance(Duration by) { now_ += by; }

 private:
  Instant now_{};
};

/// No hardware generator; a counter that moves a little.
class CounterOnly final : public hal::EntropySource {
 public:
  std::size_t read(std::span<std::byte>) override { return 0; }
  std::uint32_t cycle_counter() override { return counter_ += 37; }

 private:
  std::uint32_t counter_ = 0;
};

inline std::string pki_file(const std::string& name) {
  std::ifstream file(std::string(SALLYPORT_TEST_PKI) + "/" + name, std::ios::binary);
  EXPECT_TRUE(file.good()) << name;
  return {std::istreambuf_iterator<char>(file), {}};
}

/// An arena with memory of its own.
class OwnedArena {
 public:
  explicit OwnedArena(std::size_t bytes)
      : memory_((bytes + 7) / 8), arena_(std::as_writable_bytes(std::span(memory_))) {}
  Arena& operator*() { return arena_; }
  Arena* operator->() { return &arena_; }

 private:
  std::vector<std::uint64_t> memory_;
  Arena arena_;
};

struct LoadedCredentials {
  explicit LoadedCredentials(const std::string& name) {
    const auto loaded = credentials.load(pki_file(name + ".crt"), pki_file(name + ".key"));
    EXPECT_TRUE(loaded) << name << ": " << loaded.error().explanation.c_str();
  }
  OwnedArena arena{32 * 1024};
  Credentials credentials{*arena};
};

struct LoadedAnchors {
  explicit LoadedAnchors(const std::string& name) {
    const auto loaded = anchors.load(pki_file(name + ".crt"));
    EXPECT_TRUE(loaded) << name << ": " << loaded.error().explanation.c_str();
  }
  OwnedArena arena{16 * 1024};
  TrustAnchors anchors{*arena};
};

/// The TLS version of both sides of a test is chosen here: the firmware itself has no such setting.
inline void limit_version(const Credentials& credentials, mbedtls_ssl_protocol_version version) {
  const auto limit = [version](const mbedtls_ssl_config& configuration) {
    mbedtls_ssl_conf_max_tls_version(const_cast<mbedtls_ssl_config*>(&configuration), version);
  };
  for (const bool demand : {false, true}) {
    for (const auto suites : {Suites::all, Suites::preferred_in_tls13})
      limit(credentials.server_configuration(demand, suites));
    for (const bool alpn : {false, true}) limit(credentials.client_configuration(demand, alpn));
  }
}

/// Counts the TLS records that pass (RFC 8446 5.1), whatever pieces they come in.
class RecordCounter {
 public:
  void watch(fakes::MemoryByteStream& stream) {
    stream.set_tap([](void* self, std::vector<std::byte>& bytes) { static_cast<RecordCounter*>(self)->pass(bytes); },
                   this);
  }
  std::size_t records = 0;
  std::size_t largest = 0;

 private:
  void pass(const std::vector<std::byte>& bytes) {
    pending_.insert(pending_.end(), bytes.begin(), bytes.end());
    while (pending_.size() >= 5) {
      const std::size_t length =
          std::to_integer<std::size_t>(pending_[3]) << 8 | std::to_integer<std::size_t>(pending_[4]);
      if (pending_.size() < 5 + length) return;
      pending_.erase(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(5 + length));
      ++records;
      largest = std::max(largest, length);
    }
  }
  std::vector<std::byte> pending_;
};

class TlsTest : public testing::Test {
 protected:
  TlsTest() {
    std::vector<std::byte> seed;
    for (int i = 0; i < 64; ++i) seed.push_back(static_cast<std::byte>(i * 7));
    EXPECT_TRUE(drbg.seed(seed, entropy));
    clock.set_floor(test_time);
  }
  ~TlsTest() override { EXPECT_EQ(psa_key_slots_in_use(), 0U); }

  ManualClock monotonic;
  hal::WallClock clock{monotonic};
  CounterOnly entropy;
  Drbg drbg;
  TaskQueue tasks;
  Engine engine{drbg, clock, tasks};
};

/// One end: byte stream, arena, session, and an owner that counts how often it was told to look.
class End final : public Task {
 public:
  static constexpr std::size_t arena_bytes = 38 * 1024;  // what limits.h plans for a stream

  End(Engine& engine, TaskQueue& task_queue, std::size_t bytes = arena_bytes)
      : tasks(task_queue), arena(bytes), stream(task_queue), session(engine, stream, *arena, *this) {
    stream.set_task(session);
  }
  ~End() { tasks.cancel(*this); }

  void run() override {
    ++looks;
    if (!read_along) return;
    std::byte buffer[512];
    while (const std::size_t count = session.read(buffer))
      received.append(reinterpret_cast<const char*>(buffer), count);
  }

  std::size_t write(std::string_view text) { return session.write(std::as_bytes(std::span(text))); }
  void say(std::string_view text) {
    EXPECT_EQ(write(text), text.size());
    session.flush();
  }

  TaskQueue& tasks;
  OwnedArena arena;
  fakes::MemoryByteStream stream;
  SecureConnection session;
  bool read_along = true;
  int looks = 0;
  std::string received;
};

class TlsSessionTest : public TlsTest {
 protected:
  TlsSessionTest() { fakes::MemoryByteStream::join(server.stream, client.stream); }
  ~TlsSessionTest() override { settle(); }

  /// Runs the loop until nothing is left to do.
  void settle(int most_rounds = 200000) {
    while (!tasks.empty() && most_rounds-- > 0) tasks.run_ready();
    EXPECT_GT(most_rounds, 0) << "the tasks never come to rest";
  }

  void expect_secured() {
    EXPECT_TRUE(server.session.secured()) << server.session.failure().explanation.c_str();
    EXPECT_TRUE(client.session.secured()) << client.session.failure().explanation.c_str();
  }

  void start(const TlsParameters& server_parameters, const TlsParameters& client_parameters) {
    server.session.start_tls(server_parameters);
    client.session.start_tls(client_parameters);
    settle();
  }

  End server{engine, tasks};
  End client{engine, tasks};
};

}  // namespace sallyport::net::tls
