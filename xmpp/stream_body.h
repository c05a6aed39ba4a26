// StreamBody: what S2sStream<Side> is made of; it knows no side. See xmpp/s2s_stream.h for the contract.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "hal/base/arena.h"
#include "hal/base/fixed_string.h"
#include "hal/base/task_queue.h"
#include "hal/base/time.h"
#include "hal/clock.h"
#include "hal/random.h"
#include "net/transport.h"
#include "xmpp/authentication.h"
#include "xmpp/chunk_pool.h"
#include "xmpp/stanza.h"
#include "xmpp/stream_error.h"
#include "xmpp/stream_policy.h"

namespace sallyport::xmpp {

enum class StreamRole : std::uint8_t { initiating, receiving };

/// How far a stream got: for the console, the log and the error that queued stanzas are answered with.
enum class StreamStage : std::uint8_t { connecting, header, starttls, tls, authentication, established, closing, closed };
std::string_view to_text(StreamStage stage);

struct StreamClosed {
  StreamStage reached = StreamStage::connecting;  // the furthest stage before closing
  bool graceful = false;                          // both sides sent </stream>
  FixedString<160> explanation;                   // for the operator: the peer's own words where there are any
};

enum class Delivery : std::uint8_t {
  taken,    // the handler moved the stanza away (or dropped it)
  blocked,  // no room: the stream keeps it, reads nothing more, until resume()
  refused   // the handler has closed the stream with an error
};

/// What every stream of a side shares. All by reference, all outlive the streams.
struct StreamServices {
  TaskQueue& tasks;
  const hal::MonotonicClock& clock;
  hal::Random& random;
  ChunkPool& chunks;  // of the stream's own side
  const StreamPolicy& policy;
  std::size_t output_queue_bytes;  // bound of one stream's output queue, in chunk bytes
};

struct StreamCounters {
  std::uint32_t stanzas_received = 0;  // complete and checked
  std::uint32_t stanzas_sent = 0;      // completely handed to the transport
  std::uint64_t bytes_received = 0;    // of XML, from the transport
  std::uint64_t bytes_sent = 0;        // of XML, to the transport
  Instant started{};
  Instant established{};  // only meaningful once the stage is established
  Instant last_activity{};  // the last stanza, either way
};

class StreamBody : public Task {
 public:
  StreamBody(const StreamBody&) = delete;
  StreamBody& operator=(const StreamBody&) = delete;

  /// A connection was accepted; its transport is open.
  void start_receiving();
  /// The transport is connecting. Both ids are valid.
  void start_initiating(const StreamAddresses& addresses);
  /// Task: the transport schedules it on any change.
  void run() final;
  /// Deadlines. The owner calls it about every 250 ms.
  void poll();
  /// After Delivery::blocked: there may be room now.
  void resume();

  StreamStage stage() const;
  StreamRole role() const;
  /// local: who we are on this stream; remote: who the peer is. Invalid ids until the header said them.
  const StreamAddresses& addresses() const;
  bool bidi() const;   // negotiated XEP-0288
  bool trunk() const;  // StreamPolicy::trunk() of the established stream
  /// nullptr before the stream is established.
  const AuthenticatedDomain* authenticated() const;
  /// Trunk: may `local_domain` speak on this stream (the peer's certificate carries it)? Asks the transport once per domain.
  bool carries(DomainId local_domain);
  /// Established, and we may send stanzas on it: as the initiating entity, or with bidi.
  bool can_send() const;

  /// Graceful: stanzas that were accepted go out, then </stream> (RFC 6120 4.4), then the peer's is awaited. Idempotent.
  void close();
  /// <stream:error/> and </stream>; nothing more is read. What was not sent stays in unsent(). Idempotent.
  void close(const StreamError& error);

  const StreamCounters& counters() const;
  net::Transport& transport();

 protected:
  StreamBody(const StreamServices& services, net::Transport& transport, Arena& arena);
  ~StreamBody();

  /// May a stanza that takes `chunk_bytes` be queued now? Remembers that somebody found no room.
  bool accepts(std::size_t chunk_bytes);
  void output_grew();

 private:
  virtual RecordQueue& output() = 0;
  virtual void notify_established() = 0;
  /// `record` is left null when it was taken.
  virtual Delivery deliver(StanzaRecord*& record) = 0;
  virtual void notify_room() = 0;
  virtual void notify_closed(const StreamClosed& closed) = 0;
};

}  // namespace sallyport::xmpp
