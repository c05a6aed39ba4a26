// StanzaAssembler: fills a chain of chunks with a stanza's bytes. Memory is reserved first, so that the pool can run
// out only in one place, where the work is simply tried again later.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "xmpp/chunk_pool.h"
#include "xmpp/stanza.h"

namespace sallyport::xmpp {

class StanzaAssembler {
 public:
  explicit StanzaAssembler(ChunkPool& pool) : pool_(pool) {}
  ~StanzaAssembler() { discard(); }
  StanzaAssembler(const StanzaAssembler&) = delete;
  StanzaAssembler& operator=(const StanzaAssembler&) = delete;

  /// False: the pool is used up; what was acquired stays, and the call can be repeated.
  [[nodiscard]] bool reserve(std::size_t bytes);
  /// reserve() must have made the room.
  void append(std::span<const std::byte> bytes);
  void append(std::string_view text) { append(std::as_bytes(std::span(text))); }
  /// Puts `text` in front of the byte at `offset`. False: the pool is used up, nothing has changed.
  [[nodiscard]] bool insert(std::uint32_t offset, std::span<const std::byte> text);

  /// Bytes appended so far.
  std::uint32_t bytes() const { return record_ == nullptr ? 0 : record_->bytes; }
  /// Hands the stanza over: with first, last, bytes, chunks and pool set. At least one byte was appended.
  StanzaRecord* finish();
  void discard();

 private:
  static void fill(Chunk*& chunk, std::span<const std::byte> bytes);

  ChunkPool& pool_;
  StanzaRecord* record_ = nullptr;
  Chunk* filling_ = nullptr;  // where the next byte goes; behind it only empty chunks
  Chunk* tail_ = nullptr;
  std::size_t room_ = 0;  // from filling_ to tail_
};

}  // namespace sallyport::xmpp
