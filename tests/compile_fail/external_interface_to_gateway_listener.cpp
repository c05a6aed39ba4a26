// The gateway's port, TCP 23456, opened on the interface towards the internet.
// expect-error: no matching function|could not convert|cannot convert|invalid initialization
#include "net/lwip/listener.h"

namespace sallyport::net {

#ifdef CONTROL
using Wire = Internal;
#else
using Wire = External;
#endif

void open_for_gateways(Interface<Wire>& interface, Acceptor<Internal>& sessions) {
  GatewayListener listener(interface, sessions);
  static_cast<void>(listener.open());
}

}  // namespace sallyport::net
