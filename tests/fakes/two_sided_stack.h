// TwoSidedStack: the appliance's network with a host on each wire, driven by a manual clock: what tests of net/lwip
// stand on.
#pragma once

#include <memory>

#include "hal/base/task_queue.h"
#include "net/lwip/interface.h"
#include "net/lwip/stack.h"
#include "tests/fakes/fake_ethernet.h"
#include "tests/fakes/manual_clock.h"
#include "tests/fakes/seeded_random.h"
#include "tests/fakes/wire_host.h"

namespace sallyport::fakes {

inline constexpr hal::MacAddress external_mac{0x02, 0, 0, 0, 0, 0x01}, internal_mac{0x02, 0, 0, 0, 0, 0x02};
inline constexpr hal::MacAddress outside_mac{0x02, 0, 0, 0, 0, 0x11}, inside_mac{0x02, 0, 0, 0, 0, 0x12};

struct TwoSidedStack {
  static constexpr const char* external_v4 = "203.0.113.10";
  static constexpr const char* external_v6 = "2001:db8:e::10";
  static constexpr const char* internal_v4 = "10.1.0.10";
  static constexpr const char* internal_v6 = "2001:db8:1::10";
  static constexpr const char* partner_v4 = "203.0.113.77";
  static constexpr const char* partner_v6 = "2001:db8:e::77";
  static constexpr const char* gateway_v4 = "10.1.0.5";
  static constexpr const char* gateway_v6 = "2001:db8:1::5";
  static constexpr const char* external_router_v4 = "203.0.113.1";
  static constexpr const char* external_router_v6 = "2001:db8:e::1";

  explicit TwoSidedStack(std::size_t receive_buffers = 64, std::uint64_t seed = 1)
      : random(seed),
        stack(clock, random, tasks),
        external_nic(external_mac, receive_buffers),
        internal_nic(internal_mac, receive_buffers),
        outside_nic(outside_mac, 4096),
        inside_nic(inside_mac, 4096),
        external_wire(external_nic, outside_nic),
        internal_wire(internal_nic, inside_nic),
        outside(outside_nic, external_mac),
        inside(inside_nic, internal_mac),
        external(stack, external_nic),
        internal(stack, internal_nic) {
    for (const char* own : {partner_v4, partner_v6, external_router_v4, external_router_v6}) outside.own(address(own));
    for (const char* own : {gateway_v4, gateway_v6}) inside.own(address(own));
    stack.init();
    external.bring_up({prefix("203.0.113.10/24"), prefix("2001:db8:e::10/64"), address(external_router_v4),
                       address(external_router_v6)});
    internal.bring_up({prefix("10.1.0.10/16"), prefix("2001:db8:1::10/64"), std::nullopt, std::nullopt});
    run(3s);  // duplicate address detection
    outside.link_frames.clear();
    inside.link_frames.clear();
    outside.packets.clear();  // our multicast listener reports
    inside.packets.clear();
  }

  static net::IpPrefix prefix(const char* text) { return net::IpPrefix::parse(text).value(); }

  /// Until nothing moves any more, at this instant.
  void settle() {
    for (int i = 0; i < 1000; ++i) {
      bool busy = external_wire.carry();
      busy = internal_wire.carry() || busy;
      busy = outside.poll() || busy;
      busy = inside.poll() || busy;
      busy = external.poll(16) || busy;
      busy = internal.poll(16) || busy;
      busy = !external_nic.transmitted().empty() || !internal_nic.transmitted().empty() || busy;
      busy = !tasks.empty() || busy;
      tasks.run_ready();
      if (!busy) return;
    }
  }

  /// Lets time pass in steps of at most 50 ms; timers fire, frames move.
  void run(Duration time) {
    settle();
    for (const Instant end = clock.now() + time; clock.now() < end;) {
      clock.advance(std::min<Duration>(50ms, end - clock.now()));
      stack.poll(clock.now());
      settle();
    }
  }

  ManualClock clock;
  SeededRandom random;
  TaskQueue tasks;
  net::Stack stack;
  FakeEthernetMac external_nic, internal_nic, outside_nic, inside_nic;
  EthernetWire external_wire, internal_wire;
  WireHost outside, inside;
  net::Interface<net::External> external;
  net::Interface<net::Internal> internal;
};

}  // namespace sallyport::fakes
