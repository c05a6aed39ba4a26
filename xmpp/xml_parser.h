// XmlParser: expat under XMPP's rules. One per stream header, in the session's arena; the only class that knows expat.
//
// It reads the transport straight into expat's buffer, and refuses what RFC 6120 11.1 forbids (DOCTYPE, comments,
// processing instructions, entities other than the predefined ones) and what exceeds the limits. It stops after each
// event that its listener asks to stop at, so that one stanza at a time is handed up and the rest stays unread.
//
// Positions are bytes since the stream's begin, modulo 2^32: only differences of near ones mean something.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "hal/base/arena.h"
#include "hal/random.h"
#include "net/transport.h"
#include "xmpp/stream_error.h"
#include "xmpp/stream_policy.h"

struct XML_ParserStruct;

namespace sallyport::xmpp {

struct XmlName {
  std::string_view uri;  // namespace name; empty: none
  std::string_view local;
  std::string_view prefix;  // empty: none
};

/// An element's start tag, valid during on_start().
class XmlElement {
 public:
  XmlElement(const char* name, const char** attributes) : name_(name), attributes_(attributes) {}

  XmlName name() const;
  /// By its expanded name; nullopt when absent.
  std::optional<std::string_view> attribute(std::string_view uri, std::string_view local) const;
  std::optional<std::string_view> attribute(std::string_view local) const { return attribute({}, local); }
  /// Calls `visit(XmlName)` for each attribute; declarations of namespaces are none.
  template <class Visit>
  void for_each_attribute_name(Visit visit) const {
    for (const char** pair = attributes_; *pair != nullptr; pair += 2) visit(split(*pair));
  }

 private:
  static XmlName split(const char* triplet);

  const char* name_;
  const char** attributes_;
};

/// Called while the parser parses. They record, and may call stop(), fail() and want_text() of the parser, nothing
/// else.
class XmlListener {
 public:
  /// Before on_start() of the element that carries the declaration. An empty uri undeclares (default namespace only).
  virtual void on_namespace(std::string_view prefix, std::string_view uri) = 0;
  /// After on_end() of that element.
  virtual void on_namespace_end(std::string_view prefix) = 0;
  /// `depth` of the root is 0. on_end() has the same depth.
  virtual void on_start(const XmlElement& element, unsigned depth) = 0;
  virtual void on_end(unsigned depth) = 0;
  /// A piece of character data, when wanted.
  virtual void on_text(std::string_view text, unsigned depth) = 0;

 protected:
  ~XmlListener() = default;
};

struct XmlRange {
  std::uint32_t begin = 0;
  std::uint32_t end = 0;
};

class XmlParser {
 public:
  enum class Progress : std::uint8_t {
    need_input,  // the transport has nothing now
    more,        // some input was parsed
    stopped,     // the listener called stop()
    failed       // see error()
  };

  /// `spare` may be nullptr; it is shared with other parsers, and only asked after allow_spare() for what `arena` has
  /// no room for: the buffers of a long tag.
  XmlParser(Arena& arena, Arena* spare, hal::Random& random, const StreamLimits& limits, XmlListener& listener)
      : arena_(arena), spare_(spare), random_(random), limits_(limits), listener_(listener) {}
  ~XmlParser() { close(); }
  XmlParser(const XmlParser&) = delete;
  XmlParser& operator=(const XmlParser&) = delete;

  /// Begins a document. False: the arena has no room.
  bool open();
  /// Gives expat's memory back to the arena. Idempotent; not from the listener.
  void close();
  /// After a stop: a new expat in front of the unparsed bytes, which has only seen `prologue`, the start tags that are
  /// open. It gives back what expat has gathered: it keeps every name that it meets, for as long as the stream lives.
  /// False: see error().
  bool renew(std::string_view prologue);
  void allow_spare() { spare_allowed_ = true; }
  /// Bytes of both arenas that expat holds.
  std::size_t memory() const { return memory_; }
  bool is_open() const { return parser_ != nullptr; }

  /// Parses what it stopped in front of, or else reads from `input` once (at most 512 bytes) and parses that.
  Progress read(net::Transport& input);
  const StreamError& error() const { return error_; }

  void stop();
  void fail(StreamErrorCondition condition, std::string_view text);
  void want_text(bool wanted);

  /// Of the tag that on_start() or on_end() is about.
  XmlRange event_range() const;
  /// End of what was read so far.
  std::uint32_t position() const { return window_position_ + held_; }
  /// Bytes that were read and not parsed yet, behind a stop or as the beginning of a tag.
  std::size_t unparsed() const;
  /// Whether all of them are white space.
  bool unparsed_is_space() const;
  /// Bytes as received, while they are in the buffer: from the last read()'s first unparsed byte up to position().
  std::span<const std::byte> raw(XmlRange range) const;

 private:
  class Scope;

  std::size_t held_bytes() const;
  bool create();
  bool parse_prologue(std::string_view prologue);
  void acquire_window();
  bool holds_back(std::span<const std::byte> fresh);
  Progress conclude(int status);
  std::uint32_t event_position() const;
  void translate_error();

  static void start_namespace(void* self, const char* prefix, const char* uri);
  static void end_namespace(void* self, const char* prefix);
  static void start_element(void* self, const char* name, const char** attributes);
  static void end_element(void* self, const char* name);
  static void character_data(void* self, const char* text, int length);
  static void comment(void* self, const char* text);
  static void processing_instruction(void* self, const char* target, const char* data);
  static void start_doctype(void* self, const char* name, const char* system, const char* public_id,
                            int internal_subset);
  static void xml_declaration(void* self, const char* version, const char* encoding, int standalone);

  Arena& arena_;
  Arena* spare_;
  bool spare_allowed_ = false;  // until the next open()
  hal::Random& random_;
  const StreamLimits& limits_;
  XmlListener& listener_;
  XML_ParserStruct* parser_ = nullptr;
  std::size_t memory_ = 0;

  char* window_ = nullptr;             // where expat wants the bytes that follow window_position_
  std::uint32_t window_position_ = 0;  // position of window_[0]
  std::uint32_t held_ = 0;             // bytes in the window
  std::uint32_t unparsed_ = 0;         // at the end of [.., position()), expat's incomplete token
  std::uint32_t base_ = 0;             // position of expat's byte 0
  bool window_parsed_ = true;          // the window was given to expat: a new one is needed
  bool preloaded_ = false;             // the window holds what is parsed next, before anything is read
  bool in_prologue_ = false;           // the listener knows these tags already
  bool stopped_ = false;
  bool failed_ = false;
  unsigned depth_ = 0;         // open elements
  unsigned declarations_ = 0;  // of namespaces, on the tag that is being parsed
  bool root_seen_ = false;
  StreamError error_;
};

}  // namespace sallyport::xmpp
