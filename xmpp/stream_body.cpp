#include "xmpp/stream_body.h"

#include <algorithm>
#include <array>
#include <cstdarg>
#include <cstdio>
#include <utility>

#include "hal/base/assert.h"
#include "hal/base/log.h"
#include "xmpp/base64.h"

namespace sallyport::xmpp {

namespace {

constexpr const char* module = "xmpp/stream";

// One run() of a busy stream; the others' turn comes after it.
constexpr unsigned events_per_run = 32;
constexpr std::uint64_t bytes_per_run = 65'536;

constexpr std::uint8_t max_sasl_failures = 3;  // RFC 6120 6.4.5 recommends 2 to 5
constexpr int tls_handshake_record = 0x16;     // RFC 8446 5.1

constexpr std::array<const char*, 12> state_names = {
    "idle",     "connecting",    "awaiting-header",  "offering-starttls", "awaiting-features", "awaiting-proceed",
    "securing", "offering-sasl", "awaiting-success", "established",       "closing",           "closed"};

// 128 bits that cannot be guessed (RFC 6120 4.7.3), as hexadecimal digits.
FixedString<32> random_stream_id(hal::Random& random) {
  std::array<std::byte, 16> bytes;
  random.fill(bytes);
  FixedString<32> id;
  for (const std::byte byte : bytes) {
    static constexpr std::string_view digits = "0123456789abcdef";
    static_cast<void>(id.append(digits.substr(std::to_integer<std::size_t>(byte >> 4), 1)));
    static_cast<void>(id.append(digits.substr(std::to_integer<std::size_t>(byte & std::byte{15}), 1)));
  }
  return id;
}

}  // namespace

std::string_view to_text(StreamStage stage) {
  static constexpr std::array<std::string_view, 8> names = {"connecting",     "header",      "starttls", "tls",
                                                            "authentication", "established", "closing",  "closed"};
  return names[static_cast<std::size_t>(stage)];
}

StreamBody::StreamBody(const StreamServices& services, net::Transport& transport, Arena& arena)
    : services_(services),
      transport_(transport),
      authenticator_(services.policy.directory()),
      reader_(arena, services.spare, services.random, services.chunks, services.policy),
      writer_(transport) {}

StreamBody::~StreamBody() {
  services_.tasks.cancel(*this);
  services_.chunks.cancel(*this);
  if (held_ != nullptr) held_->discard();
}

void StreamBody::start_receiving() {
  SALLYPORT_ASSERT(in<Idle>());
  role_ = StreamRole::receiving;
  counters_.started = now();
  establishment_deadline_ = now() + limits().establishment;
  transition_to(AwaitingHeader{});
  schedule();
}

void StreamBody::start_initiating(const StreamAddresses& addresses) {
  SALLYPORT_ASSERT(in<Idle>() && addresses.local.valid() && addresses.remote.valid());
  role_ = StreamRole::initiating;
  addresses_ = addresses;
  counters_.started = now();
  establishment_deadline_ = now() + limits().establishment;
  transition_to(Connecting{});
  schedule();
}

void StreamBody::run() {
  if (in<Idle>() || in<Closed>()) return;
  follow_transport();
  read();
  write();
  if (room_wanted_ && output().bytes() <= services_.output_queue_bytes / 2) {
    room_wanted_ = false;
    notify_room();
  }
  conclude();
}

void StreamBody::poll() {
  if (in<Idle>() || in<Closed>()) return;
  const Instant t = now();
  if (t >= deadline_) {
    expire_state();
  } else if (t >= establishment_deadline_) {
    expire_establishment();
  } else if (t >= stanza_deadline_) {
    stanza_deadline_ = never;
    if (transport_.state() == net::TransportState::closed)
      give_up("the connection ended while a stanza waited for room");
    else if (waits_for_chunks_)
      close(StreamError(StreamErrorCondition::resource_constraint, "no memory for a stanza"));
    else
      close(StreamError(StreamErrorCondition::policy_violation, "a stanza took too long to arrive"));
  } else if (in<Established>() && !delivery_blocked_ && t - counters_.last_activity >= limits().inactivity) {
    explain("no stanza for %lld s",
            static_cast<long long>(std::chrono::duration_cast<std::chrono::seconds>(limits().inactivity).count()));
    close();
  } else {
    return;
  }
  write();
  conclude();
}

void StreamBody::resume() {
  if (!delivery_blocked_) return;
  delivery_blocked_ = false;
  schedule();
}

StreamStage StreamBody::stage() const { return stage_of(state_); }

bool StreamBody::trunk() const { return session() != nullptr && session()->trunk; }

const AuthenticatedDomain* StreamBody::authenticated() const {
  return session() == nullptr ? nullptr : &session()->peer;
}

bool StreamBody::carries(DomainId local_domain) {
  if (!trunk() || !local_domain.valid()) return false;
  if (local_domain == session()->peer.domain()) return true;
  if (policy().directory().kind(local_domain) != DomainKind::local) return false;
  const std::size_t index = local_domain.value;
  if (index < remembered_domains && asked_[index]) return carried_[index];
  const bool carried = certify(local_domain, session()->peer.method()).has_value();
  if (index < remembered_domains) {
    asked_[index] = true;
    carried_[index] = carried;
  }
  return carried;
}

bool StreamBody::can_send() const { return in<Established>() != nullptr && in<Established>()->may_send; }

void StreamBody::close() {
  if (in<Idle>() || in<Closing>() || in<Closed>()) return;
  explain("closed by this side");
  if (in<Connecting>() || in<Securing>()) return give_up("closed by this side");
  Closing how;
  if (const Established* established = in<Established>()) {
    how.session = *established;
    how.flush_queue = established->may_send;
  }
  end_stream(how);
}

void StreamBody::close(const StreamError& error) {
  if (in<Idle>() || in<Closed>()) return;
  if (Closing* closing = in<Closing>()) {
    // Our </stream> is out or on its way: nothing can be said any more, but nothing more is accepted either.
    closing->session.reset();
    closing->flush_queue = false;
    stop_reading();
    return schedule();
  }
  const std::string_view name = to_text(error.condition);
  explain("this side closed the stream: %.*s%s%s", SALLYPORT_SV(name), error.text.empty() ? "" : ", ",
          error.text.c_str());
  if (in<Connecting>() || in<Securing>()) return give_up(name);
  // RFC 6120 4.9.1.2: an error about the header comes behind our own header.
  if (!header_sent_) send_header();
  writer_.error(error);
  end_stream(Closing{});
}

bool StreamBody::accepts(std::size_t bytes) {
  if (!can_send()) return false;
  if (output().empty() || output().bytes() + bytes <= services_.output_queue_bytes) return true;
  room_wanted_ = true;
  return false;
}

void StreamBody::output_grew() {
  counters_.last_activity = now();
  schedule();
}

void StreamBody::chunks_available() { schedule(); }

// States --------------------------------------------------------------------------------------------------------------

void StreamBody::transition_to(State next) {
  const StreamStage before = stage_of(state_);
  if (before < StreamStage::closing) closed_.reached = before;
  log(LogLevel::debug, module, "%.*s %.*s -> %.*s: %s -> %s", SALLYPORT_SV(side()),
      SALLYPORT_SV(name_of(addresses_.remote)), SALLYPORT_SV(name_of(addresses_.local)), state_names[state_.index()],
      state_names[next.index()]);
  state_ = std::move(next);
  deadline_ = in<AwaitingHeader>() ? now() + limits().header
              : in<Securing>()     ? now() + limits().tls
              : in<Closing>()      ? now() + limits().close
                                   : never;
}

StreamStage StreamBody::stage_of(const State& state) const {
  struct Stage {
    bool secured;
    StreamStage operator()(const Idle&) const { return StreamStage::connecting; }
    StreamStage operator()(const Connecting&) const { return StreamStage::connecting; }
    StreamStage operator()(const AwaitingHeader&) const {
      return secured ? StreamStage::authentication : StreamStage::header;
    }
    StreamStage operator()(const OfferingStarttls&) const { return StreamStage::starttls; }
    StreamStage operator()(const AwaitingFeatures&) const {
      return secured ? StreamStage::authentication : StreamStage::starttls;
    }
    StreamStage operator()(const AwaitingProceed&) const { return StreamStage::starttls; }
    StreamStage operator()(const Securing&) const { return StreamStage::tls; }
    StreamStage operator()(const OfferingSasl&) const { return StreamStage::authentication; }
    StreamStage operator()(const AwaitingSuccess&) const { return StreamStage::authentication; }
    StreamStage operator()(const Established&) const { return StreamStage::established; }
    StreamStage operator()(const Closing&) const { return StreamStage::closing; }
    StreamStage operator()(const Closed&) const { return StreamStage::closed; }
  };
  return std::visit(Stage{transport_.secured()}, state);
}

std::string_view StreamBody::name_of(DomainId id) const {
  return id.valid() ? policy().directory().name(id) : std::string_view("?");
}

void StreamBody::follow_transport() {
  if (transport_.state() != net::TransportState::open) return;
  if (in<Connecting>()) return begin_stream(std::nullopt, false);
  if (!in<Securing>() || !transport_.secured()) return;
  if (role_ == StreamRole::receiving) return begin_stream(std::nullopt, false);
  const auto peer = certify(addresses_.remote, AuthenticationMethod::tls_certificate);
  if (peer) return begin_stream(*peer, false);
  const std::string_view why = net::to_text(peer.error());
  explain("the peer's certificate is not accepted: %.*s", SALLYPORT_SV(why));
  end_stream(Closing{});
}

void StreamBody::begin_stream(std::optional<AuthenticatedDomain> peer, bool authenticated) {
  reader_.restart();
  input_position_ = 0;
  header_sent_ = false;
  if (role_ == StreamRole::initiating) send_header();
  transition_to(AwaitingHeader{.peer = peer, .authenticated = authenticated});
}

void StreamBody::send_header() {
  const auto name = [this](DomainId id) { return id.valid() ? name_of(id) : std::string_view(); };
  header_sent_ = true;
  if (role_ == StreamRole::initiating) return writer_.header(name(addresses_.local), name(addresses_.remote), {});
  writer_.header(name(addresses_.local), name(addresses_.remote), random_stream_id(services_.random));
}

// Input ---------------------------------------------------------------------------------------------------------------

void StreamBody::read() {
  const std::uint64_t begin = counters_.bytes_received;
  waits_for_chunks_ = false;
  for (unsigned events = 0; is_readable(); ++events) {
    if (events == events_per_run || counters_.bytes_received - begin >= bytes_per_run) return schedule();
    if (held_ != nullptr) {
      deliver_held();
      continue;
    }
    if (looks_like_tls()) return;
    const auto event = reader_.read(transport_, now());
    count_input();
    if (event == StreamReader::Event::need_input || event == StreamReader::Event::need_chunks) {
      watch_stanza_time();
      waits_for_chunks_ = event == StreamReader::Event::need_chunks;
      if (waits_for_chunks_) return services_.chunks.wait(*this);
      if (transport_.end_of_stream()) peer_ended(false);
      return;
    }
    handle(event);
  }
  if (const Closing* closing = in<Closing>(); closing != nullptr && !closing->session) discard_input();
}

bool StreamBody::is_readable() const {
  if (delivery_blocked_ || give_up_ || in<Connecting>() || in<Securing>() || in<Closed>()) return false;
  const Closing* closing = in<Closing>();
  return closing == nullptr || (closing->session && !closing->peer_ended);
}

// Direct TLS: the first byte of the connection tells (XEP-0368, and the gateways on 23456).
bool StreamBody::looks_like_tls() {
  if (first_byte_seen_ || role_ == StreamRole::initiating || transport_.secured()) return false;
  const int first = transport_.peek_first_byte();
  first_byte_seen_ = first >= 0;
  if (first != tls_handshake_record || !policy().accepts_direct_tls()) return false;
  begin_tls(policy().receiving_tls(std::nullopt));
  return true;
}

void StreamBody::handle(StreamReader::Event event) {
  using Event = StreamReader::Event;
  if (event == Event::failed) return close(reader_.error());
  if (!session() && counters_.bytes_received > limits().negotiation_bytes)
    return close(StreamError(StreamErrorCondition::policy_violation, "too much before authentication"));
  switch (event) {
    case Event::header: return receive_header(reader_.header());
    case Event::element: return receive_element(reader_.element());
    case Event::stanza: return receive_stanza();
    case Event::end: return peer_ended(true);
    default: return;
  }
}

void StreamBody::count_input() {
  const std::uint32_t position = reader_.bytes_read();
  counters_.bytes_received += position - input_position_;
  input_position_ = position;
}

// After an error nobody reads what still comes; taking it keeps TCP from answering with a reset before our error has
// arrived.
void StreamBody::discard_input() {
  std::array<std::byte, 512> sink;
  for (unsigned reads = 0; transport_.read(sink) > 0; ++reads)
    if (reads == events_per_run) return schedule();
  if (transport_.end_of_stream()) in<Closing>()->peer_ended = true;
}

void StreamBody::watch_stanza_time() {
  if (!reader_.in_progress() || !session())
    stanza_deadline_ = never;
  else if (stanza_deadline_ == never)
    stanza_deadline_ = now() + limits().stanza;
}

// Stream headers (RFC 6120 4.7) ------------------------------------------------------------------------------------------

void StreamBody::receive_header(const StreamHeader& header) {
  const AwaitingHeader* awaiting = in<AwaitingHeader>();
  if (awaiting == nullptr)
    return close(StreamError(StreamErrorCondition::bad_format, "a stream header is not expected here"));
  const AwaitingHeader state = *awaiting;
  if (header.major_version < 1)
    return close(StreamError(StreamErrorCondition::unsupported_version, "version 1.0 is needed"));
  if (role_ == StreamRole::receiving)
    receive_initial_header(state, header);
  else
    receive_response_header(state, header);
}

void StreamBody::receive_initial_header(const AwaitingHeader& state, const StreamHeader& header) {
  if (header.to.view().empty() || (transport_.secured() && header.from.view().empty()))
    return close(StreamError(StreamErrorCondition::improper_addressing, "a stream header needs from and to"));
  const auto admitted = policy().admit(header.from.view(), header.to.view());
  if (!admitted) return close(admitted.error());
  if (addresses_.local.valid() && admitted->local != addresses_.local)
    return close(StreamError(StreamErrorCondition::improper_addressing, "to has changed"));
  if (addresses_.remote.valid() && admitted->remote != addresses_.remote)
    return close(StreamError(StreamErrorCondition::invalid_from, "from has changed"));
  addresses_ = *admitted;

  send_header();
  if (state.authenticated) {
    writer_.features_none();
    establish(*state.peer);
  } else if (transport_.secured()) {
    offer_sasl();
  } else {
    writer_.features_starttls();
    transition_to(OfferingStarttls{});
  }
}

void StreamBody::receive_response_header(const AwaitingHeader& state, const StreamHeader& header) {
  const std::string_view from = header.from.view();
  if (!from.empty() && from != name_of(addresses_.remote))
    return close(StreamError(StreamErrorCondition::invalid_from, "the answer comes from another domain"));
  transition_to(AwaitingFeatures{.peer = state.peer, .authenticated = state.authenticated});
}

// Negotiation -----------------------------------------------------------------------------------------------------------

void StreamBody::receive_element(const StreamElement& element) {
  using Kind = StreamElementKind;
  if (element.kind == Kind::error) return receive_stream_error(element);
  if (in<OfferingStarttls>() && element.kind == Kind::starttls) {
    writer_.proceed();
    return begin_tls(policy().receiving_tls(addresses_));
  }
  if (in<AwaitingProceed>() && element.kind == Kind::proceed) return begin_tls(policy().initiating_tls(addresses_));
  if (in<AwaitingProceed>() && element.kind == Kind::tls_failure) {
    explain("the peer refused to start TLS");
    return end_stream(Closing{});
  }
  if (const auto* state = in<AwaitingFeatures>(); state != nullptr && element.kind == Kind::features)
    return receive_features(AwaitingFeatures(*state), element);
  if (const auto* state = in<AwaitingSuccess>();
      state != nullptr && (element.kind == Kind::success || element.kind == Kind::sasl_failure))
    return receive_sasl_outcome(AwaitingSuccess(*state), element);
  if (auto* state = in<OfferingSasl>()) return receive_sasl(*state, element);
  receive_unexpected(element);
}

void StreamBody::receive_unexpected(const StreamElement& element) {
  if (element.kind == StreamElementKind::stanza)
    return close(StreamError(StreamErrorCondition::not_authorized, "stanzas are not accepted on this stream now"));
  if (element.dialback && !session())
    return close(StreamError(StreamErrorCondition::not_authorized, "dialback is not offered"));
  if (in<OfferingStarttls>()) return close(StreamError(StreamErrorCondition::policy_violation, "STARTTLS is required"));
  close(StreamError(StreamErrorCondition::unsupported_stanza_type));
}

void StreamBody::receive_features(const AwaitingFeatures& state, const StreamElement& features) {
  if (state.authenticated) return establish(*state.peer);
  if (!transport_.secured()) {
    if (!features.starttls) {
      explain("the peer does not offer STARTTLS, which is required");
      return end_stream(Closing{});
    }
    writer_.starttls();
    return transition_to(AwaitingProceed{});
  }
  if (!features.external) {
    explain("the peer does not offer SASL EXTERNAL: it does not accept our certificate, or only knows dialback");
    return end_stream(Closing{});
  }
  if (features.bidi && policy().bidi()) {
    bidi_ = true;
    writer_.bidi();
  }
  writer_.auth_external(name_of(addresses_.local));
  transition_to(AwaitingSuccess{*state.peer});
}

void StreamBody::begin_tls(const net::TlsParameters& parameters) {
  // RFC 6120 5.4.3.3, and the class of CVE-2011-0411: what was sent in the clear is not taken into the secured stream.
  if (reader_.has_read_ahead())
    return close(
        StreamError(StreamErrorCondition::policy_violation, "something was sent behind STARTTLS in the clear"));
  if (!writer_.write(output(), false)) return give_up("the peer does not read");
  transport_.flush();
  reader_.close();
  header_sent_ = false;
  transition_to(Securing{});
  transport_.start_tls(parameters);
}

// RFC 6120 13.7.2 and XEP-0178: EXTERNAL is offered when the certificate already is the peer's.
void StreamBody::offer_sasl() {
  const auto peer = certify(addresses_.remote, AuthenticationMethod::sasl_external);
  if (!peer) {
    StreamError error(StreamErrorCondition::not_authorized);
    static_cast<void>(error.text.append(net::to_text(peer.error())));
    return close(error);
  }
  writer_.features_sasl(policy().bidi());
  transition_to(OfferingSasl{.peer = *peer});
}

void StreamBody::receive_sasl(OfferingSasl& state, const StreamElement& element) {
  switch (element.kind) {
    case StreamElementKind::bidi:
      if (!policy().bidi()) break;
      bidi_ = true;
      return;
    case StreamElementKind::auth:
      state.challenged = false;
      if (element.name != "EXTERNAL") return fail_sasl(state, "invalid-mechanism");
      if (!element.text.empty()) return check_authorization_identity(state, element);
      // RFC 6120 6.4.2: no initial response, so an empty challenge asks for it.
      state.challenged = true;
      return writer_.challenge();
    case StreamElementKind::response:
      if (!std::exchange(state.challenged, false)) return fail_sasl(state, "malformed-request");
      return check_authorization_identity(state, element);
    case StreamElementKind::abort: state.challenged = false; return fail_sasl(state, "aborted");
    default: break;
  }
  receive_unexpected(element);
}

// XEP-0178 2: "=" and nothing stand for the stream's `from`; anything else must be that.
void StreamBody::check_authorization_identity(OfferingSasl& state, const StreamElement& element) {
  if (!element.text.empty() && element.text != "=") {
    std::array<char, max_domain_bytes + 1> buffer;
    const auto decoded = element.text_cut ? std::nullopt : base64_decode(element.text, buffer);
    if (!decoded) return fail_sasl(state, "incorrect-encoding");
    const auto identity = Domain::parse(*decoded);
    if (!identity || policy().directory().find(identity->view()) != state.peer.domain())
      return fail_sasl(state, "invalid-authzid");
  }
  if (reader_.has_read_ahead())
    return close(StreamError(StreamErrorCondition::policy_violation, "something was sent before SASL had succeeded"));
  writer_.success();
  begin_stream(state.peer, true);
}

void StreamBody::fail_sasl(OfferingSasl& state, std::string_view condition) {
  log(LogLevel::notice, module, "%.*s %.*s: SASL failed: %.*s", SALLYPORT_SV(side()),
      SALLYPORT_SV(name_of(addresses_.remote)), SALLYPORT_SV(condition));
  writer_.sasl_failure(condition);
  if (++state.failures >= max_sasl_failures)
    close(StreamError(StreamErrorCondition::policy_violation, "too many attempts to authenticate"));
}

void StreamBody::receive_sasl_outcome(const AwaitingSuccess& state, const StreamElement& element) {
  if (element.kind == StreamElementKind::success) return begin_stream(state.peer, true);
  explain("the peer refused SASL EXTERNAL: %s%s%s", element.name.c_str(), element.text.empty() ? "" : ", ",
          element.text.c_str());
  end_stream(Closing{});
}

void StreamBody::receive_stream_error(const StreamElement& error) {
  explain("the peer closed the stream: %s%s%s", error.name.c_str(), error.text.empty() ? "" : ", ", error.text.c_str());
  end_stream(Closing{});
}

void StreamBody::establish(const AuthenticatedDomain& peer) {
  const bool receiving = role_ == StreamRole::receiving;
  const Established established{.peer = peer,
                                .may_send = !receiving || bidi_,
                                .may_receive = receiving || bidi_,
                                .trunk = receiving && policy().trunk(addresses_)};
  if (established.may_receive) reader_.accept_stanzas(established.trunk);
  establishment_deadline_ = never;
  counters_.established = counters_.last_activity = now();
  transition_to(established);
  log(LogLevel::info, module, "%.*s: established with %.*s for %.*s%s%s, %.*s", SALLYPORT_SV(side()),
      SALLYPORT_SV(name_of(addresses_.remote)), SALLYPORT_SV(name_of(addresses_.local)), bidi_ ? ", bidi" : "",
      established.trunk ? ", trunk" : "", SALLYPORT_SV(transport_.tls_description()));
  notify_established();
}

Result<AuthenticatedDomain, net::CertificateError> StreamBody::certify(DomainId domain,
                                                                       AuthenticationMethod method) const {
  const net::tls::TrustAnchors* anchors = policy().anchors(domain);
  if (anchors == nullptr) return unexpected(net::CertificateError::not_trusted);
  const auto name = transport_.certify(name_of(domain), *anchors);
  if (!name) return unexpected(name.error());
  const auto authenticated = authenticator_.from_certificate(*name, method);
  if (authenticated && authenticated->domain() != domain) return unexpected(net::CertificateError::wrong_name);
  return authenticated;
}

// Stanzas ----------------------------------------------------------------------------------------------------------------

void StreamBody::receive_stanza() {
  StanzaRecord* stanza = reader_.take_stanza();
  stanza_deadline_ = never;
  if (const auto objection = objection_to(*stanza, *session())) {
    stanza->discard();
    return close(*objection);
  }
  ++counters_.stanzas_received;
  counters_.last_activity = now();
  held_ = stanza;
  deliver_held();
}

// RFC 6120 8.1.1.2, 8.1.2.2 and 4.9.3: `from` is who was authenticated, `to` is whom the stream is for.
std::optional<StreamError> StreamBody::objection_to(const StanzaRecord& stanza, const Established& session) {
  if (stanza.from != session.peer.domain() && !carries(stanza.from))
    return StreamError(StreamErrorCondition::invalid_from, "from is not the domain of this stream");
  if (session.trunk || stanza.to == addresses_.local) return std::nullopt;
  const DomainDirectory& directory = policy().directory();
  if (!stanza.to.valid() || directory.kind(stanza.to) != directory.kind(addresses_.local))
    return StreamError(StreamErrorCondition::host_unknown, "to is not served here");
  return StreamError(StreamErrorCondition::improper_addressing, "to is not the domain of this stream");
}

void StreamBody::deliver_held() {
  const Delivery delivery = deliver(held_);
  delivery_blocked_ = delivery == Delivery::blocked;
  SALLYPORT_ASSERT((held_ != nullptr) == delivery_blocked_);
}

const StreamBody::Established* StreamBody::session() const {
  if (const Established* established = in<Established>()) return established;
  const Closing* closing = in<Closing>();
  return closing != nullptr && closing->session ? &*closing->session : nullptr;
}

// The end ------------------------------------------------------------------------------------------------------------------

void StreamBody::expire_state() {
  if (in<AwaitingHeader>())
    return close(StreamError(StreamErrorCondition::connection_timeout, "no stream header in time"));
  if (in<Securing>()) return give_up("the TLS handshake took too long");
  Closing* closing = in<Closing>();
  if (closing == nullptr || closing->transport_closed) return give_up("the peer does not close the connection");
  explain("the peer did not close its side of the stream");
  closing->session.reset();
  stop_reading();
  closing->peer_ended = closing->end_written = true;
  closing->transport_closed = true;
  deadline_ = now() + limits().close;
  transport_.close();
}

void StreamBody::expire_establishment() {
  establishment_deadline_ = never;
  if (in<Connecting>()) return give_up("no connection in time");
  if (in<Securing>()) return give_up("the TLS handshake took too long");
  close(StreamError(StreamErrorCondition::connection_timeout, "not authenticated in time"));
}

void StreamBody::peer_ended(bool by_end_tag) {
  if (Closing* closing = in<Closing>()) {
    closing->peer_ended = true;
    closed_.graceful = by_end_tag;
    return;
  }
  closed_.graceful = by_end_tag;
  explain(by_end_tag ? "the peer closed the stream" : "the peer closed the connection without ending the stream");
  Closing how;
  how.peer_ended = true;
  // Behind a bare FIN nobody listens any more: what is queued is better kept for another stream.
  how.flush_queue = by_end_tag && can_send();
  end_stream(how);
}

void StreamBody::end_stream(Closing how) {
  how.latest = now() + limits().stanza;
  if (!header_sent_) how.end_written = true;
  if (!how.session) stop_reading();
  transition_to(how);
  stanza_deadline_ = establishment_deadline_ = never;
  schedule();
}

// What has arrived of a stanza gives its memory back at once. Who still waited for chunks would take the wake-up of
// another stream.
void StreamBody::stop_reading() {
  services_.chunks.cancel(*this);
  reader_.close();
}

void StreamBody::give_up(std::string_view why) {
  explain("%.*s", SALLYPORT_SV(why));
  give_up_ = true;
  schedule();
}

// The first explanation is the cause; what follows from it does not replace it.
void StreamBody::explain(const char* format, ...) {
  if (!closed_.explanation.empty()) return;
  std::array<char, 161> text;
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(text.data(), text.size(), format, arguments);
  va_end(arguments);
  static_cast<void>(closed_.explanation.assign(text.data()));
}

void StreamBody::write() {
  if (give_up_ || in<Connecting>() || in<Securing>()) return;
  const std::uint64_t before = writer_.bytes_written();
  Closing* closing = in<Closing>();
  const bool with_stanzas = closing != nullptr ? closing->flush_queue && !closing->end_written : can_send();
  output_drained_ = writer_.write(output(), with_stanzas);
  if (closing != nullptr && output_drained_ && !closing->end_written) {
    closing->end_written = true;
    writer_.end();
    output_drained_ = writer_.write(output(), false);
  }
  if (writer_.overflowed()) return give_up("the peer does not read");
  counters_.bytes_sent = writer_.bytes_written();
  counters_.stanzas_sent = writer_.stanzas_written();
  if (counters_.bytes_sent == before) return;
  transport_.flush();
  // The time to close counts from when our side has said all that it has to say, but a slow reader does not draw it
  // out.
  if (closing != nullptr) deadline_ = std::min(now() + limits().close, closing->latest);
}

void StreamBody::conclude() {
  if (Closing* closing = in<Closing>()) {
    const bool said_all = closing->end_written && output_drained_;
    if (said_all && !closing->transport_closed && (closing->peer_ended || !closing->session)) {
      closing->transport_closed = true;
      transport_.close();
    }
  }
  const bool gone = transport_.state() == net::TransportState::closed;
  if (!give_up_ && !gone) return;
  if (!give_up_ && held_ != nullptr) {
    // Received in full and accepted by nobody yet: it waits for room a little longer than its connection lived.
    if (stanza_deadline_ == never) stanza_deadline_ = now() + limits().stanza;
    return;
  }
  if (gone)
    explain("%s", transport_.failure().explanation.empty() ? "the connection ended"
                                                           : transport_.failure().explanation.c_str());
  if (!gone) transport_.abort();
  if (held_ != nullptr) std::exchange(held_, nullptr)->discard();
  transition_to(Closed{});
  stop_reading();
  log(LogLevel::notice, module, "%.*s: stream with %.*s for %.*s ended at %.*s: %s", SALLYPORT_SV(side()),
      SALLYPORT_SV(name_of(addresses_.remote)), SALLYPORT_SV(name_of(addresses_.local)),
      SALLYPORT_SV(to_text(closed_.reached)), closed_.explanation.c_str());
  notify_closed(closed_);
}

}  // namespace sallyport::xmpp
