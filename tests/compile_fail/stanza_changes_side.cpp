// A stanza that becomes the other side's without BorderPolicy::admit().
// expect-error: could not convert|cannot convert|no matching function
#include <utility>

#include "net/side.h"
#include "xmpp/stanza.h"

namespace sallyport {

#ifdef CONTROL
using From = net::Internal;
#else
using From = net::External;
#endif

xmpp::Stanza<net::Internal> smuggle(xmpp::Stanza<From>& stanza) {
  xmpp::Stanza<net::Internal> inside(std::move(stanza));
  return inside;
}

}  // namespace sallyport
