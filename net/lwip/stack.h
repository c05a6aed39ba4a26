// Stack: lwIP's one instance: its initialisation, its clock, its timers, its random numbers. Interfaces, listeners,
// connections and sockets are built on it.
//
// lwIP keeps its state in globals, so there is one Stack at a time, with static storage in firmware/main.cpp; the hooks
// and sys_now() reach it through current(). All calls from the event loop.
#pragma once

#include <array>
#include <cstdint>

#include "hal/base/task_queue.h"
#include "hal/base/time.h"
#include "hal/clock.h"
#include "hal/random.h"
#include "net/ip_address.h"
#include "net/lwip/flow_table.h"
#include "net/lwip/siphash.h"

namespace sallyport::net {

class InterfaceBody;

class Stack {
 public:
  Stack(hal::MonotonicClock& clock, hal::Random& random, TaskQueue& tasks);
  Stack(const Stack&) = delete;
  Stack& operator=(const Stack&) = delete;
  ~Stack();

  /// Once, after the DRBG has been seeded and before the first bring_up(): draws the keys of sequence numbers and
  /// tables.
  void init();
  /// Runs the timers that are due. Call in every turn of the loop.
  void poll(Instant now);
  /// When poll() has to be called again at the latest.
  Instant next_deadline() const;

  // For net/lwip itself.
  static Stack& current();
  Instant now() const { return clock_.now(); }
  hal::Random& random() { return random_; }
  TaskQueue& tasks() { return tasks_; }
  FlowTable& flows() { return flows_; }
  /// RFC 6528: a clock of 4 us plus a keyed hash of the connection's addresses and ports.
  std::uint32_t initial_sequence_number(const ip_addr_t& local, std::uint16_t local_port, const ip_addr_t& remote,
                                        std::uint16_t remote_port) const;
  /// For an IPv4 header: does not repeat soon, tells nothing (RFC 6864, RFC 7739 5.3).
  std::uint16_t packet_identification();
  /// RFC 6056 algorithm 1: from 49152 to 65535.
  std::uint16_t random_port();

  static constexpr std::size_t max_interfaces = 2;
  void add(InterfaceBody& interface);
  void remove(InterfaceBody& interface);
  /// The other interfaces must know what may not come from their wire.
  void addresses_changed();

 private:
  hal::MonotonicClock& clock_;
  hal::Random& random_;
  TaskQueue& tasks_;
  FlowTable flows_;
  SipKey sequence_key_;
  SipKey identification_key_;
  std::uint64_t identifications_ = 0;
  std::array<InterfaceBody*, max_interfaces> interfaces_{};
  bool initialised_ = false;
};

}  // namespace sallyport::net
