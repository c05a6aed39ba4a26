// Session<Side>: one TCP connection, its TLS, its XML stream and its place in the relay, in one block of static memory.
// ExternalSessions and InternalSessions: the pools of them. They accept, dial (external only) and take back; what a
// stanza means is the relay's business.
#pragma once

#include <array>
#include <cstddef>

#include "firmware/config/limits.h"
#include "firmware/relay/peer.h"
#include "hal/base/arena.h"
#include "hal/base/pool.h"
#include "net/lwip/connection.h"
#include "net/lwip/interface.h"
#include "net/lwip/listener.h"
#include "net/side.h"
#include "net/tls/engine.h"
#include "net/tls/secure_connection.h"
#include "xmpp/s2s_stream.h"

namespace sallyport::firmware {

/// What the sessions of a side share. All outlive them.
template <net::Side S>
struct SessionServices {
  net::Interface<S>& interface;
  TaskQueue& tasks;
  net::tls::Engine& tls;
  BorderRelay& relay;
  const xmpp::StreamServices& streams;
};

template <net::Side S>
class Session {
 public:
  explicit Session(const SessionServices<S>& services)
      : connection(services.interface, services.tasks, transport),
        transport(services.tls, connection, arena_, stream),
        peer(services.relay),
        stream(services.streams, transport, arena_, peer) {
    peer.stream = &stream;
  }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  const Arena& arena() const { return arena_; }

 private:
  // First, because everything below keeps its memory here.
  alignas(8) std::array<std::byte, limits::session_arena_bytes> memory_;
  Arena arena_{memory_};

 public:
  net::Connection<S> connection;
  net::tls::SecureConnection transport;
  Peer<S> peer;
  xmpp::S2sStream<S> stream;
};

/// The common part of both pools.
template <net::Side S, std::size_t N>
class SessionPool : public net::Acceptor<S> {
 public:
  explicit SessionPool(const SessionServices<S>& services) : services_(services) {}
  SessionPool(const SessionPool&) = delete;
  SessionPool& operator=(const SessionPool&) = delete;

  /// A partner or gateway has connected. nullptr, all in use: the listener answers with RST.
  net::Connection<S>* accept(const net::Endpoint& peer) final;
  void accepted(net::Connection<S>& connection) final;

  /// Every stream's deadlines; each limits::tick.
  void poll() {
    pool_.for_each([](Session<S>& session) { session.stream.poll(); });
  }

  std::size_t in_use() const { return pool_.in_use(); }
  std::size_t high_water() const { return pool_.high_water(); }
  static constexpr std::size_t capacity() { return N; }
  template <class Visit>
  void for_each(Visit visit) {
    pool_.for_each(visit);
  }
  /// The session in place `index` of the pool, nullptr when it is free.
  Session<S>* at(std::size_t index) { return pool_.get(index); }

 protected:
  ~SessionPool() = default;

  SessionServices<S> services_;
  Pool<Session<S>, N> pool_;
};

class ExternalSessions final : public SessionPool<net::External, limits::external_streams>, public PartnerDialer {
 public:
  using SessionPool::SessionPool;
  Peer<net::External>* dial(const net::Endpoint& endpoint, const xmpp::StreamAddresses& addresses) override;
  void retire(Peer<net::External>& peer) override;
};

class InternalSessions final : public SessionPool<net::Internal, limits::internal_streams>,
                               public PeerOwner<net::Internal> {
 public:
  using SessionPool::SessionPool;
  void retire(Peer<net::Internal>& peer) override;
};

}  // namespace sallyport::firmware
