// Capacities of the TCP/IP stack: every number that sizes one of lwIP's pools, with its derivation.
//
// The first part is plain macros because lwIP is C and asks for them in its preprocessor (lwipopts.h, lwippools.h); the
// second part gives the same numbers to C++ and proves the sums. lwIP's pools are shared by both interfaces, so each
// pool is the *sum* of two quotas, and each interface is held to its own: nothing that happens outside can take from
// inside.
#pragma once

// ---- what the appliance promises ---------------------------------------------------------------------------------------

#define SALLYPORT_EXTERNAL_STREAMS 1000 /* TCP connections of federated partners, both directions */
#define SALLYPORT_INTERNAL_STREAMS 16   /* TCP connections of the gateway */
#define SALLYPORT_EXTERNAL_CLIENTS 8    /* DNS over TCP, CRL fetches */
#define SALLYPORT_INTERNAL_CLIENTS 4    /* DNS over TCP, syslog over TLS */
#define SALLYPORT_EXTERNAL_HALF_OPEN \
  128 /* SYN received, ACK not yet; the oldest yields to a new one (lwIP: at most 255) */
#define SALLYPORT_INTERNAL_HALF_OPEN 8
#define SALLYPORT_EXTERNAL_CLOSING 64 /* left by their owner, waiting for the last ACK; beyond that: RST */
#define SALLYPORT_INTERNAL_CLOSING 8
#define SALLYPORT_TIME_WAIT \
  64 /* both sides; lwIP recycles the oldest when a PCB is needed (RFC 9293 3.6.1 allows it) */

#define SALLYPORT_EXTERNAL_RECEIVE_BUFFERS 1024 /* at most; a driver may have fewer */
#define SALLYPORT_INTERNAL_RECEIVE_BUFFERS 512

// ---- sending: blocks of one full segment -------------------------------------------------------------------------------
// A segment that is written occupies one block until the peer has acknowledged it. Each connection is sure of one
// block; more come from a shared part of its side, of which one connection may only ever take a fraction of what is
// still free (interface.h, SendBudget), so stalled peers cannot take it all.

#define SALLYPORT_EXTERNAL_SHARED_BLOCKS 256
#define SALLYPORT_INTERNAL_SHARED_BLOCKS 160 /* 16 streams at 8 segments, and as much for their bursts */
#define SALLYPORT_CONTROL_BLOCKS 32          /* echo replies and datagrams that are on their way out */

#define SALLYPORT_TCP_MSS 1460 /* 1500 - 20 - 20; IPv6: see interface.cpp, 1280 - 40 - 20 */
#define SALLYPORT_WINDOW_SEGMENTS 8

#define SALLYPORT_UDP_SOCKETS 4 /* resolver on both sides, SNTP, syslog */
#define SALLYPORT_UDP_QUERIES 4 /* requests of one socket that are waiting for a reply, each with a port of its own */
#define SALLYPORT_LISTENERS 4   /* per side one for IPv4 and one for IPv6 */

// ---- derived: lwIP's pools ---------------------------------------------------------------------------------------------

#define SALLYPORT_EXTERNAL_CONNECTIONS (SALLYPORT_EXTERNAL_STREAMS + SALLYPORT_EXTERNAL_CLIENTS)
#define SALLYPORT_INTERNAL_CONNECTIONS (SALLYPORT_INTERNAL_STREAMS + SALLYPORT_INTERNAL_CLIENTS)

/* The +2: lwIP allocates the PCB of a SYN, and the one that becomes a listener, before we can refuse them. */
#define SALLYPORT_TCP_PCBS                                                                                            \
  (SALLYPORT_EXTERNAL_CONNECTIONS + SALLYPORT_EXTERNAL_HALF_OPEN + SALLYPORT_EXTERNAL_CLOSING +                       \
   SALLYPORT_INTERNAL_CONNECTIONS + SALLYPORT_INTERNAL_HALF_OPEN + SALLYPORT_INTERNAL_CLOSING + SALLYPORT_TIME_WAIT + \
   2)

#define SALLYPORT_EXTERNAL_BLOCKS \
  (SALLYPORT_EXTERNAL_CONNECTIONS + SALLYPORT_EXTERNAL_CLOSING + SALLYPORT_EXTERNAL_SHARED_BLOCKS)
#define SALLYPORT_INTERNAL_BLOCKS \
  (SALLYPORT_INTERNAL_CONNECTIONS + SALLYPORT_INTERNAL_CLOSING + SALLYPORT_INTERNAL_SHARED_BLOCKS)
#define SALLYPORT_SEND_BLOCKS (SALLYPORT_EXTERNAL_BLOCKS + SALLYPORT_INTERNAL_BLOCKS + SALLYPORT_CONTROL_BLOCKS)

/* pbuf header (24 bytes on 64 bits), Ethernet, IPv6 and TCP headers, one full segment: 24 + 14 + 40 + 20 + 1460 = 1558.
 */
#define SALLYPORT_SEND_BLOCK_BYTES 1568
/* SYN, FIN, ACK, RST, neighbour discovery, MLD: 24 + 14 + 40 + 32 = 110. */
#define SALLYPORT_CONTROL_BLOCK_BYTES 128
/* A PCB has at most one SYN or FIN of its own queued; 64 more are ACKs, RSTs and ICMP in the moment they are sent. */
#define SALLYPORT_CONTROL_SMALL_BLOCKS (SALLYPORT_TCP_PCBS + 64)

/* One per block that is sent, one per SYN or FIN, one per received buffer that waits out of order. */
#define SALLYPORT_TCP_SEGMENTS \
  (SALLYPORT_SEND_BLOCKS + SALLYPORT_TCP_PCBS + SALLYPORT_EXTERNAL_RECEIVE_BUFFERS + SALLYPORT_INTERNAL_RECEIVE_BUFFERS)

#ifdef __cplusplus

#include <cstddef>
#include <cstdint>

#include "net/side.h"

namespace sallyport::net {

/// What one side may use of what both share.
struct SideCapacity {
  std::size_t connections;      // held by an owner: connecting or open
  std::size_t half_open;        // SYN received
  std::size_t closing;          // left by their owner, not yet acknowledged
  std::size_t shared_blocks;    // send blocks beyond the one that each connection is sure of
  std::size_t receive_buffers;  // the largest receive pool that a driver may have
};

template <Side S>
inline constexpr SideCapacity side_capacity{};

template <>
inline constexpr SideCapacity side_capacity<External>{SALLYPORT_EXTERNAL_CONNECTIONS, SALLYPORT_EXTERNAL_HALF_OPEN,
                                                      SALLYPORT_EXTERNAL_CLOSING, SALLYPORT_EXTERNAL_SHARED_BLOCKS,
                                                      SALLYPORT_EXTERNAL_RECEIVE_BUFFERS};

template <>
inline constexpr SideCapacity side_capacity<Internal>{SALLYPORT_INTERNAL_CONNECTIONS, SALLYPORT_INTERNAL_HALF_OPEN,
                                                      SALLYPORT_INTERNAL_CLOSING, SALLYPORT_INTERNAL_SHARED_BLOCKS,
                                                      SALLYPORT_INTERNAL_RECEIVE_BUFFERS};

inline constexpr std::size_t tcp_pcbs = SALLYPORT_TCP_PCBS;
inline constexpr std::size_t window_bytes = std::size_t{SALLYPORT_WINDOW_SEGMENTS} * SALLYPORT_TCP_MSS;

static_assert(SALLYPORT_EXTERNAL_HALF_OPEN <= 255 && SALLYPORT_INTERNAL_HALF_OPEN <= 255,
              "lwIP counts them in one byte");
static_assert(tcp_pcbs <= 0xFFFF);

/// Bytes of lwIP's static pools without the DMA buffers, which belong to the drivers; checked against the real pools by
/// tests/unit/interface_test.cpp. 288 bytes bound a PCB and 32 a segment on both word sizes.
inline constexpr std::size_t stack_memory_bound =
    std::size_t{SALLYPORT_SEND_BLOCKS} * (SALLYPORT_SEND_BLOCK_BYTES + 8) +
    std::size_t{SALLYPORT_CONTROL_SMALL_BLOCKS} * (SALLYPORT_CONTROL_BLOCK_BYTES + 8) + tcp_pcbs * 288 +
    std::size_t{SALLYPORT_TCP_SEGMENTS} * 32;
static_assert(stack_memory_bound <= 3 * 1024 * 1024 + 128 * 1024, "about 3 MiB for everything lwIP owns");

}  // namespace sallyport::net

#endif  // __cplusplus
