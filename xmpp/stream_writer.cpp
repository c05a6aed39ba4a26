#include "xmpp/stream_writer.h"

#include <array>

#include "xmpp/base64.h"
#include "xmpp/escape.h"
#include "xmpp/jid.h"

namespace sallyport::xmpp {

void StreamWriter::header(std::string_view from, std::string_view to, std::string_view id) {
  const auto attribute = [this](std::string_view name, std::string_view value) {
    if (value.empty()) return;
    put(name);
    escape(value, [this](std::string_view piece) { put(piece); });
    put("'");
  };
  put("<?xml version='1.0'?><stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams'");
  attribute(" from='", from);
  attribute(" to='", to);
  attribute(" id='", id);
  put(" version='1.0'>");
}

void StreamWriter::features_starttls() {
  put("<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls></stream:features>");
}

void StreamWriter::features_sasl(bool bidi) {
  put("<stream:features><mechanisms "
      "xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>EXTERNAL</mechanism></mechanisms>");
  if (bidi) put("<bidi xmlns='urn:xmpp:features:bidi'/>");
  put("</stream:features>");
}

void StreamWriter::features_none() { put("<stream:features/>"); }

void StreamWriter::starttls() { put("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"); }

void StreamWriter::proceed() { put("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"); }

void StreamWriter::bidi() { put("<bidi xmlns='urn:xmpp:bidi'/>"); }

void StreamWriter::auth_external(std::string_view authorization_identity) {
  std::array<char, base64_length(max_domain_bytes)> encoded;
  put("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='EXTERNAL'>");
  put(base64_encode(authorization_identity, encoded));
  put("</auth>");
}

void StreamWriter::challenge() { put("<challenge xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>"); }

void StreamWriter::success() { put("<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>"); }

void StreamWriter::sasl_failure(std::string_view condition) {
  put("<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><");
  put(condition);
  put("/></failure>");
}

void StreamWriter::error(const StreamError& error) {
  put("<stream:error><");
  put(to_text(error.condition));
  put(" xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>");
  if (!error.text.empty()) {
    put("<text xmlns='urn:ietf:params:xml:ns:xmpp-streams' xml:lang='en'>");
    escape(error.text, [this](std::string_view piece) { put(piece); });
    put("</text>");
  }
  put("</stream:error>");
}

void StreamWriter::end() { put("</stream:stream>"); }

bool StreamWriter::write(RecordQueue& queue, bool with_stanzas) {
  if (chunk_ != nullptr && !write_front(queue)) return false;
  if (!drain()) return false;
  while (with_stanzas && !queue.empty())
    if (!write_front(queue)) return false;
  return true;
}

void StreamWriter::put(std::string_view text) {
  // While a stanza is half written, nothing may go between its bytes.
  if (pending_.size() + text.size() > pending_.capacity() && chunk_ == nullptr) static_cast<void>(drain());
  if (!pending_.append(text)) overflowed_ = true;
}

bool StreamWriter::drain() {
  while (pending_begin_ < pending_.size()) {
    const auto left = pending_.view().substr(pending_begin_);
    const std::size_t count = transport_.write(std::as_bytes(std::span(left)));
    if (count == 0) break;
    pending_begin_ += count;
    bytes_ += count;
  }
  const auto rest = pending_.view().substr(pending_begin_);
  if (pending_begin_ > 0) {
    const FixedString<1024> moved(rest);
    pending_ = moved;
    pending_begin_ = 0;
  }
  return pending_.empty();
}

bool StreamWriter::write_front(RecordQueue& queue) {
  if (chunk_ == nullptr) {
    chunk_ = queue.front()->first;
    chunk_begin_ = 0;
  }
  for (; chunk_ != nullptr; chunk_ = chunk_->next, chunk_begin_ = 0) {
    while (chunk_begin_ < chunk_->used().size()) {
      const std::size_t count = transport_.write(chunk_->used().subspan(chunk_begin_));
      if (count == 0) return false;
      chunk_begin_ += count;
      bytes_ += count;
    }
  }
  ++stanzas_;
  queue.pop()->discard();
  return true;
}

}  // namespace sallyport::xmpp
