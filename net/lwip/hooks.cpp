#include "net/lwip/hooks.h"

#include "lwip/priv/tcp_priv.h"
#include "lwip/prot/ip4.h"
#include "lwip/prot/ip6.h"
#include "lwip/prot/tcp.h"
#include "net/lwip/address_conversion.h"
#include "net/lwip/interface.h"

using sallyport::net::from_lwip;
using sallyport::net::InterfaceBody;

namespace {

netif* owner_of(const sallyport::net::IpAddress& source) {
  netif* candidate;
  NETIF_FOREACH(candidate) {
    if (InterfaceBody::of(*candidate).owns(source)) return candidate;
  }
  return nullptr;
}

int refuse(InterfaceBody& interface, pbuf* packet) {
  interface.strong_host_refused();
  pbuf_free(packet);
  return 1;
}

}  // namespace

extern "C" {

// The frame filter has seen to this already. Here it is said again where lwIP decides, so that no later change of the
// filter can open the weak host model by accident.
int sallyport_lwip_ip4_input(pbuf* packet, netif* interface) {
  InterfaceBody& self = InterfaceBody::of(*interface);
  if (packet->len < IP_HLEN) return refuse(self, packet);
  ip4_addr_t destination;
  ip4_addr_copy(destination, static_cast<const ip_hdr*>(packet->payload)->dest);
  return self.owns(from_lwip(destination)) ? 0 : refuse(self, packet);
}

int sallyport_lwip_ip6_input(pbuf* packet, netif* interface) {
  InterfaceBody& self = InterfaceBody::of(*interface);
  if (packet->len < IP6_HLEN) return refuse(self, packet);
  ip6_addr_t destination;
  ip6_addr_copy_from_packed(destination, static_cast<const ip6_hdr*>(packet->payload)->dest);
  if (ip6_addr_ismulticast(&destination)) return 0;
  return self.owns(from_lwip(destination)) ? 0 : refuse(self, packet);
}

netif* sallyport_lwip_ip4_route(const ip4_addr_t* source, const ip4_addr_t*) {
  return source == nullptr ? nullptr : owner_of(from_lwip(*source));
}

netif* sallyport_lwip_ip6_route(const ip6_addr_t* source, const ip6_addr_t*) { return owner_of(from_lwip(*source)); }

u32_t sallyport_lwip_tcp_isn(const ip_addr_t* local, u16_t local_port, const ip_addr_t* remote, u16_t remote_port) {
  return sallyport::net::Stack::current().initial_sequence_number(*local, local_port, *remote, remote_port);
}

err_t sallyport_lwip_tcp_input(tcp_pcb* pcb, tcp_hdr* header, pbuf* segment) {
  if (pcb->state == LISTEN) return ERR_OK;
  if (pcb->state == TIME_WAIT) return ERR_OK;
  // Sender's side of silly window avoidance (RFC 9293 3.8.6.2.1): a window smaller than a segment counts as closed.
  // lwIP would cut a queued segment in two for it, and take a block that no budget has counted.
  const u16_t half_window = static_cast<u16_t>(pcb->snd_wnd_max / 2);
  const u16_t segment_bytes = half_window == 0 ? pcb->mss : LWIP_MIN(pcb->mss, half_window);
  if (header->wnd < segment_bytes && pcb->state >= ESTABLISHED) header->wnd = 0;

  if (segment->tot_len == 0) return ERR_OK;
  InterfaceBody& interface = InterfaceBody::of(*netif_get_by_index(pcb->netif_idx));
  return interface.tcp().admit_data(*pcb, header->seqno, segment->tot_len) ? ERR_OK : ERR_MEM;
}

}  // extern "C"
