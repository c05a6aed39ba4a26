#include "xmpp/authentication.h"

namespace sallyport::xmpp {

Result<AuthenticatedDomain, net::CertificateError> Authenticator::from_certificate(const net::CertifiedName& name,
                                                                                   AuthenticationMethod method) const {
  const DomainId domain = directory_.find(name.domain());
  if (!domain.valid()) return unexpected(net::CertificateError::wrong_name);
  return AuthenticatedDomain(domain, method);
}

}  // namespace sallyport::xmpp
