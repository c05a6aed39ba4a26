#include "net/tls/peer_verifier.h"

#include <algorithm>

#include "mbedtls/oid.h"
#include "net/tls/certificate_time.h"
#include "net/tls/identity.h"
#include "net/tls/profile.h"

namespace sallyport::net {

class PeerVerifierAccess {
 public:
  static CertifiedName certified(std::string_view domain) { return CertifiedName(domain); }
};

namespace tls {
namespace {

/// RFC 6120 13.7.1: a federation certificate needs no extended key usage; one that has it must say serverAuth (public
/// CAs have stopped saying clientAuth), for each entity is a server as well. clientAuth alone is not enough.
bool usable_by_server(const mbedtls_x509_crt& certificate) {
  return mbedtls_x509_crt_check_extended_key_usage(&certificate, MBEDTLS_OID_SERVER_AUTH,
                                                   MBEDTLS_OID_SIZE(MBEDTLS_OID_SERVER_AUTH)) == 0;
}

/// When several things are wrong, the one that the operator must repair first.
CertificateError error_of(std::uint32_t flags) {
  constexpr std::uint32_t weak =
      MBEDTLS_X509_BADCERT_BAD_MD | MBEDTLS_X509_BADCERT_BAD_PK | MBEDTLS_X509_BADCERT_BAD_KEY;
  constexpr std::uint32_t usage =
      MBEDTLS_X509_BADCERT_KEY_USAGE | MBEDTLS_X509_BADCERT_EXT_KEY_USAGE | MBEDTLS_X509_BADCERT_NS_CERT_TYPE;
  if (flags & MBEDTLS_X509_BADCERT_MISSING) return CertificateError::none_presented;
  if (flags & MBEDTLS_X509_BADCERT_NOT_TRUSTED) return CertificateError::not_trusted;
  if (flags & MBEDTLS_X509_BADCERT_EXPIRED) return CertificateError::expired;
  if (flags & MBEDTLS_X509_BADCERT_FUTURE) return CertificateError::not_yet_valid;
  if (flags & weak) return CertificateError::weak;
  if (flags & usage) return CertificateError::wrong_usage;
  if (flags & MBEDTLS_X509_BADCERT_CN_MISMATCH) return CertificateError::wrong_name;
  return CertificateError::malformed;
}

}  // namespace

bool certificate_covers(const mbedtls_x509_crt& certificate, std::string_view domain) {
  for (const mbedtls_x509_sequence* entry = &certificate.subject_alt_names; entry != nullptr; entry = entry->next) {
    if (entry->buf.p == nullptr) continue;
    const auto name = parse_general_name(static_cast<std::uint8_t>(entry->buf.tag), {entry->buf.p, entry->buf.len});
    if (covers(name, domain)) return true;
  }
  return false;
}

void PeerVerifier::expect(const TrustAnchors& anchors, std::span<const std::string_view> names, TlsRole our_role) {
  expected_ = &anchors;
  names_ = names;
  chain_until_ = UnixTime::max();
  // Mbed TLS itself checks that a client whose certificate is demanded may use it as one.
  usage_checked_ = our_role == TlsRole::server;
}

int PeerVerifier::on_certificate(void* verifier, mbedtls_x509_crt* certificate, int depth, std::uint32_t* flags) {
  static_cast<PeerVerifier*>(verifier)->judge(*certificate, depth, *flags);
  return 0;
}

void PeerVerifier::judge(const mbedtls_x509_crt& certificate, int depth, std::uint32_t& flags) {
  chain_until_ = std::min(chain_until_, to_unix_time(certificate.valid_to));
  if (!clock_.known()) flags |= MBEDTLS_X509_BADCERT_OTHER;
  if (depth != 0) return;
  // Mbed TLS' name check knows the common name and no XMPP names: ours replaces it.
  flags &= ~static_cast<std::uint32_t>(MBEDTLS_X509_BADCERT_CN_MISMATCH);
  const bool admitted = names_.empty() || std::ranges::any_of(names_, [&](std::string_view name) {
                          return certificate_covers(certificate, name);
                        });
  if (!admitted) flags |= MBEDTLS_X509_BADCERT_CN_MISMATCH;
}

CertificateError PeerVerifier::handshake_error(std::uint32_t flags) const {
  return clock_.known() ? error_of(flags) : CertificateError::clock_unknown;
}

Result<CertifiedName, CertificateError> PeerVerifier::certify(mbedtls_x509_crt* certificate, std::string_view domain,
                                                              const TrustAnchors& anchors) {
  if (certificate == nullptr) return unexpected(CertificateError::none_presented);
  if (!clock_.known()) return unexpected(CertificateError::clock_unknown);
  if (auto verified = verify_chain(*certificate, anchors); !verified) return unexpected(verified.error());
  const bool usage_known = usage_checked_ && &anchors == expected_;
  if (!usage_known && !usable_by_server(*certificate)) return unexpected(CertificateError::wrong_usage);
  if (!certificate_covers(*certificate, domain)) return unexpected(CertificateError::wrong_name);
  return PeerVerifierAccess::certified(domain);
}

Result<void, CertificateError> PeerVerifier::verify_chain(mbedtls_x509_crt& certificate, const TrustAnchors& anchors) {
  if (verified_ == &anchors && *clock_.now() <= chain_until_) return {};
  verified_ = nullptr;
  names_ = {};
  chain_until_ = UnixTime::max();
  if (anchors.count() == 0) return unexpected(CertificateError::not_trusted);
  // The library's parameter is not const because of lists it builds elsewhere; verification only reads the anchors.
  auto* trusted = const_cast<mbedtls_x509_crt*>(&anchors.chain());
  std::uint32_t flags = 0;
  const int status = mbedtls_x509_crt_verify_with_profile(&certificate, trusted, nullptr, &certificate_profile, nullptr,
                                                          &flags, on_certificate, this);
  if (status != 0)
    return unexpected(status == MBEDTLS_ERR_X509_CERT_VERIFY_FAILED ? error_of(flags) : CertificateError::malformed);
  verified_ = &anchors;
  return {};
}

}  // namespace tls
}  // namespace sallyport::net
