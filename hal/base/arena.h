// Arena: a small allocator over one fixed block of memory, for C libraries that want calloc and free. Each TLS session
// and its XML parser own one; nobody else's allocations can fragment or starve it, and reset() empties it at once.
//
// First fit over address-ordered blocks with coalescing; every allocation is 8-byte aligned (Mbed TLS' gcm_setkey uses
// 8-byte NEON loads). Header per allocation: 8 bytes. Not thread-safe: there is one loop.
//
// Mbed TLS and expat take allocation functions without a context argument, so the arena in force is selected by an
// ArenaScope around every call into those libraries. Allocation with no arena selected is our bug (assert).
#pragma once

#include <cstddef>
#include <span>

namespace sallyport {

class Arena {
 public:
  /// `memory` must outlive the arena and be 8-byte aligned.
  explicit Arena(std::span<std::byte> memory);
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  /// nullptr when no block is large enough. Zeroed when `zeroed`.
  void* allocate(std::size_t bytes, bool zeroed = false);
  /// nullptr is allowed. Asserts that `pointer` came from this arena.
  void release(void* pointer);
  /// Keeps the content; nullptr when it cannot grow (the old block stays).
  void* resize(void* pointer, std::size_t bytes);
  /// Forgets every allocation and wipes the memory that was used (it may have held keys).
  void reset();

  std::size_t capacity() const { return memory_.size(); }
  std::size_t in_use() const { return in_use_; }
  std::size_t high_water() const { return high_water_; }
  std::size_t failures() const { return failures_; }

  /// The arena selected by the innermost ArenaScope, or nullptr.
  static Arena* current();

 private:
  friend class ArenaScope;
  struct Block;
  Block* first() const;
  Block* next(Block* block) const;

  std::span<std::byte> memory_;
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
