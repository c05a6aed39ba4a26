/* lwIP 2.2 as Sallyport uses it: one loop (NO_SYS), the raw API, IPv4 and IPv6 with static addresses, TCP and UDP, all
 * memory static. Included by C. What is not named here is off, or is lwIP's default in lwip/opt.h. */
#ifndef SALLYPORT_NET_LWIP_LWIPOPTS_H
#define SALLYPORT_NET_LWIP_LWIPOPTS_H

#include "net/lwip/capacity.h"

/* ---- one loop, no threads ---- */
#define NO_SYS 1
#define SYS_LIGHTWEIGHT_PROT 0
#define LWIP_NETCONN 0
#define LWIP_SOCKET 0
#define LWIP_TIMERS 1

/* ---- memory: fixed blocks only, so nothing fragments and every allocation takes the same time ---- */
#define MEM_LIBC_MALLOC 0
#define MEMP_MEM_MALLOC 0
#define MEM_USE_POOLS 1
#define MEM_USE_POOLS_TRY_BIGGER_POOL 1
#define MEMP_USE_CUSTOM_POOLS 1 /* lwippools.h */
#define MEM_ALIGNMENT __SIZEOF_POINTER__

#define MEMP_NUM_TCP_PCB SALLYPORT_TCP_PCBS
#define MEMP_NUM_TCP_PCB_LISTEN SALLYPORT_LISTENERS
#define MEMP_NUM_TCP_SEG SALLYPORT_TCP_SEGMENTS
#define MEMP_NUM_UDP_PCB (SALLYPORT_UDP_SOCKETS * SALLYPORT_UDP_QUERIES)
#define MEMP_NUM_SYS_TIMEOUT (LWIP_NUM_SYS_TIMEOUT_INTERNAL + 1)
#define MEMP_NUM_PBUF 16 /* references only; received frames have their own headers (interface.h) */
#define PBUF_POOL_SIZE 1 /* not used: lwIP insists on one, and its sanity checks on many */
#define PBUF_POOL_BUFSIZE 128
#define LWIP_DISABLE_TCP_SANITY_CHECKS 1

/* ---- link ---- */
#define LWIP_SUPPORT_CUSTOM_PBUF 1
#define LWIP_NETIF_TX_SINGLE_PBUF 1 /* a segment is one block: that is what the budgets count */
#define LWIP_NETIF_HOSTNAME 0
#define LWIP_NETIF_LOOPBACK 0
#define LWIP_HAVE_LOOPIF 0
#define LWIP_SINGLE_NETIF 0
/* lwIP's tables of neighbours are shared by all interfaces; ours are per side (neighbors.h). */
#define LWIP_ARP 0
#define LWIP_ETHERNET 1
#define LWIP_ND6_TCP_REACHABILITY_HINTS 0

/* ---- IP: hosts only, no fragments in either direction (RFC 9293 3.7.1: TCP sizes its segments) ---- */
#define LWIP_IPV4 1
#define IP_FORWARD 0
#define IP_REASSEMBLY 0
#define IP_FRAG 0
#define IP_OPTIONS_ALLOWED 0
#define LWIP_DHCP 0
#define LWIP_AUTOIP 0
#define LWIP_ACD 0
#define LWIP_IGMP 0
#define LWIP_ICMP 1
#define LWIP_BROADCAST_PING 0
#define LWIP_MULTICAST_PING 0
#define LWIP_RAW 0
#define LWIP_DNS 0

#define LWIP_IPV6 1
#define LWIP_IPV6_FORWARD 0
#define LWIP_IPV6_FRAG 0
#define LWIP_IPV6_REASS 0
#define LWIP_IPV6_AUTOCONFIG 0
#define LWIP_IPV6_SEND_ROUTER_SOLICIT 0
#define LWIP_IPV6_DHCP6 0
#define LWIP_IPV6_ADDRESS_LIFETIMES 0
#define LWIP_IPV6_NUM_ADDRESSES 2 /* link-local, and one global */
#define LWIP_IPV6_MLD 1
#define MEMP_NUM_MLD6_GROUP 4 /* a solicited-node group per address and side */
#define LWIP_ICMP6 1
#define LWIP_ND6_QUEUEING 0
#define LWIP_ND6_ALLOW_RA_UPDATES 1 /* for netif->mtu6 only: the frame filter refuses router advertisements */
#define LWIP_ND6_RDNSS_MAX_DNS_SERVERS 0

/* ---- UDP ---- */
#define LWIP_UDP 1
#define LWIP_UDPLITE 0

/* ---- TCP ---- */
#define LWIP_TCP 1
#define TCP_MSS SALLYPORT_TCP_MSS
#define TCP_WND (SALLYPORT_WINDOW_SEGMENTS * TCP_MSS)
#define TCP_SND_BUF (SALLYPORT_WINDOW_SEGMENTS * TCP_MSS)
#define TCP_SND_QUEUELEN (2 * SALLYPORT_WINDOW_SEGMENTS) /* twice: IPv6 segments are smaller */
#define TCP_WND_UPDATE_THRESHOLD (2 * TCP_MSS)           /* RFC 9293 3.8.6.2.2 */
#define TCP_OVERSIZE TCP_MSS                             /* later writes fill the block that the first one took */
#define TCP_QUEUE_OOSEQ 1
#define TCP_OOSEQ_MAX_PBUFS 4
#define TCP_LISTEN_BACKLOG 1
#define LWIP_WND_SCALE 0
#define LWIP_TCP_TIMESTAMPS 0
#define LWIP_TCP_SACK_OUT 0
#define LWIP_TCP_PCB_NUM_EXT_ARGS 1 /* Flow (interface.h): tells us when a PCB dies, whatever kills it */

#define LWIP_TCP_RTO_TIME 1000 /* ms, RFC 6298 2.1 */
#define TCP_SYNMAXRTX 12       /* once per RTO, without back-off; TcpConnection::connect_timeout ends it before */
#define TCP_MAXRTX 10          /* 1 + 2 + 4 .. + 128 + 128 s: about 6 minutes; RFC 9293 3.8.3 asks for at least 100 s */
#define TCP_MSL 30000          /* ms; TIME-WAIT lasts twice as long */
#define TCP_FIN_WAIT_TIMEOUT 20000
#define TCP_KEEPIDLE_DEFAULT 120000 /* ms */
#define TCP_KEEPINTVL_DEFAULT 15000
#define TCP_KEEPCNT_DEFAULT 4

/* ---- checksums in software; both MACs could do it, QEMU's model only in part ---- */
#define LWIP_CHKSUM_ALGORITHM 3

/* ---- what lwIP asks us (hooks.h, interface.cpp, stack.cpp) ---- */
#define LWIP_HOOK_FILENAME "net/lwip/hooks.h"
#define LWIP_HOOK_IP4_INPUT(p, netif) sallyport_lwip_ip4_input(p, netif)
#define LWIP_HOOK_IP6_INPUT(p, netif) sallyport_lwip_ip6_input(p, netif)
#define LWIP_HOOK_IP4_ROUTE_SRC(source, destination) sallyport_lwip_ip4_route(source, destination)
#define LWIP_HOOK_IP6_ROUTE(source, destination) sallyport_lwip_ip6_route(source, destination)
#define LWIP_HOOK_TCP_ISN(local, local_port, remote, remote_port) \
  sallyport_lwip_tcp_isn(local, local_port, remote, remote_port)
#define LWIP_HOOK_TCP_INPACKET_PCB(pcb, header, options, options1, options2, p) sallyport_lwip_tcp_input(pcb, header, p)

/* ---- counters: ours are per side and per reason; lwIP's would cost 64 bits nowhere ---- */
#define LWIP_STATS 1
#define LWIP_STATS_DISPLAY 0
#define LINK_STATS 0
#define ETHARP_STATS 0
#define IP_STATS 0
#define IPFRAG_STATS 0
#define ICMP_STATS 0
#define UDP_STATS 0
#define TCP_STATS 0
#define SYS_STATS 0
#define IP6_STATS 0
#define ICMP6_STATS 0
#define IP6_FRAG_STATS 0
#define MLD6_STATS 0
#define ND6_STATS 0
#define MEMP_STATS 1 /* high-water marks of the pools */

#endif
