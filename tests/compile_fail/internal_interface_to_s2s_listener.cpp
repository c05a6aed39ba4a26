// Partners' port, TCP 5269, opened on the interface towards the organisation.
// expect-error: no matching function|could not convert|cannot convert|invalid initialization
#include "net/lwip/listener.h"

namespace sallyport::net {

#ifdef CONTROL
using Wire = External;
#else
using Wire = Internal;
#endif

void open_for_partners(Interface<Wire>& interface, Acceptor<External>& sessions) {
  S2sListener listener(interface, sessions);
  static_cast<void>(listener.open());
}

}  // namespace sallyport::net
