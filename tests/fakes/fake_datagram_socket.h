// FakeDatagramSocket: a net::DatagramSocket whose wire is in the test's hands. What was sent lies in `sent`; deliver()
// puts a datagram there to be received and schedules the owner's task.
#pragma once

#include <algorithm>
#include <cstddef>
#include <deque>
#include <optional>
#include <span>
#include <vector>

#include "hal/base/task_queue.h"
#include "net/datagram_socket.h"

namespace sallyport::fakes {

class FakeDatagramSocket final : public net::DatagramSocket {
 public:
  struct Datagram {
    net::Endpoint peer;
    std::vector<std::byte> payload;
  };

  explicit FakeDatagramSocket(TaskQueue& tasks) : tasks_(tasks) {}
  void set_task(Task& task) { task_ = &task; }

  void deliver(const net::Endpoint& from, std::vector<std::byte> payload) {
    received_.push_back({from, std::move(payload)});
    if (task_ != nullptr) tasks_.schedule(*task_);
  }

  /// False: send() finds no route, and nothing gets into `sent`.
  bool routed = true;
  std::deque<Datagram> sent;

  bool send(const net::Endpoint& to, std::span<const std::byte> payload) override {
    if (routed) sent.push_back({to, {payload.begin(), payload.end()}});
    return routed;
  }

  std::optional<Received> receive(std::span<std::byte> into) override {
    if (received_.empty()) return std::nullopt;
    const Datagram datagram = received_.front();
    received_.pop_front();
    const std::size_t length = std::min(into.size(), datagram.payload.size());
    std::copy_n(datagram.payload.begin(), length, into.begin());
    return Received{datagram.peer, length};
  }

 private:
  TaskQueue& tasks_;
  Task* task_ = nullptr;
  std::deque<Datagram> received_;
};

}  // namespace sallyport::fakes
