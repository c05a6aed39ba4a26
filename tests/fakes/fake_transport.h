// FakeTransport: a net::Transport without network and TLS. A test scripts the peer (arrive(), sent(),
// finish_handshake()), or two transports are wired to each other with connect_to().
#pragma once

#include <algorithm>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "hal/base/task_queue.h"
#include "net/transport.h"

namespace sallyport::net {

/// The one other place that makes CertifiedNames: in tests a fake certificate is the proof.
class PeerVerifierAccess {
 public:
  static CertifiedName fake(std::string_view domain) { return CertifiedName(domain); }
};

}  // namespace sallyport::net

namespace sallyport::fakes {

/// A CA: trust anchors are known by address only.
class FakeAuthority {
 public:
  const net::tls::TrustAnchors& anchors() const { return reinterpret_cast<const net::tls::TrustAnchors&>(*this); }

 private:
  int identity_ = 0;
};

struct FakeCertificate {
  std::vector<std::string> names = {};
  const net::tls::TrustAnchors* issuer = nullptr;
  std::optional<net::CertificateError> fault = std::nullopt;  // what is wrong with it whoever asks
};

class FakeTransport final : public net::Transport {
 public:
  explicit FakeTransport(TaskQueue& tasks) : tasks_(tasks) {}

  /// Whom changes schedule.
  void set_task(Task& task) { task_ = &task; }

  // The scripted peer ---------------------------------------------------------------------------------------------------

  void connected() { change(net::TransportState::open); }
  void arrive(std::string_view bytes) {
    input_.append(bytes);
    schedule();
  }
  /// What was written and flushed since the last call.
  std::string sent() { return std::exchange(flushed_, {}); }
  bool waits_for_handshake() const { return state_ == net::TransportState::securing; }
  void finish_handshake(FakeCertificate peer) {
    peer_ = std::move(peer);
    secured_ = true;
    change(net::TransportState::open);
  }
  void fail(net::TransportFault fault, std::string_view explanation) {
    failure_.fault = fault;
    failure_.explanation = FixedString<120>(explanation);
    change(net::TransportState::closed);
  }
  /// FIN, or close_notify.
  void peer_closes() {
    input_ended_ = true;
    if (closed_by_owner_) state_ = net::TransportState::closed;
    schedule();
  }

  // Shape of the wire ----------------------------------------------------------------------------------------------------

  std::size_t largest_read = SIZE_MAX;  // bytes that one read() gives
  std::size_t room = SIZE_MAX;          // bytes that write() takes before more_room()
  void more_room(std::size_t bytes) {
    room = bytes;
    schedule();
  }

  // Two transports on one wire --------------------------------------------------------------------------------------------

  void connect_to(FakeTransport& other, FakeCertificate own, FakeCertificate others) {
    other_ = &other;
    other.other_ = this;
    own_ = std::move(own);
    other.own_ = std::move(others);
    connected();
    other.connected();
  }

  // What the owner did ----------------------------------------------------------------------------------------------------

  bool closed_by_owner() const { return closed_by_owner_; }
  bool aborted() const { return aborted_; }
  std::size_t unread() const { return input_.size(); }
  unsigned flushes() const { return flushes_; }
  mutable unsigned certify_calls = 0;
  std::optional<net::TlsParameters> tls_parameters;

  // net::Transport ---------------------------------------------------------------------------------------------------------

  net::TransportState state() const override { return state_; }
  bool secured() const override { return secured_; }
  const net::TransportFailure& failure() const override { return failure_; }
  net::Endpoint remote() const override { return {}; }
  std::string_view tls_description() const override { return secured_ ? "fake TLS" : ""; }

  int peek_first_byte() const override { return input_.empty() ? -1 : static_cast<unsigned char>(input_.front()); }
  std::size_t read(std::span<std::byte> into) override {
    const std::size_t count = std::min({into.size(), input_.size(), largest_read});
    std::memcpy(into.data(), input_.data(), count);
    input_.erase(0, count);
    return count;
  }
  bool end_of_stream() const override { return input_ended_ && input_.empty(); }

  std::size_t write(std::span<const std::byte> bytes) override {
    const std::size_t count = std::min(bytes.size(), room);
    if (room != SIZE_MAX) room -= count;
    written_.append(reinterpret_cast<const char*>(bytes.data()), count);
    return count;
  }
  std::size_t write_room() const override { return room; }
  void flush() override {
    ++flushes_;
    (other_ == nullptr ? flushed_ : other_->input_) += std::exchange(written_, {});
    if (other_ != nullptr) other_->schedule();
  }
  bool all_acknowledged() const override { return written_.empty(); }

  void start_tls(const net::TlsParameters& parameters) override {
    tls_parameters = parameters;
    state_ = net::TransportState::securing;
    if (parameters.role == net::TlsRole::server && !input_.empty() && input_.front() != 0x16) return abort();
    if (other_ == nullptr || other_->state_ != net::TransportState::securing) return;
    finish_handshake(other_->own_);
    other_->finish_handshake(own_);
  }
  Result<net::CertifiedName, net::CertificateError> certify(std::string_view domain,
                                                            const net::tls::TrustAnchors& anchors) const override {
    ++certify_calls;
    if (peer_.fault) return unexpected(*peer_.fault);
    if (peer_.names.empty()) return unexpected(net::CertificateError::none_presented);
    if (peer_.issuer != &anchors) return unexpected(net::CertificateError::not_trusted);
    if (std::ranges::find(peer_.names, domain) == peer_.names.end())
      return unexpected(net::CertificateError::wrong_name);
    return net::PeerVerifierAccess::fake(domain);
  }

  void close() override {
    if (std::exchange(closed_by_owner_, true)) return;
    flush();
    if (other_ != nullptr) other_->peer_closes();
    if (input_ended_) change(net::TransportState::closed);
  }
  void abort() override {
    aborted_ = true;
    change(net::TransportState::closed);
    if (other_ != nullptr) std::exchange(other_, nullptr)->fail(net::TransportFault::peer_reset, "reset by the peer");
  }

 private:
  void schedule() {
    if (task_ != nullptr) tasks_.schedule(*task_);
  }
  void change(net::TransportState state) {
    state_ = state;
    schedule();
  }

  TaskQueue& tasks_;
  Task* task_ = nullptr;
  FakeTransport* other_ = nullptr;
  net::TransportState state_ = net::TransportState::connecting;
  bool secured_ = false;
  bool input_ended_ = false;
  bool closed_by_owner_ = false;
  bool aborted_ = false;
  unsigned flushes_ = 0;
  std::string input_;
  std::string written_;
  std::string flushed_;
  FakeCertificate own_;
  FakeCertificate peer_;
  net::TransportFailure failure_;
};

}  // namespace sallyport::fakes
