#include "hal/base/arena.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>

#include "hal/base/assert.h"

namespace sallyport {

namespace {

Arena* current_arena = nullptr;

constexpr std::size_t round_up(std::size_t bytes) { return (bytes + Arena::alignment - 1) & ~(Arena::alignment - 1); }

}  // namespace

// A block is its header and the bytes behind it; blocks lie end to end and fill the memory. Sizes include the header
// and are multiples of 8, which frees a bit of `size` for the state. Each block's size is written twice, here and as
// the next one's previous_size: that is how neighbours merge in both directions, and how a stray pointer or an overrun
// is noticed.
struct Arena::Block {
  static constexpr std::uint32_t used_bit = 1;

  std::uint32_t size_and_state = 0;
  std::uint32_t previous_size = 0;  // 0: the first block

  std::size_t size() const { return size_and_state & ~used_bit; }
  bool used() const { return (size_and_state & used_bit) != 0; }
  std::byte* payload() { return reinterpret_cast<std::byte*>(this + 1); }
  std::size_t payload_size() const { return size() - sizeof(Block); }
};

Arena::Arena(std::span<std::byte> memory) : memory_(memory.first(memory.size() & ~(alignment - 1))) {
  static_assert(sizeof(Block) == alignment);
  SALLYPORT_ASSERT(reinterpret_cast<std::uintptr_t>(memory_.data()) % alignment == 0);
  SALLYPORT_ASSERT(memory_.size() >= 2 * sizeof(Block) && memory_.size() <= UINT32_MAX);
  reset();
}

#ifdef __SANITIZE_ADDRESS__
Arena::~Arena() { unpoison(memory_.data(), memory_.size()); }
#endif

void* Arena::allocate(std::size_t bytes, bool zeroed) {
  Block* block = bytes < memory_.size() ? find_free(sizeof(Block) + std::max(round_up(bytes), alignment)) : nullptr;
  if (block == nullptr) {
    ++failures_;
    return nullptr;
  }
  take(block, sizeof(Block) + std::max(round_up(bytes), alignment));
  unpoison(block->payload(), bytes);
  if (zeroed) std::memset(block->payload(), 0, bytes);
  return block->payload();
}

void Arena::release(void* pointer) {
  if (pointer == nullptr) return;
  Block* block = block_of(pointer);
  in_use_ -= block->size();
  block->size_and_state &= ~Block::used_bit;
  poison(block->payload(), block->payload_size());

  Block* after = next(block);
  if (after != nullptr && !after->used()) merge_with_next(block);
  Block* before = previous(block);
  if (before != nullptr && !before->used()) {
    merge_with_next(before);
    block = before;
  }
  if (lowest_free_ == nullptr || block < lowest_free_) lowest_free_ = block;
}

void* Arena::resize(void* pointer, std::size_t bytes) {
  if (pointer == nullptr) return allocate(bytes);
  Block* block = block_of(pointer);
  const std::size_t old_payload = block->payload_size();
  Block* after = next(block);
  const std::size_t reachable =
      old_payload + (after != nullptr && !after->used() ? after->size() : 0);  // without moving
  if (bytes > reachable) {
    void* moved = allocate(bytes);
    if (moved == nullptr) return nullptr;
    unpoison(pointer, old_payload);
    std::memcpy(moved, pointer, old_payload);
    release(pointer);
    return moved;
  }
  in_use_ -= block->size();
  if (bytes > old_payload) merge_with_next(block);
  take(block, sizeof(Block) + std::max(round_up(bytes), alignment));
  poison(block->payload() + bytes, block->payload_size() - bytes);
  unpoison(block->payload(), bytes);
  return pointer;
}

void* Arena::move_to(Arena& other, void* pointer, std::size_t bytes) {
  Block* block = block_of(pointer);
  void* moved = other.allocate(bytes);
  if (moved == nullptr) return nullptr;
  unpoison(pointer, block->payload_size());
  std::memcpy(moved, pointer, std::min(bytes, block->payload_size()));
  release(pointer);
  return moved;
}

bool Arena::owns(const void* pointer) const {
  const auto at = reinterpret_cast<std::uintptr_t>(pointer);
  const auto begin = reinterpret_cast<std::uintptr_t>(memory_.data());
  return at >= begin && at < begin + memory_.size();
}

void Arena::reset() {
  unpoison(memory_.data(), memory_.size());
  std::memset(memory_.data(), 0, touched_);
  Block* whole = std::construct_at(reinterpret_cast<Block*>(memory_.data()));
  whole->size_and_state = static_cast<std::uint32_t>(memory_.size());
  poison(whole->payload(), whole->payload_size());
  lowest_free_ = whole;
  touched_ = sizeof(Block);
  in_use_ = 0;
}

Arena* Arena::current() { return current_arena; }

Arena::Block* Arena::next(Block* block) const {
  std::byte* end = reinterpret_cast<std::byte*>(block) + block->size();
  return end == memory_.data() + memory_.size() ? nullptr : reinterpret_cast<Block*>(end);
}

Arena::Block* Arena::previous(Block* block) const {
  if (block->previous_size == 0) return nullptr;
  return reinterpret_cast<Block*>(reinterpret_cast<std::byte*>(block) - block->previous_size);
}

Arena::Block* Arena::find_free(std::size_t size) {
  for (Block* block = lowest_free_; block != nullptr; block = next(block))
    if (!block->used() && block->size() >= size) return block;
  return nullptr;
}

Arena::Block* Arena::block_of(void* pointer) const {
  const std::byte* at = static_cast<std::byte*>(pointer);
  SALLYPORT_ASSERT(at >= memory_.data() + sizeof(Block) && at < memory_.data() + memory_.size());
  SALLYPORT_ASSERT(reinterpret_cast<std::uintptr_t>(pointer) % alignment == 0);
  Block* block = static_cast<Block*>(pointer) - 1;
  const auto offset = static_cast<std::size_t>(reinterpret_cast<std::byte*>(block) - memory_.data());
  SALLYPORT_ASSERT(block->used() && block->size() > sizeof(Block) && block->size() <= memory_.size() - offset);
  const Block* after = next(block);
  SALLYPORT_ASSERT(after == nullptr || after->previous_size == block->size());
  return block;
}

void Arena::take(Block* block, std::size_t size) {
  split(block, size);
  block->size_and_state |= Block::used_bit;
  in_use_ += block->size();
  high_water_ = std::max(high_water_, in_use_);
  const auto end = static_cast<std::size_t>(block->payload() + block->payload_size() - memory_.data());
  touched_ = std::max(touched_, std::min(end + sizeof(Block), memory_.size()));
  if (block == lowest_free_)
    while (lowest_free_ != nullptr && lowest_free_->used()) lowest_free_ = next(lowest_free_);
}

void Arena::split(Block* block, std::size_t size) {
  const std::size_t rest = block->size() - size;
  if (rest < 2 * sizeof(Block)) return;  // a rest without payload would only be a header
  unpoison(reinterpret_cast<std::byte*>(block) + size, sizeof(Block));
  Block* remainder = std::construct_at(reinterpret_cast<Block*>(reinterpret_cast<std::byte*>(block) + size));
  set_size(remainder, rest);
  set_size(block, size);
  poison(remainder->payload(), remainder->payload_size());
  // A used block that shrank leaves a free neighbour to its rest.
  Block* after = next(remainder);
  if (after != nullptr && !after->used()) merge_with_next(remainder);
  if (lowest_free_ == nullptr || remainder < lowest_free_) lowest_free_ = remainder;
}

void Arena::merge_with_next(Block* block) {
  Block* after = next(block);
  set_size(block, block->size() + after->size());
  if (lowest_free_ == after) lowest_free_ = block;
  poison(after, sizeof(Block));
}

void Arena::set_size(Block* block, std::size_t size) {
  block->size_and_state = static_cast<std::uint32_t>(size) | (block->size_and_state & Block::used_bit);
  Block* after = next(block);
  if (after != nullptr) after->previous_size = static_cast<std::uint32_t>(size);
}

ArenaScope::ArenaScope(Arena& arena) : previous_(current_arena) { current_arena = &arena; }

ArenaScope::~ArenaScope() { current_arena = previous_; }

}  // namespace sallyport
