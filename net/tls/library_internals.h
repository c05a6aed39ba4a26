// The few things that are only to be had inside Mbed TLS 3.6: private members and functions that its public headers do
// not declare. All of them are here, so that a move to another series has one file to look at.
#pragma once

#include <cstdint>
#include <optional>

#include "mbedtls/ssl.h"

namespace sallyport::net::tls {

/// The description of the fatal alert after MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE.
std::uint8_t received_alert(const mbedtls_ssl_context& ssl);

/// After a record that could not be decrypted: the description of the alert that it is when it was never encrypted.
/// Mbed TLS as a TLS 1.3 client sends the alert about our certificate so (RFC 8446 6 wants it encrypted). Anyone on the
/// wire can have put it there; it explains, it proves nothing.
std::optional<std::uint8_t> cleartext_alert(const mbedtls_ssl_context& ssl);

/// After each step of a handshake. A TLS 1.3 server sends everything after its Finished under the application keys (RFC
/// 8446 4.4.4); Mbed TLS switches to them only at the end of the handshake, so that a client whose certificate is
/// refused would see "bad record MAC" instead of the alert. Nothing else is sent in between, so no record number is
/// used twice.
void switch_to_application_keys(mbedtls_ssl_context& ssl);

/// After a handshake. In TLS 1.3 Mbed TLS keeps its handshake's state and keys, 4 KB, until the session ends, although
/// without tickets nothing looks at them again; this lets go of them.
void free_handshake_state(mbedtls_ssl_context& ssl);

}  // namespace sallyport::net::tls
