// Interface<Side>: one Ethernet controller, its addresses, its frame filter, and lwIP's netif for it.
//
// Strong host model (RFC 1122 3.3.4.2) on both families: a packet is accepted only on the interface that owns its
// destination address, and is sent only from the interface that owns its source. There is no forwarding in the image.
// The frame filter is default-deny: see net/lwip/frame_filter.h.
//
// Nothing that one side does can take from the other: each has its own controller and receive pool, its own quota of
// connections and of send blocks (capacity.h proves that lwIP's shared pools cover the sum).
//
// Owner: firmware/main.cpp, static storage. Not movable. All calls from the event loop.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "hal/base/intrusive_list.h"
#include "hal/base/result.h"
#include "hal/ethernet_mac.h"
#include "lwip/netif.h"
#include "lwip/pbuf.h"
#include "net/byte_stream.h"
#include "net/ip_address.h"
#include "net/lwip/capacity.h"
#include "net/lwip/flow_table.h"
#include "net/lwip/frame_filter.h"
#include "net/lwip/neighbor_messages.h"
#include "net/lwip/neighbors.h"
#include "net/lwip/rate_limiter.h"
#include "net/lwip/stack.h"
#include "net/lwip/tcp_quota.h"
#include "net/side.h"

namespace sallyport::net {

struct InterfaceSettings {
  std::optional<IpPrefix> v4;
  std::optional<IpPrefix> v6;  // one static global address; a link-local one is always made from the MAC
  std::optional<IpAddress> gateway_v4;
  std::optional<IpAddress> gateway_v6;
};

struct FilterCounters {
  std::uint64_t admitted = 0;
  std::uint64_t refused = 0;                               // all reasons
  std::uint64_t rate_limited = 0;                          // ICMP, ARP, neighbour discovery beyond their rate
  std::array<std::uint64_t, refusal_reasons> by_reason{};  // indexed by Refusal
};

/// lwIP's header for one received frame; the frame stays in the driver's memory. One exists per receive buffer.
struct ReceiveBuffer {
  pbuf_custom header{};  // first: lwIP hands back its address
  hal::ReceivedFrame frame;
  InterfaceBody* owner = nullptr;
  ReceiveBuffer* next_free = nullptr;
};

/// What a UDP socket waits for (udp_socket.h).
class UdpExpectations : public ListNode<UdpExpectations> {
 public:
  virtual bool expects(const Endpoint& remote, std::uint16_t local_port) const = 0;
  /// Closes what has waited too long.
  virtual void expire(Instant now) = 0;

 protected:
  ~UdpExpectations() = default;
};

class InterfaceBody : private ExpectedReplies, private NeighborLink {
 public:
  InterfaceBody(const InterfaceBody&) = delete;
  InterfaceBody& operator=(const InterfaceBody&) = delete;

  /// Sets the addresses; may be called again with others, which resets the connections of addresses that went away.
  void bring_up(const InterfaceSettings& settings);
  /// Takes up to `max_frames` frames from the controller. True when there was something to do, and there may be more.
  bool poll(std::size_t max_frames);

  bool link_up() const { return link_up_; }
  std::string_view name() const { return name_; }
  hal::EthernetMac& mac() { return mac_; }
  const FilterCounters& counters() const { return counters_; }
  TcpCounters tcp_counters() const { return tcp_.counters(); }
  /// Packets that lwIP would have taken for another interface, had the filter not been there first; expected 0.
  std::uint64_t strong_host_refusals() const { return strong_host_refusals_; }
  /// The address that speaks to `remote`; nullopt: this side has none of that family.
  std::optional<IpAddress> local_address(const IpAddress& remote) const;
  /// On this side's link, or behind its gateway.
  bool has_route(const IpAddress& remote) const;

  // ---- for connections, listeners, sockets and hooks of net/lwip ----

  Stack& stack() { return stack_; }
  netif& lwip_netif() { return netif_; }
  std::uint16_t listen_port() const { return listen_port_; }
  TcpQuota& tcp() { return tcp_; }
  static InterfaceBody& of(const netif& from) { return *static_cast<InterfaceBody*>(from.state); }

  /// Bytes behind the pbuf's payload that may be written to; 0 when it is not one of our receive buffers.
  static std::size_t tail_room(const pbuf& buffer);

  bool owns(const IpAddress& address) const;
  void strong_host_refused() { ++strong_host_refusals_; }
  const InterfaceSettings& settings() const { return settings_; }
  void other_side_changed(const InterfaceSettings& other);

  void add(UdpExpectations& socket) { sockets_.push_back(socket); }
  void remove(UdpExpectations& socket) { sockets_.remove(socket); }

 protected:
  InterfaceBody(Stack& stack, hal::EthernetMac& mac, const SideCapacity& capacity, std::string_view name,
                std::uint16_t listen_port, std::span<ReceiveBuffer> buffers);
  ~InterfaceBody();

 private:
  bool tcp_expected(const Endpoint& remote, std::uint16_t local_port) const override;
  bool udp_expected(const Endpoint& remote, std::uint16_t local_port) const override;

  void solicit(const IpAddress& target, const std::optional<hal::MacAddress>& known) override;
  err_t send_to(const hal::MacAddress& destination, pbuf& packet, IpFamily family) override;

  void initialise_netif();
  void set_v4_address();
  void set_v6_addresses();
  void configure_filter();
  void poll_link(Instant now);
  void link_came_up();
  void announce();
  void receive(const hal::ReceivedFrame& frame);
  bool within_rate(FrameKind kind);
  void handle_icmp_error(const hal::ReceivedFrame& frame);
  void handle_neighbor(const hal::ReceivedFrame& frame);
  void handle_solicitation(const NeighborMessage& message, const hal::MacAddress& source);
  void handle_advertisement(const NeighborMessage& message);
  /// Of our IPv6 addresses: still in duplicate address detection.
  bool is_tentative(const IpAddress& address) const;
  void address_is_taken(const IpAddress& address);
  bool is_on_link(const IpAddress& address) const;
  std::optional<IpAddress> next_hop(const IpAddress& destination) const;
  err_t output(pbuf& packet, const IpAddress& destination);
  void send_neighbor_frame(const NeighborFrame& frame);
  void deliver(const hal::ReceivedFrame& frame);
  void deliver_segment(const hal::ReceivedFrame& frame);
  Flow* flow_of_segment(const hal::ReceivedFrame& frame) const;
  err_t transmit(const pbuf& packet);
  void retry_transmission();

  static err_t output_v4(netif* interface, pbuf* packet, const ip4_addr_t* destination);
  static err_t output_v6(netif* interface, pbuf* packet, const ip6_addr_t* destination);
  static err_t link_output(netif* interface, pbuf* packet);
  static void release_buffer(pbuf* buffer);

  Stack& stack_;
  hal::EthernetMac& mac_;
  std::string_view name_;
  std::uint16_t listen_port_;

  netif netif_{};
  InterfaceSettings settings_;
  FrameFilter filter_;
  Neighbors neighbors_;
  bool up_ = false;
  bool link_up_ = false;
  Instant next_link_poll_{};

  ReceiveBuffer* free_buffers_ = nullptr;

  FilterCounters counters_;
  RateLimiter echo_rate_;
  RateLimiter error_rate_;
  RateLimiter neighbor_rate_;

  TcpQuota tcp_;
  bool transmit_blocked_ = false;

  std::uint64_t strong_host_refusals_ = 0;

  IntrusiveList<UdpExpectations> sockets_;
};

template <std::size_t N>
struct ReceiveBuffers {
  std::array<ReceiveBuffer, N> buffers;
};

template <Side S>
class Interface final : private ReceiveBuffers<side_capacity<S>.receive_buffers>, public InterfaceBody {
 public:
  Interface(Stack& stack, hal::EthernetMac& mac)
      : InterfaceBody(stack, mac, side_capacity<S>, S::name, S::listen_port, this->buffers) {}
};

}  // namespace sallyport::net
