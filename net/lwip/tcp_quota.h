// TcpQuota: what the TCP connections of one side may use of what both sides share, and what they use.
//
// It follows each PCB of its side as a Flow from the first SYN until lwIP frees it, through the hands of its owner and
// beyond, and holds each stage to its capacity (capacity.h). It also decides who gives way when the side's receive pool
// runs low.
//
// Owner: the interface (interface.h).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "hal/base/intrusive_list.h"
#include "hal/base/time.h"
#include "hal/ethernet_mac.h"
#include "net/lwip/capacity.h"
#include "net/lwip/flow_table.h"
#include "net/lwip/send_budget.h"
#include "net/lwip/stack.h"

namespace sallyport::net {

/// For the console. Counts, not totals, unless said otherwise.
struct TcpCounters {
  std::size_t connections = 0;  // owned by a TcpConnection
  std::size_t half_open = 0;
  std::size_t closing = 0;
  std::uint64_t half_open_evicted = 0;  // total: yielded to a newer SYN
  std::uint64_t refused = 0;            // total: connections that found no room
  std::uint64_t shed_segments = 0;      // total: data dropped because the receive pool ran low
};

class TcpQuota {
 public:
  TcpQuota(Stack& stack, InterfaceBody& interface, hal::EthernetMac& mac, const SideCapacity& capacity)
      : stack_(stack), interface_(interface), mac_(mac), capacity_(capacity), budget_(capacity.shared_blocks) {}
  TcpQuota(const TcpQuota&) = delete;
  TcpQuota& operator=(const TcpQuota&) = delete;

  const SideCapacity& capacity() const { return capacity_; }
  TcpCounters counters() const;

  /// The flow of a PCB that track() has seen.
  static Flow& flow_of(tcp_pcb& pcb);
  /// From now on the PCB counts.
  Flow& track(tcp_pcb& pcb, FlowStage stage, bool initiated);
  bool may_own_another() const { return flows_[index(FlowStage::owned)].size() < capacity_.connections; }
  void own(Flow& flow, TcpConnection& connection);
  /// The owner goes; lwIP may finish sending until `linger` is over.
  void leave(Flow& flow, Duration linger);
  /// Bounds the flow's life from now; afterwards it is reset, and its owner hears timed_out.
  void set_deadline(Flow& flow, Duration after);
  void clear_deadline(Flow& flow) { tcp_poll(&flow.pcb, nullptr, 0); }
  void refuse_connection() { ++refused_connections_; }
  /// A SYN wants a place among the half-open.
  void make_room_for_half_open();
  /// Forgets every connection, without a word to the peers.
  void abandon_all();
  /// The link is back: what was in flight goes out at once instead of at the end of a long back-off.
  void retransmit_all();

  /// Send blocks that the flow may take on top of what it has.
  std::size_t send_allowance(const Flow& flow) const { return budget_.allowance(flow.blocks); }
  /// lwIP's send queue of the flow's PCB may have changed.
  void account(Flow& flow);

  /// Data has come. lwIP would delay its ACK up to 250 ms, and a peer that uses Nagle's algorithm (RFC 896) holds its
  /// next small segment back until then; so what is still unacknowledged goes out in the next turn of the loop.
  void acknowledge_soon(Flow& flow);
  void send_due_acknowledgments();

  /// Whether lwIP gets a segment with data: false sheds load (the peer sends it again).
  bool admit_data(tcp_pcb& pcb, std::uint32_t sequence, std::size_t length);

  /// For a listener's PCB: lwIP has made another for a SYN, and it counts as half-open.
  static err_t on_passive_open(u8_t id, tcp_pcb_listen* listener, tcp_pcb* pcb);

 private:
  static constexpr std::size_t index(FlowStage stage) { return static_cast<std::size_t>(stage); }
  IntrusiveList<Flow>& list_of(FlowStage stage) { return flows_[index(stage)]; }

  void set_stage(Flow& flow, FlowStage stage);
  void make_room_for_closing();
  void flow_destroyed(Flow& flow);
  void free_out_of_order_data();

  static void on_flow_destroyed(u8_t id, void* flow);
  static err_t on_deadline_poll(void* argument, tcp_pcb* pcb);
  static err_t on_orphan_sent(void* argument, tcp_pcb* pcb, u16_t length);

  Stack& stack_;
  InterfaceBody& interface_;
  hal::EthernetMac& mac_;
  SideCapacity capacity_;
  SendBudget budget_;
  std::array<IntrusiveList<Flow>, flow_stages> flows_;
  IntrusiveList<Flow, AcknowledgmentDue> acknowledgments_due_;
  bool receive_pool_was_low_ = false;
  std::uint64_t half_open_evicted_ = 0;
  std::uint64_t refused_connections_ = 0;
  std::uint64_t shed_segments_ = 0;
};

}  // namespace sallyport::net
