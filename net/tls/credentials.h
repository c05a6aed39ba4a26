// Credentials (our certificate chain and private key) and TrustAnchors (CA certificates), parsed from PEM text of the
// settings. Both live in an arena that their owner gives; sessions only read them, and they outlive every session.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "hal/base/arena.h"
#include "hal/base/fixed_string.h"
#include "hal/base/result.h"
#include "hal/base/time.h"
#include "mbedtls/pk.h"
#include "mbedtls/ssl.h"
#include "mbedtls/x509_crt.h"
#include "net/tls/profile.h"
#include "net/transport.h"

namespace sallyport::net::tls {

enum class CredentialsFault : std::uint8_t {
  not_pem,          // no "-----BEGIN ...-----" block of the wanted kind, or one without its end
  certificate,      // a block is not a certificate that this build understands
  private_key,      // a block is not a private key that this build understands
  encrypted_key,    // keys are stored without a passphrase: nobody could type it at boot
  unsuitable_key,   // neither ECDSA (P-256, P-384) nor RSA of 2048 to 4096 bits
  does_not_belong,  // the private key does not fit the first certificate
  too_large         // the arena is used up
};

struct CredentialsError {
  CredentialsFault fault = CredentialsFault::not_pem;
  int native = 0;                // Mbed TLS' code
  std::size_t line = 0;          // of the PEM text, from 1; 0: the text as a whole
  FixedString<150> explanation;  // a sentence for the operator, without the line
};

using Fingerprint = std::array<std::uint8_t, 32>;  // SHA-256 of the certificate's DER

/// What the console shows of a certificate.
struct CertificateSummary {
  FixedString<120> subject;  // "CN=edge.corp.example, O=Corp", RFC 4514 like, cut when longer
  UnixTime not_before{};
  UnixTime not_after{};
  Fingerprint sha256{};
  FixedString<12> key;  // "P-256", "RSA-2048"
};

CertificateSummary summarize(const mbedtls_x509_crt& certificate);

class Credentials {
 public:
  /// `arena` outlives this. 12 KB hold an RSA-4096 key with a chain of two; half is enough for ECDSA. Parsing needs as
  /// much again as the PEM text is long, for the time of load().
  explicit Credentials(Arena& arena);
  ~Credentials();
  Credentials(const Credentials&) = delete;
  Credentials& operator=(const Credentials&) = delete;

  /// `chain`: PEM certificates, ours first, then its issuers (the root may be left out). `key`: PEM, PKCS#8, SEC 1 or
  /// PKCS#1, not encrypted. Text around the blocks is ignored. Only once per object; after an error it stays empty.
  Result<void, CredentialsError> load(std::string_view chain, std::string_view key);

  bool loaded() const { return loaded_; }
  /// The earliest end of validity along the chain.
  UnixTime not_after() const;
  /// Ours, the first of the chain.
  const mbedtls_x509_crt& certificate() const { return chain_; }

  /// The TLS settings of a server session. `demand_certificate`: the handshake fails without a certificate that leads
  /// to the session's anchors. It always accepts the protocol xmpp-server (ALPN).
  const mbedtls_ssl_config& server_configuration(bool demand_certificate, Suites suites) const;
  /// The TLS settings of a client session. `alpn`: it offers xmpp-server.
  const mbedtls_ssl_config& client_configuration(bool demand_certificate, bool alpn) const;

 private:
  Result<void, CredentialsError> load_key(std::string_view key);
  Result<void, CredentialsError> build_configurations();

  Arena& arena_;
  mbedtls_x509_crt chain_;
  mbedtls_pk_context key_;
  // Of servers, then of clients: bit 0 is demand_certificate, bit 1 the other parameter.
  static constexpr std::size_t of_clients = 4;
  std::array<mbedtls_ssl_config, 8> configurations_;
  bool loaded_ = false;
};

class TrustAnchors {
 public:
  /// `arena` outlives this: about 2 KB per CA certificate.
  explicit TrustAnchors(Arena& arena);
  ~TrustAnchors();
  TrustAnchors(const TrustAnchors&) = delete;
  TrustAnchors& operator=(const TrustAnchors&) = delete;

  /// Adds every certificate of the PEM text. After an error the ones before the bad one stay.
  Result<void, CredentialsError> load(std::string_view certificates);

  std::size_t count() const { return count_; }
  /// The head of the list; empty (raw.p == nullptr) when count() is 0.
  const mbedtls_x509_crt& chain() const { return chain_; }

 private:
  Arena& arena_;
  mbedtls_x509_crt chain_;
  std::size_t count_ = 0;
};

}  // namespace sallyport::net::tls
