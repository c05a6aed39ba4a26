#include "xmpp/stream_reader.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "hal/base/assert.h"
#include "xmpp/namespaces.h"
#include "xmpp/start_tag.h"

namespace sallyport::xmpp {

namespace {

struct KnownElement {
  std::string_view uri;
  std::string_view local;
  StreamElementKind kind;
};

constexpr std::array<KnownElement, 12> known_elements = {{
    {ns::stream, "features", StreamElementKind::features},
    {ns::stream, "error", StreamElementKind::error},
    {ns::tls, "starttls", StreamElementKind::starttls},
    {ns::tls, "proceed", StreamElementKind::proceed},
    {ns::tls, "failure", StreamElementKind::tls_failure},
    {ns::sasl, "auth", StreamElementKind::auth},
    {ns::sasl, "challenge", StreamElementKind::challenge},
    {ns::sasl, "response", StreamElementKind::response},
    {ns::sasl, "abort", StreamElementKind::abort},
    {ns::sasl, "success", StreamElementKind::success},
    {ns::sasl, "failure", StreamElementKind::sasl_failure},
    {ns::bidi, "bidi", StreamElementKind::bidi},
}};

StreamElementKind kind_of(const XmlName& name) {
  for (const KnownElement& known : known_elements)
    if (known.uri == name.uri && known.local == name.local) return known.kind;
  return StreamElementKind::unknown;
}

std::optional<StanzaKind> stanza_kind_of(const XmlName& name) {
  if (name.uri != ns::server) return std::nullopt;
  if (name.local == "message") return StanzaKind::message;
  if (name.local == "presence") return StanzaKind::presence;
  if (name.local == "iq") return StanzaKind::iq;
  return std::nullopt;
}

using Part = InheritedDeclarations::Part;

constexpr std::size_t max_splice_bytes = 1024;

// expat keeps each element's, attribute's and namespace's name that it has ever met. Beyond this much of them, and of
// buffers grown for long tags, it is replaced between two stanzas: some 20 microseconds, for every few dozen new names.
constexpr std::size_t parser_growth_bytes = 2048;

bool is_declaration(std::string_view attribute) { return attribute == "xmlns" || attribute.starts_with("xmlns:"); }

bool is_space(std::string_view text) { return text.find_first_not_of(" \t\r\n") == std::string_view::npos; }

std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

unsigned parse_major_version(std::string_view text) {
  unsigned major = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), major);
  if (error != std::errc() || end == text.data() + text.size() || *end != '.') return 0;
  return major;
}

// RFC 6120 8.3.1: an error never answers an error, nor an IQ result.
bool is_answerable(StanzaKind kind, std::optional<std::string_view> type) {
  if (kind == StanzaKind::iq) return type == "get" || type == "set";
  return type != "error";
}

}  // namespace

StreamReader::StreamReader(Arena& arena, Arena* spare, hal::Random& random, ChunkPool& chunks,
                           const StreamPolicy& policy)
    : arena_(arena),
      policy_(policy),
      parser_(arena, spare, random, policy.limits(), *this),
      inherited_(arena),
      assembler_(chunks) {
  // A RawSlice's length has 16 bits; each declaration is written with a space.
  SALLYPORT_ASSERT(policy.limits().token_bytes + 2048 <= UINT16_MAX);
  SALLYPORT_ASSERT(policy.limits().header_namespace_bytes * 9 / 8 + 16 <= max_splice_bytes);
}

StreamReader::~StreamReader() { restart(); }

void StreamReader::restart() {
  parser_.close();
  inherited_.clear();
  arena_.release(std::exchange(prologue_, {}).data());
  assembler_.discard();
  if (complete_ != nullptr) std::exchange(complete_, nullptr)->discard();
  message_ = std::monostate();
  reported_ = Event::more;
  header_namespaces_ = {};
  header_seen_ = stanzas_accepted_ = any_recipient_ = false;
  in_element_ = in_mechanism_ = in_stanza_ = stanza_complete_ = false;
  capture_ = Capture::none;
}

StreamReader::Event StreamReader::read(net::Transport& input, Instant now) {
  if (!parser_.is_open() && !parser_.open())
    return fail(StreamErrorCondition::resource_constraint, "no memory for a stream");
  for (;;) {
    if (in_stanza_) {
      if (const auto event = collect_stanza(now)) return *event;
    } else if (in_element_ && parser_.position() - element_begin_ > policy_.limits().stanza_bytes) {
      return fail(StreamErrorCondition::policy_violation, "an element is too large");
    }
    switch (parser_.read(input)) {
      case XmlParser::Progress::need_input: return Event::need_input;
      case XmlParser::Progress::failed: error_ = parser_.error(); return Event::failed;
      case XmlParser::Progress::stopped:
        if (reported_ == Event::header) fresh_parser_bytes_ = parser_.memory();
        if (reported_ != Event::stanza) return reported_;
        break;
      case XmlParser::Progress::more:
        if (!in_stanza_) return Event::more;
        break;
    }
  }
}

StanzaRecord* StreamReader::take_stanza() { return std::exchange(complete_, nullptr); }

void StreamReader::accept_stanzas(bool any_recipient) {
  stanzas_accepted_ = true;
  any_recipient_ = any_recipient;
  parser_.allow_spare();
}

bool StreamReader::in_progress() const {
  return in_stanza_ || in_element_ || (parser_.is_open() && parser_.unparsed() > 0);
}

bool StreamReader::has_read_ahead() const {
  return parser_.is_open() && parser_.unparsed() > 0 && !parser_.unparsed_is_space();
}

// The header ---------------------------------------------------------------------------------------------------------

void StreamReader::on_namespace(std::string_view prefix, std::string_view uri) {
  if (header_seen_) return inherited_.redeclare(prefix);
  if (uri == ns::server) header_namespaces_.server_declared = true;
  if (prefix.empty()) {
    header_namespaces_.default_declared = true;
    header_namespaces_.default_is_server = uri == ns::server;
    header_namespaces_.default_is_foreign = uri != ns::server && uri != ns::stream;
  } else if (prefix == "stream") {
    header_namespaces_.stream_prefix_is_ours = uri == ns::stream;
  }
}

void StreamReader::on_namespace_end(std::string_view prefix) { inherited_.end_redeclaration(prefix); }

void StreamReader::on_start(const XmlElement& element, unsigned depth) {
  if (depth == 0) {
    start_header(element);
  } else if (depth == 1) {
    start_first_level(element);
  } else if (!in_stanza_) {
    start_inner(element.name(), depth);
  } else if (!inherited_.empty()) {
    note_prefixes(element, element.name().prefix);
  }
}

void StreamReader::start_header(const XmlElement& element) {
  header_seen_ = true;
  if (!check_header_name(element.name())) return;
  StreamHeader& header = message_.emplace<StreamHeader>();
  if (!read_domain(element, "to", header.to) || !read_domain(element, "from", header.from)) return;
  header.major_version = parse_major_version(element.attribute("version").value_or(""));
  if (!keep_declarations()) return;
  inherited_.begin_stanza();
  report(Event::header);
}

bool StreamReader::check_header_name(const XmlName& name) {
  if (name.uri != ns::stream) {
    const bool forgot_prefix =
        name.local == "stream" && name.prefix.empty() && (name.uri.empty() || name.uri == ns::server);
    if (forgot_prefix)
      parser_.fail(StreamErrorCondition::bad_namespace_prefix, "<stream/> is not in the stream namespace");
    else
      parser_.fail(StreamErrorCondition::invalid_namespace, "the root is not in the stream namespace");
    return false;
  }
  if (name.local != "stream") {
    parser_.fail(StreamErrorCondition::bad_format, "the root is not <stream/>");
    return false;
  }
  // RFC 6120 4.8.2 allows a header without a content namespace: then each stanza declares it.
  if (header_namespaces_.default_is_foreign && !header_namespaces_.server_declared) {
    parser_.fail(StreamErrorCondition::invalid_namespace, "the content namespace is not jabber:server");
    return false;
  }
  return true;
}

bool StreamReader::read_domain(const XmlElement& element, std::string_view name, Domain& into) {
  const auto text = element.attribute(name);
  if (!text) return true;
  const auto domain = Domain::parse(*text);
  if (!domain) {
    parser_.fail(StreamErrorCondition::improper_addressing, "the header's to or from is no domain");
    return false;
  }
  into = *domain;
  return true;
}

bool StreamReader::keep_declarations() {
  const std::string_view text = as_text(parser_.raw(parser_.event_range()));
  if (!keep_prologue(text)) return false;
  const auto add = [this](std::string_view attribute) {
    if (inherited_.add(attribute)) return true;
    parser_.fail(StreamErrorCondition::resource_constraint, "no memory for the header's namespaces");
    return false;
  };
  RawStartTag tag(text);
  while (const auto attribute = tag.next()) {
    const bool is_default = attribute->name == "xmlns";
    const bool same_as_ours = (is_default && header_namespaces_.default_is_server) ||
                              (attribute->name == "xmlns:stream" && header_namespaces_.stream_prefix_is_ours) ||
                              attribute->name == "xmlns:xml";
    const bool inherited = is_declaration(attribute->name) || attribute->name == "xml:lang";
    if (inherited && !same_as_ours && !add(attribute->whole)) return false;
  }
  // Names without a prefix are in no namespace there, and would be in jabber:server here.
  return header_namespaces_.default_declared || add("xmlns=''");
}

bool StreamReader::keep_prologue(std::string_view tag) {
  std::size_t bytes = RawStartTag(tag).name().size() + 2;
  std::size_t language_bytes = 0;
  RawStartTag counted(tag);
  while (const auto attribute = counted.next()) {
    if (is_declaration(attribute->name)) bytes += 1 + attribute->whole.size();
    if (attribute->name == "xml:lang") language_bytes = attribute->whole.size();
  }
  if (bytes + language_bytes > policy_.limits().header_namespace_bytes) {
    parser_.fail(StreamErrorCondition::policy_violation, "the header declares too much");
    return false;
  }
  char* text = static_cast<char*>(arena_.allocate(bytes));
  if (text == nullptr) {
    parser_.fail(StreamErrorCondition::resource_constraint, "no memory for the header's namespaces");
    return false;
  }
  prologue_ = {text, bytes};
  RawStartTag copied(tag);
  *text++ = '<';
  text = std::ranges::copy(copied.name(), text).out;
  while (const auto attribute = copied.next()) {
    if (!is_declaration(attribute->name)) continue;
    *text++ = ' ';
    text = std::ranges::copy(attribute->whole, text).out;
  }
  *text = '>';
  return true;
}

// First-level elements -----------------------------------------------------------------------------------------------

void StreamReader::start_first_level(const XmlElement& element) {
  const XmlName name = element.name();
  const auto stanza_kind = stanza_kind_of(name);
  if (stanza_kind && stanzas_accepted_) return start_stanza(*stanza_kind, element);

  StreamElement& message = message_.emplace<StreamElement>();
  message.kind = stanza_kind ? StreamElementKind::stanza : kind_of(name);
  if (message.kind == StreamElementKind::stanza || message.kind == StreamElementKind::unknown) {
    message.dialback = name.uri == ns::dialback;
    return report(Event::element);
  }
  in_element_ = true;
  element_begin_ = parser_.event_range().begin;
  capture_ = Capture::none;
  switch (message.kind) {
    case StreamElementKind::auth:
      message.name = FixedString<40>(element.attribute("mechanism").value_or(""));
      [[fallthrough]];
    case StreamElementKind::response:
    case StreamElementKind::challenge:
    case StreamElementKind::success: capture_ = Capture::text; break;
    default: break;
  }
}

void StreamReader::start_inner(const XmlName& name, unsigned depth) {
  auto& message = std::get<StreamElement>(message_);
  switch (message.kind) {
    case StreamElementKind::features:
      if (depth == 2 && name.uri == ns::tls && name.local == "starttls") message.starttls = true;
      if (depth == 2 && name.uri == ns::bidi_feature && name.local == "bidi") message.bidi = true;
      if (depth == 3 && name.uri == ns::sasl && name.local == "mechanism") {
        in_mechanism_ = true;
        message.name.clear();
        capture_ = Capture::name;
      }
      break;
    case StreamElementKind::error:
    case StreamElementKind::sasl_failure:
      if (depth != 2 || (name.uri != ns::stream_errors && name.uri != ns::sasl)) break;
      if (name.local == "text")
        capture_ = Capture::text;
      else
        message.name = FixedString<40>(name.local);
      break;
    default: break;
  }
}

void StreamReader::on_text(std::string_view text, unsigned depth) {
  if (depth <= 1) {
    // White space there is a keep-alive (RFC 6120 4.6.1).
    if (!is_space(text)) parser_.fail(StreamErrorCondition::bad_format, "text between stanzas");
    return;
  }
  if (capture_ == Capture::none) return;
  auto& message = std::get<StreamElement>(message_);
  if (capture_ == Capture::name)
    static_cast<void>(message.name.append(text));
  else if (!message.text.append(text))
    message.text_cut = true;
}

void StreamReader::on_end(unsigned depth) {
  if (depth == 0) return report(Event::end);
  if (depth == 1 && in_stanza_) {
    stanza_end_ = parser_.event_range().end;
    stanza_complete_ = true;
    parser_.want_text(true);
    return report(Event::stanza);
  }
  if (in_stanza_ || !in_element_) return;
  auto& message = std::get<StreamElement>(message_);
  if (in_mechanism_) {
    in_mechanism_ = false;
    if (message.name == "EXTERNAL") message.external = true;
  }
  capture_ = Capture::none;
  if (depth > 1) return;
  in_element_ = false;
  report(Event::element);
}

// Stanzas ------------------------------------------------------------------------------------------------------------

void StreamReader::start_stanza(StanzaKind kind, const XmlElement& element) {
  draft_ = StanzaRecord();
  draft_.kind = kind;
  draft_.answerable = is_answerable(kind, element.attribute("type"));
  if (!read_addresses(element)) return;

  const XmlRange range = parser_.event_range();
  in_stanza_ = true;
  stanza_complete_ = head_copied_ = false;
  stanza_begin_ = copied_ = range.begin;
  if (!inherited_.empty()) {
    note_prefixes(element, element.name().prefix);
    if (!element.attribute(ns::xml, "lang")) inherited_.use_language();
    inherited_.end_of_start_tag();
  }
  spliced_ = static_cast<std::uint32_t>(inherited_.used_bytes(Part::start_tag));
  slice_attributes(as_text(parser_.raw(range)));
  // Its text is forwarded, not read.
  parser_.want_text(false);
}

bool StreamReader::read_addresses(const XmlElement& element) {
  const auto from = element.attribute("from");
  const auto to = element.attribute("to");
  // RFC 6120 8.1.1.2 and 8.1.2.2: between servers both are there.
  if (!from || !to) {
    parser_.fail(StreamErrorCondition::improper_addressing, "a stanza without from or to");
    return false;
  }
  const auto find = [this](std::string_view address) -> std::optional<DomainId> {
    const auto jid = Jid::parse(address);
    if (!jid) return std::nullopt;
    const auto domain = Domain::parse(jid->domain);
    if (!domain) return std::nullopt;
    return policy_.directory().find(domain->view());
  };
  const auto sender = find(*from);
  const auto recipient = find(*to);
  if (!sender || (!recipient && !any_recipient_)) {
    parser_.fail(StreamErrorCondition::improper_addressing, "a stanza's from or to is no address");
    return false;
  }
  draft_.from = *sender;
  draft_.to = recipient.value_or(DomainId());
  return true;
}

void StreamReader::slice_attributes(std::string_view tag_text) {
  RawStartTag tag(tag_text);
  name_end_ = static_cast<std::uint32_t>(1 + tag.name().size());
  while (const auto attribute = tag.next()) {
    RawSlice* slice = attribute->name == "from" ? &draft_.from_attribute
                      : attribute->name == "to" ? &draft_.to_attribute
                      : attribute->name == "id" ? &draft_.id_attribute
                                                : nullptr;
    if (slice == nullptr) continue;
    slice->offset = static_cast<std::uint32_t>(attribute->value.data() - tag_text.data());
    slice->length = static_cast<std::uint16_t>(attribute->value.size());
    slice->quote = attribute->quote;
  }
}

void StreamReader::note_prefixes(const XmlElement& element, std::string_view prefix) {
  inherited_.use(prefix);
  element.for_each_attribute_name([this](const XmlName& attribute) {
    if (!attribute.prefix.empty()) inherited_.use(attribute.prefix);
  });
}

// After each piece of input, before the parser reads over it. nullopt: it goes on in the next piece.
std::optional<StreamReader::Event> StreamReader::collect_stanza(Instant now) {
  const std::uint32_t end = stanza_complete_ ? stanza_end_ : parser_.position();
  if (end - stanza_begin_ > policy_.limits().stanza_bytes)
    return fail(StreamErrorCondition::policy_violation, "a stanza is too large");
  if (!copy_stanza(end)) return Event::need_chunks;
  if (!stanza_complete_) return std::nullopt;
  return finish_stanza(now) ? Event::stanza : Event::need_chunks;
}

bool StreamReader::copy_stanza(std::uint32_t end) {
  if (end == copied_) return true;
  if (!assembler_.reserve(end - copied_ + (head_copied_ ? 0 : spliced_))) return false;
  if (!head_copied_) {
    head_copied_ = true;
    assembler_.append(parser_.raw({stanza_begin_, stanza_begin_ + name_end_}));
    inherited_.for_each_used(Part::start_tag, [this](std::string_view text) { assembler_.append(text); });
    copied_ = stanza_begin_ + name_end_;
  }
  assembler_.append(parser_.raw({copied_, end}));
  copied_ = end;
  return true;
}

bool StreamReader::finish_stanza(Instant now) {
  // Declarations that only inner elements use are known now, and the name is copied long ago.
  if (const std::size_t late = inherited_.used_bytes(Part::inner); late > 0) {
    std::array<std::byte, max_splice_bytes> text;
    SALLYPORT_ASSERT(late <= text.size());
    auto end = text.begin();
    inherited_.for_each_used(Part::inner, [&end](std::string_view piece) {
      end = std::ranges::copy(std::as_bytes(std::span(piece)), end).out;
    });
    if (!assembler_.insert(name_end_ + spliced_, std::span(text).first(late))) return false;
    spliced_ += static_cast<std::uint32_t>(late);
  }
  for (RawSlice* slice : {&draft_.from_attribute, &draft_.to_attribute, &draft_.id_attribute})
    slice->offset += spliced_;
  StanzaRecord* record = assembler_.finish();
  record->received = now;
  record->from = draft_.from;
  record->to = draft_.to;
  record->kind = draft_.kind;
  record->answerable = draft_.answerable;
  record->from_attribute = draft_.from_attribute;
  record->to_attribute = draft_.to_attribute;
  record->id_attribute = draft_.id_attribute;
  complete_ = record;
  in_stanza_ = stanza_complete_ = false;
  inherited_.begin_stanza();
  // A parser that could not be renewed fails at the next read.
  if (parser_.memory() > fresh_parser_bytes_ + parser_growth_bytes)
    static_cast<void>(parser_.renew({prologue_.data(), prologue_.size()}));
  return true;
}

void StreamReader::report(Event event) {
  reported_ = event;
  parser_.stop();
}

StreamReader::Event StreamReader::fail(StreamErrorCondition condition, std::string_view text) {
  error_ = StreamError(condition, text);
  return Event::failed;
}

}  // namespace sallyport::xmpp
