/* Where lwIP asks us: strong host model, routing by interface, sequence numbers, admission of segments. C. */
#ifndef SALLYPORT_NET_LWIP_HOOKS_H
#define SALLYPORT_NET_LWIP_HOOKS_H

#include "lwip/err.h"
#include "lwip/ip_addr.h"
#include "lwip/netif.h"
#include "lwip/pbuf.h"

#ifdef __cplusplus
extern "C" {
#endif

struct tcp_pcb;
struct tcp_hdr;

/* 1: refused, and the pbuf freed (RFC 1122 3.3.4.2, strong host model). */
int sallyport_lwip_ip4_input(struct pbuf* packet, struct netif* netif);
int sallyport_lwip_ip6_input(struct pbuf* packet, struct netif* netif);
/* The interface that owns `source`; NULL leaves no route. */
struct netif* sallyport_lwip_ip4_route(const ip4_addr_t* source, const ip4_addr_t* destination);
struct netif* sallyport_lwip_ip6_route(const ip6_addr_t* source, const ip6_addr_t* destination);
/* RFC 6528. */
u32_t sallyport_lwip_tcp_isn(const ip_addr_t* local, u16_t local_port, const ip_addr_t* remote, u16_t remote_port);
/* ERR_OK: lwIP goes on with the segment; else it is dropped (the peer sends it again). */
err_t sallyport_lwip_tcp_input(struct tcp_pcb* pcb, struct tcp_hdr* header, struct pbuf* segment);

#ifdef __cplusplus
}
#endif

#endif
