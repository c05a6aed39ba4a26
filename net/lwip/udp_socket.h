// UdpSocket<Side>: requests and their replies over UDP.
//
// Each send() opens a port of its own, drawn at random (RFC 5452 4.2, 9.2), that only the address asked can answer, for
// `reply_time`; then, or when the socket needs the place for a newer request, it is closed. Replies stay in the
// controller's buffers until receive().
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <span>

#include "hal/base/task_queue.h"
#include "lwip/udp.h"
#include "net/datagram_socket.h"
#include "net/lwip/interface.h"
#include "net/side.h"

namespace sallyport::net {

class UdpSocketBody : public DatagramSocket, private UdpExpectations {
 public:
  UdpSocketBody(const UdpSocketBody&) = delete;
  UdpSocketBody& operator=(const UdpSocketBody&) = delete;

  static constexpr auto reply_time = 15s;
  static constexpr std::size_t max_queries = SALLYPORT_UDP_QUERIES;
  /// Replies that wait for receive(); more are dropped.
  static constexpr std::size_t max_waiting = 4;
  static constexpr std::size_t max_payload = 1232;  // bytes; fits an IPv6 packet of 1280 (DNS flag day 2020)

  bool send(const Endpoint& to, std::span<const std::byte> payload) override;
  std::optional<Received> receive(std::span<std::byte> into) override;

 protected:
  UdpSocketBody(InterfaceBody& interface, TaskQueue& tasks, Task& owner);
  ~UdpSocketBody();

 private:
  struct Query {
    udp_pcb* pcb = nullptr;
    Endpoint to;
    Instant expires{};
  };
  struct Waiting {
    pbuf* payload = nullptr;
    Endpoint from;
  };

  bool expects(const Endpoint& remote, std::uint16_t local_port) const override;
  void expire(Instant now) override;

  Query& oldest_query();
  bool open(Query& query, const Endpoint& to);
  static void close(Query& query);
  static void on_received(void* self, udp_pcb* pcb, pbuf* payload, const ip_addr_t* from, u16_t port);

  InterfaceBody& interface_;
  TaskQueue& tasks_;
  Task& owner_;
  std::array<Query, max_queries> queries_;
  std::array<Waiting, max_waiting> waiting_;
  std::size_t waiting_count_ = 0;
};

template <Side S>
class UdpSocket final : public UdpSocketBody {
 public:
  UdpSocket(Interface<S>& interface, TaskQueue& tasks, Task& owner) : UdpSocketBody(interface, tasks, owner) {}
};

}  // namespace sallyport::net
