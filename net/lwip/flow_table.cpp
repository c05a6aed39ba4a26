#include "net/lwip/flow_table.h"

#include <algorithm>

namespace sallyport::net {
namespace {

constexpr std::uint16_t not_indexed = 0xFFFF;

}  // namespace

Flow* FlowTable::add(InterfaceBody& interface, tcp_pcb& pcb, FlowStage stage, bool initiated) {
  Flow* flow = pool_.acquire(interface, pcb, stage, initiated);
  if (flow != nullptr) flow->bucket = not_indexed;
  return flow;
}

void FlowTable::index(Flow& flow) {
  flow.bucket = bucket_of(flow.pcb.remote_ip, flow.pcb.remote_port, flow.pcb.local_port);
  flow.next_in_bucket = heads_[flow.bucket];
  heads_[flow.bucket] = &flow;
}

void FlowTable::remove(Flow& flow) {
  if (flow.bucket != not_indexed) {
    Flow** link = &heads_[flow.bucket];
    while (*link != &flow) {
      SALLYPORT_ASSERT(*link != nullptr);
      link = &(*link)->next_in_bucket;
    }
    *link = flow.next_in_bucket;
  }
  pool_.release(flow);
}

Flow* FlowTable::find(const InterfaceBody& interface, const ip_addr_t& remote, std::uint16_t remote_port,
                      std::uint16_t local_port) const {
  for (Flow* flow = heads_[bucket_of(remote, remote_port, local_port)]; flow != nullptr; flow = flow->next_in_bucket)
    if (&flow->interface == &interface && flow->pcb.remote_port == remote_port && flow->pcb.local_port == local_port &&
        ip_addr_eq(&flow->pcb.remote_ip, &remote))
      return flow;
  return nullptr;
}

std::uint16_t FlowTable::bucket_of(const ip_addr_t& remote, std::uint16_t remote_port, std::uint16_t local_port) const {
  std::array<std::uint8_t, 20> key{};
  const bool v6 = IP_IS_V6_VAL(remote);
  const void* address = v6 ? static_cast<const void*>(ip_2_ip6(&remote)->addr) : &ip_2_ip4(&remote)->addr;
  std::copy_n(static_cast<const std::uint8_t*>(address), v6 ? 16 : 4, key.begin());
  key[16] = static_cast<std::uint8_t>(remote_port >> 8);
  key[17] = static_cast<std::uint8_t>(remote_port);
  key[18] = static_cast<std::uint8_t>(local_port >> 8);
  key[19] = static_cast<std::uint8_t>(local_port);
  return static_cast<std::uint16_t>(SipHash(key_)(key) % buckets);
}

}  // namespace sallyport::net
