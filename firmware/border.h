// Border: the running service between the two interfaces, for one set of settings: network, TLS, resolver, streams and
// relay, wired together. It exists only after the settings and certificates have passed every check.
//
// Owner: firmware/appliance, static storage (about 45 MiB, most of it the streams). All calls from the event loop.
#pragma once

#include <array>
#include <cstddef>

#include "bsp/board.h"
#include "firmware/config/limits.h"
#include "firmware/config/settings.h"
#include "firmware/config/settings_directory.h"
#include "firmware/credential_store.h"
#include "firmware/relay/border_relay.h"
#include "firmware/sessions.h"
#include "firmware/stream_policies.h"
#include "hal/base/arena.h"
#include "hal/base/task_queue.h"
#include "hal/random.h"
#include "hal/wall_clock.h"
#include "net/dns/service_resolver.h"
#include "net/lwip/capacity.h"
#include "net/lwip/connection.h"
#include "net/lwip/interface.h"
#include "net/lwip/listener.h"
#include "net/lwip/stack.h"
#include "net/lwip/udp_socket.h"
#include "net/stream_dialer.h"
#include "net/tls/engine.h"
#include "xmpp/chunk_pool.h"

namespace sallyport::firmware {

/// DNS over TCP, when an answer was truncated: a few connections of the external side's own.
class DnsDialer final : public net::StreamDialer {
 public:
  DnsDialer(net::Interface<net::External>& interface, TaskQueue& tasks) : interface_(interface), tasks_(tasks) {}
  net::ByteStream* dial(const net::Endpoint& to, Task& owner) override;
  void hang_up(net::ByteStream& stream) override;

 private:
  using Connection = net::Connection<net::External>;
  net::Interface<net::External>& interface_;
  TaskQueue& tasks_;
  Pool<Connection, limits::dns_connections> pool_;
};

// The stack's quotas (net/lwip/capacity.h) are derived apart from limits.h, which net/lwip may not see.
static_assert(net::side_capacity<net::External>.connections >= limits::external_streams + limits::dns_connections);
static_assert(net::side_capacity<net::Internal>.connections >= limits::internal_streams);

class Border {
 public:
  struct Services {
    bsp::Board& board;
    TaskQueue& tasks;
    hal::Random& random;
    net::tls::Engine& tls;
    const Settings& settings;
    const SettingsDirectory& directory;
    const CredentialStore& credentials;
  };

  explicit Border(const Services& services);
  Border(const Border&) = delete;
  Border& operator=(const Border&) = delete;

  /// Brings the interfaces up and opens both ports. False when lwIP refuses an address or a port (our bug; logged).
  bool open();
  /// Takes frames from both interfaces, fairly. True when there may be more.
  bool poll_network();
  /// Deadlines of all streams, routes and look-ups; each limits::tick.
  void tick();
  /// The next moment that needs the loop, should nothing arrive before.
  Instant next_deadline();

  net::Interface<net::External>& external() { return external_; }
  net::Interface<net::Internal>& internal() { return internal_; }
  ExternalSessions& external_sessions() { return external_sessions_; }
  InternalSessions& internal_sessions() { return internal_sessions_; }
  BorderRelay& relay() { return relay_; }
  const xmpp::ChunkPool& external_chunks() const { return external_chunks_; }
  const xmpp::ChunkPool& internal_chunks() const { return internal_chunks_; }

 private:
  const hal::MonotonicClock& clock_;
  const Settings& settings_;
  net::Stack stack_;
  net::Interface<net::External> external_;
  net::Interface<net::Internal> internal_;

  net::UdpSocket<net::External> dns_socket_;
  DnsDialer dns_dialer_;
  net::dns::ServiceResolver resolver_;

  std::array<xmpp::Chunk, limits::external_chunks> external_chunk_memory_;
  std::array<xmpp::Chunk, limits::internal_chunks> internal_chunk_memory_;
  std::array<xmpp::Chunk, limits::answer_chunks> external_answer_memory_;
  std::array<xmpp::Chunk, limits::answer_chunks> internal_answer_memory_;
  xmpp::ChunkPool external_chunks_{external_chunk_memory_};
  xmpp::ChunkPool internal_chunks_{internal_chunk_memory_};
  xmpp::ChunkPool external_answers_{external_answer_memory_};
  xmpp::ChunkPool internal_answers_{internal_answer_memory_};
  alignas(8) std::array<std::byte, limits::spare_arena_bytes> external_spare_memory_;
  alignas(8) std::array<std::byte, limits::spare_arena_bytes> internal_spare_memory_;
  Arena external_spare_{external_spare_memory_};
  Arena internal_spare_{internal_spare_memory_};
  ExternalStreamPolicy external_policy_;
  InternalStreamPolicy internal_policy_;
  xmpp::StreamServices external_streams_;
  xmpp::StreamServices internal_streams_;

  ExternalSessions external_sessions_;
  InternalSessions internal_sessions_;
  BorderRelay relay_;
  net::Listener<net::External> s2s_listener_;
  net::Listener<net::Internal> gateway_listener_;
};

}  // namespace sallyport::firmware
