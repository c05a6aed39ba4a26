#include "firmware/relay/border_relay.h"

#include <algorithm>
#include <cstdio>

#include "hal/base/log.h"

namespace sallyport::firmware {

using net::External;
using net::Internal;
using xmpp::Delivery;
using xmpp::Stanza;
using xmpp::StanzaError;
using xmpp::StanzaErrorCondition;
using xmpp::StanzaQueue;

namespace {

constexpr const char* module = "relay";

/// A queue always takes one stanza, however large, or the largest could never pass.
template <net::Side S>
bool has_room(const StanzaQueue<S>& queue, std::size_t bytes) {
  return queue.empty() || queue.bytes() + bytes <= limits::route_queue_bytes;
}

/// Puts `first` before what `queue` holds.
template <net::Side S>
void put_in_front(StanzaQueue<S>& queue, StanzaQueue<S>& first) {
  StanzaQueue<S> rest;
  rest.splice_back(queue);
  queue.splice_back(first);
  queue.splice_back(rest);
}

/// RFC 6120 8.3.3.15 and .16: not-found when the name leads nowhere, timeout when the server could not be talked to.
StanzaError error_for(net::dns::LookupError error) {
  using net::dns::LookupError;
  FixedString<120> text(std::string_view("DNS: "));
  text.append(net::dns::to_text(error));
  switch (error) {
    case LookupError::no_such_domain:
    case LookupError::no_service:
    case LookupError::no_address: return StanzaError(StanzaErrorCondition::remote_server_not_found, text);
    default: return StanzaError(StanzaErrorCondition::remote_server_timeout, text);
  }
}

}  // namespace

std::string_view to_text(PartnerState state) {
  switch (state) {
    case PartnerState::idle: return "idle";
    case PartnerState::resolving: return "resolving";
    case PartnerState::connecting: return "connecting";
    case PartnerState::established: return "established";
    case PartnerState::failing: return "failing";
    case PartnerState::backing_off: return "backing off";
  }
  return "?";
}

void PairRoute::run() { relay_.advance(*this); }

template <net::Side S>
void Peer<S>::on_established(xmpp::S2sStream<S>&) {
  relay_.established(*this);
}
template <net::Side S>
Delivery Peer<S>::on_stanza(xmpp::S2sStream<S>&, Stanza<S>& stanza) {
  return relay_.deliver(*this, stanza);
}
template <net::Side S>
void Peer<S>::on_room(xmpp::S2sStream<S>&) {
  relay_.room(*this);
}
template <net::Side S>
void Peer<S>::on_closed(xmpp::S2sStream<S>&, const xmpp::StreamClosed& closed) {
  relay_.closed(*this, closed);
}
template class Peer<External>;
template class Peer<Internal>;

// --- What streams report ------------------------------------------------------------------------------------------------

void BorderRelay::established(Peer<External>& peer) {
  if (peer.stream->role() != xmpp::StreamRole::initiating) return;
  PairRoute& route = *peer.route;
  change_state(route, PartnerState::established);
  services_.tasks.schedule(route);
}

void BorderRelay::established(Peer<Internal>& peer) {
  if (!peer.stream->can_send()) {
    const auto remote = services_.directory.name(peer.stream->addresses().remote);
    log(LogLevel::warning, module,
        "the gateway's stream from %.*s did not ask for bidi (XEP-0288): nothing can be delivered inwards on it",
        SALLYPORT_SV(remote));
    return;
  }
  gateways_.push_front(peer);
  choose_gateways();
}

Delivery BorderRelay::deliver(Peer<External>& peer, Stanza<External>& stanza) {
  PairRoute* route = find_or_create({.local = stanza.to(), .remote = stanza.from()});
  if (route == nullptr) {
    peer.stream->close(
        xmpp::StreamError(xmpp::StreamErrorCondition::resource_constraint, "Too many domain pairs in use"));
    return Delivery::refused;
  }
  attach(peer, *route);
  route->last_used = services_.clock.now();
  if (!has_room(route->to_gateway, stanza.chunk_bytes())) return hold_back(peer, *route, route->blocked_external);

  auto admitted = policy_.admit(stanza);
  if (!admitted) {
    return answer(*route, stanza, admitted.error()) ? Delivery::taken
                                                    : hold_back(peer, *route, route->blocked_external);
  }
  route->to_gateway.push(std::move(*admitted));
  advance_gateway(*route);
  return Delivery::taken;
}

Delivery BorderRelay::deliver(Peer<Internal>& peer, Stanza<Internal>& stanza) {
  const Pair pair{.local = stanza.from(), .remote = stanza.to()};
  PairRoute* route = pair.remote.valid() ? find(pair) : nullptr;
  if (route != nullptr && !has_room(route->to_partner, stanza.chunk_bytes()))
    return hold_back(peer, *route, route->blocked_internal);

  auto released = policy_.release(stanza);
  if (!released) return answer_on(peer, stanza, released.error());
  if (route == nullptr) route = find_or_create(pair);
  if (route == nullptr) {
    Stanza<Internal> back = policy_.recall(std::move(*released));
    const Delivery delivery =
        answer_on(peer, back, StanzaError(StanzaErrorCondition::resource_constraint, "Too many domain pairs in use"));
    stanza = std::move(back);
    return delivery;
  }
  route->last_used = services_.clock.now();
  route->to_partner.push(std::move(*released));
  advance_partner(*route);
  return Delivery::taken;
}

void BorderRelay::room(Peer<External>& peer) {
  if (peer.route != nullptr) services_.tasks.schedule(*peer.route);
}

void BorderRelay::room(Peer<Internal>& peer) {
  while (PairRoute* route = peer.waiting_routes.pop_front()) services_.tasks.schedule(*route);
  if (peer.route == nullptr && static_cast<ListNode<BlockedTag>&>(peer).linked()) {
    blocked_on_own_output_.remove(peer);
    peer.stream->resume();
  }
}

void BorderRelay::closed(Peer<External>& peer, const xmpp::StreamClosed& closed) {
  PairRoute* route = peer.route;
  if (static_cast<ListNode<BlockedTag>&>(peer).linked()) route->blocked_external.remove(peer);
  if (route != nullptr && route->partner == &peer) {
    route->partner = nullptr;
    counters_.repeated += peer.stream->unsent().size();
    put_in_front(route->to_partner, peer.stream->unsent());
    if (route->state == PartnerState::connecting) {
      route->failure = StanzaError(StanzaErrorCondition::remote_server_timeout, closed.explanation.view());
    } else if (closed.graceful) {
      change_state(*route, PartnerState::idle);
    } else {
      back_off(*route);
    }
    services_.tasks.schedule(*route);
  }
  detach(peer);
  services_.dialer.retire(peer);
}

void BorderRelay::closed(Peer<Internal>& peer, const xmpp::StreamClosed&) {
  if (static_cast<ListNode<GatewayTag>&>(peer).linked()) gateways_.remove(peer);
  if (static_cast<ListNode<BlockedTag>&>(peer).linked()) {
    if (peer.route != nullptr) {
      peer.route->blocked_internal.remove(peer);
    } else {
      blocked_on_own_output_.remove(peer);
    }
  }
  while (PairRoute* route = peer.waiting_routes.pop_front()) services_.tasks.schedule(*route);

  StanzaQueue<Internal>& unsent = peer.stream->unsent();
  while (!unsent.empty()) {
    Stanza<Internal> stanza = unsent.pop();
    PairRoute* route = find_or_create({.local = stanza.to(), .remote = stanza.from()});
    if (route == nullptr) {
      ++counters_.unanswered;  // an answer of ours to an unknown domain's stanza, or no route left to wait at
      continue;
    }
    ++counters_.repeated;
    route->to_gateway_first.push(std::move(stanza));
  }
  choose_gateways();
  services_.gateways.retire(peer);
}

// --- A route --------------------------------------------------------------------------------------------------------------

void BorderRelay::advance(PairRoute& route) {
  advance_partner(route);
  advance_gateway(route);
}

void BorderRelay::advance_partner(PairRoute& route) {
  switch (route.state) {
    case PartnerState::idle:
      if (!route.to_partner.empty()) start_attempt(route);
      break;
    case PartnerState::resolving:
      if (route.lookup.state() != net::dns::LookupState::waiting) look_up_finished(route);
      break;
    case PartnerState::connecting:
      if (route.partner == nullptr) try_next_endpoint(route);
      break;
    case PartnerState::established: send_to_partner(route); break;
    case PartnerState::failing: answer_waiting(route); break;
    case PartnerState::backing_off:
      if (services_.clock.now() >= route.retry_at)
        change_state(route, PartnerState::idle), services_.tasks.schedule(route);
      break;
  }
  if (has_room(route.to_partner, limits::route_queue_bytes / 2)) let_go(route.blocked_internal);
}

void BorderRelay::send_to_partner(PairRoute& route) {
  while (!route.to_partner.empty()) {
    Stanza<External> stanza = route.to_partner.pop();
    if (!route.partner->stream->send(std::move(stanza))) {
      StanzaQueue<External> first;
      first.push(std::move(stanza));
      put_in_front(route.to_partner, first);
      return;  // on_room comes
    }
    ++counters_.outwards;
    route.backoff = Duration{};  // progress: a stream that only opens and breaks keeps its back-off
  }
}

void BorderRelay::advance_gateway(PairRoute& route) {
  if (route.gateway == nullptr) {
    expire_for_gateway(route, route.to_gateway_first);
    expire_for_gateway(route, route.to_gateway);
  } else if (send_to_gateway(route, route.to_gateway_first)) {
    send_to_gateway(route, route.to_gateway);
  }
  if (has_room(route.to_gateway, limits::route_queue_bytes / 2)) let_go(route.blocked_external);
}

bool BorderRelay::send_to_gateway(PairRoute& route, StanzaQueue<Internal>& queue) {
  while (!queue.empty()) {
    Stanza<Internal> stanza = queue.pop();
    if (!route.gateway->stream->send(std::move(stanza))) {
      StanzaQueue<Internal> first;
      first.push(std::move(stanza));
      put_in_front(queue, first);
      if (!static_cast<ListNode<GatewayTag>&>(route).linked()) route.gateway->waiting_routes.push_back(route);
      return false;
    }
    ++counters_.inwards;
  }
  return true;
}

void BorderRelay::expire_for_gateway(PairRoute& route, StanzaQueue<Internal>& queue) {
  const Instant now = services_.clock.now();
  while (!queue.empty() && now - queue.front().received >= services_.gateway_wait) {
    Stanza<External> stanza = policy_.recall(queue.pop());
    const bool answered = answer(route, stanza,
                                 StanzaError(StanzaErrorCondition::remote_server_timeout,
                                             "The organisation's gateway is not connected to its edge"));
    if (!answered) {  // no chunk now: it keeps its place, the next tick tries again
      StanzaQueue<Internal> first;
      first.push(policy_.recall(std::move(stanza)));
      put_in_front(queue, first);
      return;
    }
    const auto local = services_.directory.name(route.pair.local), remote = services_.directory.name(route.pair.remote);
    log(LogLevel::warning, module,
        "no gateway stream for %.*s and %.*s: a stanza was answered with remote-server-timeout", SALLYPORT_SV(local),
        SALLYPORT_SV(remote));
  }
}

// --- Opening a partner's stream ---------------------------------------------------------------------------------------------

void BorderRelay::start_attempt(PairRoute& route) {
  const Instant now = services_.clock.now();
  route.give_up_at = now + limits::route_establishment;
  route.next_endpoint = 0;
  route.failure = StanzaError(StanzaErrorCondition::remote_server_timeout, "No address of the domain answered in time");
  change_state(route, PartnerState::resolving);
  const auto started = services_.resolver.start(route.lookup, services_.directory.name(route.pair.remote));
  if (!started) fail(route, error_for(started.error()));
}

void BorderRelay::look_up_finished(PairRoute& route) {
  if (route.lookup.state() == net::dns::LookupState::failed) {
    fail(route, error_for(route.lookup.error()));
    return;
  }
  change_state(route, PartnerState::connecting);
  try_next_endpoint(route);
}

void BorderRelay::try_next_endpoint(PairRoute& route) {
  const auto endpoints = route.lookup.endpoints();
  if (route.next_endpoint >= endpoints.size() || services_.clock.now() >= route.give_up_at) {
    fail(route, route.failure);
    return;
  }
  const net::Endpoint& endpoint = endpoints[route.next_endpoint++];
  Peer<External>* peer = services_.dialer.dial(endpoint, {.local = route.pair.local, .remote = route.pair.remote});
  if (peer == nullptr) {
    fail(route, StanzaError(StanzaErrorCondition::resource_constraint, "The edge has no free stream"));
    return;
  }
  attach(*peer, route);
  route.partner = peer;
}

void BorderRelay::fail(PairRoute& route, const StanzaError& error) {
  const auto remote = services_.directory.name(route.pair.remote);
  log(LogLevel::warning, module, "cannot reach %.*s: %s; %zu waiting stanzas are answered with %s",
      SALLYPORT_SV(remote), error.text.c_str(), route.to_partner.size(), xmpp::to_text(error.condition).data());
  route.failure = error;
  change_state(route, PartnerState::failing);
  answer_waiting(route);
}

void BorderRelay::answer_waiting(PairRoute& route) {
  while (!route.to_partner.empty()) {
    Stanza<Internal> stanza = policy_.recall(route.to_partner.pop());
    if (stanza.answerable()) {
      auto reply = xmpp::make_error_reply(stanza, route.failure, services_.internal_answers);
      if (!reply) {
        StanzaQueue<External> first;
        first.push(policy_.recall(std::move(stanza)));
        put_in_front(route.to_partner, first);
        return;  // no chunk now: the next tick tries again
      }
      route.to_gateway.push(std::move(*reply));
      ++counters_.answered;
    } else {
      ++counters_.unanswered;
    }
  }
  back_off(route);
  advance_gateway(route);
}

void BorderRelay::back_off(PairRoute& route) {
  route.backoff = std::clamp(route.backoff * 2, limits::route_backoff_first, limits::route_backoff_last);
  route.retry_at = services_.clock.now() + route.backoff;
  change_state(route, PartnerState::backing_off);
}

void BorderRelay::change_state(PairRoute& route, PartnerState state) {
  if (route.state == state) return;
  const auto local = services_.directory.name(route.pair.local), remote = services_.directory.name(route.pair.remote);
  log(LogLevel::debug, module, "%.*s to %.*s: %s -> %s", SALLYPORT_SV(local), SALLYPORT_SV(remote),
      to_text(route.state).data(), to_text(state).data());
  route.state = state;
}

// --- Answers and back-pressure ------------------------------------------------------------------------------------------------

bool BorderRelay::answer(PairRoute& route, const Stanza<External>& stanza, const StanzaError& error) {
  if (!stanza.answerable()) {
    ++counters_.unanswered;
    return true;
  }
  auto reply = xmpp::make_error_reply(stanza, error, services_.external_answers);
  if (!reply) return false;
  ++counters_.answered;
  route.to_partner.push(std::move(*reply));
  services_.tasks.schedule(route);
  return true;
}

Delivery BorderRelay::answer_on(Peer<Internal>& peer, const Stanza<Internal>& stanza, const StanzaError& error) {
  if (!stanza.answerable() || !peer.stream->can_send()) {
    ++counters_.unanswered;
    return Delivery::taken;
  }
  auto reply = xmpp::make_error_reply(stanza, error, services_.internal_answers);
  if (reply && peer.stream->send(std::move(*reply))) {
    ++counters_.answered;
    return Delivery::taken;
  }
  ++counters_.held_back;
  peer.route = nullptr;
  blocked_on_own_output_.push_back(peer);
  return Delivery::blocked;
}

template <net::Side S>
Delivery BorderRelay::hold_back(Peer<S>& peer, PairRoute& route, IntrusiveList<Peer<S>, BlockedTag>& blocked) {
  ++counters_.held_back;
  if constexpr (std::same_as<S, Internal>) peer.route = &route;
  blocked.push_back(peer);
  return Delivery::blocked;
}

template <net::Side S>
void BorderRelay::let_go(IntrusiveList<Peer<S>, BlockedTag>& blocked) {
  while (Peer<S>* peer = blocked.pop_front()) {
    if constexpr (std::same_as<S, Internal>) peer->route = nullptr;
    peer->stream->resume();
  }
}

// --- Routes and gateways ----------------------------------------------------------------------------------------------------------

std::size_t BorderRelay::bucket_of(Pair pair) {
  return (pair.local.value * std::size_t{31} + pair.remote.value) % limits::route_buckets;
}

PairRoute* BorderRelay::find(Pair pair) {
  for (PairRoute* route = buckets_[bucket_of(pair)]; route != nullptr; route = route->next_in_bucket)
    if (route->pair == pair) return route;
  return nullptr;
}

PairRoute* BorderRelay::find_or_create(Pair pair) {
  if (!pair.local.valid() || !pair.remote.valid()) return nullptr;
  if (PairRoute* route = find(pair)) return route;
  PairRoute* route = routes_.acquire(*this, pair, services_.clock.now());
  if (route == nullptr) return nullptr;
  PairRoute*& bucket = buckets_[bucket_of(pair)];
  route->next_in_bucket = bucket;
  bucket = route;
  route->gateway = gateway_for(pair);
  return route;
}

void BorderRelay::forget(PairRoute& route) {
  PairRoute** link = &buckets_[bucket_of(route.pair)];
  while (*link != &route) link = &(*link)->next_in_bucket;
  *link = route.next_in_bucket;
  if (static_cast<ListNode<GatewayTag>&>(route).linked()) route.gateway->waiting_routes.remove(route);
  services_.tasks.cancel(route);
  routes_.release(route);
}

/// A stream of the very pair before a trunk; of equals the newest, because a gateway that opens another has lost the
/// old one.
Peer<Internal>* BorderRelay::gateway_for(Pair pair) {
  Peer<Internal>* trunk = nullptr;
  for (Peer<Internal>* peer = gateways_.front(); peer != nullptr; peer = gateways_.after(*peer)) {
    const xmpp::StreamAddresses addresses = peer->stream->addresses();
    if (peer->stream->trunk()) {
      if (trunk == nullptr && peer->stream->carries(pair.local)) trunk = peer;
    } else if (addresses.local == pair.remote && addresses.remote == pair.local) {
      return peer;
    }
  }
  return trunk;
}

void BorderRelay::choose_gateways() {
  routes_.for_each([this](PairRoute& route) {
    Peer<Internal>* chosen = gateway_for(route.pair);
    if (chosen == route.gateway) return;
    if (static_cast<ListNode<GatewayTag>&>(route).linked()) route.gateway->waiting_routes.remove(route);
    route.gateway = chosen;
    services_.tasks.schedule(route);
  });
}

void BorderRelay::attach(Peer<External>& peer, PairRoute& route) {
  if (peer.route == &route) return;
  detach(peer);
  peer.route = &route;
  ++route.peers;
}

void BorderRelay::detach(Peer<External>& peer) {
  if (peer.route == nullptr) return;
  --peer.route->peers;
  peer.route = nullptr;
}

void BorderRelay::poll() {
  const Instant now = services_.clock.now();
  while (Peer<Internal>* peer = blocked_on_own_output_.pop_front()) peer->stream->resume();
  routes_.for_each([&](PairRoute& route) {
    advance(route);
    const bool waits = !route.to_partner.empty() || !route.to_gateway.empty() || !route.to_gateway_first.empty() ||
                       !route.blocked_internal.empty();
    const bool busy = route.state != PartnerState::idle && route.state != PartnerState::backing_off;
    if (route.peers == 0 && !waits && !busy && now - route.last_used >= limits::route_idle) forget(route);
  });
}

}  // namespace sallyport::firmware
