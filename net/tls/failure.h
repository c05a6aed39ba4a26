// Why a TLS session ended, in words for the operator: which side gave up, why, and the alert that told the other (RFC
// 8446 6.2, RFC 5246 7.2.2).
#pragma once

#include <cstdint>
#include <string_view>

#include "net/byte_stream.h"
#include "net/transport.h"

namespace sallyport::net::tls {

/// "unknown_ca"; empty for a number that no RFC names.
std::string_view alert_name(std::uint8_t description);

/// The peer sent this fatal alert.
TransportFailure failure_of_peer_alert(std::uint8_t description);
/// The peer's certificate was refused in the handshake; `native` is Mbed TLS' code.
TransportFailure failure_of_certificate(CertificateError error, int native);
/// Mbed TLS gave up with this code, other than for want of memory.
TransportFailure failure_of_library(int status, bool in_handshake);
/// The connection below ended or failed.
TransportFailure failure_of_connection(ConnectError error, bool in_handshake);

/// One of our own.
TransportFailure failure_of(TransportFault fault, std::string_view explanation, int native = 0);

}  // namespace sallyport::net::tls
