// PeerVerifier: judges one peer's certificate, once in the handshake (where anchors are given) or once afterwards, and
// answers for which domains it stands. The only maker of CertifiedName.
//
// The chain is verified at most once per set of anchors; the verdict holds until the first of its certificates expires.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "hal/wall_clock.h"
#include "mbedtls/x509_crt.h"
#include "net/tls/credentials.h"
#include "net/transport.h"

namespace sallyport::net::tls {

class PeerVerifier {
 public:
  explicit PeerVerifier(const hal::WallClock& clock) : clock_(clock) {}
  PeerVerifier(const PeerVerifier&) = delete;
  PeerVerifier& operator=(const PeerVerifier&) = delete;

  /// Before a handshake that demands a certificate. One of `names` must be in it; none given: any certificate that
  /// leads to the anchors is admitted. The names are looked at during the handshake only.
  void expect(const TrustAnchors& anchors, std::span<const std::string_view> names, TlsRole our_role);
  /// Mbed TLS' verify callback of that handshake, for each certificate of the chain.
  static int on_certificate(void* verifier, mbedtls_x509_crt* certificate, int depth, std::uint32_t* flags);
  /// The handshake has succeeded: its verdict serves certify() too.
  void accept_handshake() { verified_ = expected_; }
  /// Why the handshake has failed, from Mbed TLS' flags.
  CertificateError handshake_error(std::uint32_t flags) const;

  /// `certificate`: the peer's chain, nullptr when it presented none. Call with the session's arena in force.
  Result<CertifiedName, CertificateError> certify(mbedtls_x509_crt* certificate, std::string_view domain,
                                                  const TrustAnchors& anchors);

 private:
  void judge(const mbedtls_x509_crt& certificate, int depth, std::uint32_t& flags);
  Result<void, CertificateError> verify_chain(mbedtls_x509_crt& certificate, const TrustAnchors& anchors);

  const hal::WallClock& clock_;

  const TrustAnchors* expected_ = nullptr;
  std::span<const std::string_view> names_;
  bool usage_checked_ = false;

  UnixTime chain_until_{};                  // the first expiry in the chain that is being verified
  const TrustAnchors* verified_ = nullptr;  // the chain leads to these, until then
};

/// Whether one of the certificate's names covers `domain` (identity.h).
bool certificate_covers(const mbedtls_x509_crt& certificate, std::string_view domain);

}  // namespace sallyport::net::tls
