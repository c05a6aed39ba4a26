#include "net/lwip/connection.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "net/lwip/listener.h"
#include "tests/fakes/two_sided_stack.h"

namespace sallyport::net {
namespace {

using fakes::address;
using fakes::octets;
using fakes::Octets;
using fakes::Segment;
using fakes::TcpPeer;
using fakes::TwoSidedStack;
namespace flag = fakes::tcp_flag;

std::span<const std::byte> bytes(std::string_view text) { return std::as_bytes(std::span(text.data(), text.size())); }

/// Counts how often it was scheduled.
class CountingTask final : public Task {
 public:
  void run() override { ++runs; }
  int runs = 0;
};

/// The owner of a connection on one side; reads only when told.
template <Side S>
struct Client {
  Client(Interface<S>& interface, TaskQueue& tasks) : connection(interface, tasks, task) {}

  std::string read_all() {
    std::string all;
    while (!connection.peek().empty()) {
      const auto next = connection.peek();
      all.append(reinterpret_cast<const char*>(next.data()), next.size());
      connection.consume(next.size());
    }
    return all;
  }

  CountingTask task;
  Connection<S> connection;
};

template <Side S>
class OneAcceptor final : public Acceptor<S> {
 public:
  OneAcceptor(Interface<S>& interface, TaskQueue& tasks) : interface_(interface), tasks_(tasks) {}
  Connection<S>* accept(const Endpoint& peer) override {
    last_peer = peer;
    if (refuse) return nullptr;
    clients.push_back(std::make_unique<Client<S>>(interface_, tasks_));
    return &clients.back()->connection;
  }
  void accepted(Connection<S>&) override { ++accepted_count; }

  std::vector<std::unique_ptr<Client<S>>> clients;
  Endpoint last_peer;
  int accepted_count = 0;
  bool refuse = false;

 private:
  Interface<S>& interface_;
  TaskQueue& tasks_;
};

class ConnectionTest : public testing::Test {
 protected:
  ConnectionTest()
      : external_acceptor(net.external, net.tasks),
        internal_acceptor(net.internal, net.tasks),
        external_listener(net.external, external_acceptor),
        internal_listener(net.internal, internal_acceptor) {
    EXPECT_TRUE(external_listener.open());
    EXPECT_TRUE(internal_listener.open());
  }

  TcpPeer partner(std::uint16_t port = 40000, const char* own = TwoSidedStack::partner_v4,
                  const char* device = TwoSidedStack::external_v4) {
    return {net.outside, {address(own), port}, {address(device), External::listen_port}};
  }
  TcpPeer gateway(std::uint16_t port = 40000) {
    return {net.inside,
            {address(TwoSidedStack::gateway_v4), port},
            {address(TwoSidedStack::internal_v4), Internal::listen_port}};
  }

  void establish(TcpPeer& peer) {
    peer.send_syn();
    net.settle();
    peer.poll();
    net.settle();
    ASSERT_TRUE(peer.established);
  }

  TwoSidedStack net;
  OneAcceptor<External> external_acceptor;
  OneAcceptor<Internal> internal_acceptor;
  S2sListener external_listener;
  GatewayListener internal_listener;
};

TEST_F(ConnectionTest, AcceptsOnTheExternalPort) {
  TcpPeer peer = partner();
  establish(peer);
  ASSERT_EQ(external_acceptor.clients.size(), 1U);
  EXPECT_EQ(external_acceptor.accepted_count, 1);
  auto& client = *external_acceptor.clients[0];
  EXPECT_EQ(client.connection.state(), ByteStreamState::open);
  EXPECT_EQ(client.connection.remote().text(), "203.0.113.77:40000");
  EXPECT_GE(client.task.runs, 1);
}

TEST_F(ConnectionTest, CarriesDataBothWaysInOrder) {
  for (const auto& [own, device] : {std::pair{TwoSidedStack::partner_v4, TwoSidedStack::external_v4},
                                    std::pair{TwoSidedStack::partner_v6, TwoSidedStack::external_v6}}) {
    TcpPeer peer = partner(41000, own, device);
    establish(peer);
    auto& client = *external_acceptor.clients.back();
    peer.send("<stream>");
    peer.send("<message/>");
    net.settle();
    EXPECT_EQ(client.read_all(), "<stream><message/>");
    EXPECT_EQ(client.connection.write(bytes("hello ")), 6U);
    EXPECT_EQ(client.connection.write(bytes("peer")), 4U);
    client.connection.flush();
    net.settle();
    peer.poll();
    net.settle();
    EXPECT_EQ(peer.received, "hello peer");
    EXPECT_TRUE(client.connection.all_acknowledged());
  }
}

}  // namespace
}  // namespace sallyport::net
