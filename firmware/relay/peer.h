// Peer<Side>: one stream's place in the relay: the handler that the stream reports to, and the route that it waits at.
// PeerOwner<Side> is who made the stream and its connection, and takes them back.
#pragma once

#include "hal/base/intrusive_list.h"
#include "net/side.h"
#include "xmpp/s2s_stream.h"

namespace sallyport::firmware {

class BorderRelay;
class PairRoute;

struct BlockedTag;
struct GatewayTag;

template <net::Side S>
class Peer final : public xmpp::StreamHandler<S>, public ListNode<BlockedTag>, public ListNode<GatewayTag> {
 public:
  explicit Peer(BorderRelay& relay) : relay_(relay) {}
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  void on_established(xmpp::S2sStream<S>& stream) override;
  xmpp::Delivery on_stanza(xmpp::S2sStream<S>& stream, xmpp::Stanza<S>& stanza) override;
  void on_room(xmpp::S2sStream<S>& stream) override;
  void on_closed(xmpp::S2sStream<S>& stream, const xmpp::StreamClosed& closed) override;

  /// Set by the owner before the stream starts; valid as long as the peer.
  xmpp::S2sStream<S>* stream = nullptr;
  /// The route this peer is blocked at, or (external, initiating) serves; nullptr: none.
  PairRoute* route = nullptr;
  /// Routes that wait for room in this stream's output queue (internal side).
  IntrusiveList<PairRoute, GatewayTag> waiting_routes;

 private:
  BorderRelay& relay_;
};

template <net::Side S>
class PeerOwner {
 public:
  /// The stream is closed. Its memory may be reused after the current task has returned.
  virtual void retire(Peer<S>& peer) = 0;

 protected:
  ~PeerOwner() = default;
};

/// Opens connections to partners. Nothing of the kind exists for the internal side: the edge never connects inwards.
class PartnerDialer : public PeerOwner<net::External> {
 public:
  /// Starts connecting and negotiating; the result comes through the peer. nullptr: every stream is in use.
  virtual Peer<net::External>* dial(const net::Endpoint& endpoint, const xmpp::StreamAddresses& addresses) = 0;

 protected:
  ~PartnerDialer() = default;
};

}  // namespace sallyport::firmware
