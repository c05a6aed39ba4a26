// Listener<Side>: the side's one service port, on its IPv4 and its IPv6 address.
//
// A half-open connection belongs to nobody and costs one PCB of the side's quota; when all are in use, the oldest
// yields to a new SYN, so a flood of SYNs outside does not keep real peers out for long and never touches the inside.
// Once the peer has answered, the Acceptor gives it a Connection of the same side, or nothing, and then the peer gets a
// reset.
#pragma once

#include <array>

#include "net/ip_address.h"
#include "net/lwip/connection.h"
#include "net/lwip/interface.h"
#include "net/side.h"

namespace sallyport::net {

class ListenerBody {
 public:
  ListenerBody(const ListenerBody&) = delete;
  ListenerBody& operator=(const ListenerBody&) = delete;

  /// Opens the port on the addresses that the interface has; open() after bring_up(). False when lwIP had no room.
  bool open();
  /// New connections are no longer taken; those that exist go on.
  void close();
  bool is_open() const { return listening_[0] != nullptr || listening_[1] != nullptr; }

 protected:
  explicit ListenerBody(InterfaceBody& interface) : interface_(interface) {}
  ~ListenerBody() { close(); }

 private:
  virtual TcpConnection* accept(const Endpoint& peer) = 0;
  virtual void accepted(TcpConnection& connection) = 0;

  tcp_pcb* listen(const IpAddress& address);
  static err_t on_accept(void* self, tcp_pcb* pcb, err_t error);

  InterfaceBody& interface_;
  std::array<tcp_pcb*, 2> listening_{};
};

/// Both are called from within lwIP: take an object from a pool, schedule a task, and return.
template <Side S>
class Acceptor {
 public:
  /// A connection in state idle or closed for this peer; nullptr refuses it.
  virtual Connection<S>* accept(const Endpoint& peer) = 0;
  /// The connection is open now.
  virtual void accepted(Connection<S>& connection) = 0;

 protected:
  ~Acceptor() = default;
};

template <Side S>
class Listener final : public ListenerBody {
 public:
  Listener(Interface<S>& interface, Acceptor<S>& acceptor) : ListenerBody(interface), acceptor_(acceptor) {}

 private:
  TcpConnection* accept(const Endpoint& peer) override { return acceptor_.accept(peer); }
  void accepted(TcpConnection& connection) override { acceptor_.accepted(static_cast<Connection<S>&>(connection)); }

  Acceptor<S>& acceptor_;
};

using S2sListener = Listener<External>;      // TCP 5269
using GatewayListener = Listener<Internal>;  // TCP 23456

}  // namespace sallyport::net
