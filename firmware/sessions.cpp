#include "firmware/sessions.h"

#include "firmware/relay/pair_route.h"
#include "hal/base/log.h"

namespace sallyport::firmware {

using net::External;
using net::Internal;

template <net::Side S, std::size_t N>
net::Connection<S>* SessionPool<S, N>::accept(const net::Endpoint& peer) {
  Session<S>* session = pool_.acquire(services_);
  if (session == nullptr) {
    const net::EndpointText text = peer.text();
    log(LogLevel::warning, S::name.data(), "refused a connection from %s: all %zu streams are in use", text.c_str(), N);
    return nullptr;
  }
  return &session->connection;
}

template <net::Side S, std::size_t N>
void SessionPool<S, N>::accepted(net::Connection<S>& connection) {
  pool_.containing(&connection).stream.start_receiving();
}

template class SessionPool<External, limits::external_streams>;
template class SessionPool<Internal, limits::internal_streams>;

Peer<External>* ExternalSessions::dial(const net::Endpoint& endpoint, const xmpp::StreamAddresses& addresses) {
  Session<External>* session = pool_.acquire(services_);
  if (session == nullptr) return nullptr;
  // A connection that cannot even start is closed with its reason, which the stream reports as any other failure.
  static_cast<void>(session->connection.connect(endpoint));
  session->stream.start_initiating(addresses);
  return &session->peer;
}

void ExternalSessions::retire(Peer<External>& peer) { pool_.release(pool_.containing(&peer)); }

void InternalSessions::retire(Peer<Internal>& peer) { pool_.release(pool_.containing(&peer)); }

}  // namespace sallyport::firmware
