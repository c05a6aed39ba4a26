// StreamBody: what S2sStream<Side> is made of; it knows no side. See xmpp/s2s_stream.h for the contract.
#pragma once

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>

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
#include "xmpp/stream_reader.h"
#include "xmpp/stream_writer.h"

namespace sallyport::xmpp {

enum class StreamRole : std::uint8_t { initiating, receiving };

/// How far a stream got: for the console, the log and the error that queued stanzas are answered with.
enum class StreamStage : std::uint8_t {
  connecting,
  header,
  starttls,
  tls,
  authentication,
  established,
  closing,
  closed
};
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
  /// For tags that a session's arena has no room for, all streams of the side together: a tag of the largest size takes
  /// 48 KiB while it arrives. nullptr: such a tag ends its stream with resource-constraint. Only authenticated peers
  /// get at it.
  Arena* spare = nullptr;
};

struct StreamCounters {
  std::uint32_t stanzas_received = 0;  // complete and checked
  std::uint32_t stanzas_sent = 0;      // completely handed to the transport
  std::uint64_t bytes_received = 0;    // of XML, from the transport
  std::uint64_t bytes_sent = 0;        // of XML, to the transport
  Instant started{};
  Instant established{};    // only meaningful once the stage is established
  Instant last_activity{};  // the last stanza, either way
};

class StreamBody : public Task, private ChunkWaiter {
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
  StreamRole role() const { return role_; }
  /// local: who we are on this stream; remote: who the peer is. Invalid ids until the header said them.
  const StreamAddresses& addresses() const { return addresses_; }
  bool bidi() const { return bidi_; }  // negotiated XEP-0288
  bool trunk() const;                  // StreamPolicy::trunk() of the established stream
  /// nullptr before the stream is established.
  const AuthenticatedDomain* authenticated() const;
  /// Trunk: may `local_domain` speak on this stream (the peer's certificate carries it)? Asks the transport once per
  /// domain.
  bool carries(DomainId local_domain);
  /// Established, and we may send stanzas on it: as the initiating entity, or with bidi.
  bool can_send() const;

  /// Graceful: stanzas that were accepted go out, then </stream> (RFC 6120 4.4), then the peer's is awaited.
  /// Idempotent.
  void close();
  /// <stream:error/> and </stream>; nothing more is read. What was not sent stays in unsent(). Idempotent.
  void close(const StreamError& error);

  const StreamCounters& counters() const { return counters_; }
  net::Transport& transport() { return transport_; }

 protected:
  StreamBody(const StreamServices& services, net::Transport& transport, Arena& arena);
  ~StreamBody();

  /// May a stanza whose chunks have so many bytes be queued now? Remembers that somebody found no room.
  bool accepts(std::size_t bytes);
  void output_grew();

 private:
  // One struct per state. What a state needs to be true, it holds.
  struct Idle {};
  struct Connecting {};
  struct AwaitingHeader {                     // of the peer
    std::optional<AuthenticatedDomain> peer;  // initiating: known since the handshake; receiving: since SASL
    bool authenticated = false;               // SASL has succeeded
  };
  struct OfferingStarttls {};  // receiving: our features are out
  struct AwaitingFeatures {    // initiating
    std::optional<AuthenticatedDomain> peer;
    bool authenticated = false;
  };
  struct AwaitingProceed {};  // initiating: <starttls/> is out
  struct Securing {};         // TLS handshake
  struct OfferingSasl {       // receiving: EXTERNAL is offered to this domain
    AuthenticatedDomain peer;
    bool challenged = false;  // the initial response is awaited as a <response/>
    std::uint8_t failures = 0;
  };
  struct AwaitingSuccess {  // initiating: <auth/> is out
    AuthenticatedDomain peer;
  };
  struct Established {
    AuthenticatedDomain peer;
    bool may_send;
    bool may_receive;
    bool trunk;
  };
  struct Closing {
    std::optional<Established> session;  // the peer's stanzas are still taken
    bool flush_queue = false;            // queued stanzas go out before </stream>
    bool end_written = false;            // our </stream> was put behind everything else
    bool peer_ended = false;             // the peer's </stream>, or the end of its bytes, has come
    bool transport_closed = false;       // we closed it
    Instant latest = never;              // flushing ends then
  };
  struct Closed {};
  using State = std::variant<Idle, Connecting, AwaitingHeader, OfferingStarttls, AwaitingFeatures, AwaitingProceed,
                             Securing, OfferingSasl, AwaitingSuccess, Established, Closing, Closed>;

  virtual std::string_view side() const = 0;
  virtual RecordQueue& output() = 0;
  virtual void notify_established() = 0;
  /// `record` is left null when it was taken.
  virtual Delivery deliver(StanzaRecord*& record) = 0;
  virtual void notify_room() = 0;
  virtual void notify_closed(const StreamClosed& closed) = 0;

  // ChunkWaiter.
  void chunks_available() override;

  template <class T>
  T* in() {
    return std::get_if<T>(&state_);
  }
  template <class T>
  const T* in() const {
    return std::get_if<T>(&state_);
  }
  void transition_to(State next);
  StreamStage stage_of(const State& state) const;
  void schedule() { services_.tasks.schedule(*this); }
  Instant now() const { return services_.clock.now(); }
  const StreamPolicy& policy() const { return services_.policy; }
  const StreamLimits& limits() const { return services_.policy.limits(); }
  std::string_view name_of(DomainId id) const;

  void follow_transport();
  void begin_stream(std::optional<AuthenticatedDomain> peer, bool authenticated);
  void send_header();

  void read();
  bool is_readable() const;
  bool looks_like_tls();
  void handle(StreamReader::Event event);
  void count_input();
  void discard_input();
  void watch_stanza_time();

  void receive_header(const StreamHeader& header);
  void receive_initial_header(const AwaitingHeader& state, const StreamHeader& header);
  void receive_response_header(const AwaitingHeader& state, const StreamHeader& header);
  void offer_sasl();
  void receive_element(const StreamElement& element);
  void receive_unexpected(const StreamElement& element);
  void receive_features(const AwaitingFeatures& state, const StreamElement& features);
  void receive_sasl(OfferingSasl& state, const StreamElement& element);
  void check_authorization_identity(OfferingSasl& state, const StreamElement& element);
  void fail_sasl(OfferingSasl& state, std::string_view condition);
  void receive_sasl_outcome(const AwaitingSuccess& state, const StreamElement& element);
  void receive_stream_error(const StreamElement& error);
  void begin_tls(const net::TlsParameters& parameters);
  void establish(const AuthenticatedDomain& peer);
  void receive_stanza();
  std::optional<StreamError> objection_to(const StanzaRecord& stanza, const Established& session);
  void deliver_held();
  const Established* session() const;

  Result<AuthenticatedDomain, net::CertificateError> certify(DomainId domain, AuthenticationMethod method) const;

  void expire_state();
  void expire_establishment();
  void peer_ended(bool by_end_tag);
  void end_stream(Closing how);
  void stop_reading();
  void give_up(std::string_view why);
  [[gnu::format(printf, 2, 3)]] void explain(const char* format, ...);

  void write();
  void conclude();

  const StreamServices services_;
  net::Transport& transport_;
  Authenticator authenticator_;
  StreamReader reader_;
  StreamWriter writer_;

  State state_;
  StreamRole role_ = StreamRole::receiving;
  StreamAddresses addresses_;
  bool bidi_ = false;
  bool header_sent_ = false;      // on the present XML stream
  bool first_byte_seen_ = false;  // it was no TLS record
  bool give_up_ = false;          // abort the transport and report
  bool output_drained_ = true;
  bool room_wanted_ = false;
  bool waits_for_chunks_ = false;
  bool delivery_blocked_ = false;
  StanzaRecord* held_ = nullptr;  // complete, and the handler had no room
  std::uint32_t input_position_ = 0;
  Instant deadline_ = never;  // of the state
  Instant establishment_deadline_ = never;
  Instant stanza_deadline_ = never;
  // Trunk, by DomainId: certify() is asked once per domain. Higher ids are asked each time.
  static constexpr std::size_t remembered_domains = 256;
  std::bitset<remembered_domains> asked_;
  std::bitset<remembered_domains> carried_;
  StreamClosed closed_;
  StreamCounters counters_;
};

}  // namespace sallyport::xmpp
