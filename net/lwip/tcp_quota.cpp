#include "net/lwip/tcp_quota.h"

#include <algorithm>

#include "hal/base/assert.h"
#include "lwip/priv/tcp_priv.h"
#include "net/lwip/connection.h"
#include "net/lwip/interface.h"

namespace sallyport::net {
namespace {

/// A half-open connection younger than this is not given up for a newer one: its peer's ACK may be on its way, and
/// would be answered with a reset. A SYN that finds no place is dropped instead, and comes again.
constexpr auto half_open_patience = 500ms;

/// Of the receive pool, what is kept for connections that hold nothing, and for segments without data.
constexpr std::size_t low_pool_fraction = 8;
constexpr std::size_t reserved_pool_fraction = 16;

}  // namespace

TcpCounters TcpQuota::counters() const {
  const auto count = [this](FlowStage stage) { return flows_[index(stage)].size(); };
  return {count(FlowStage::owned), count(FlowStage::half_open), count(FlowStage::closing),
          half_open_evicted_,      refused_connections_,        shed_segments_};
}

Flow& TcpQuota::flow_of(tcp_pcb& pcb) {
  auto* flow = static_cast<Flow*>(tcp_ext_arg_get(&pcb, 0));
  SALLYPORT_ASSERT(flow != nullptr);
  return *flow;
}

Flow& TcpQuota::track(tcp_pcb& pcb, FlowStage stage, bool initiated) {
  static constexpr tcp_ext_arg_callbacks callbacks{on_flow_destroyed, on_passive_open};
  Flow* flow = stack_.flows().add(interface_, pcb, stage, initiated);
  SALLYPORT_ASSERT(flow != nullptr);  // one per PCB
  tcp_ext_arg_set_callbacks(&pcb, 0, &callbacks);
  tcp_ext_arg_set(&pcb, 0, flow);
  flow->began = stack_.now();
  list_of(stage).push_back(*flow);
  return *flow;
}

void TcpQuota::set_stage(Flow& flow, FlowStage stage) {
  list_of(flow.stage).remove(flow);
  flow.stage = stage;
  list_of(stage).push_back(flow);
}

void TcpQuota::own(Flow& flow, TcpConnection& connection) {
  flow.connection = &connection;
  if (flow.stage != FlowStage::owned) set_stage(flow, FlowStage::owned);
}

void TcpQuota::leave(Flow& flow, Duration linger) {
  flow.connection = nullptr;
  tcp_pcb* pcb = &flow.pcb;
  tcp_arg(pcb, nullptr);
  tcp_recv(pcb, nullptr);
  tcp_err(pcb, nullptr);
  tcp_sent(pcb, on_orphan_sent);
  if (pcb->state == TIME_WAIT) return set_stage(flow, FlowStage::time_wait);
  make_room_for_closing();
  set_stage(flow, FlowStage::closing);
  set_deadline(flow, linger);
  // lwIP: after both directions are shut, data that still comes is answered with a reset, and FIN-WAIT-2 ends by
  // itself. tcp_close() may free the PCB: `flow` is gone then.
  tcp_close(pcb);
}

void TcpQuota::make_room_for_closing() {
  auto& closing = list_of(FlowStage::closing);
  for (Flow* flow = closing.front(); flow != nullptr && closing.size() >= capacity_.closing;) {
    Flow* next = closing.after(*flow);
    if (flow->pcb.state == TIME_WAIT) set_stage(*flow, FlowStage::time_wait);
    flow = next;
  }
  if (closing.size() >= capacity_.closing) tcp_abort(&closing.front()->pcb);
}

void TcpQuota::set_deadline(Flow& flow, Duration after) {
  constexpr auto tick = std::chrono::milliseconds(TCP_SLOW_INTERVAL);
  flow.deadline = std::max<std::uint32_t>(1, tcp_ticks + static_cast<std::uint32_t>(after / tick));
  tcp_poll(&flow.pcb, on_deadline_poll, 1);
}

err_t TcpQuota::on_deadline_poll(void*, tcp_pcb* pcb) {
  const Flow& flow = flow_of(*pcb);
  if (static_cast<std::int32_t>(tcp_ticks - flow.deadline) < 0) return ERR_OK;
  tcp_abandon(pcb, pcb->state == SYN_SENT ? 0 : 1);  // lwIP allows it here, and wants to know
  return ERR_ABRT;
}

void TcpQuota::make_room_for_half_open() {
  auto& half_open = list_of(FlowStage::half_open);
  if (half_open.size() < capacity_.half_open || stack_.now() - half_open.front()->began < half_open_patience) return;
  ++half_open_evicted_;
  tcp_abandon(&half_open.front()->pcb, 0);
}

void TcpQuota::abandon_all() {
  for (auto& flows : flows_)
    while (Flow* flow = flows.front()) tcp_abandon(&flow->pcb, 0);
}

void TcpQuota::retransmit_all() {
  for (FlowStage stage : {FlowStage::owned, FlowStage::closing}) {
    for (Flow* flow = list_of(stage).front(); flow != nullptr; flow = list_of(stage).after(*flow)) {
      if (flow->pcb.unacked == nullptr) continue;
      flow->pcb.nrtx = 0;
      tcp_rexmit_rto(&flow->pcb);
    }
  }
}

err_t TcpQuota::on_passive_open(u8_t, tcp_pcb_listen*, tcp_pcb* pcb) {
  TcpQuota& self = InterfaceBody::of(*netif_get_by_index(pcb->netif_idx)).tcp();
  self.stack_.flows().index(self.track(*pcb, FlowStage::half_open, false));
  return ERR_OK;
}

err_t TcpQuota::on_orphan_sent(void*, tcp_pcb* pcb, u16_t) {
  Flow& flow = flow_of(*pcb);
  flow.interface.tcp().account(flow);
  return ERR_OK;
}

void TcpQuota::on_flow_destroyed(u8_t, void* data) {
  Flow& flow = *static_cast<Flow*>(data);
  flow.interface.tcp().flow_destroyed(flow);
}

void TcpQuota::flow_destroyed(Flow& flow) {
  if (flow.connection != nullptr) flow.connection->pcb_destroyed();
  budget_.account(flow.blocks, 0);
  if (static_cast<ListNode<AcknowledgmentDue>&>(flow).linked()) acknowledgments_due_.remove(flow);
  list_of(flow.stage).remove(flow);
  stack_.flows().remove(flow);
}

void TcpQuota::account(Flow& flow) {
  const std::uint16_t blocks = flow.pcb.snd_queuelen;
  budget_.account(flow.blocks, blocks);
  flow.blocks = blocks;
}

// ---- receiving under pressure ------------------------------------------------------------------------------------------

void TcpQuota::acknowledge_soon(Flow& flow) {
  if (!static_cast<ListNode<AcknowledgmentDue>&>(flow).linked()) acknowledgments_due_.push_back(flow);
}

void TcpQuota::send_due_acknowledgments() {
  while (Flow* flow = acknowledgments_due_.pop_front()) {
    if ((flow->pcb.flags & TF_ACK_DELAY) == 0) continue;  // a segment or a window update has taken it along
    tcp_ack_now(&flow->pcb);
    tcp_output(&flow->pcb);
  }
}

bool TcpQuota::admit_data(tcp_pcb& pcb, std::uint32_t sequence, std::size_t length) {
  const Flow& flow = flow_of(pcb);
  const std::size_t free = mac_.receive_buffers_free();
  const std::size_t all = mac_.receive_buffers();
  const bool low = free * low_pool_fraction < all;
  if (low && !receive_pool_was_low_) free_out_of_order_data();
  receive_pool_was_low_ = low;

  const std::size_t held = flow.connection != nullptr ? flow.connection->receive_buffers_held() : 0;
  const bool in_order = sequence == pcb.rcv_nxt;
  const bool compacted = in_order && flow.connection != nullptr && flow.connection->receive_tail_room() >= length;
  bool admitted = held < TcpConnection::max_receive_buffers;
  if (low) admitted = in_order && held == 0 && free * reserved_pool_fraction >= all;
  if (admitted || compacted) return true;
  ++shed_segments_;
  return false;
}

void TcpQuota::free_out_of_order_data() {
  for (FlowStage stage : {FlowStage::owned, FlowStage::closing})
    for (Flow* flow = list_of(stage).front(); flow != nullptr; flow = list_of(stage).after(*flow))
      if (flow->pcb.ooseq != nullptr) tcp_free_ooseq(&flow->pcb);
}

}  // namespace sallyport::net
