// A connection of one side handed to the sessions of the other.
// expect-error: no matching function|could not convert|cannot convert|invalid initialization
#include "net/lwip/listener.h"

namespace sallyport::net {

#ifdef CONTROL
using From = Internal;
#else
using From = External;
#endif

void hand_over(Acceptor<Internal>& gateway_sessions, Connection<From>& connection) {
  gateway_sessions.accepted(connection);
}

}  // namespace sallyport::net
