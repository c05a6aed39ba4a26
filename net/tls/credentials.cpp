#include "net/tls/credentials.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <iterator>
#include <optional>

#include "hal/base/assert.h"
#include "mbedtls/error.h"
#include "mbedtls/pem.h"
#include "mbedtls/platform_util.h"
#include "mbedtls/sha256.h"
#include "net/tls/certificate_time.h"
#include "net/tls/engine.h"
#include "net/tls/profile.h"

namespace sallyport::net::tls {
namespace {

// Not const because Mbed TLS' parameter is not; it only reads them.
const char* alpn_protocols[] = {"xmpp-server", nullptr};  // XEP-0368 5

struct PemBlock {
  std::string_view label;  // "CERTIFICATE"
  std::string_view text;   // with its BEGIN and END lines
  std::size_t line = 0;
};

/// Steps through the blocks of a PEM text (RFC 7468), whatever stands between them.
class PemReader {
 public:
  explicit PemReader(std::string_view text) : text_(text) {}

  std::optional<PemBlock> next() {
    static constexpr std::string_view begin = "-----BEGIN ", end = "-----END ", dashes = "-----";
    const std::size_t start = text_.find(begin, position_);
    if (start == text_.npos) return std::nullopt;
    line_ += static_cast<std::size_t>(std::ranges::count(text_.substr(position_, start - position_), '\n'));
    PemBlock block{.label = {}, .text = {}, .line = line_};
    const std::size_t label = start + begin.size();
    const std::size_t label_end = text_.find(dashes, label);
    const std::size_t foot = label_end == text_.npos ? text_.npos : text_.find(end, label_end);
    const std::size_t foot_end = foot == text_.npos ? text_.npos : text_.find(dashes, foot + end.size());
    if (foot_end == text_.npos) {
      position_ = text_.size();
      return block;
    }
    block.label = text_.substr(label, label_end - label);
    block.text = text_.substr(start, foot_end + dashes.size() - start);
    line_ += static_cast<std::size_t>(std::ranges::count(block.text, '\n'));
    position_ = foot_end + dashes.size();
    return block;
  }

 private:
  std::string_view text_;
  std::size_t position_ = 0;
  std::size_t line_ = 1;
};

/// The NUL-terminated copy that Mbed TLS' PEM functions want, in the arena in force; wiped, for it may be a key.
class TerminatedCopy {
 public:
  explicit TerminatedCopy(std::string_view text) : size_(text.size() + 1) {
    bytes_ = static_cast<unsigned char*>(Arena::current()->allocate(size_, true));
    if (bytes_ != nullptr) std::memcpy(bytes_, text.data(), text.size());
  }
  ~TerminatedCopy() {
    if (bytes_ == nullptr) return;
    mbedtls_platform_zeroize(bytes_, size_);
    Arena::current()->release(bytes_);
  }
  TerminatedCopy(const TerminatedCopy&) = delete;
  TerminatedCopy& operator=(const TerminatedCopy&) = delete;

  explicit operator bool() const { return bytes_ != nullptr; }
  const unsigned char* data() const { return bytes_; }
  std::size_t size() const { return size_; }

 private:
  unsigned char* bytes_;
  std::size_t size_;
};

CredentialsError error_of(CredentialsFault fault, std::string_view explanation, int native = 0, std::size_t line = 0) {
  CredentialsError error{.fault = fault, .native = native, .line = line, .explanation = {}};
  static_cast<void>(error.explanation.assign(explanation));
  return error;
}

/// Whether the library has asked the arena in vain since this was made; its codes do not always say so.
class AllocationWatch {
 public:
  bool failed() const { return Arena::current()->failures() != before_; }

 private:
  std::size_t before_ = Arena::current()->failures();
};

std::string_view certificate_reason(int status) {
  switch (-((-status) & 0xFF80)) {
    case MBEDTLS_ERR_PEM_INVALID_DATA: return "the certificate's text is damaged (not base64)";
    case MBEDTLS_ERR_X509_UNKNOWN_SIG_ALG: return "the certificate is signed with an algorithm that is not supported";
    case MBEDTLS_ERR_PK_UNKNOWN_NAMED_CURVE:
    case MBEDTLS_ERR_PK_UNKNOWN_PK_ALG:
      return "the certificate's key is of a kind that is not supported (use P-256, P-384 or RSA)";
    case MBEDTLS_ERR_X509_FEATURE_UNAVAILABLE: return "the certificate has a critical extension that is not supported";
    default: return "the certificate cannot be read: its DER content is damaged or unusual";
  }
}

bool suitable(const mbedtls_pk_context& key) {
  const std::size_t bits = mbedtls_pk_get_bitlen(&key);
  if (mbedtls_pk_can_do(&key, MBEDTLS_PK_RSA)) return bits >= min_rsa_bits && bits <= max_rsa_bits;
  if (!mbedtls_pk_can_do(&key, MBEDTLS_PK_ECDSA)) return false;
  const mbedtls_ecp_group_id group = mbedtls_pk_ec(key)->MBEDTLS_PRIVATE(grp).id;
  return group == MBEDTLS_ECP_DP_SECP256R1 || group == MBEDTLS_ECP_DP_SECP384R1;
}

/// Appends the certificates of `text` to `chain`; the number of them.
Result<std::size_t, CredentialsError> load_certificates(mbedtls_x509_crt& chain, std::string_view text) {
  const AllocationWatch memory;
  PemReader reader(text);
  std::size_t count = 0;
  while (const auto block = reader.next()) {
    if (block->text.empty())
      return unexpected(error_of(CredentialsFault::not_pem, "a PEM block without its end line", 0, block->line));
    if (block->label != "CERTIFICATE") continue;
    const TerminatedCopy copy(block->text);
    const int status = copy ? mbedtls_x509_crt_parse(&chain, copy.data(), copy.size()) : MBEDTLS_ERR_X509_ALLOC_FAILED;
    if (status != 0 && memory.failed())
      return unexpected(error_of(CredentialsFault::too_large, "the certificates are too large", status, block->line));
    if (status != 0)
      return unexpected(error_of(CredentialsFault::certificate, certificate_reason(status), status, block->line));
    ++count;
  }
  if (count == 0) return unexpected(error_of(CredentialsFault::not_pem, "there is no PEM certificate in the text"));
  return count;
}

/// An RSA context computes values on first use and keeps them: let that be now and in the owner's arena, not during a
/// handshake and in the session's, where they would dangle after it. Repeated squaring doubles the blinding values'
/// length before each reduction, so they get that room now (rsa_prepare_blinding, mbedtls_mpi_exp_mod in Mbed TLS 3.6).
bool settle_rsa_private(mbedtls_pk_context& key) {
  if (!mbedtls_pk_can_do(&key, MBEDTLS_PK_RSA)) return true;
  mbedtls_rsa_context& rsa = *mbedtls_pk_rsa(key);
  std::array<unsigned char, 32> digest{};
  std::array<unsigned char, MBEDTLS_MPI_MAX_SIZE> signature;
  if (mbedtls_rsa_pkcs1_sign(&rsa, Engine::random, nullptr, MBEDTLS_MD_SHA256, digest.size(), digest.data(),
                             signature.data()) != 0)
    return false;
  const std::size_t limbs = 2 * static_cast<std::size_t>(rsa.MBEDTLS_PRIVATE(N).MBEDTLS_PRIVATE(n)) + 1;
  return mbedtls_mpi_grow(&rsa.MBEDTLS_PRIVATE(Vi), limbs) == 0 &&
         mbedtls_mpi_grow(&rsa.MBEDTLS_PRIVATE(Vf), limbs) == 0;
}

bool settle_rsa_public(mbedtls_pk_context& key) {
  if (!mbedtls_pk_can_do(&key, MBEDTLS_PK_RSA)) return true;
  std::array<unsigned char, MBEDTLS_MPI_MAX_SIZE> number{};
  number[mbedtls_pk_get_len(&key) - 1] = 2;
  return mbedtls_rsa_public(mbedtls_pk_rsa(key), number.data(), number.data()) == 0;
}

void describe_key(const mbedtls_pk_context& key, FixedString<12>& text) {
  char buffer[13];
  const bool rsa = mbedtls_pk_can_do(&key, MBEDTLS_PK_RSA) != 0;
  std::snprintf(buffer, sizeof buffer, rsa ? "RSA-%u" : "P-%u", static_cast<unsigned>(mbedtls_pk_get_bitlen(&key)));
  static_cast<void>(text.assign(buffer));
}

}  // namespace

CertificateSummary summarize(const mbedtls_x509_crt& certificate) {
  CertificateSummary summary;
  char subject[summary.subject.capacity() + 1];
  const int length = mbedtls_x509_dn_gets(subject, sizeof subject, &certificate.subject);
  static_cast<void>(summary.subject.assign(length < 0 ? "(too long to show)" : subject));
  summary.not_before = to_unix_time(certificate.valid_from);
  summary.not_after = to_unix_time(certificate.valid_to);
  SALLYPORT_ASSERT(mbedtls_sha256(certificate.raw.p, certificate.raw.len, summary.sha256.data(), 0) == 0);
  describe_key(certificate.pk, summary.key);
  return summary;
}

Credentials::Credentials(Arena& arena) : arena_(arena) {
  mbedtls_x509_crt_init(&chain_);
  mbedtls_pk_init(&key_);
  for (auto& configuration : configurations_) mbedtls_ssl_config_init(&configuration);
}

Credentials::~Credentials() {
  ArenaScope scope(arena_);
  for (auto& configuration : configurations_) mbedtls_ssl_config_free(&configuration);
  mbedtls_pk_free(&key_);
  mbedtls_x509_crt_free(&chain_);
}

Result<void, CredentialsError> Credentials::load(std::string_view chain, std::string_view key) {
  SALLYPORT_ASSERT(!loaded_);
  ArenaScope scope(arena_);
  auto result = load_certificates(chain_, chain);
  if (!result) return unexpected(result.error());
  if (auto loaded = load_key(key); !loaded) return loaded;
  const AllocationWatch memory;
  const int pair = mbedtls_pk_check_pair(&chain_.pk, &key_, Engine::random, nullptr);
  if (pair != 0 && !memory.failed())
    return unexpected(
        error_of(CredentialsFault::does_not_belong, "the private key does not belong to the certificate", pair));
  if (pair != 0 || !settle_rsa_private(key_))
    return unexpected(error_of(CredentialsFault::too_large, "the private key is too large"));
  if (auto built = build_configurations(); !built) return built;
  loaded_ = true;
  return {};
}

Result<void, CredentialsError> Credentials::load_key(std::string_view key) {
  const AllocationWatch memory;
  PemReader reader(key);
  std::optional<PemBlock> block = reader.next();
  while (block && !block->label.ends_with("PRIVATE KEY")) block = reader.next();
  if (!block) return unexpected(error_of(CredentialsFault::not_pem, "there is no PEM private key in the text"));
  if (block->label == "ENCRYPTED PRIVATE KEY" || block->text.contains("Proc-Type: 4,ENCRYPTED"))
    return unexpected(error_of(CredentialsFault::encrypted_key,
                               "the private key is protected with a passphrase, which nobody could type at boot", 0,
                               block->line));
  const TerminatedCopy copy(block->text);
  const int status = copy ? mbedtls_pk_parse_key(&key_, copy.data(), copy.size(), nullptr, 0, Engine::random, nullptr)
                          : MBEDTLS_ERR_PK_ALLOC_FAILED;
  if (status != 0 && memory.failed())
    return unexpected(error_of(CredentialsFault::too_large, "the private key is too large", status, block->line));
  if (status != 0)
    return unexpected(
        error_of(CredentialsFault::private_key,
                 "the private key is damaged or of a kind that is not supported (use P-256, P-384 or RSA)", status,
                 block->line));
  if (!suitable(key_))
    return unexpected(error_of(CredentialsFault::unsuitable_key,
                               "the private key must be ECDSA on P-256 or P-384, or RSA of 2048 to 4096 bits", 0,
                               block->line));
  return {};
}

Result<void, CredentialsError> Credentials::build_configurations() {
  for (std::size_t index = 0; index < configurations_.size(); ++index) {
    const bool server = index < of_clients, demand = (index & 1) != 0, other = (index & 2) != 0;
    mbedtls_ssl_config& configuration = configurations_[index];
    int status = mbedtls_ssl_config_defaults(&configuration, server ? MBEDTLS_SSL_IS_SERVER : MBEDTLS_SSL_IS_CLIENT,
                                             MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT);
    if (status == 0) status = mbedtls_ssl_conf_own_cert(&configuration, &chain_, &key_);
    if (status == 0 && (server || other)) status = mbedtls_ssl_conf_alpn_protocols(&configuration, alpn_protocols);
    if (status != 0) return unexpected(error_of(CredentialsFault::too_large, "no memory for the TLS settings", status));
    apply_profile(configuration, server && other ? Suites::preferred_in_tls13 : Suites::all);
    mbedtls_ssl_conf_authmode(&configuration, demand ? MBEDTLS_SSL_VERIFY_REQUIRED : MBEDTLS_SSL_VERIFY_OPTIONAL);
    mbedtls_ssl_conf_rng(&configuration, Engine::random, nullptr);
    // The peers choose by what they have, not by our list of names: a list only costs bytes and tells whom we trust.
    mbedtls_ssl_conf_cert_req_ca_list(&configuration, MBEDTLS_SSL_CERT_REQ_CA_LIST_DISABLED);
  }
  return {};
}

UnixTime Credentials::not_after() const {
  UnixTime earliest = to_unix_time(chain_.valid_to);
  for (const mbedtls_x509_crt* issuer = chain_.next; issuer != nullptr; issuer = issuer->next)
    earliest = std::min(earliest, to_unix_time(issuer->valid_to));
  return earliest;
}

const mbedtls_ssl_config& Credentials::server_configuration(bool demand_certificate, Suites suites) const {
  SALLYPORT_ASSERT(loaded_);
  return configurations_[(demand_certificate ? 1U : 0U) | (suites == Suites::preferred_in_tls13 ? 2U : 0U)];
}

const mbedtls_ssl_config& Credentials::client_configuration(bool demand_certificate, bool alpn) const {
  SALLYPORT_ASSERT(loaded_);
  return configurations_[of_clients + ((demand_certificate ? 1U : 0U) | (alpn ? 2U : 0U))];
}

TrustAnchors::TrustAnchors(Arena& arena) : arena_(arena) { mbedtls_x509_crt_init(&chain_); }

TrustAnchors::~TrustAnchors() {
  ArenaScope scope(arena_);
  mbedtls_x509_crt_free(&chain_);
}

Result<void, CredentialsError> TrustAnchors::load(std::string_view certificates) {
  ArenaScope scope(arena_);
  auto loaded = load_certificates(chain_, certificates);
  if (!loaded) return unexpected(loaded.error());
  count_ += *loaded;
  for (mbedtls_x509_crt* certificate = &chain_; certificate != nullptr; certificate = certificate->next)
    if (!settle_rsa_public(certificate->pk))
      return unexpected(error_of(CredentialsFault::too_large, "the certificates are too large"));
  return {};
}

}  // namespace sallyport::net::tls
