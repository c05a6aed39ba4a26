// SecureConnection: a Transport over one ByteStream, in the clear until start_tls() and in TLS from then on.
//
// Events of the byte stream run it (it is the Task that the byte stream is given); it does a bounded step of the
// handshake or sends what was left over, and schedules its owner, who looks. Everything Mbed TLS allocates for the
// session lies in the given arena, which the owner may share with that stream's XML parser; measured figures are in
// net/tls/README.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "hal/base/arena.h"
#include "hal/base/task_queue.h"
#include "mbedtls/ssl.h"
#include "net/byte_stream.h"
#include "net/tls/engine.h"
#include "net/tls/peer_verifier.h"
#include "net/transport.h"

namespace sallyport::net::tls {

class SecureConnection final : public Transport, public Task {
 public:
  /// All outlive this. `stream` schedules this object as its task; `owner` is scheduled after each change.
  SecureConnection(Engine& engine, ByteStream& stream, Arena& arena, Task& owner);
  /// Gives the session's memory back to the arena. The byte stream is left as it is.
  ~SecureConnection();
  SecureConnection(const SecureConnection&) = delete;
  SecureConnection& operator=(const SecureConnection&) = delete;

  /// Called by the event loop when the byte stream has news.
  void run() override;

  TransportState state() const override;
  bool secured() const override { return phase_ == Phase::secured; }
  const TransportFailure& failure() const override { return failure_; }
  Endpoint remote() const override { return stream_.remote(); }
  std::string_view tls_description() const override { return description_; }

  int peek_first_byte() const override;
  std::size_t read(std::span<std::byte> into) override;
  bool end_of_stream() const override;

  std::size_t write(std::span<const std::byte> bytes) override;
  std::size_t write_room() const override;
  void flush() override;
  bool all_acknowledged() const override;

  /// The views in `parameters` are used until the handshake is over.
  void start_tls(const TlsParameters& parameters) override;
  Result<CertifiedName, CertificateError> certify(std::string_view domain, const TrustAnchors& anchors) const override;

  void close() override;
  void abort() override;

  /// The peer ended a TLS stream with FIN alone, without close_notify: its last words may have been cut off on the way.
  bool truncated() const { return truncated_; }

 private:
  enum class Phase : std::uint8_t { clear, handshake, secured, failed };

  bool plaintext_behind_the_upgrade() const;
  bool begin_session();
  bool ready_to_begin() const;
  int set_up_session();
  const mbedtls_ssl_config& configuration() const;
  void step_handshake();
  void handshake_ended(int status);
  void handshake_succeeded();
  TransportFailure explain(int status) const;

  std::size_t read_clear(std::span<std::byte> into);
  std::size_t read_record(std::span<std::byte> into);

  std::size_t send_record(std::span<const std::byte> bytes);
  void send_staged();
  void send_leftover();
  void send_close();

  void notice_connection_failure();
  void fail(const TransportFailure& failure);
  void transition_to(Phase phase);
  void free_session();

  // Mbed TLS' byte transport.
  static int bio_send(void* self, const unsigned char* bytes, std::size_t length);
  static int bio_receive(void* self, unsigned char* bytes, std::size_t length);

  Engine& engine_;
  ByteStream& stream_;
  Arena& arena_;
  Task& owner_;

  mbedtls_ssl_context ssl_;
  mutable PeerVerifier verifier_;  // remembers what it has verified
  TlsParameters parameters_;       // during the handshake

  Phase phase_ = Phase::clear;
  bool set_up_ = false;
  bool read_in_clear_ = false;
  bool closing_ = false;        // close() was called
  bool close_sent_ = false;     // close_notify is with the library
  bool peer_finished_ = false;  // close_notify or FIN
  bool truncated_ = false;
  bool wrote_ = false;        // the library has written to the byte stream
  std::uint16_t unsent_ = 0;  // bytes of an encrypted record that the byte stream had no room for

  TransportFailure failure_;
  FixedString<63> description_;
};

}  // namespace sallyport::net::tls
