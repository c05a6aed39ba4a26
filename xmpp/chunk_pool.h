// ChunkPool: the memory that stanzas live in while they arrive and while they wait: fixed-size chunks, one pool per side.
// A stanza is a chain of chunks; freeing the chain gives the credit back to whoever waits for room.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace sallyport::xmpp {

inline constexpr std::size_t chunk_bytes = 512;  // whole chunk, header included: a 200-byte stanza takes one

struct Chunk {
  Chunk* next = nullptr;
  std::uint16_t begin = 0;  // first used byte of data
  std::uint16_t end = 0;    // one past the last used byte
  std::array<std::byte, chunk_bytes - sizeof(void*) - 2 * sizeof(std::uint16_t)> data;

  std::span<std::byte> room() { return std::span(data).subspan(end); }
  std::span<const std::byte> used() const { return std::span(data).subspan(begin, end - begin); }
};
static_assert(sizeof(Chunk) <= chunk_bytes + sizeof(void*));

class ChunkPool {
 public:
  /// `chunks` is static storage that outlives the pool.
  explicit ChunkPool(std::span<Chunk> chunks);
  ChunkPool(const ChunkPool&) = delete;
  ChunkPool& operator=(const ChunkPool&) = delete;

  Chunk* acquire();  // nullptr when none is left
  void release(Chunk& chunk);
  void release_chain(Chunk* first);

  std::size_t capacity() const { return capacity_; }
  std::size_t available() const { return available_; }
  std::size_t low_water() const { return low_water_; }

 private:
  Chunk* free_ = nullptr;
  std::size_t capacity_ = 0;
  std::size_t available_ = 0;
  std::size_t low_water_ = 0;
};

}  // namespace sallyport::xmpp
