// Arena: a small allocator over one fixed block of memory, for C libraries that want calloc and free. Each TLS session
// and its XML parser own one; nobody else's allocations can fragment or starve it, and reset() empties it at once.
//
// First fit over address-ordered blocks, neighbours that are free are always merged; every allocation is 8-byte aligned
// (Mbed TLS' gcm_setkey uses 8-byte NEON loads). Header per allocation: 8 bytes. Not thread-safe: there is one loop.
//
// Mbed TLS and expat take allocation functions without a context argument, so the arena in force is selected by an
// ArenaScope around every call into those libraries. Allocation with no arena selected is our bug (assert).
#pragma once

#include <cstddef>
#include <span>

#include "hal/base/poison.h"

namespace sallyport {

class Arena {
 public:
  static constexpr std::size_t alignment = 8;

  /// `memory` must outlive the arena and be 8-byte aligned.
  explicit Arena(std::span<std::byte> memory);
#ifdef __SANITIZE_ADDRESS__
  ~Arena();  // the memory is whole again for its next user
#endif
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  /// nullptr when no block is large enough. Zeroed when `zeroed`. 0 bytes are allowed, and have an address of their
  /// own.
  void* allocate(std::size_t bytes, bool zeroed = false);
  /// nullptr is allowed. Asserts that `pointer` came from this arena and was not released before.
  void release(void* pointer);
  /// Keeps the content; nullptr when it cannot grow (the old block stays). nullptr becomes an allocation.
  void* resize(void* pointer, std::size_t bytes);
  /// As resize(), into `other`; nullptr when that has no room (the old block stays).
  void* move_to(Arena& other, void* pointer, std::size_t bytes);
  /// Whether `pointer` lies in this arena's memory.
  bool owns(const void* pointer) const;
  /// Forgets every allocation and wipes the memory that was used (it may have held keys).
  void reset();

  std::size_t capacity() const { return memory_.size(); }
  /// Bytes taken from capacity(), headers and rounding included; so high_water() is what the arena would have needed if
  /// nothing were lost to fragments.
  std::size_t in_use() const { return in_use_; }
  std::size_t high_water() const { return high_water_; }
  std::size_t failures() const { return failures_; }

  /// The arena selected by the innermost ArenaScope, or nullptr.
  static Arena* current();

 private:
  friend class ArenaScope;
  struct Block;
  Block* next(Block* block) const;
  Block* previous(Block* block) const;
  Block* find_free(std::size_t size);
  Block* block_of(void* pointer) const;
  void take(Block* block, std::size_t size);
  void split(Block* block, std::size_t size);
  void merge_with_next(Block* block);
  void set_size(Block* block, std::size_t size);

  std::span<std::byte> memory_;
  Block* lowest_free_ = nullptr;  // no block below this one is free
  std::size_t touched_ = 0;       // bytes of memory_ that were handed out since the last reset()
  std::size_t in_use_ = 0;
  std::size_t high_water_ = 0;
  std::size_t failures_ = 0;
};

class ArenaScope {
 public:
  explicit ArenaScope(Arena& arena);
  ~ArenaScope();
  ArenaScope(const ArenaScope&) = delete;
  ArenaScope& operator=(const ArenaScope&) = delete;

 private:
  Arena* previous_;
};

}  // namespace sallyport
