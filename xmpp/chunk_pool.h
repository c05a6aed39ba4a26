// ChunkPool: the memory that stanzas live in while they arrive and while they wait: fixed-size chunks, one pool per
// side. A stanza is a chain of chunks; freeing the chain gives the credit back to whoever waits for room.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "hal/base/intrusive_list.h"

namespace sallyport::xmpp {

inline constexpr std::size_t chunk_bytes = 512;  // whole chunk, header included: a 200-byte stanza takes one

struct Chunk {
  static constexpr std::size_t header_bytes = (sizeof(void*) + 2 * sizeof(std::uint16_t) + 7) / 8 * 8;

  Chunk* next = nullptr;
  std::uint16_t begin = 0;  // first used byte of data
  std::uint16_t end = 0;    // one past the last used byte
  alignas(8) std::array<std::byte, chunk_bytes - header_bytes> data;

  std::span<std::byte> room() { return std::span(data).subspan(end); }
  std::span<const std::byte> used() const { return std::span(data).subspan(begin, end - begin); }
};
static_assert(sizeof(Chunk) == chunk_bytes);

/// Someone who found the pool empty and has work that goes on when it is not.
class ChunkWaiter : public ListNode<ChunkWaiter> {
 public:
  /// Called from release(): only schedule work here. The waiter has been taken off the list.
  virtual void chunks_available() = 0;

 protected:
  ~ChunkWaiter() = default;
};

class ChunkPool {
 public:
  /// `chunks` is static storage that outlives the pool.
  explicit ChunkPool(std::span<Chunk> chunks);
  ChunkPool(const ChunkPool&) = delete;
  ChunkPool& operator=(const ChunkPool&) = delete;

  Chunk* acquire();  // nullptr when none is left
  void release(Chunk& chunk);
  void release_chain(Chunk* first);

  /// Tells `waiter` once, in the order of waiting, when a chunk is free. Idempotent.
  void wait(ChunkWaiter& waiter);
  /// Must be called before a waiter that may be waiting is destroyed.
  void cancel(ChunkWaiter& waiter);

  std::size_t capacity() const { return capacity_; }
  std::size_t available() const { return available_; }
  std::size_t low_water() const { return low_water_; }

 private:
  Chunk* free_ = nullptr;
  std::size_t capacity_ = 0;
  std::size_t available_ = 0;
  std::size_t low_water_ = 0;
  IntrusiveList<ChunkWaiter> waiters_;
};

}  // namespace sallyport::xmpp
