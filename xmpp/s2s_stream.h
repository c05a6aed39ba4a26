// S2sStream<Side>: one server-to-server stream (RFC 6120), either role, over a Transport: negotiation as one state
// machine, then stanzas.
//
//   receiving:  [direct TLS] header -> features(starttls) -> TLS -> header -> features(EXTERNAL, bidi) -> SASL ->
//   header ->
//               features() -> Established
//   initiating: header -> features(starttls) -> TLS -> header -> features -> [bidi] SASL EXTERNAL -> header -> features
//   ->
//               Established
//
// The thin template is over StreamBody (xmpp/stream_body.h), which knows no side and has the rest of the public
// interface: start_receiving(), start_initiating(), poll(), resume(), close(), stage(), addresses() and so on. It is a
// Task: the transport schedules it on any change, run() does a bounded amount of work and schedules itself again when
// there is more.
//
// The handler's calls come from run() and poll() only, on_closed as the very last thing that they do: the owner may
// destroy the stream there. Within on_stanza the handler may call send() and close() of any stream, this one too.
#pragma once

#include <string_view>
#include <utility>

#include "hal/base/arena.h"
#include "net/side.h"
#include "net/transport.h"
#include "xmpp/stanza.h"
#include "xmpp/stream_body.h"

namespace sallyport::xmpp {

template <net::Side S>
class S2sStream;

template <net::Side S>
class StreamHandler {
 public:
  virtual void on_established(S2sStream<S>& stream) = 0;
  virtual Delivery on_stanza(S2sStream<S>& stream, Stanza<S>& stanza) = 0;
  /// After send() returned false: the output queue has fallen to half of its bound.
  virtual void on_room(S2sStream<S>& stream) = 0;
  /// Once per stream, whatever ended it. What was not completely written is in stream.unsent().
  virtual void on_closed(S2sStream<S>& stream, const StreamClosed& closed) = 0;

 protected:
  ~StreamHandler() = default;
};

template <net::Side S>
class S2sStream final : public StreamBody {
 public:
  /// `arena` is the session's (TLS has its share of it); the stream's XML parser lives there. The transport must
  /// schedule this stream's task; nothing happens before start_receiving() or start_initiating().
  S2sStream(const StreamServices& services, net::Transport& transport, Arena& arena, StreamHandler<S>& handler)
      : StreamBody(services, transport, arena), handler_(handler) {}
  /// Cancels the task, gives back parser and stanzas. The transport is left as it is.
  ~S2sStream() = default;

  /// False: not established, we may not send here, or no room in the output queue; the stanza is untouched. on_room
  /// comes later if it was for room. An empty queue takes any stanza.
  [[nodiscard]] bool send(Stanza<S>&& stanza) {
    if (!accepts(stanza.chunk_bytes())) return false;
    output_.push(std::move(stanza));
    output_grew();
    return true;
  }

  /// Stanzas that the transport did not take completely, in order: for another stream, or for error replies.
  StanzaQueue<S>& unsent() { return output_; }

 private:
  std::string_view side() const override { return S::name; }
  RecordQueue& output() override { return output_.records_; }
  void notify_established() override { handler_.on_established(*this); }
  Delivery deliver(StanzaRecord*& record) override {
    Stanza<S> stanza{std::exchange(record, nullptr)};
    const Delivery delivery = handler_.on_stanza(*this, stanza);
    if (delivery == Delivery::blocked) record = stanza.release();
    return delivery;
  }
  void notify_room() override { handler_.on_room(*this); }
  void notify_closed(const StreamClosed& closed) override { handler_.on_closed(*this, closed); }

  StreamHandler<S>& handler_;
  StanzaQueue<S> output_;
};

}  // namespace sallyport::xmpp
