#include "net/tls/library_internals.h"

// library/ssl_misc.h of Mbed TLS 3.6.
extern "C" {
void mbedtls_ssl_set_outbound_transform(mbedtls_ssl_context* ssl, mbedtls_ssl_transform* transform);
void mbedtls_ssl_handshake_wrapup_free_hs_transform(mbedtls_ssl_context* ssl);
}

namespace sallyport::net::tls {

std::uint8_t received_alert(const mbedtls_ssl_context& ssl) { return ssl.MBEDTLS_PRIVATE(in_msg)[1]; }

std::optional<std::uint8_t> cleartext_alert(const mbedtls_ssl_context& ssl) {
  // RFC 8446 5.1: type, version, length 2; level, description. An encrypted alert is longer: it has a tag.
  const unsigned char* record = ssl.MBEDTLS_PRIVATE(in_hdr);
  if (record[0] != MBEDTLS_SSL_MSG_ALERT || record[3] != 0 || record[4] != 2) return std::nullopt;
  return record[6];
}

void switch_to_application_keys(mbedtls_ssl_context& ssl) {
  if (ssl.MBEDTLS_PRIVATE(tls_version) == MBEDTLS_SSL_VERSION_TLS1_3 &&
      ssl.MBEDTLS_PRIVATE(conf)->MBEDTLS_PRIVATE(endpoint) == MBEDTLS_SSL_IS_SERVER &&
      ssl.MBEDTLS_PRIVATE(state) == MBEDTLS_SSL_CLIENT_CERTIFICATE)
    mbedtls_ssl_set_outbound_transform(&ssl, ssl.MBEDTLS_PRIVATE(transform_application));
}

void free_handshake_state(mbedtls_ssl_context& ssl) {
  // In TLS 1.2 it is gone already, and there the function would free the session's own keys.
  if (ssl.MBEDTLS_PRIVATE(tls_version) == MBEDTLS_SSL_VERSION_TLS1_3)
    mbedtls_ssl_handshake_wrapup_free_hs_transform(&ssl);
}

}  // namespace sallyport::net::tls
