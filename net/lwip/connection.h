// Connection<Side>: one TCP connection as a ByteStream.
//
// Received data stay in the controller's buffers (no copy) and the peer's window stays closed by as much until
// consume(). A segment that fits behind the last one in its buffer is copied there: a peer that sends byte by byte
// cannot take a buffer for each. Written data are copied once, into lwIP's blocks, as far as the side's SendBudget
// allows.
//
// Nothing calls back: each change schedules the owner's task. The owner may destroy the connection at any time outside
// lwIP's callbacks, that is in any Task. Destruction after close() lets lwIP deliver what was written for at most
// `linger`, then resets; destruction without close() resets.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "hal/base/result.h"
#include "hal/base/task_queue.h"
#include "net/byte_stream.h"
#include "net/lwip/interface.h"
#include "net/side.h"

namespace sallyport::net {

class TcpConnection : public ByteStream {
 public:
  TcpConnection(const TcpConnection&) = delete;
  TcpConnection& operator=(const TcpConnection&) = delete;

  /// A peer that does not answer within this time ends the attempt with timed_out.
  static constexpr auto connect_timeout = 10s;
  /// After close(): how long the peer has to acknowledge what was written and to close its side.
  static constexpr auto linger = 30s;
  /// Buffers of the controller that one connection may hold, a full window in segments that just miss to share a
  /// buffer.
  static constexpr std::size_t max_receive_buffers = 2 * SALLYPORT_WINDOW_SEGMENTS + 2;

  /// From state idle or closed. An error leaves the state closed with the same failure(); success leaves it connecting.
  [[nodiscard]] Result<void, ConnectError> connect(const Endpoint& remote);

  ByteStreamState state() const override { return state_; }
  ConnectError failure() const override { return failure_; }
  Endpoint remote() const override { return remote_; }

  std::span<const std::byte> peek() const override;
  void consume(std::size_t count) override;
  bool end_of_stream() const override { return fin_received_ && received_ == nullptr; }

  std::size_t write_room() const override;
  std::size_t write(std::span<const std::byte> bytes) override;
  void flush() override;
  bool all_acknowledged() const override;

  void close() override;
  void abort() override;

  // For net/lwip itself.
  void adopt(Flow& flow, const Endpoint& remote);
  void pcb_destroyed();
  void unreachable();
  std::size_t receive_buffers_held() const { return buffers_held_; }
  std::size_t receive_tail_room() const { return last_ == nullptr ? 0 : InterfaceBody::tail_room(*last_); }

 protected:
  TcpConnection(InterfaceBody& interface, TaskQueue& tasks, Task& owner)
      : interface_(interface), tasks_(tasks), owner_(owner) {}
  ~TcpConnection();

 private:
  Result<void, ConnectError> start(const Endpoint& remote);
  ConnectError bind_to_random_port(tcp_pcb& pcb, const ip_addr_t& local);
  Result<void, ConnectError> fail(ConnectError error);
  void set_callbacks();
  void drop_pcb();
  void discard_received();
  void queue(pbuf* segment);
  void notify() { tasks_.schedule(owner_); }
  std::size_t segment_bytes() const;

  void on_received(pbuf* segments);
  void on_error(err_t error);
  static err_t on_connected(void* self, tcp_pcb* pcb, err_t error);
  static err_t on_received(void* self, tcp_pcb* pcb, pbuf* segments, err_t error);
  static err_t on_sent(void* self, tcp_pcb* pcb, u16_t length);
  static void on_error(void* self, err_t error);

  InterfaceBody& interface_;
  TaskQueue& tasks_;
  Task& owner_;
  tcp_pcb* pcb_ = nullptr;
  pbuf* received_ = nullptr;  // in order; linked by `next`, each its own packet
  pbuf* last_ = nullptr;
  Endpoint remote_;
  std::uint16_t buffers_held_ = 0;
  ByteStreamState state_ = ByteStreamState::idle;
  ConnectError failure_ = ConnectError::none;
  bool fin_received_ = false;
  bool close_requested_ = false;
};

template <Side S>
class Connection final : public TcpConnection {
 public:
  Connection(Interface<S>& interface, TaskQueue& tasks, Task& owner) : TcpConnection(interface, tasks, owner) {}
};

}  // namespace sallyport::net
