#include "net/lwip/connection.h"

#include <algorithm>
#include <cstring>

#include "hal/base/assert.h"
#include "lwip/priv/tcp_priv.h"
#include "net/lwip/address_conversion.h"

namespace sallyport::net {
namespace {

ConnectError to_connect_error(err_t error) {
  switch (error) {
    case ERR_RTE: return ConnectError::unreachable;
    case ERR_RST: return ConnectError::reset;
    default: return ConnectError::no_resources;
  }
}

}  // namespace

TcpConnection::~TcpConnection() {
  const bool unread = received_ != nullptr;
  discard_received();
  if (pcb_ == nullptr) return;
  if (close_requested_ && !unread && state_ == ByteStreamState::open) {
    interface_.tcp().leave(TcpQuota::flow_of(*pcb_), linger);
  } else {
    drop_pcb();
  }
}

Result<void, ConnectError> TcpConnection::connect(const Endpoint& remote) {
  SALLYPORT_ASSERT(pcb_ == nullptr);
  discard_received();
  remote_ = remote;
  failure_ = ConnectError::none;
  fin_received_ = close_requested_ = false;
  return start(remote);
}

Result<void, ConnectError> TcpConnection::start(const Endpoint& remote) {
  if (!interface_.has_route(remote.address)) return fail(ConnectError::unreachable);
  if (!interface_.tcp().may_own_another()) {
    interface_.tcp().refuse_connection();
    return fail(ConnectError::no_resources);
  }
  const netif& netif = interface_.lwip_netif();
  const ip_addr_t local = to_lwip(*interface_.local_address(remote.address), netif);
  const ip_addr_t peer = to_lwip(remote.address, netif);
  pcb_ = tcp_new_ip_type(IP_GET_TYPE(&peer));
  if (pcb_ == nullptr) return fail(ConnectError::no_resources);
  Flow& flow = interface_.tcp().track(*pcb_, FlowStage::owned, true);
  interface_.tcp().own(flow, *this);
  tcp_bind_netif(pcb_, &netif);
  set_callbacks();
  ConnectError error = bind_to_random_port(*pcb_, local);
  if (error == ConnectError::none) {
    const err_t result = tcp_connect(pcb_, &peer, remote.port, on_connected);
    if (result != ERR_OK) error = to_connect_error(result);
  }
  if (error != ConnectError::none) {
    drop_pcb();
    return fail(error);
  }
  interface_.stack().flows().index(flow);
  interface_.tcp().account(flow);
  interface_.tcp().set_deadline(flow, connect_timeout);
  state_ = ByteStreamState::connecting;
  return {};
}

/// RFC 6056 3.3.1. lwIP would count upwards from a random start.
ConnectError TcpConnection::bind_to_random_port(tcp_pcb& pcb, const ip_addr_t& local) {
  constexpr int attempts = 16;
  for (int i = 0; i < attempts; ++i)
    if (tcp_bind(&pcb, &local, interface_.stack().random_port()) == ERR_OK) return ConnectError::none;
  return ConnectError::no_resources;
}

Result<void, ConnectError> TcpConnection::fail(ConnectError error) {
  state_ = ByteStreamState::closed;
  failure_ = error;
  return unexpected(error);
}

void TcpConnection::adopt(Flow& flow, const Endpoint& remote) {
  SALLYPORT_ASSERT(pcb_ == nullptr);
  pcb_ = &flow.pcb;
  remote_ = remote;
  state_ = ByteStreamState::open;
  failure_ = ConnectError::none;
  interface_.tcp().own(flow, *this);
  interface_.tcp().account(flow);
  set_callbacks();
  notify();
}

void TcpConnection::set_callbacks() {
  tcp_arg(pcb_, this);
  tcp_recv(pcb_, on_received);
  tcp_sent(pcb_, on_sent);
  tcp_err(pcb_, on_error);
  tcp_nagle_disable(pcb_);  // flush() says when a segment is complete
  ip_set_option(pcb_, SOF_KEEPALIVE);
}

/// Resets the connection, or forgets a SYN, without hearing of it again.
void TcpConnection::drop_pcb() {
  tcp_pcb* pcb = pcb_;
  pcb_ = nullptr;
  TcpQuota::flow_of(*pcb).connection = nullptr;
  tcp_arg(pcb, nullptr);
  tcp_err(pcb, nullptr);
  tcp_abandon(pcb, pcb->state == SYN_SENT ? 0 : 1);
}

void TcpConnection::discard_received() {
  if (received_ != nullptr) pbuf_free(received_);
  received_ = last_ = nullptr;
  buffers_held_ = 0;
}

std::span<const std::byte> TcpConnection::peek() const {
  if (received_ == nullptr) return {};
  return {static_cast<const std::byte*>(received_->payload), received_->len};
}

void TcpConnection::consume(std::size_t count) {
  if (count == 0) return;
  SALLYPORT_ASSERT(received_ != nullptr && count <= received_->len);
  if (count == received_->len) {
    pbuf* done = received_;
    received_ = done->next;
    if (received_ == nullptr) last_ = nullptr;
    done->next = nullptr;
    pbuf_free(done);
    --buffers_held_;
  } else {
    pbuf_remove_header(received_, count);
  }
  if (pcb_ != nullptr) tcp_recved(pcb_, static_cast<u16_t>(count));
}

/// As tcp_write() will cut: it never sends more than half the largest window the peer ever had (RFC 9293 3.8.6.2.1).
std::size_t TcpConnection::segment_bytes() const {
  const std::size_t half_window = pcb_->snd_wnd_max / 2;
  return half_window == 0 ? pcb_->mss : std::min<std::size_t>(pcb_->mss, half_window);
}

std::size_t TcpConnection::write_room() const {
  if (pcb_ == nullptr || state_ != ByteStreamState::open || close_requested_) return 0;
  const Flow& flow = TcpQuota::flow_of(*pcb_);
  const std::size_t queue_room = TCP_SND_QUEUELEN - std::min<std::size_t>(TCP_SND_QUEUELEN, pcb_->snd_queuelen);
  const std::size_t blocks = std::min(interface_.tcp().send_allowance(flow), queue_room);
  return std::min<std::size_t>(tcp_sndbuf(pcb_), pcb_->unsent_oversize + blocks * segment_bytes());
}

std::size_t TcpConnection::write(std::span<const std::byte> bytes) {
  const std::size_t count = std::min(bytes.size(), write_room());
  if (count == 0) return 0;  // then something of ours is on its way, and its acknowledgement calls the task
  const err_t error =
      tcp_write(pcb_, bytes.data(), static_cast<u16_t>(count), TCP_WRITE_FLAG_COPY | TCP_WRITE_FLAG_MORE);
  if (error != ERR_OK) {  // capacity.h says it cannot be; if it is, the task tries again
    notify();
    return 0;
  }
  interface_.tcp().account(TcpQuota::flow_of(*pcb_));
  return count;
}

void TcpConnection::flush() {
  if (pcb_ == nullptr) return;
  tcp_seg* last = pcb_->unsent;
  if (last == nullptr) return;
  while (last->next != nullptr) last = last->next;
  TCPH_SET_FLAG(last->tcphdr, TCP_PSH);  // some receivers wait for it
  tcp_output(pcb_);
}

bool TcpConnection::all_acknowledged() const {
  if (pcb_ == nullptr) return failure_ == ConnectError::none;
  return pcb_->unsent == nullptr && pcb_->unacked == nullptr;
}

void TcpConnection::close() {
  if (close_requested_ || state_ == ByteStreamState::closed || state_ == ByteStreamState::idle) return;
  if (state_ == ByteStreamState::connecting) return abort();
  close_requested_ = true;
  interface_.tcp().set_deadline(TcpQuota::flow_of(*pcb_), linger);
  flush();
  tcp_shutdown(pcb_, 0, 1);  // out of memory: lwIP repeats it from its timer
}

void TcpConnection::abort() {
  discard_received();
  if (pcb_ != nullptr) drop_pcb();
  state_ = ByteStreamState::closed;
}

void TcpConnection::unreachable() {
  drop_pcb();
  static_cast<void>(fail(ConnectError::unreachable));
  notify();
}

/// lwIP has freed the PCB. If that was an error, on_error() has said so or will at once.
void TcpConnection::pcb_destroyed() {
  pcb_ = nullptr;
  state_ = ByteStreamState::closed;
  notify();
}

err_t TcpConnection::on_connected(void* self, tcp_pcb*, err_t) {
  auto& connection = *static_cast<TcpConnection*>(self);
  connection.state_ = ByteStreamState::open;
  Flow& flow = TcpQuota::flow_of(*connection.pcb_);
  connection.interface_.tcp().clear_deadline(flow);
  connection.interface_.tcp().account(flow);
  connection.notify();
  return ERR_OK;
}

err_t TcpConnection::on_received(void* self, tcp_pcb*, pbuf* segments, err_t) {
  static_cast<TcpConnection*>(self)->on_received(segments);
  return ERR_OK;
}

err_t TcpConnection::on_sent(void* self, tcp_pcb* pcb, u16_t) {
  auto& connection = *static_cast<TcpConnection*>(self);
  connection.interface_.tcp().account(TcpQuota::flow_of(*pcb));
  connection.notify();
  return ERR_OK;
}

void TcpConnection::on_error(void* self, err_t error) { static_cast<TcpConnection*>(self)->on_error(error); }

void TcpConnection::on_received(pbuf* segments) {
  interface_.tcp().acknowledge_soon(TcpQuota::flow_of(*pcb_));
  if (segments == nullptr) {
    fin_received_ = true;
    if (pcb_->state == TIME_WAIT) {  // both directions are done; lwIP keeps the PCB for itself
      interface_.tcp().leave(TcpQuota::flow_of(*pcb_), linger);
      pcb_destroyed();
    }
  }
  while (segments != nullptr) {
    pbuf* rest = segments->next;
    segments->next = nullptr;
    segments->tot_len = segments->len;
    queue(segments);
    segments = rest;
  }
  notify();
}

void TcpConnection::queue(pbuf* segment) {
  if (segment->len == 0) {
    pbuf_free(segment);
  } else if (receive_tail_room() >= segment->len) {
    std::memcpy(static_cast<std::byte*>(last_->payload) + last_->len, segment->payload, segment->len);
    last_->len = static_cast<u16_t>(last_->len + segment->len);
    last_->tot_len = last_->len;
    pbuf_free(segment);
  } else {
    (last_ == nullptr ? received_ : last_->next) = segment;
    last_ = segment;
    ++buffers_held_;
  }
}

void TcpConnection::on_error(err_t error) {
  const bool connecting = state_ == ByteStreamState::connecting;
  switch (error) {
    case ERR_RST: failure_ = connecting ? ConnectError::refused : ConnectError::reset; break;
    case ERR_CLSD:  // our FIN was acknowledged, the peer's came before: the end
      break;
    default: failure_ = ConnectError::timed_out; break;
  }
  state_ = ByteStreamState::closed;
  notify();
}

}  // namespace sallyport::net
