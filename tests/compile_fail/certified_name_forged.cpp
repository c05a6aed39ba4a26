// A CertifiedName that no certificate was checked for (net/transport.h).
// expect-error: CertifiedName\(.*\).* is private within this context
#include "net/transport.h"

namespace sallyport::net {

#ifdef CONTROL
CertifiedName vouch(const CertifiedName& proof) { return proof; }
#else
CertifiedName vouch(std::string_view domain) { return CertifiedName(domain); }
#endif

}  // namespace sallyport::net
