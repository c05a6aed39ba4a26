// PairRoute: everything that is known of one pair of domains (ours and a partner's) while it is in use: the stream to
// the partner or the attempt to open one, the gateway's stream, and what waits for either.
//
// One writer: BorderRelay. It is a Task, because a finished look-up and freed room both mean "look at this route
// again".
#pragma once

#include <cstdint>

#include "firmware/relay/peer.h"
#include "hal/base/task_queue.h"
#include "net/dns/service_resolver.h"
#include "xmpp/stanza.h"

namespace sallyport::firmware {

struct Pair {
  xmpp::DomainId local;
  xmpp::DomainId remote;
  friend bool operator==(Pair, Pair) = default;
};

enum class PartnerState : std::uint8_t {
  idle,        // nothing is being done
  resolving,   // SRV, A, AAAA
  connecting,  // an address is being tried, up to the authenticated stream
  established,
  failing,     // what waits is being answered with `failure`
  backing_off  // until `retry_at`; what arrives waits
};

std::string_view to_text(PartnerState state);

class PairRoute final : public Task, public ListNode<GatewayTag> {
 public:
  PairRoute(BorderRelay& relay, Pair domains, Instant now)
      : pair(domains), last_used(now), lookup(*this), relay_(relay) {}
  ~PairRoute() = default;
  PairRoute(const PairRoute&) = delete;
  PairRoute& operator=(const PairRoute&) = delete;

  void run() override;

  const Pair pair;
  PairRoute* next_in_bucket = nullptr;
  Instant last_used;
  std::uint16_t peers = 0;  // peers whose `route` is this one

  // Towards the partner.
  PartnerState state = PartnerState::idle;
  net::dns::ServiceLookup lookup;
  std::size_t next_endpoint = 0;
  Instant give_up_at = never;  // of the whole attempt
  Instant retry_at{};
  Duration backoff{};
  xmpp::StanzaError failure{xmpp::StanzaErrorCondition::remote_server_timeout};
  Peer<net::External>* partner = nullptr;  // the initiating stream, from connecting on
  xmpp::StanzaQueue<net::External> to_partner;
  IntrusiveList<Peer<net::Internal>, BlockedTag> blocked_internal;  // gateways' streams held back by this route

  // Towards the gateway.
  Peer<net::Internal>* gateway = nullptr;
  xmpp::StanzaQueue<net::Internal> to_gateway_first;  // taken back from a gateway's stream that was lost
  xmpp::StanzaQueue<net::Internal> to_gateway;
  IntrusiveList<Peer<net::External>, BlockedTag> blocked_external;  // partners' streams held back by this route

 private:
  BorderRelay& relay_;
};

}  // namespace sallyport::firmware
