#include "net/tls/failure.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include "hal/base/log.h"
#include "mbedtls/error.h"
#include "mbedtls/pk.h"
#include "mbedtls/ssl.h"
#include "mbedtls/x509.h"

namespace sallyport::net::tls {
namespace {

struct Alert {
  std::uint8_t description;
  std::string_view name;
  std::string_view meaning;  // of the peer's complaint, where the name does not say it
};

constexpr Alert alerts[] = {
    {10, "unexpected_message", ""},
    {20, "bad_record_mac", ""},
    {21, "decryption_failed", ""},
    {22, "record_overflow", ""},
    {40, "handshake_failure", "no TLS settings in common"},
    {41, "no_certificate", "it wants a certificate"},
    {42, "bad_certificate", "it refuses our certificate"},
    {43, "unsupported_certificate", "it cannot use our certificate's kind"},
    {44, "certificate_revoked", "our certificate is revoked"},
    {45, "certificate_expired", "our certificate has expired, or its clock is wrong"},
    {46, "certificate_unknown", "it refuses our certificate"},
    {47, "illegal_parameter", ""},
    {48, "unknown_ca", "it does not trust our certificate's CA"},
    {49, "access_denied", "it does not admit us"},
    {50, "decode_error", ""},
    {51, "decrypt_error", ""},
    {70, "protocol_version", "it has neither TLS 1.2 nor 1.3"},
    {71, "insufficient_security", "it wants stronger TLS settings"},
    {80, "internal_error", ""},
    {86, "inappropriate_fallback", ""},
    {90, "user_canceled", ""},
    {100, "no_renegotiation", ""},
    {109, "missing_extension", ""},
    {110, "unsupported_extension", ""},
    {112, "unrecognized_name", "it does not serve the name we asked for"},
    {113, "bad_certificate_status_response", ""},
    {116, "certificate_required", "it wants a certificate"},
    {120, "no_application_protocol", "it does not speak xmpp-server there"},
};

const Alert* find_alert(std::uint8_t description) {
  const auto* found = std::ranges::find(alerts, description, &Alert::description);
  return found == std::end(alerts) ? nullptr : found;
}

struct LibraryError {
  int code;
  std::uint8_t alert;  // that Mbed TLS sends with it; 0: none
  std::string_view reason;
};

constexpr LibraryError library_errors[] = {
    {MBEDTLS_ERR_SSL_HANDSHAKE_FAILURE, MBEDTLS_SSL_ALERT_MSG_HANDSHAKE_FAILURE,
     "no suite, group or signature in common with the peer"},
    {MBEDTLS_ERR_SSL_BAD_PROTOCOL_VERSION, MBEDTLS_SSL_ALERT_MSG_PROTOCOL_VERSION,
     "the peer has neither TLS 1.2 nor TLS 1.3"},
    {MBEDTLS_ERR_SSL_NO_APPLICATION_PROTOCOL, MBEDTLS_SSL_ALERT_MSG_NO_APPLICATION_PROTOCOL,
     "the peer does not offer the protocol xmpp-server (ALPN)"},
    {MBEDTLS_ERR_SSL_ILLEGAL_PARAMETER, MBEDTLS_SSL_ALERT_MSG_ILLEGAL_PARAMETER, "the peer sent a forbidden value"},
    {MBEDTLS_ERR_SSL_DECODE_ERROR, MBEDTLS_SSL_ALERT_MSG_DECODE_ERROR, "the peer sent a damaged message"},
    {MBEDTLS_ERR_SSL_UNSUPPORTED_EXTENSION, MBEDTLS_SSL_ALERT_MSG_UNSUPPORTED_EXT,
     "the peer answered with an extension that we did not offer"},
    {MBEDTLS_ERR_SSL_UNEXPECTED_MESSAGE, MBEDTLS_SSL_ALERT_MSG_UNEXPECTED_MESSAGE,
     "the peer sent a message out of its order"},
    {MBEDTLS_ERR_SSL_INVALID_RECORD, 0, "the peer sent bytes that are not TLS"},
    {MBEDTLS_ERR_SSL_INVALID_MAC, MBEDTLS_SSL_ALERT_MSG_BAD_RECORD_MAC, "a record was altered on its way"},
    {MBEDTLS_ERR_SSL_BAD_CERTIFICATE, MBEDTLS_SSL_ALERT_MSG_BAD_CERT, "the peer's certificate was refused"},
    {MBEDTLS_ERR_SSL_PRIVATE_KEY_REQUIRED, 0, "our certificate does not fit what the peer can use"},
    {MBEDTLS_ERR_SSL_COUNTER_WRAPPING, 0, "the session has used up its record numbers"},
    {MBEDTLS_ERR_SSL_BUFFER_TOO_SMALL, 0, "a message does not fit our buffer"},
};

/// X.509 and public-key codes combine a high and a low level part; the high one says enough.
bool about_certificate(int status) {
  const int high = -((-status) & 0xFF80);
  return (high <= MBEDTLS_ERR_X509_FEATURE_UNAVAILABLE && high >= MBEDTLS_ERR_X509_FATAL_ERROR &&
          high != MBEDTLS_ERR_X509_ALLOC_FAILED) ||
         high == MBEDTLS_ERR_PK_UNKNOWN_PK_ALG || high == MBEDTLS_ERR_PK_UNKNOWN_NAMED_CURVE;
}

/// The alert that mbedtls_ssl_verify_certificate() chooses.
std::uint8_t alert_of(CertificateError error) {
  switch (error) {
    case CertificateError::none_presented: return MBEDTLS_SSL_ALERT_MSG_NO_CERT;
    case CertificateError::not_trusted: return MBEDTLS_SSL_ALERT_MSG_UNKNOWN_CA;
    case CertificateError::expired: return MBEDTLS_SSL_ALERT_MSG_CERT_EXPIRED;
    case CertificateError::not_yet_valid: return MBEDTLS_SSL_ALERT_MSG_CERT_UNKNOWN;
    case CertificateError::wrong_name:
    case CertificateError::malformed: return MBEDTLS_SSL_ALERT_MSG_BAD_CERT;
    case CertificateError::wrong_usage:
    case CertificateError::weak: return MBEDTLS_SSL_ALERT_MSG_UNSUPPORTED_CERT;
    case CertificateError::clock_unknown: return MBEDTLS_SSL_ALERT_MSG_ACCESS_DENIED;
  }
  return MBEDTLS_SSL_ALERT_MSG_INTERNAL_ERROR;
}

TransportFailure sent_alert(TransportFault fault, int native, std::string_view reason, std::uint8_t alert) {
  TransportFailure failure{.fault = fault, .native = native, .explanation = FixedString<120>(reason)};
  if (alert == 0) return failure;
  char text[48];
  const std::string_view name = alert_name(alert);
  std::snprintf(text, sizeof text, "; sent alert %.*s (%u)", SALLYPORT_SV(name), static_cast<unsigned>(alert));
  static_cast<void>(failure.explanation.append(text));
  return failure;
}

}  // namespace

std::string_view alert_name(std::uint8_t description) {
  const Alert* alert = find_alert(description);
  return alert == nullptr ? std::string_view{} : alert->name;
}

TransportFailure failure_of_peer_alert(std::uint8_t description) {
  TransportFailure failure{
      .fault = TransportFault::tls_peer_alert, .native = MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE, .explanation = {}};
  const Alert* alert = find_alert(description);
  const std::string_view name = alert == nullptr ? "unknown" : alert->name;
  const std::string_view meaning = alert == nullptr ? "" : alert->meaning;
  char text[failure.explanation.capacity() + 1];
  std::snprintf(text, sizeof text, "the peer ended TLS with alert %.*s (%u)%s%.*s", SALLYPORT_SV(name),
                static_cast<unsigned>(description), meaning.empty() ? "" : ": ", SALLYPORT_SV(meaning));
  static_cast<void>(failure.explanation.assign(text));
  return failure;
}

TransportFailure failure_of_certificate(CertificateError error, int native) {
  if (error == CertificateError::none_presented)  // the alert depends on the version
    return failure_of(TransportFault::certificate, to_text(error), native);
  return sent_alert(TransportFault::certificate, native, to_text(error), alert_of(error));
}

TransportFailure failure_of_library(int status, bool in_handshake) {
  if (about_certificate(status)) return failure_of_certificate(CertificateError::malformed, status);
  const auto* found = std::ranges::find(library_errors, status, &LibraryError::code);
  if (found != std::end(library_errors))
    return sent_alert(TransportFault::tls_local, status, found->reason, found->alert);
  char text[64];
  std::snprintf(text, sizeof text, "%s failed (Mbed TLS -0x%04X)", in_handshake ? "the TLS handshake" : "TLS",
                static_cast<unsigned>(-status));
  return sent_alert(TransportFault::tls_local, status, text, 0);
}

TransportFailure failure_of_connection(ConnectError error, bool in_handshake) {
  TransportFault fault = TransportFault::connect;
  if (error == ConnectError::reset || error == ConnectError::none) fault = TransportFault::peer_reset;
  if (error == ConnectError::timed_out) fault = TransportFault::timeout;
  if (error == ConnectError::no_resources) fault = TransportFault::resources;
  FixedString<120> text(error == ConnectError::none ? "the peer closed the connection" : to_text(error));
  if (in_handshake) static_cast<void>(text.append(" during the TLS handshake"));
  return {.fault = fault, .native = static_cast<int>(error), .explanation = text};
}

TransportFailure failure_of(TransportFault fault, std::string_view explanation, int native) {
  return {.fault = fault, .native = native, .explanation = FixedString<120>(explanation)};
}

}  // namespace sallyport::net::tls
