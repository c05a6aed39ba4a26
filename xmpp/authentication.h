// AuthenticatedDomain: the proof that a stream's peer is who it says. Only Authenticator makes one; S2sStream's
// Established state needs one, so a stream that skips the check does not compile (tests/compile_fail).
#pragma once

#include <cstdint>
#include <string_view>

#include "hal/base/result.h"
#include "net/transport.h"
#include "xmpp/domain_directory.h"

namespace sallyport::xmpp {

enum class AuthenticationMethod : std::uint8_t {
  sasl_external,   // XEP-0178: the peer's certificate
  tls_certificate  // initiating entity: the receiving entity's certificate, checked in the handshake
};

class AuthenticatedDomain {
 public:
  DomainId domain() const { return domain_; }
  AuthenticationMethod method() const { return method_; }

 private:
  friend class Authenticator;
  AuthenticatedDomain(DomainId domain, AuthenticationMethod method) : domain_(domain), method_(method) {}
  DomainId domain_;
  AuthenticationMethod method_;
};

class Authenticator {
 public:
  explicit Authenticator(const DomainDirectory& directory) : directory_(directory) {}

  /// A verified certificate name is an identity when the directory knows the domain.
  Result<AuthenticatedDomain, net::CertificateError> from_certificate(const net::CertifiedName& name,
                                                                      AuthenticationMethod method) const;

 private:
  const DomainDirectory& directory_;
};

}  // namespace sallyport::xmpp
