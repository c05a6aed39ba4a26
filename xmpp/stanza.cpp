#include "xmpp/stanza.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "hal/base/assert.h"
#include "xmpp/escape.h"
#include "xmpp/namespaces.h"
#include "xmpp/stanza_assembler.h"

namespace sallyport::xmpp {

void RecordQueue::push(StanzaRecord* record) {
  SALLYPORT_ASSERT(record != nullptr && record->next == nullptr);
  (head_ == nullptr ? head_ : tail_->next) = record;
  tail_ = record;
  ++size_;
  bytes_ += record->chunks * chunk_bytes;
}

StanzaRecord* RecordQueue::pop() {
  SALLYPORT_ASSERT(head_ != nullptr);
  StanzaRecord* record = std::exchange(head_, head_->next);
  record->next = nullptr;
  if (head_ == nullptr) tail_ = nullptr;
  --size_;
  bytes_ -= record->chunks * chunk_bytes;
  return record;
}

void RecordQueue::splice_back(RecordQueue& other) {
  if (other.empty()) return;
  (head_ == nullptr ? head_ : tail_->next) = other.head_;
  tail_ = std::exchange(other.tail_, nullptr);
  other.head_ = nullptr;
  size_ += std::exchange(other.size_, 0);
  bytes_ += std::exchange(other.bytes_, 0);
}

void RecordQueue::clear() {
  while (!empty()) pop()->discard();
}

namespace {

constexpr std::array<std::string_view, 3> kind_names = {"message", "presence", "iq"};

// Writes into an assembler until the pool is used up once; then it stays failed.
class ReplyWriter {
 public:
  explicit ReplyWriter(StanzaAssembler& into) : into_(into) {}

  ReplyWriter& operator<<(std::string_view text) {
    if (ok_ && (ok_ = into_.reserve(text.size()))) into_.append(text);
    return *this;
  }

  // ` name='value'` with the value's bytes as received and the quote that they stood in.
  void attribute(std::string_view name, const StanzaRecord& stanza, const RawSlice& slice) {
    if (!slice.present()) return;
    *this << " " << name << "=" << std::string_view(&slice.quote, 1);
    copy(stanza, slice);
    *this << std::string_view(&slice.quote, 1);
  }

  bool ok() const { return ok_; }

 private:
  void copy(const StanzaRecord& stanza, const RawSlice& slice) {
    std::size_t skip = slice.offset;
    std::size_t left = slice.length;
    for (const Chunk* chunk = stanza.first; left > 0; chunk = chunk->next) {
      const auto used = chunk->used();
      if (skip >= used.size()) {
        skip -= used.size();
        continue;
      }
      const auto part = used.subspan(skip, std::min(left, used.size() - skip));
      *this << std::string_view(reinterpret_cast<const char*>(part.data()), part.size());
      left -= part.size();
      skip = 0;
    }
  }

  StanzaAssembler& into_;
  bool ok_ = true;
};

}  // namespace

StanzaRecord* make_error_record(const StanzaRecord& stanza, const StanzaError& error, ChunkPool& pool) {
  if (!stanza.answerable || !stanza.from_attribute.present() || !stanza.to_attribute.present()) return nullptr;
  StanzaAssembler assembler(pool);
  ReplyWriter reply(assembler);
  const std::string_view kind = kind_names[static_cast<std::size_t>(stanza.kind)];
  reply << "<" << kind << " type='error'";
  reply.attribute("from", stanza, stanza.to_attribute);
  const std::uint32_t from_end = assembler.bytes();
  reply.attribute("to", stanza, stanza.from_attribute);
  const std::uint32_t to_end = assembler.bytes();
  reply.attribute("id", stanza, stanza.id_attribute);
  const std::uint32_t id_end = assembler.bytes();
  reply << "><error type='" << stanza_error_type(error.condition) << "'><" << to_text(error.condition) << " xmlns='"
        << ns::stanza_errors << "'/>";
  if (!error.text.empty()) {
    reply << "<text xmlns='" << ns::stanza_errors << "' xml:lang='en'>";
    escape(error.text, [&reply](std::string_view piece) { reply << piece; });
    reply << "</text>";
  }
  reply << "</error></" << kind << ">";
  if (!reply.ok()) return nullptr;

  StanzaRecord* record = assembler.finish();
  // Each value ends one byte, its quote, before the end of its attribute.
  const auto moved = [](RawSlice slice, std::uint32_t end) {
    slice.offset = end - 1 - slice.length;
    return slice;
  };
  record->from_attribute = moved(stanza.to_attribute, from_end);
  record->to_attribute = moved(stanza.from_attribute, to_end);
  if (stanza.id_attribute.present()) record->id_attribute = moved(stanza.id_attribute, id_end);
  record->received = stanza.received;
  record->from = stanza.to;
  record->to = stanza.from;
  record->kind = stanza.kind;
  return record;
}

}  // namespace sallyport::xmpp
