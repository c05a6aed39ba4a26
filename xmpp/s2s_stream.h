// S2sStream<Side>: one server-to-server stream (RFC 6120), either role, over a Transport: negotiation as one state machine,
// then stanzas.
//
//   receiving:  [direct TLS] header -> features(starttls) -> TLS -> header -> features(EXTERNAL, bidi) -> SASL -> header ->
//               features() -> Established
//   initiating: header -> features(starttls) -> TLS -> header -> features -> [bidi] SASL EXTERNAL -> header -> features ->
//               Established
//
// The thin template is over StreamBody (xmpp/stream_body.h), which knows no side. It is a Task: the transport schedules it on any
// change, run() does a bounded amount of work and schedules itself again when there is more. The handler's calls come from
// run(), poll() or close(), last of all that the call does; on_closed is the very last, after it the owner may destroy the stream.
#pragma once

#include <cstdint>
#include <string_view>

#include "hal/base/arena.h"
#include "hal/base/task_queue.h"
#include "hal/clock.h"
#include "hal/random.h"
#include "net/side.h"
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
  StreamStage reached = StreamStage::connecting;
  bool graceful = false;           // both sides sent </stream>
  FixedString<160> explanation;    // for the operator: the peer's own words where there are any
};

enum class Delivery : std::uint8_t {
  taken,    // the handler moved the stanza away
  blocked,  // no room: the stream keeps it, reads nothing more, until resume()
  refused   // the handler has closed the stream with an error
};

template <net::Side S>
class S2sStream;

template <net::Side S>
class StreamHandler {
 public:
  virtual void on_established(S2sStream<S>& stream) = 0;
  virtual Delivery on_stanza(S2sStream<S>& stream, Stanza<S>& stanza) = 0;
  /// The output queue has fallen below half of its bound after send_room() was too small for somebody.
  virtual void on_room(S2sStream<S>& stream) = 0;
  virtual void on_closed(S2sStream<S>& stream, const StreamClosed& closed) = 0;

 protected:
  ~StreamHandler() = default;
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
