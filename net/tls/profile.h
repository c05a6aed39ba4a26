// What this appliance accepts in TLS and X.509: RFC 9325 (Recommendations for Secure Use of TLS), section 4.
#pragma once

#include "mbedtls/ssl.h"
#include "mbedtls/x509_crt.h"

namespace sallyport::net::tls {

inline constexpr unsigned min_rsa_bits = 2048;
inline constexpr unsigned max_rsa_bits = 4096;

/// SHA-256 and longer, RSA from 2048 bits, ECDSA on P-256 and P-384 (RFC 9325 4.1, 4.5).
extern const mbedtls_x509_crt_profile certificate_profile;

/// Versions, suites, groups, signature algorithms: the same for every session.
void apply_profile(mbedtls_ssl_config& configuration);

}  // namespace sallyport::net::tls
