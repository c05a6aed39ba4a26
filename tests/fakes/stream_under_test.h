// StreamUnderTest<Side>: an S2sStream with everything that it needs, and a handler that records.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "hal/base/arena.h"
#include "hal/base/task_queue.h"
#include "tests/fakes/fake_stream_policy.h"
#include "tests/fakes/fake_transport.h"
#include "tests/fakes/manual_clock.h"
#include "tests/fakes/seeded_random.h"
#include "xmpp/chunk_pool.h"
#include "xmpp/s2s_stream.h"
#include "xmpp/stanza.h"

namespace sallyport::fakes {

inline std::string text_of(const xmpp::StanzaRecord& stanza) {
  std::string text;
  for (const xmpp::Chunk* chunk = stanza.first; chunk != nullptr; chunk = chunk->next)
    text.append(reinterpret_cast<const char*>(chunk->used().data()), chunk->used().size());
  return text;
}

/// What all streams of a test share.
struct StreamWorld {
  TaskQueue tasks;
  ManualClock clock;
  SeededRandom random;

  /// Until nobody has anything to do.
  void settle() {
    for (int i = 0; i < 100'000 && !tasks.empty(); ++i) tasks.run_ready();
  }
};

template <net::Side S>
class RecordingHandler final : public xmpp::StreamHandler<S> {
 public:
  void on_established(xmpp::S2sStream<S>&) override { ++established; }
  xmpp::Delivery on_stanza(xmpp::S2sStream<S>& stream, xmpp::Stanza<S>& stanza) override {
    ++offered;
    if (blocks) return xmpp::Delivery::blocked;
    if (refuses) {
      stream.close(xmpp::StreamError(xmpp::StreamErrorCondition::policy_violation, "refused"));
      return xmpp::Delivery::refused;
    }
    received.push(std::move(stanza));
    return xmpp::Delivery::taken;
  }
  void on_room(xmpp::S2sStream<S>&) override { ++room; }
  void on_closed(xmpp::S2sStream<S>&, const xmpp::StreamClosed& how) override { closed.push_back(how); }

  /// Takes the oldest stanza received; empty when there is none.
  std::string next_text() {
    if (received.empty()) return {};
    std::string text = text_of(received.front());
    received.pop();
    return text;
  }

  bool blocks = false;
  bool refuses = false;
  int established = 0;
  int offered = 0;
  int room = 0;
  xmpp::StanzaQueue<S> received;
  std::vector<xmpp::StreamClosed> closed;
};

template <net::Side S>
struct StreamUnderTest {
  static constexpr std::size_t arena_bytes = 24'576;

  explicit StreamUnderTest(StreamWorld& shared, std::size_t chunk_count = 1024, std::size_t output_queue_bytes = 65'536)
      : world(shared),
        policy(std::same_as<S, net::External> ? xmpp::DomainKind::partner : xmpp::DomainKind::local),
        chunks(chunk_count),
        pool(chunks),
        transport(world.tasks),
        services{world.tasks, world.clock, world.random, pool, policy, output_queue_bytes} {}

  /// The stream is made here, so that a test can change policy.bounds first.
  xmpp::S2sStream<S>& make() {
    stream.emplace(services, transport, arena, handler);
    transport.set_task(*stream);
    return *stream;
  }
  void accept() {
    make();
    transport.connected();
    stream->start_receiving();
  }

  StreamWorld& world;
  FakeStreamPolicy policy;
  std::vector<xmpp::Chunk> chunks;
  xmpp::ChunkPool pool;
  alignas(8) std::array<std::byte, arena_bytes> memory;
  Arena arena{memory};
  FakeTransport transport;
  xmpp::StreamServices services;
  RecordingHandler<S> handler;
  std::optional<xmpp::S2sStream<S>> stream;
};

}  // namespace sallyport::fakes
