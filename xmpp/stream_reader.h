// StreamReader: the receiving half of a stream (RFC 6120 4): from the transport's bytes to the stream header, the
// elements of negotiation, and complete stanzas as they stand in the input. It checks the form; what may come when is
// StreamBody's business.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <variant>

#include "hal/base/arena.h"
#include "hal/base/fixed_string.h"
#include "hal/random.h"
#include "net/transport.h"
#include "xmpp/chunk_pool.h"
#include "xmpp/domain_directory.h"
#include "xmpp/inherited_declarations.h"
#include "xmpp/jid.h"
#include "xmpp/stanza.h"
#include "xmpp/stanza_assembler.h"
#include "xmpp/stream_error.h"
#include "xmpp/stream_policy.h"
#include "xmpp/xml_parser.h"

namespace sallyport::xmpp {

struct StreamHeader {
  Domain from;  // empty: absent
  Domain to;
  unsigned major_version = 0;  // RFC 6120 4.7.5; 0: no version, or an older protocol
};

/// What can stand directly below <stream/> besides stanzas.
enum class StreamElementKind : std::uint8_t {
  unknown,  // neither of these; reported at its start tag
  stanza,   // while stanzas are not accepted; reported at its start tag
  features,
  error,
  starttls,
  proceed,
  tls_failure,
  auth,
  challenge,
  response,
  abort,
  success,
  sasl_failure,
  bidi
};

struct StreamElement {
  StreamElementKind kind = StreamElementKind::unknown;
  bool dialback = false;  // unknown: of XEP-0220's namespace
  // features
  bool starttls = false;
  bool external = false;
  bool bidi = false;
  /// auth: the mechanism; error, sasl_failure: the condition.
  FixedString<40> name;
  /// auth, response, challenge, success: base 64 as received; error, sasl_failure: the peer's text.
  FixedString<352> text;  // base 64 of a domain of 255 bytes, and a little
  bool text_cut = false;  // it was longer
};

class StreamReader final : private XmlListener {
 public:
  enum class Event : std::uint8_t {
    need_input,   // nothing more to read now
    need_chunks,  // the pool is used up: try again when it is not
    more,         // some input was read, nothing is complete
    header,       // see header()
    element,      // see element()
    stanza,       // see take_stanza()
    end,          // </stream:stream>
    failed        // see error()
  };

  /// `spare`: see StreamServices; may be nullptr.
  StreamReader(Arena& arena, Arena* spare, hal::Random& random, ChunkPool& chunks, const StreamPolicy& policy);
  ~StreamReader();

  /// Forgets everything, also input that was read and not parsed; the next read() begins with a stream header.
  void restart();
  /// As restart(), and gives the arena's memory back until then.
  void close() { restart(); }

  /// Reads on until there is one event. `now` is the time of a stanza that completes.
  Event read(net::Transport& input, Instant now);

  const StreamHeader& header() const { return std::get<StreamHeader>(message_); }
  const StreamElement& element() const { return std::get<StreamElement>(message_); }
  /// The caller owns it.
  StanzaRecord* take_stanza();
  const StreamError& error() const { return error_; }

  /// The peer is authenticated. Until then a stanza is reported as an element at its start tag. `any_recipient`: a `to`
  /// that is no JID makes the stanza's to invalid instead of failing the stream.
  void accept_stanzas(bool any_recipient);

  /// Something began to arrive and is not complete.
  bool in_progress() const;
  /// Content other than white space was read behind the last event.
  bool has_read_ahead() const;
  /// Bytes of XML read since restart().
  std::uint32_t bytes_read() const { return parser_.is_open() ? parser_.position() : 0; }

 private:
  enum class Capture : std::uint8_t { none, name, text };

  void on_namespace(std::string_view prefix, std::string_view uri) override;
  void on_namespace_end(std::string_view prefix) override;
  void on_start(const XmlElement& element, unsigned depth) override;
  void on_end(unsigned depth) override;
  void on_text(std::string_view text, unsigned depth) override;

  void start_header(const XmlElement& element);
  bool check_header_name(const XmlName& name);
  bool keep_declarations();
  bool keep_prologue(std::string_view tag);
  bool read_domain(const XmlElement& element, std::string_view name, Domain& into);
  void start_first_level(const XmlElement& element);
  void start_stanza(StanzaKind kind, const XmlElement& element);
  bool read_addresses(const XmlElement& element);
  void slice_attributes(std::string_view tag);
  void note_prefixes(const XmlElement& element, std::string_view prefix);
  void start_inner(const XmlName& name, unsigned depth);
  void report(Event event);
  Event fail(StreamErrorCondition condition, std::string_view text);

  std::optional<Event> collect_stanza(Instant now);
  bool copy_stanza(std::uint32_t end);
  bool finish_stanza(Instant now);

  /// What the peer's header declares, next to what ours does.
  struct HeaderNamespaces {
    bool default_declared = false;
    bool default_is_server = false;
    bool default_is_foreign = false;  // neither jabber:server nor the stream namespace
    bool server_declared = false;     // as default or with a prefix
    bool stream_prefix_is_ours = false;
  };

  Arena& arena_;
  const StreamPolicy& policy_;
  XmlParser parser_;
  InheritedDeclarations inherited_;
  StanzaAssembler assembler_;
  std::variant<std::monostate, StreamHeader, StreamElement> message_;
  StreamError error_;
  Event reported_ = Event::more;  // what the parser stopped for

  /// The peer's header, reduced to its name and declarations, in the arena: what a renewed parser begins with.
  std::span<char> prologue_;
  std::size_t fresh_parser_bytes_ = 0;  // the parser's memory behind the header

  HeaderNamespaces header_namespaces_;
  bool header_seen_ = false;
  bool stanzas_accepted_ = false;
  bool any_recipient_ = false;

  // The first-level element that is arriving, when it is no stanza.
  bool in_element_ = false;
  bool in_mechanism_ = false;
  Capture capture_ = Capture::none;
  std::uint32_t element_begin_ = 0;

  // The stanza that is arriving. Positions are the parser's.
  bool in_stanza_ = false;
  bool stanza_complete_ = false;
  bool head_copied_ = false;  // its name, and the declarations that the start tag needs
  std::uint32_t stanza_begin_ = 0;
  std::uint32_t stanza_end_ = 0;
  std::uint32_t copied_ = 0;
  std::uint32_t name_end_ = 0;  // offset behind the qualified name: where declarations are spliced in
  std::uint32_t spliced_ = 0;   // bytes spliced in so far
  StanzaRecord draft_;          // what the start tag told
  StanzaRecord* complete_ = nullptr;
};

}  // namespace sallyport::xmpp
