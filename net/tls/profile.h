// What this appliance accepts in TLS and X.509: RFC 9325 (Recommendations for Secure Use of TLS), section 4.
#pragma once

#include <cstdint>

#include "mbedtls/ssl.h"
#include "mbedtls/x509_crt.h"

namespace sallyport::net::tls {

inline constexpr unsigned min_rsa_bits = 2048;
inline constexpr unsigned max_rsa_bits = 4096;

/// SHA-256 and longer, RSA from 2048 bits, ECDSA on P-256 and P-384 (RFC 9325 4.1, 4.5).
extern const mbedtls_x509_crt_profile certificate_profile;

/// ChaCha20-Poly1305 first: with this library it is the faster suite on every board (net/tls/README.md), and without
/// AES instructions table-driven AES leaks through the cache.
inline constexpr std::uint16_t preferred_suite = MBEDTLS_TLS1_3_CHACHA20_POLY1305_SHA256;

enum class Suites : std::uint8_t {
  all,
  preferred_in_tls13  // the other suites of TLS 1.3 left out, for a client that is known to have the preferred one
};

/// Versions, suites, groups, signature algorithms.
void apply_profile(mbedtls_ssl_config& configuration, Suites suites);

}  // namespace sallyport::net::tls
