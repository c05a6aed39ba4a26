// Transport: the byte stream that xmpp sees, in the clear or inside TLS. It never calls back: a change (readable, room
// to write, handshake done, closed) schedules the owner's Task.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "hal/base/fixed_string.h"
#include "hal/base/result.h"
#include "net/ip_address.h"

namespace sallyport::net {

namespace tls {
class Credentials;   // certificate chain and private key: net/tls/credentials.h
class TrustAnchors;  // CA certificates: net/tls/credentials.h
}  // namespace tls

enum class TlsRole : std::uint8_t { client, server };

/// The views must stay valid until the handshake is over.
struct TlsParameters {
  TlsRole role = TlsRole::server;
  const tls::Credentials* credentials = nullptr;  // ours; outlives the session
  /// The CAs that the peer's chain must lead to during the handshake. nullptr: a certificate is asked for, and judged
  /// later by certify() (inbound streams on 5269, where the peer's domain is known only afterwards).
  const tls::TrustAnchors* anchors = nullptr;
  /// With anchors: the handshake fails unless the certificate carries one of these names (RFC 6120 13.7.2 rules).
  std::span<const std::string_view> required_names = {};
  /// Client: SNI (RFC 6066), never empty; with anchors also demanded as in required_names when that is empty.
  std::string_view server_name = {};
  /// No tickets, no resumption, TLS 1.3 or 1.2, ALPN xmpp-server accepted (server) and offered when `alpn` (client).
  bool alpn = false;
};

enum class CertificateError : std::uint8_t {
  none_presented,
  not_trusted,  // no path to the anchors (self-signed, foreign CA)
  expired,
  not_yet_valid,
  wrong_name,
  wrong_usage,  // extended key usage without serverAuth (RFC 6120 13.7.1; clientAuth alone is not enough)
  weak,         // key or signature below RFC 9325
  malformed,
  clock_unknown,  // our own clock cannot be right: nothing can be judged
};

std::string_view to_text(CertificateError error);  // a clause for operators: "the certificate has expired"

/// Proof that the peer's certificate chain is valid now and carries `domain()`. Only tls::PeerVerifier makes one.
class CertifiedName {
 public:
  std::string_view domain() const { return domain_; }

 private:
  friend class PeerVerifierAccess;  // defined once: net/tls/peer_verifier.cpp, or tests/fakes
  explicit CertifiedName(std::string_view domain) : domain_(domain) {}
  FixedString<255> domain_;
};

enum class TransportState : std::uint8_t {
  connecting,  // TCP
  open,        // bytes flow (in the clear, or in TLS after secured())
  securing,    // TLS handshake
  closed       // see failure()
};

enum class TransportFault : std::uint8_t {
  none,
  connect,
  tls_local,
  tls_peer_alert,
  certificate,
  peer_reset,
  timeout,
  resources
};

struct TransportFailure {
  TransportFault fault = TransportFault::none;
  int native = 0;                // Mbed TLS or lwIP code, for the log
  FixedString<120> explanation;  // what happened, in words, for the operator
};

class Transport {
 public:
  virtual TransportState state() const = 0;
  virtual bool secured() const = 0;
  virtual const TransportFailure& failure() const = 0;
  virtual Endpoint remote() const = 0;
  /// "TLSv1.3 TLS1-3-AES-256-GCM-SHA384", empty before secured().
  virtual std::string_view tls_description() const = 0;

  /// The first received byte without taking it; -1 when there is none yet. 0x16 is a TLS ClientHello.
  virtual int peek_first_byte() const = 0;
  /// Up to into.size() bytes; 0 when none are there now. Bytes that arrived in the clear behind <starttls/> or
  /// <proceed/> are never read as part of the TLS stream's content (start_tls discards the connection if there are any,
  /// RFC 6120 5.3.2 and CVE-2011-0411's class).
  virtual std::size_t read(std::span<std::byte> into) = 0;
  /// The peer has finished sending (FIN or close_notify) and everything was read.
  virtual bool end_of_stream() const = 0;

  /// All or a part, 0 when there is no room now.
  virtual std::size_t write(std::span<const std::byte> bytes) = 0;
  /// Bytes write() would surely take now.
  virtual std::size_t write_room() const = 0;
  /// Hands what was written to the wire. Call once per run(), not per write.
  virtual void flush() = 0;
  /// The peer's TCP has acknowledged everything.
  virtual bool all_acknowledged() const = 0;

  /// Begins the handshake; state() becomes securing, then open with secured(), or closed.
  virtual void start_tls(const TlsParameters& parameters) = 0;
  /// Whether the peer's certificate (of the finished handshake) is valid for `domain` under `anchors`.
  virtual Result<CertifiedName, CertificateError> certify(std::string_view domain,
                                                          const tls::TrustAnchors& anchors) const = 0;

  /// close_notify and FIN after everything written. Idempotent.
  virtual void close() = 0;
  /// RST, everything is forgotten.
  virtual void abort() = 0;

 protected:
  ~Transport() = default;
};

}  // namespace sallyport::net
