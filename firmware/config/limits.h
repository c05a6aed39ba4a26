// Every capacity of the appliance: name, unit, derivation. docs/memory.md shows the sum, and the target memory-report
// holds it against the image. Capacities of the TCP/IP stack are in net/lwip/capacity.h.
#pragma once

#include <chrono>
#include <cstddef>

#include "hal/base/time.h"

namespace sallyport::firmware::limits {

inline constexpr std::size_t kib = 1024;
inline constexpr std::size_t mib = 1024 * kib;

// ---- streams ----

/// Partner streams, both roles together: Lync Server 2013's ConnectionLimit default.
inline constexpr std::size_t external_streams = 1000;
/// Gateway streams: a trunk per member of the gateway's pool, or one per domain pair.
inline constexpr std::size_t internal_streams = 16;
/// Bytes of one stream's arena: TLS (about 27 KiB idle, 34 KiB at the peak of a handshake with an RSA chain, when there
/// is no parser) and the XML parser (4.5 KiB, up to 2 more between stanzas, and some for depth and names within one).
inline constexpr std::size_t session_arena_bytes = (sizeof(void*) == 4 ? 36 : 52) * kib;

/// Per side, shared by its streams: for tags that a session's arena has no room for. One of the largest size
/// (StreamLimits::token_bytes) takes up to 48 KiB of buffers while it arrives.
inline constexpr std::size_t spare_arena_bytes = 64 * kib;

// ---- stanzas ----

/// Chunks (512 bytes) that stanzas from partners may hold, all streams together: 6 of the largest stanza, or 1,536 of
/// the usual 200 bytes.
inline constexpr std::size_t external_chunks = 1536;
inline constexpr std::size_t internal_chunks = 1536;
/// Chunks for error answers, apart from the above: an answer takes one or two, and frees them once it is sent.
inline constexpr std::size_t answer_chunks = 64;
/// Chunk bytes waiting in one stream's output queue before its senders are held back. Two TCP send buffers' worth keeps
/// the wire busy; more would only hide a slow receiver.
inline constexpr std::size_t stream_output_queue_bytes = 32 * kib;
/// Chunk bytes waiting in one domain pair's queue, each way, while its stream is set up.
inline constexpr std::size_t route_queue_bytes = 64 * kib;

// ---- routes: pairs of a local and a partner's domain that are in use ----

/// One for each stream, and room for pairs that only wait (for the gateway, or in back-off). About 900 bytes each.
inline constexpr std::size_t routes = external_streams + 64;
inline constexpr std::size_t route_buckets = 1024;
/// A route without streams and queues is forgotten after this.
inline constexpr Duration route_idle = std::chrono::seconds(120);
/// From the first look-up to the last address tried: Lync's StreamEstablishmentTimeout.
inline constexpr Duration route_establishment = std::chrono::seconds(60);
/// Between attempts at a partner that can't be reached: doubled each time, within these.
inline constexpr Duration route_backoff_first = std::chrono::seconds(1);
inline constexpr Duration route_backoff_last = std::chrono::seconds(60);

/// DNS over TCP, at the same time.
inline constexpr std::size_t dns_connections = 4;

// ---- settings ----

inline constexpr std::size_t partners = 1000;
inline constexpr std::size_t local_domains = 16;
/// One slot of the card, text and PEM: 1,000 partners' lines (80 KiB) and 200 KiB of certificates, and most of it
/// again.
inline constexpr std::size_t settings_bytes = 512 * kib;
/// Different sets of trust files among the partners: most name one of a few CAs; who has its own is one more set.
inline constexpr std::size_t trust_sets = 256;
/// Parsed certificates and keys: about 1.5 KiB for a CA certificate, one per set, and 24 KiB for our
/// own two.
inline constexpr std::size_t credential_arena_bytes = 448 * kib;

// ---- loop ----

/// Frames taken from one interface before the other, the streams and the console have their turn.
inline constexpr std::size_t frames_per_turn = 32;
/// Deadlines are looked at this often; nothing of the protocol needs a finer grain.
inline constexpr Duration tick = std::chrono::milliseconds(250);
/// When the serial port could not take all: 5 ms are 57 bytes of a 115,200 baud line.
inline constexpr Duration console_retry = std::chrono::milliseconds(5);
/// The card keeps the time this often: 9,000 writes a year to each of two blocks.
inline constexpr Duration clock_floor_interval = std::chrono::hours(1);
/// The longest step of the loop is an RSA-4096 handshake (about 1 s); ten times that is a hang.
inline constexpr std::chrono::seconds watchdog{10};

}  // namespace sallyport::firmware::limits
