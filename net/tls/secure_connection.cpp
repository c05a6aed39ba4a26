#include "net/tls/secure_connection.h"

#include <algorithm>
#include <cstdio>

#include "hal/base/assert.h"
#include "hal/base/log.h"
#include "net/tls/client_hello.h"
#include "net/tls/failure.h"
#include "net/tls/library_internals.h"
#include "net/tls/profile.h"

namespace sallyport::net::tls {
namespace {

constexpr const char* module = "net/tls";

// A record that holds nothing for us (an alert that is no end, a change_cipher_spec) costs the peer little and us a
// read. So many of them are taken in one go; then the loop sees to others first.
constexpr int max_idle_records = 16;

constexpr std::string_view out_of_memory = "the handshake and the peer's certificates do not fit the session's memory";

const unsigned char* octets(std::span<const std::byte> bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

/// What the peer's RSA keys have computed on first use and keep: it may lie in scratch memory.
void forget_rsa_values(mbedtls_x509_crt* chain) {
  for (; chain != nullptr; chain = chain->next)
    if (mbedtls_pk_can_do(&chain->pk, MBEDTLS_PK_RSA) != 0)
      mbedtls_mpi_free(&mbedtls_pk_rsa(chain->pk)->MBEDTLS_PRIVATE(RN));
}

}  // namespace

SecureConnection::SecureConnection(Engine& engine, ByteStream& stream, Arena& arena, Task& owner)
    : engine_(engine), stream_(stream), arena_(arena), owner_(owner), verifier_(engine.clock()) {
  mbedtls_ssl_init(&ssl_);
}

SecureConnection::~SecureConnection() {
  engine_.tasks().cancel(*this);
  free_session();
}

void SecureConnection::run() {
  switch (phase_) {
    case Phase::handshake: step_handshake(); return;
    case Phase::secured:
      send_leftover();
      if (closing_) send_close();
      break;
    case Phase::clear:
    case Phase::failed: break;
  }
  notice_connection_failure();
  engine_.tasks().schedule(owner_);
}

TransportState SecureConnection::state() const {
  if (phase_ == Phase::failed) return TransportState::closed;
  switch (stream_.state()) {
    case ByteStreamState::idle:
    case ByteStreamState::connecting: return TransportState::connecting;
    case ByteStreamState::open: break;
    case ByteStreamState::closed:
      // What arrived before the end can still be read.
      if (end_of_stream() || stream_.peek().empty()) return TransportState::closed;
      break;
  }
  return phase_ == Phase::handshake ? TransportState::securing : TransportState::open;
}

int SecureConnection::peek_first_byte() const {
  if (phase_ != Phase::clear) return -1;
  const auto bytes = stream_.peek();
  return bytes.empty() ? -1 : std::to_integer<int>(bytes.front());
}

std::size_t SecureConnection::read(std::span<std::byte> into) {
  if (phase_ == Phase::clear) return read_clear(into);
  if (phase_ != Phase::secured) return 0;
  // Reading may make the library answer (an alert), which must not meet staged bytes in its output buffer.
  if (engine_.stage().owner() == this) send_staged();
  wrote_ = false;
  std::size_t total = 0;
  while (total < into.size() && phase_ == Phase::secured && !peer_finished_) {
    const std::size_t count = read_record(into.subspan(total));
    if (count == 0) break;
    total += count;
  }
  if (wrote_) stream_.flush();  // "no renegotiation"
  return total;
}

std::size_t SecureConnection::read_clear(std::span<std::byte> into) {
  std::size_t total = 0;
  while (total < into.size()) {
    const auto bytes = stream_.peek();
    if (bytes.empty()) break;
    const std::size_t count = std::min(bytes.size(), into.size() - total);
    std::ranges::copy(bytes.first(count), into.subspan(total).begin());
    stream_.consume(count);
    total += count;
  }
  read_in_clear_ = read_in_clear_ || total > 0;
  return total;
}

/// Plaintext of the next record, or what is left of the current one.
std::size_t SecureConnection::read_record(std::span<std::byte> into) {
  ArenaScope scope(arena_);
  for (int idle = 0; idle < max_idle_records; ++idle) {
    const int status = mbedtls_ssl_read(&ssl_, reinterpret_cast<unsigned char*>(into.data()), into.size());
    if (status > 0) return static_cast<std::size_t>(status);
    if (status == MBEDTLS_ERR_SSL_WANT_READ || status == MBEDTLS_ERR_SSL_WANT_WRITE) {
      if (stream_.peek().empty()) return 0;
      continue;  // the library has put a record aside; the next one is there already
    }
    if (status == 0 || status == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY) {
      peer_finished_ = true;
      truncated_ = status == 0;
      if (truncated_) log(LogLevel::info, module, "the peer closed the connection without close_notify");
    } else {
      fail(explain(status));
    }
    return 0;
  }
  engine_.tasks().schedule(owner_);
  return 0;
}

bool SecureConnection::end_of_stream() const {
  return phase_ == Phase::clear ? stream_.end_of_stream() : peer_finished_;
}

std::size_t SecureConnection::write(std::span<const std::byte> bytes) {
  if (closing_) return 0;
  if (phase_ == Phase::clear) return stream_.write(bytes);
  RecordStage& stage = engine_.stage();
  if (phase_ == Phase::secured && stage.owner() != nullptr && stage.owner() != this) stage.owner()->send_staged();
  std::size_t taken = 0;
  while (taken < bytes.size() && phase_ == Phase::secured && unsent_ == 0) {
    const auto rest = bytes.subspan(taken);
    if (stage.owner() == nullptr && rest.size() >= RecordStage::capacity) {
      taken += send_record(rest.first(RecordStage::capacity));
    } else {
      taken += stage.append(*this, rest);
      if (stage.room() == 0) send_staged();
    }
  }
  return taken;
}

std::size_t SecureConnection::write_room() const {
  if (closing_) return 0;
  if (phase_ == Phase::clear) return stream_.write_room();
  // A record is encrypted into the session's own buffer, so one always fits unless the last has not left it yet.
  if (phase_ != Phase::secured || unsent_ > 0) return 0;
  const RecordStage& stage = engine_.stage();
  return stage.owner() == this ? stage.room() : RecordStage::capacity;
}

void SecureConnection::flush() {
  if (phase_ == Phase::secured && engine_.stage().owner() == this) send_staged();
  stream_.flush();
}

bool SecureConnection::all_acknowledged() const {
  return unsent_ == 0 && engine_.stage().owner() != this && stream_.all_acknowledged();
}

void SecureConnection::start_tls(const TlsParameters& parameters) {
  SALLYPORT_ASSERT(phase_ == Phase::clear && parameters.credentials != nullptr);
  SALLYPORT_ASSERT(parameters.role == TlsRole::server || !parameters.server_name.empty());
  if (state() == TransportState::closed) return;
  if (plaintext_behind_the_upgrade()) {
    fail(failure_of(TransportFault::tls_local, "the peer sent cleartext where only TLS may follow (injection?)"));
    return;
  }
  parameters_ = parameters;
  transition_to(Phase::handshake);
  engine_.tasks().schedule(*this);
}

/// Before its peer has agreed to TLS nobody may send more, and until then whoever sits on the wire could have added it
/// (RFC 6120 5.3.3, 5.4.3.3; CVE-2011-0411). A connection that begins with TLS has a ClientHello there.
bool SecureConnection::plaintext_behind_the_upgrade() const { return read_in_clear_ && !stream_.peek().empty(); }

/// A server's session begins with the first bytes of its client: they tell the suites, and a client that never speaks
/// costs no memory.
bool SecureConnection::ready_to_begin() const {
  return parameters_.role == TlsRole::client || !stream_.peek().empty() || stream_.end_of_stream() ||
         stream_.state() == ByteStreamState::closed;
}

int SecureConnection::set_up_session() {
  set_up_ = true;
  if (const int status = mbedtls_ssl_setup(&ssl_, &configuration()); status != 0) return status;
  mbedtls_ssl_set_bio(&ssl_, this, bio_send, bio_receive, nullptr);
  const bool client = parameters_.role == TlsRole::client;
  if (parameters_.anchors != nullptr) {
    // The library's parameter is not const, but a handshake only reads the anchors.
    mbedtls_ssl_set_hs_ca_chain(&ssl_, const_cast<mbedtls_x509_crt*>(&parameters_.anchors->chain()), nullptr);
    mbedtls_ssl_set_verify(&ssl_, PeerVerifier::on_certificate, &verifier_);
    const bool by_server_name = client && parameters_.required_names.empty();
    verifier_.expect(*parameters_.anchors,
                     by_server_name ? std::span(&parameters_.server_name, 1) : parameters_.required_names,
                     parameters_.role);
  }
  if (!client) return 0;
  // Always, and from a terminated copy: without a name Mbed TLS would refuse or, worse, not check (CVE-2025-27809).
  const FixedString<255> name(parameters_.server_name);
  return mbedtls_ssl_set_hostname(&ssl_, name.c_str());
}

const mbedtls_ssl_config& SecureConnection::configuration() const {
  const bool demand_certificate = parameters_.anchors != nullptr;
  if (parameters_.role == TlsRole::client)
    return parameters_.credentials->client_configuration(demand_certificate, parameters_.alpn);
  const bool preferred = client_hello_offers(stream_.peek(), preferred_suite);
  return parameters_.credentials->server_configuration(demand_certificate,
                                                       preferred ? Suites::preferred_in_tls13 : Suites::all);
}

/// One step of the handshake holds at most one public-key operation of our own or the verification of one chain; the
/// loop does other work between the steps.
void SecureConnection::step_handshake() {
  if (!set_up_ && !begin_session()) return;
  Engine::HandshakeStep step(engine_, arena_);
  const int status = mbedtls_ssl_handshake_step(&ssl_);
  switch_to_application_keys(ssl_);
  const bool waiting = status == MBEDTLS_ERR_SSL_WANT_READ || status == MBEDTLS_ERR_SSL_WANT_WRITE;
  if (step.overdrawn() || (status != 0 && !waiting && step.exhausted())) {
    fail(failure_of(TransportFault::resources, out_of_memory, status));
    return;
  }
  if (mbedtls_ssl_is_handshake_over(&ssl_) != 0 && (status == 0 || status == MBEDTLS_ERR_SSL_WANT_WRITE)) {
    handshake_succeeded();
  } else if (status == 0) {
    engine_.tasks().schedule(*this);
  } else if (status == MBEDTLS_ERR_SSL_WANT_WRITE) {
    stream_.flush();
  } else if (status == MBEDTLS_ERR_SSL_WANT_READ) {
    stream_.flush();
    if (!stream_.peek().empty()) engine_.tasks().schedule(*this);
  } else {
    handshake_ended(status);
  }
}

/// False when there is nothing to do yet, or nothing more.
bool SecureConnection::begin_session() {
  if (!ready_to_begin()) return false;
  if (parameters_.role == TlsRole::client && psa_key_slots_in_use() >= max_concurrent_handshakes) {
    fail(failure_of(TransportFault::resources, "too many TLS handshakes at the same time"));
    return false;
  }
  ArenaScope scope(arena_);
  const int status = set_up_session();
  if (status != 0) fail(failure_of(TransportFault::resources, out_of_memory, status));
  return status == 0;
}

void SecureConnection::handshake_succeeded() {
  stream_.flush();
  free_handshake_state(ssl_);
  verifier_.accept_handshake();
  char text[decltype(description_)::capacity() + 1];
  std::snprintf(text, sizeof text, "%s %s", mbedtls_ssl_get_version(&ssl_), mbedtls_ssl_get_ciphersuite(&ssl_));
  static_cast<void>(description_.assign(text));
  transition_to(Phase::secured);
  engine_.tasks().schedule(owner_);
}

void SecureConnection::handshake_ended(int status) {
  // In TLS 1.2 the library says nothing to a client that presents no certificate (RFC 5246 7.4.6 names the alert).
  if (status == MBEDTLS_ERR_SSL_NO_CLIENT_CERTIFICATE &&
      mbedtls_ssl_get_version_number(&ssl_) == MBEDTLS_SSL_VERSION_TLS1_2)
    static_cast<void>(
        mbedtls_ssl_send_alert_message(&ssl_, MBEDTLS_SSL_ALERT_LEVEL_FATAL, MBEDTLS_SSL_ALERT_MSG_HANDSHAKE_FAILURE));
  // What the library returns after an orderly or a sudden end of the peer says nothing about why; the byte stream may.
  if (status == MBEDTLS_ERR_SSL_CONN_EOF || status == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY) {
    fail(failure_of_connection(stream_.failure(), true));
  } else {
    fail(explain(status));
  }
}

TransportFailure SecureConnection::explain(int status) const {
  const std::uint32_t flags = mbedtls_ssl_get_verify_result(&ssl_);
  switch (status) {
    case MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE: return failure_of_peer_alert(received_alert(ssl_));
    case MBEDTLS_ERR_SSL_INVALID_MAC:
    case MBEDTLS_ERR_SSL_INVALID_RECORD:
      if (const auto alert = cleartext_alert(ssl_); alert && phase_ == Phase::handshake)
        return failure_of_peer_alert(*alert);
      break;
    case MBEDTLS_ERR_SSL_NO_CLIENT_CERTIFICATE: return failure_of_certificate(CertificateError::none_presented, status);
    case MBEDTLS_ERR_X509_CERT_VERIFY_FAILED:
    case MBEDTLS_ERR_SSL_BAD_CERTIFICATE:
      if (flags != 0 && phase_ == Phase::handshake)
        return failure_of_certificate(verifier_.handshake_error(flags), status);
      break;
    default: break;
  }
  return failure_of_library(status, phase_ == Phase::handshake);
}

Result<CertifiedName, CertificateError> SecureConnection::certify(std::string_view domain,
                                                                  const TrustAnchors& anchors) const {
  if (phase_ != Phase::secured) return unexpected(CertificateError::none_presented);
  // The library only reads the certificate, but its parameter is not const.
  auto* const chain = const_cast<mbedtls_x509_crt*>(mbedtls_ssl_get_peer_cert(&ssl_));
  // An RSA signature wants more memory than an established session has left, and without it looks like a wrong one.
  const Engine::HandshakeStep step(engine_, arena_);
  auto certified = verifier_.certify(chain, domain, anchors);
  forget_rsa_values(chain);
  return certified;
}

void SecureConnection::close() {
  if (closing_) return;
  closing_ = true;
  if (phase_ == Phase::secured) {
    if (engine_.stage().owner() == this) send_staged();
    send_close();
  } else {
    stream_.close();
  }
}

void SecureConnection::abort() {
  closing_ = true;
  stream_.abort();
  if (phase_ == Phase::failed) return;
  failure_ = failure_of(TransportFault::none, {});
  transition_to(Phase::failed);
  free_session();
}

/// Bytes of a new record, all or a part of `bytes`. They are taken once they are encrypted: what the byte stream does
/// not take now stays in the library's buffer, and nothing else is written until it has left (unsent_).
std::size_t SecureConnection::send_record(std::span<const std::byte> bytes) {
  SALLYPORT_ASSERT(unsent_ == 0 && !bytes.empty());
  ArenaScope scope(arena_);
  const int status = mbedtls_ssl_write(&ssl_, octets(bytes), bytes.size());
  if (status > 0) return static_cast<std::size_t>(status);
  if (status == MBEDTLS_ERR_SSL_WANT_WRITE) return bytes.size();
  fail(explain(status));
  return 0;
}

void SecureConnection::send_staged() {
  RecordStage& stage = engine_.stage();
  // Staged bytes were only taken while nothing was unsent, and reading sends them first; so there is room for them.
  const std::size_t sent = send_record(stage.content());
  SALLYPORT_ASSERT(phase_ == Phase::failed || sent == stage.content().size());
  if (stage.owner() == this) stage.clear();
}

void SecureConnection::send_leftover() {
  if (unsent_ == 0) return;
  ArenaScope scope(arena_);
  // The library sends what its buffer holds and does not look at the bytes that it is given meanwhile.
  static constexpr unsigned char ignored = 0;
  const int status = mbedtls_ssl_write(&ssl_, &ignored, 1);
  if (status < 0 && status != MBEDTLS_ERR_SSL_WANT_WRITE) {
    fail(explain(status));
    return;
  }
  stream_.flush();
}

void SecureConnection::send_close() {
  ArenaScope scope(arena_);
  if (unsent_ == 0 && !close_sent_) {
    close_sent_ = true;
    static_cast<void>(mbedtls_ssl_close_notify(&ssl_));
  }
  if (unsent_ == 0) {
    stream_.close();
  } else {
    stream_.flush();
  }
}

/// The byte stream has ended by itself (reset, timed out) before the peer said so inside TLS.
void SecureConnection::notice_connection_failure() {
  if (phase_ == Phase::failed || stream_.state() != ByteStreamState::closed || stream_.failure() == ConnectError::none)
    return;
  fail(failure_of_connection(stream_.failure(), phase_ == Phase::handshake));
}

void SecureConnection::fail(const TransportFailure& failure) {
  failure_ = failure;
  if (engine_.stage().owner() == this) engine_.stage().clear();
  log(LogLevel::info, module, "%s: %s", remote().text().c_str(), failure_.explanation.c_str());
  // The alert has to reach the peer: a stream that is closed with unread bytes would be reset.
  while (!stream_.peek().empty()) stream_.consume(stream_.peek().size());
  stream_.flush();
  stream_.close();
  transition_to(Phase::failed);
  free_session();
  engine_.tasks().schedule(owner_);
}

void SecureConnection::transition_to(Phase phase) {
  static constexpr const char* names[] = {"clear", "handshake", "secured", "failed"};
  log(LogLevel::debug, module, "%s: %s -> %s", remote().text().c_str(), names[static_cast<int>(phase_)],
      names[static_cast<int>(phase)]);
  phase_ = phase;
}

void SecureConnection::free_session() {
  if (engine_.stage().owner() == this) engine_.stage().clear();
  ArenaScope scope(arena_);
  mbedtls_ssl_free(&ssl_);
  mbedtls_ssl_init(&ssl_);
  unsent_ = 0;
}

int SecureConnection::bio_send(void* self, const unsigned char* bytes, std::size_t length) {
  auto& connection = *static_cast<SecureConnection*>(self);
  const std::size_t taken = connection.stream_.write(std::as_bytes(std::span(bytes, length)));
  connection.unsent_ = static_cast<std::uint16_t>(length - taken);
  connection.wrote_ = true;
  return taken > 0 ? static_cast<int>(taken) : MBEDTLS_ERR_SSL_WANT_WRITE;
}

int SecureConnection::bio_receive(void* self, unsigned char* bytes, std::size_t length) {
  auto& connection = *static_cast<SecureConnection*>(self);
  const auto available = connection.stream_.peek();
  if (available.empty()) {
    const bool ended = connection.stream_.end_of_stream() || connection.stream_.state() == ByteStreamState::closed;
    return ended ? 0 : MBEDTLS_ERR_SSL_WANT_READ;
  }
  const std::size_t count = std::min(available.size(), length);
  std::ranges::copy(available.first(count), reinterpret_cast<std::byte*>(bytes));
  connection.stream_.consume(count);
  return static_cast<int>(count);
}

}  // namespace sallyport::net::tls
