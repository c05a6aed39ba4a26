#include "net/transport.h"

namespace sallyport::net {

std::string_view to_text(CertificateError error) {
  switch (error) {
    case CertificateError::none_presented: return "no certificate was presented";
    case CertificateError::not_trusted: return "the certificate does not lead to a trusted CA";
    case CertificateError::expired: return "the certificate or one of its issuers has expired";
    case CertificateError::not_yet_valid: return "the certificate or one of its issuers is not yet valid";
    case CertificateError::wrong_name: return "the certificate does not carry the name";
    case CertificateError::wrong_usage: return "the certificate may not be used for this (key usage)";
    case CertificateError::weak: return "the certificate's key or signature is too weak";
    case CertificateError::malformed: return "the certificate cannot be understood";
    case CertificateError::clock_unknown: return "our own clock is not set, so no certificate can be judged";
  }
  return "unknown certificate error";
}

}  // namespace sallyport::net
