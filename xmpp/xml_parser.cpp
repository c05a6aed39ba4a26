#include "xmpp/xml_parser.h"

#include <expat.h>

#include <algorithm>
#include <array>
#include <utility>

#include "hal/base/assert.h"

// What expat would draw a hash salt from, if a parser had none; XmlParser::open() gives each one from the DRBG.
extern "C" void writeRandomBytes_arc4random_buf(void* target, size_t count);
void writeRandomBytes_arc4random_buf(void*, size_t) { SALLYPORT_ASSERT(false); }

namespace sallyport::xmpp {

namespace {

// expat stays with its smallest buffer, 1 KiB (cmake/third_party), as long as no tag is longer than this.
constexpr std::size_t window_bytes = 512;

// Cannot stand in a URI, and expat refuses a namespace name that holds it.
constexpr char separator = '\n';

// Of the parser that is at work, when it may use one.
Arena* spare_arena = nullptr;

void* allocate(size_t bytes) {
  void* memory = Arena::current()->allocate(bytes);
  return memory != nullptr || spare_arena == nullptr ? memory : spare_arena->allocate(bytes);
}

void release(void* pointer) {
  Arena& arena = *Arena::current();
  if (pointer == nullptr || arena.owns(pointer)) return arena.release(pointer);
  SALLYPORT_ASSERT(spare_arena != nullptr);
  spare_arena->release(pointer);
}

void* resize(void* pointer, size_t bytes) {
  Arena& arena = *Arena::current();
  if (pointer == nullptr) return allocate(bytes);
  if (!arena.owns(pointer)) return spare_arena->resize(pointer, bytes);
  void* memory = arena.resize(pointer, bytes);
  return memory != nullptr || spare_arena == nullptr ? memory : arena.move_to(*spare_arena, pointer, bytes);
}

constexpr XML_Memory_Handling_Suite memory_functions = {allocate, resize, release};

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

XmlParser& parser_of(void* self) { return *static_cast<XmlParser*>(self); }

std::string_view or_empty(const char* text) { return text == nullptr ? std::string_view() : std::string_view(text); }

bool equals_ignoring_case(std::string_view left, std::string_view right) {
  return std::ranges::equal(left, right, [](char a, char b) { return (a | 0x20) == (b | 0x20); });
}

}  // namespace

// Every call into expat happens inside one: expat's memory comes from the session's arena.
class XmlParser::Scope {
 public:
  explicit Scope(XmlParser& parser) : parser_(parser), arena_(parser.arena_), before_(parser.held_bytes()) {
    SALLYPORT_ASSERT(spare_arena == nullptr);
    if (parser.spare_allowed_) spare_arena = parser.spare_;
  }
  ~Scope() {
    spare_arena = nullptr;
    parser_.memory_ += parser_.held_bytes() - before_;
  }
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;

 private:
  XmlParser& parser_;
  ArenaScope arena_;
  std::size_t before_;
};

XmlName XmlElement::split(const char* triplet) {
  const std::string_view text(triplet);
  const std::size_t first = text.find(separator);
  if (first == std::string_view::npos) return {.uri = {}, .local = text, .prefix = {}};
  const std::size_t second = text.find(separator, first + 1);
  if (second == std::string_view::npos)
    return {.uri = text.substr(0, first), .local = text.substr(first + 1), .prefix = {}};
  return {.uri = text.substr(0, first),
          .local = text.substr(first + 1, second - first - 1),
          .prefix = text.substr(second + 1)};
}

XmlName XmlElement::name() const { return split(name_); }

std::optional<std::string_view> XmlElement::attribute(std::string_view uri, std::string_view local) const {
  for (const char** pair = attributes_; *pair != nullptr; pair += 2) {
    const XmlName name = split(pair[0]);
    if (name.local == local && name.uri == uri) return std::string_view(pair[1]);
  }
  return std::nullopt;
}

bool XmlParser::open() {
  close();
  memory_ = 0;
  spare_allowed_ = false;
  if (!create()) return false;
  window_position_ = held_ = unparsed_ = base_ = 0;
  window_parsed_ = true;
  stopped_ = failed_ = root_seen_ = preloaded_ = false;
  depth_ = declarations_ = 0;
  error_ = {};
  return true;
}

std::size_t XmlParser::held_bytes() const { return arena_.in_use() + (spare_ == nullptr ? 0 : spare_->in_use()); }

bool XmlParser::create() {
  const Scope scope(*this);
  // The encoding is given, so that an XML declaration cannot choose another one (RFC 6120 11.6).
  parser_ = XML_ParserCreate_MM("UTF-8", &memory_functions, std::array{separator, '\0'}.data());
  if (parser_ == nullptr) return false;

  std::array<std::uint8_t, 16> salt;
  random_.fill(std::as_writable_bytes(std::span(salt)));
  XML_SetHashSalt16Bytes(parser_, salt.data());
  XML_SetReturnNSTriplet(parser_, 1);
  // Deferral delays tokens that are complete; holds_back() and the bound on a token's length do its work.
  XML_SetReparseDeferralEnabled(parser_, XML_FALSE);
  XML_SetUserData(parser_, this);
  XML_SetElementHandler(parser_, start_element, end_element);
  XML_SetNamespaceDeclHandler(parser_, start_namespace, end_namespace);
  XML_SetCharacterDataHandler(parser_, character_data);
  XML_SetCommentHandler(parser_, comment);
  XML_SetProcessingInstructionHandler(parser_, processing_instruction);
  XML_SetStartDoctypeDeclHandler(parser_, start_doctype);
  XML_SetXmlDeclHandler(parser_, xml_declaration);
  window_ = nullptr;
  return true;
}

bool XmlParser::renew(std::string_view prologue) {
  SALLYPORT_ASSERT(stopped_ && window_parsed_ && unparsed_ <= window_bytes);
  // All of it lies in the window that was parsed last: the tag that expat stopped behind ended there.
  std::array<std::byte, window_bytes> rest;
  const std::uint32_t count = unparsed_;
  const std::uint32_t next = position() - count;
  std::ranges::copy(raw({next, position()}), rest.begin());

  close();
  const bool ready = create() && parse_prologue(prologue);
  base_ = next - static_cast<std::uint32_t>(prologue.size());
  window_position_ = next;
  stopped_ = false;
  held_ = unparsed_ = 0;
  window_parsed_ = true;
  if (ready && count > 0) {
    acquire_window();
    if (!failed_) {
      std::ranges::copy(std::span(rest).first(count), std::as_writable_bytes(std::span(window_, count)).begin());
      held_ = count;
      preloaded_ = true;
    }
  }
  if (!ready) fail(StreamErrorCondition::resource_constraint, "no memory for a stream");
  return !failed_;
}

bool XmlParser::parse_prologue(std::string_view prologue) {
  const Scope scope(*this);
  void* buffer = XML_GetBuffer(parser_, static_cast<int>(prologue.size()));
  if (buffer == nullptr) return false;
  std::ranges::copy(prologue, static_cast<char*>(buffer));
  in_prologue_ = true;
  const bool parsed = XML_ParseBuffer(parser_, static_cast<int>(prologue.size()), 0) == XML_STATUS_OK;
  in_prologue_ = false;
  return parsed;
}

void XmlParser::close() {
  if (parser_ == nullptr) return;
  const Scope scope(*this);
  XML_ParserFree(parser_);
  parser_ = nullptr;
  window_ = nullptr;
}

XmlParser::Progress XmlParser::read(net::Transport& input) {
  SALLYPORT_ASSERT(is_open());
  if (failed_) return Progress::failed;
  if (stopped_) {
    const Scope scope(*this);
    stopped_ = false;
    return conclude(XML_ResumeParser(parser_));
  }
  if (window_parsed_) {
    acquire_window();
    if (failed_) return Progress::failed;
  }
  if (!std::exchange(preloaded_, false)) {
    const std::span room = std::as_writable_bytes(std::span(window_ + held_, window_bytes - held_));
    const std::size_t count = input.read(room);
    if (count == 0) return Progress::need_input;
    held_ += static_cast<std::uint32_t>(count);
    if (holds_back(room.first(count))) return Progress::more;
    if (failed_) return Progress::failed;
  }

  const Scope scope(*this);
  window_parsed_ = true;
  return conclude(XML_ParseBuffer(parser_, static_cast<int>(held_), 0));
}

void XmlParser::acquire_window() {
  const Scope scope(*this);
  const std::uint32_t next = position();
  window_ = static_cast<char*>(XML_GetBuffer(parser_, static_cast<int>(window_bytes)));
  if (window_ == nullptr) return fail(StreamErrorCondition::resource_constraint, "no memory for so long a tag");
  window_position_ = next;
  held_ = 0;
  window_parsed_ = false;
}

// Whether to wait for more before expat sees the window.
//
// expat begins an incomplete token from its first byte each time, which is quadratic for a tag that comes in single
// bytes (CVE-2023-52425). Nothing but '>' completes a token that begins with '<', so without one there is nothing to
// parse.
bool XmlParser::holds_back(std::span<const std::byte> fresh) {
  if (!root_seen_ && window_position_ == 0) {
    // Forced to UTF-8, expat still follows UTF-16's marks: the raw bytes forwarded would not be what was checked.
    if (held_ < 2) return true;
    const char first = window_[0];
    if ((first != '<' && !is_space(first)) || window_[1] == '\0') {
      const bool other_protocol = first > ' ' && first <= '~' && window_[1] != '\0';
      other_protocol ? fail(StreamErrorCondition::not_well_formed, "a stream begins with '<'")
                     : fail(StreamErrorCondition::unsupported_encoding,
                            "a stream begins with '<' in UTF-8, without a byte order mark");
      return false;
    }
  }
  if (held_ == window_bytes || unparsed_ == 0) return false;
  if (*(window_ - unparsed_) != '<') return false;
  return std::ranges::find(fresh, std::byte{'>'}) == fresh.end();
}

XmlParser::Progress XmlParser::conclude(int status) {
  if (status == XML_STATUS_ERROR || failed_) {
    if (!failed_) translate_error();
    failed_ = true;
    return Progress::failed;
  }
  // Before the root there is no reliable index; all of it counts as one token.
  unparsed_ = root_seen_ ? position() - event_position() : position();
  stopped_ = status == XML_STATUS_SUSPENDED;
  if (stopped_) return Progress::stopped;
  if (unparsed_ > limits_.token_bytes) {
    fail(StreamErrorCondition::policy_violation, "a tag is too long");
    return Progress::failed;
  }
  return Progress::more;
}

void XmlParser::translate_error() {
  const XML_Error code = XML_GetErrorCode(parser_);
  switch (code) {
    case XML_ERROR_NO_MEMORY: return fail(StreamErrorCondition::resource_constraint, "no memory for this tag");
    case XML_ERROR_UNDEFINED_ENTITY:
      return fail(StreamErrorCondition::restricted_xml, "an entity that is not predefined");
    case XML_ERROR_UNKNOWN_ENCODING:
    case XML_ERROR_INCORRECT_ENCODING:
      return fail(StreamErrorCondition::unsupported_encoding, "the encoding is not UTF-8");
    default: break;
  }
  // RFC 6120 4.9.3.22 counts a violation of UTF-8's rules as an encoding that is not supported.
  const std::uint32_t index = event_position();
  if (code == XML_ERROR_INVALID_TOKEN && position() - index <= position() - window_position_ + unparsed_ &&
      index != position()) {
    const auto byte = static_cast<unsigned char>(raw({index, index + 1})[0]);
    if (byte >= 0x80) return fail(StreamErrorCondition::unsupported_encoding, "bytes that are not UTF-8 here");
  }
  fail(StreamErrorCondition::not_well_formed, XML_ErrorString(code));
}

void XmlParser::stop() { XML_StopParser(parser_, XML_TRUE); }

void XmlParser::fail(StreamErrorCondition condition, std::string_view text) {
  if (failed_) return;
  failed_ = true;
  error_ = StreamError(condition, text);
  XML_ParsingStatus status;
  XML_GetParsingStatus(parser_, &status);
  if (status.parsing == XML_PARSING) XML_StopParser(parser_, XML_FALSE);
}

void XmlParser::want_text(bool wanted) { XML_SetCharacterDataHandler(parser_, wanted ? character_data : nullptr); }

std::uint32_t XmlParser::event_position() const {
  return base_ + static_cast<std::uint32_t>(XML_GetCurrentByteIndex(parser_));
}

XmlRange XmlParser::event_range() const {
  const std::uint32_t begin = event_position();
  return {.begin = begin, .end = begin + static_cast<std::uint32_t>(XML_GetCurrentByteCount(parser_))};
}

std::size_t XmlParser::unparsed() const { return window_parsed_ ? unparsed_ : unparsed_ + held_; }

bool XmlParser::unparsed_is_space() const {
  const std::uint32_t end = position();
  const auto bytes = raw({end - static_cast<std::uint32_t>(unparsed()), end});
  return std::ranges::all_of(bytes, [](std::byte byte) { return is_space(static_cast<char>(byte)); });
}

std::span<const std::byte> XmlParser::raw(XmlRange range) const {
  // expat keeps the bytes that it has not parsed directly in front of the window that it hands out.
  const auto offset = static_cast<std::int32_t>(range.begin - window_position_);
  return std::as_bytes(std::span(window_ + offset, range.end - range.begin));
}

void XmlParser::start_namespace(void* self, const char* prefix, const char* uri) {
  XmlParser& parser = parser_of(self);
  if (parser.in_prologue_) return;
  ++parser.declarations_;
  if (!parser.failed_) parser.listener_.on_namespace(or_empty(prefix), or_empty(uri));
}

void XmlParser::end_namespace(void* self, const char* prefix) {
  XmlParser& parser = parser_of(self);
  if (!parser.failed_) parser.listener_.on_namespace_end(or_empty(prefix));
}

void XmlParser::start_element(void* self, const char* name, const char** attributes) {
  XmlParser& parser = parser_of(self);
  if (parser.failed_ || parser.in_prologue_) return;
  parser.root_seen_ = true;
  if (parser.depth_ > parser.limits_.depth)
    return parser.fail(StreamErrorCondition::policy_violation, "elements are nested too deeply");
  const unsigned attribute_count = static_cast<unsigned>(XML_GetSpecifiedAttributeCount(parser.parser_)) / 2;
  if (attribute_count + std::exchange(parser.declarations_, 0) > parser.limits_.attributes)
    return parser.fail(StreamErrorCondition::policy_violation, "an element has too many attributes");
  parser.listener_.on_start(XmlElement(name, attributes), parser.depth_++);
}

void XmlParser::end_element(void* self, const char*) {
  XmlParser& parser = parser_of(self);
  if (!parser.failed_) parser.listener_.on_end(--parser.depth_);
}

void XmlParser::character_data(void* self, const char* text, int length) {
  XmlParser& parser = parser_of(self);
  if (!parser.failed_) parser.listener_.on_text({text, static_cast<std::size_t>(length)}, parser.depth_);
}

void XmlParser::comment(void* self, const char*) {
  parser_of(self).fail(StreamErrorCondition::restricted_xml, "a comment");
}

void XmlParser::processing_instruction(void* self, const char*, const char*) {
  parser_of(self).fail(StreamErrorCondition::restricted_xml, "a processing instruction");
}

void XmlParser::start_doctype(void* self, const char*, const char*, const char*, int) {
  parser_of(self).fail(StreamErrorCondition::restricted_xml, "a document type declaration");
}

void XmlParser::xml_declaration(void* self, const char* version, const char* encoding, int) {
  XmlParser& parser = parser_of(self);
  if (version != nullptr && std::string_view(version) != "1.0")
    parser.fail(StreamErrorCondition::not_well_formed, "XML other than version 1.0");
  else if (encoding != nullptr && !equals_ignoring_case(encoding, "utf-8"))
    parser.fail(StreamErrorCondition::unsupported_encoding, "the encoding is not UTF-8");
}

}  // namespace sallyport::xmpp
