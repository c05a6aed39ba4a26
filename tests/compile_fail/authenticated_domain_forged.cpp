// An AuthenticatedDomain that no Authenticator has made (xmpp/authentication.h).
// expect-error: AuthenticatedDomain\(.*\).* is private within this context
#include "xmpp/authentication.h"

namespace sallyport::xmpp {

#ifdef CONTROL
AuthenticatedDomain vouch(const AuthenticatedDomain& proof) { return proof; }
#else
AuthenticatedDomain vouch(DomainId domain) { return AuthenticatedDomain(domain, AuthenticationMethod::sasl_external); }
#endif

}  // namespace sallyport::xmpp
