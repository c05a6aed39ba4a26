#include "xmpp/stanza_assembler.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <utility>

#include "hal/base/assert.h"

namespace sallyport::xmpp {

static_assert(alignof(StanzaRecord) <= 8 && sizeof(StanzaRecord) % 8 == 0 && sizeof(StanzaRecord) < chunk_bytes / 4);

bool StanzaAssembler::reserve(std::size_t bytes) {
  while (record_ == nullptr || room_ < bytes) {
    Chunk* chunk = pool_.acquire();
    if (chunk == nullptr) return false;
    if (record_ == nullptr) {
      chunk->begin = chunk->end = sizeof(StanzaRecord);
      record_ = std::construct_at(reinterpret_cast<StanzaRecord*>(chunk->data.data()));
      record_->pool = &pool_;
      record_->first = filling_ = chunk;
    } else {
      tail_->next = chunk;
    }
    tail_ = chunk;
    room_ += chunk->room().size();
    ++record_->chunks;
  }
  return true;
}

void StanzaAssembler::append(std::span<const std::byte> bytes) {
  SALLYPORT_ASSERT(record_ != nullptr && bytes.size() <= room_);
  fill(filling_, bytes);
  room_ -= bytes.size();
  record_->bytes += static_cast<std::uint32_t>(bytes.size());
}

bool StanzaAssembler::insert(std::uint32_t offset, std::span<const std::byte> text) {
  SALLYPORT_ASSERT(record_ != nullptr && offset <= record_->bytes);
  Chunk* split = record_->first;
  for (; offset > split->used().size(); split = split->next) offset -= static_cast<std::uint32_t>(split->used().size());

  // The new chunks take the text and what stood behind it in the split chunk; the chunks after that stay as they are.
  const auto behind = split->used().subspan(offset);
  Chunk* first = nullptr;
  Chunk* last = nullptr;
  std::uint32_t count = 0;
  for (std::size_t room = 0; room < text.size() + behind.size(); ++count) {
    Chunk* chunk = pool_.acquire();
    if (chunk == nullptr) {
      pool_.release_chain(first);
      return false;
    }
    (first == nullptr ? first : last->next) = chunk;
    last = chunk;
    room += chunk->data.size();
  }
  Chunk* into = first;
  fill(into, text);
  fill(into, behind);
  split->end = static_cast<std::uint16_t>(split->begin + offset);
  last->next = split->next;
  split->next = first;
  if (tail_ == split) tail_ = last;
  if (filling_ == split) {
    filling_ = into;
    room_ = 0;
    for (Chunk* chunk = into; chunk != nullptr; chunk = chunk->next) room_ += chunk->room().size();
  }
  record_->chunks += count;
  record_->bytes += static_cast<std::uint32_t>(text.size());
  return true;
}

StanzaRecord* StanzaAssembler::finish() {
  SALLYPORT_ASSERT(record_ != nullptr && record_->bytes > 0);
  for (Chunk* spare = std::exchange(filling_->next, nullptr); spare != nullptr;) {
    Chunk* next = spare->next;
    pool_.release(*spare);
    --record_->chunks;
    spare = next;
  }
  record_->last = filling_;
  filling_ = tail_ = nullptr;
  room_ = 0;
  return std::exchange(record_, nullptr);
}

void StanzaAssembler::discard() {
  if (record_ == nullptr) return;
  std::exchange(record_, nullptr)->discard();
  filling_ = tail_ = nullptr;
  room_ = 0;
}

void StanzaAssembler::fill(Chunk*& chunk, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    if (chunk->room().empty()) chunk = chunk->next;
    const std::size_t count = std::min(bytes.size(), chunk->room().size());
    std::memcpy(chunk->room().data(), bytes.data(), count);
    chunk->end = static_cast<std::uint16_t>(chunk->end + count);
    bytes = bytes.subspan(count);
  }
}

}  // namespace sallyport::xmpp
