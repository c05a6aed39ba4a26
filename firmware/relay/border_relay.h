// BorderRelay: takes stanzas from one side to the other. With BorderPolicy it is the only code that names both sides.
//
// What is accepted is delivered or answered. A stanza that cannot go on at once waits in its route's bounded queue;
// when that is full, the stream it came from is not read (its TCP window closes) until there is room. Order within a
// stream is kept: nothing overtakes what waits.
//
// Owner: firmware/appliance. All calls from the event loop.
#pragma once

#include <array>
#include <cstdint>

#include "firmware/config/limits.h"
#include "firmware/relay/border_policy.h"
#include "firmware/relay/pair_route.h"
#include "firmware/relay/peer.h"
#include "hal/base/pool.h"
#include "hal/base/task_queue.h"
#include "hal/clock.h"

namespace sallyport::firmware {

struct RelayCounters {
  std::uint64_t inwards = 0;     // stanzas handed to a gateway's stream
  std::uint64_t outwards = 0;    // stanzas handed to a partner's stream
  std::uint64_t answered = 0;    // answered with an error
  std::uint64_t unanswered = 0;  // could not be delivered, and no error may be sent for them (RFC 6120 8.3.1)
  std::uint64_t held_back = 0;   // times a stream was not read because its stanza had no room
  std::uint64_t repeated = 0;    // taken back from a lost stream and sent again
};

class BorderRelay {
 public:
  struct Services {
    TaskQueue& tasks;
    const hal::MonotonicClock& clock;
    const xmpp::DomainDirectory& directory;
    net::dns::ServiceResolver& resolver;
    PartnerDialer& dialer;
    PeerOwner<net::Internal>& gateways;
    /// Only for error answers, to partners and to gateways: what waits may fill a side's pool, and its answers still
    /// come.
    xmpp::ChunkPool& external_answers;
    xmpp::ChunkPool& internal_answers;
    Duration gateway_wait;  // how long a stanza waits for a gateway's stream before remote-server-timeout
  };

  explicit BorderRelay(const Services& services) : services_(services), policy_(services.directory) {}
  BorderRelay(const BorderRelay&) = delete;
  BorderRelay& operator=(const BorderRelay&) = delete;

  /// Deadlines; every limits::tick.
  void poll();

  const RelayCounters& counters() const { return counters_; }
  std::size_t routes_in_use() const { return routes_.in_use(); }
  /// `visit(const PairRoute&)` for each route, for the console.
  template <class Visit>
  void for_each_route(Visit visit) {
    routes_.for_each([&](PairRoute& route) { visit(static_cast<const PairRoute&>(route)); });
  }

 private:
  template <net::Side>
  friend class Peer;
  friend class PairRoute;

  void established(Peer<net::External>& peer);
  void established(Peer<net::Internal>& peer);
  xmpp::Delivery deliver(Peer<net::External>& peer, xmpp::Stanza<net::External>& stanza);
  xmpp::Delivery deliver(Peer<net::Internal>& peer, xmpp::Stanza<net::Internal>& stanza);
  void room(Peer<net::External>& peer);
  void room(Peer<net::Internal>& peer);
  void closed(Peer<net::External>& peer, const xmpp::StreamClosed& closed);
  void closed(Peer<net::Internal>& peer, const xmpp::StreamClosed& closed);

  /// Does whatever can be done for a route now. Idempotent; called after any change.
  void advance(PairRoute& route);
  void advance_partner(PairRoute& route);
  void advance_gateway(PairRoute& route);
  void send_to_partner(PairRoute& route);
  bool send_to_gateway(PairRoute& route, xmpp::StanzaQueue<net::Internal>& queue);
  void expire_for_gateway(PairRoute& route, xmpp::StanzaQueue<net::Internal>& queue);

  void start_attempt(PairRoute& route);
  void look_up_finished(PairRoute& route);
  void try_next_endpoint(PairRoute& route);
  void fail(PairRoute& route, const xmpp::StanzaError& error);
  void answer_waiting(PairRoute& route);
  void back_off(PairRoute& route);
  void change_state(PairRoute& route, PartnerState state);

  /// False: no chunk for the answer now; nothing has changed.
  bool answer(PairRoute& route, const xmpp::Stanza<net::External>& stanza, const xmpp::StanzaError& error);
  xmpp::Delivery answer_on(Peer<net::Internal>& peer, const xmpp::Stanza<net::Internal>& stanza,
                           const xmpp::StanzaError& error);
  template <net::Side S>
  xmpp::Delivery hold_back(Peer<S>& peer, PairRoute& route, IntrusiveList<Peer<S>, BlockedTag>& blocked);
  template <net::Side S>
  void let_go(IntrusiveList<Peer<S>, BlockedTag>& blocked);

  PairRoute* find(Pair pair);
  PairRoute* find_or_create(Pair pair);
  void forget(PairRoute& route);
  static std::size_t bucket_of(Pair pair);
  Peer<net::Internal>* gateway_for(Pair pair);
  void choose_gateways();
  void attach(Peer<net::External>& peer, PairRoute& route);
  void detach(Peer<net::External>& peer);

  Services services_;
  BorderPolicy policy_;
  RelayCounters counters_;
  Pool<PairRoute, limits::routes> routes_;
  std::array<PairRoute*, limits::route_buckets> buckets_{};
  IntrusiveList<Peer<net::Internal>, GatewayTag> gateways_;  // established, the newest first
  IntrusiveList<Peer<net::Internal>, BlockedTag> blocked_on_own_output_;
};

}  // namespace sallyport::firmware
