// A stanza from a partner handed to the gateway's stream, past the BorderPolicy.
// expect-error: cannot bind rvalue reference|could not convert|cannot convert|no matching function
#include <utility>

#include "net/side.h"
#include "xmpp/s2s_stream.h"
#include "xmpp/stanza.h"

namespace sallyport {

#ifdef CONTROL
using SendingSide = net::Internal;
#else
using SendingSide = net::External;
#endif

bool forward(xmpp::S2sStream<net::Internal>& gateway, xmpp::Stanza<SendingSide>& stanza) {
  return gateway.send(std::move(stanza));
}

}  // namespace sallyport
