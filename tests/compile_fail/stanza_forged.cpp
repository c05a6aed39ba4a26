// A stanza made by somebody who is neither a stream nor the BorderPolicy.
// expect-error: Stanza\(.*StanzaRecord\*\).* is private within this context
#include "net/side.h"
#include "xmpp/stanza.h"

namespace sallyport {

#ifdef CONTROL
std::size_t forge(const xmpp::Stanza<net::External>& stanza) { return stanza.bytes(); }
#else
std::size_t forge(xmpp::StanzaRecord* record) { return xmpp::Stanza<net::External>(record).bytes(); }
#endif

}  // namespace sallyport
