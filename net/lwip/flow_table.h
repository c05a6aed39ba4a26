// Flow: what we know of one lwIP PCB that is a connection, from its first SYN to the moment lwIP frees it, whoever owns
// the connection meanwhile. FlowTable finds flows by their addresses in constant time.
//
// lwIP tells about the death of a PCB in several ways, and about some deaths (end of TIME-WAIT) not at all; but it
// always calls the destructor of the PCB's extension argument, and that is the Flow.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "hal/base/intrusive_list.h"
#include "hal/base/pool.h"
#include "hal/base/time.h"
#include "lwip/ip_addr.h"
#include "lwip/tcp.h"
#include "net/lwip/capacity.h"
#include "net/lwip/siphash.h"

namespace sallyport::net {

class InterfaceBody;
class TcpConnection;

enum class FlowStage : std::uint8_t {
  half_open,  // SYN received, nobody owns it yet
  owned,      // a TcpConnection owns it
  closing,    // left by its owner: lwIP finishes it alone, until `deadline`
  time_wait   // nothing is left but its memory of the connection
};
inline constexpr std::size_t flow_stages = 4;

struct AcknowledgmentDue {};  // tag of the list of flows that owe their peer an ACK

struct Flow : ListNode<Flow>, ListNode<AcknowledgmentDue> {
  Flow(InterfaceBody& flow_interface, tcp_pcb& flow_pcb, FlowStage flow_stage, bool flow_initiated)
      : interface(flow_interface), pcb(flow_pcb), stage(flow_stage), initiated(flow_initiated) {}

  InterfaceBody& interface;
  tcp_pcb& pcb;
  TcpConnection* connection = nullptr;
  Flow* next_in_bucket = nullptr;
  Instant began{};
  std::uint32_t deadline = 0;  // tcp_ticks, in stage closing or after close(); see InterfaceBody
  std::uint16_t bucket = 0;
  std::uint16_t blocks = 0;  // send blocks that the budget has counted
  FlowStage stage;
  bool initiated;  // by us: replies to its port pass the filter
};

class FlowTable {
 public:
  void set_key(const SipKey& key) { key_ = key; }

  /// nullptr when there is one Flow per PCB already, which cannot be (asserted by the caller).
  Flow* add(InterfaceBody& interface, tcp_pcb& pcb, FlowStage stage, bool initiated);
  /// Makes the flow findable: the PCB's addresses and ports are final.
  void index(Flow& flow);
  void remove(Flow& flow);

  Flow* find(const InterfaceBody& interface, const ip_addr_t& remote, std::uint16_t remote_port,
             std::uint16_t local_port) const;

  std::size_t in_use() const { return pool_.in_use(); }

 private:
  static constexpr std::size_t buckets = 2048;
  std::uint16_t bucket_of(const ip_addr_t& remote, std::uint16_t remote_port, std::uint16_t local_port) const;

  Pool<Flow, tcp_pcbs> pool_;
  std::array<Flow*, buckets> heads_{};
  SipKey key_;
};

}  // namespace sallyport::net
