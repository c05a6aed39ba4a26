// Neighbors: which MAC address belongs to which IP address on one side's link, for both families.
//
// lwIP's own tables are shared by all interfaces: a scan of the outer network would push the inner gateway out of them.
// So each interface has one of these, and lwIP's are not used.
//
// Only what we send to gets an entry; requests of others update entries and make none. Reachability follows RFC
// 4861 7.3 for both families: an entry is confirmed by an answer, is used without a question for 30 s, then questioned
// while it is used, and forgotten when three questions were not answered. When the table is full, the entry that was
// used longest ago yields.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "hal/base/time.h"
#include "hal/ethernet_mac.h"
#include "lwip/pbuf.h"
#include "net/ip_address.h"

namespace sallyport::net {

/// The interface, as its neighbour table sees it.
class NeighborLink {
 public:
  /// Asks for `target`, of `known` alone when it is given.
  virtual void solicit(const IpAddress& target, const std::optional<hal::MacAddress>& known) = 0;
  /// Sends an IP packet to a neighbour.
  virtual err_t send_to(const hal::MacAddress& destination, pbuf& packet, IpFamily family) = 0;

 protected:
  ~NeighborLink() = default;
};

class Neighbors {
 public:
  explicit Neighbors(NeighborLink& link) : link_(link) {}
  Neighbors(const Neighbors&) = delete;
  Neighbors& operator=(const Neighbors&) = delete;
  ~Neighbors() { clear(); }

  static constexpr std::size_t capacity = 32;
  static constexpr std::size_t max_pending = 3;  // packets that wait for one neighbour; the oldest gives way
  static constexpr auto reachable_time = 30s;    // RFC 4861 10, REACHABLE_TIME
  static constexpr auto retransmit_time = 1s;    // RETRANS_TIMER
  static constexpr int max_solicitations = 3;    // MAX_MULTICAST_SOLICIT, MAX_UNICAST_SOLICIT

  /// Sends the packet, now or when the neighbour has answered. The caller keeps its reference.
  err_t send(pbuf& packet, const IpAddress& next_hop, Instant now);
  /// An answer to us.
  void confirm(const IpAddress& address, const hal::MacAddress& mac, Instant now);
  /// Not an answer, but it says where the neighbour is: an entry learns of it, and is questioned when used.
  void hear(const IpAddress& address, const hal::MacAddress& mac, Instant now);
  /// Asks again, gives up. Call every 250 ms.
  void poll(Instant now);
  /// Forgets everything: the link is another one.
  void clear();

  std::optional<hal::MacAddress> find(const IpAddress& address) const;
  std::size_t size() const;

 private:
  enum class State : std::uint8_t {
    free,
    incomplete,  // asked, no answer yet: packets wait
    reachable,
    stale,  // usable; the first use asks
    probe   // usable; asked
  };

  struct Entry {
    State state = State::free;
    std::uint8_t solicitations = 0;
    std::uint8_t pending_count = 0;
    hal::MacAddress mac{};
    IpAddress address;
    Instant changed{};  // incomplete, probe: last asked; reachable: confirmed
    Instant used{};
    std::array<pbuf*, max_pending> pending{};
  };

  Entry* entry_of(const IpAddress& address);
  Entry& new_entry(const IpAddress& address);
  void ask(Entry& entry, Instant now);
  void wait(Entry& entry, pbuf& packet);
  void settle(Entry& entry, const hal::MacAddress& mac, State state, Instant now);
  static void forget(Entry& entry);

  NeighborLink& link_;
  std::array<Entry, capacity> entries_;
};

}  // namespace sallyport::net
