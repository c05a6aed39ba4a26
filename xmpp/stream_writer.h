// StreamWriter: the sending half of a stream (RFC 6120 4): our stream headers, features, elements of negotiation and
// errors, and the stanzas of a queue, chunk by chunk as they are. Nothing is lost when the transport has no room:
// write() goes on there.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "hal/base/fixed_string.h"
#include "net/transport.h"
#include "xmpp/stanza.h"
#include "xmpp/stream_error.h"

namespace sallyport::xmpp {

class StreamWriter {
 public:
  explicit StreamWriter(net::Transport& transport) : transport_(transport) {}
  StreamWriter(const StreamWriter&) = delete;
  StreamWriter& operator=(const StreamWriter&) = delete;

  /// Always xmlns='jabber:server' and xmlns:stream, nothing else: stanzas are forwarded on this ground. Empty: left
  /// out.
  void header(std::string_view from, std::string_view to, std::string_view id);
  void features_starttls();
  void features_sasl(bool bidi);
  void features_none();
  void starttls();
  void proceed();
  void bidi();
  void auth_external(std::string_view authorization_identity);
  void challenge();
  void success();
  void sasl_failure(std::string_view condition);
  void error(const StreamError& error);
  void end();  // </stream:stream>

  /// Hands on what was put above, and then the stanzas of `queue` if `with_stanzas`. A stanza that is half written is
  /// always finished first. True: nothing is left of either.
  bool write(RecordQueue& queue, bool with_stanzas);
  /// The peer left so much unread that an element of negotiation had no room.
  bool overflowed() const { return overflowed_; }

  std::uint32_t stanzas_written() const { return stanzas_; }
  std::uint64_t bytes_written() const { return bytes_; }

 private:
  void put(std::string_view text);
  bool drain();
  bool write_front(RecordQueue& queue);

  net::Transport& transport_;
  FixedString<1024> pending_;  // elements that the transport has not taken
  std::size_t pending_begin_ = 0;
  bool overflowed_ = false;
  const Chunk* chunk_ = nullptr;  // of the queue's front stanza, when that is half written
  std::size_t chunk_begin_ = 0;
  std::uint32_t stanzas_ = 0;
  std::uint64_t bytes_ = 0;
};

}  // namespace sallyport::xmpp
