#include "hal/base/arena.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <random>
#include <span>
#include <vector>

namespace sallyport {
namespace {

template <std::size_t N>
struct Memory {
  alignas(Arena::alignment) std::array<std::byte, N> bytes{};
};

bool is_aligned(const void* pointer) { return reinterpret_cast<std::uintptr_t>(pointer) % Arena::alignment == 0; }

TEST(Arena, AlignsEveryAllocationToEightBytes) {
  Memory<1024> memory;
  Arena arena(memory.bytes);
  for (std::size_t bytes : {1U, 3U, 8U, 13U, 0U, 17U}) {
    void* pointer = arena.allocate(bytes);
    ASSERT_NE(pointer, nullptr);
    EXPECT_TRUE(is_aligned(pointer)) << bytes;
  }
}

TEST(Arena, GivesEachAllocationItsOwnBytes) {
  Memory<512> memory;
  Arena arena(memory.bytes);
  auto* first = static_cast<unsigned char*>(arena.allocate(40));
  auto* second = static_cast<unsigned char*>(arena.allocate(40));
  std::memset(first, 0x11, 40);
  std::memset(second, 0x22, 40);
  EXPECT_TRUE(std::all_of(first, first + 40, [](unsigned char byte) { return byte == 0x11; }));
}

TEST(Arena, ZeroesWhenAsked_EvenMemoryThatWasUsedBefore) {
  Memory<256> memory;
  Arena arena(memory.bytes);
  void* dirty = arena.allocate(64);
  std::memset(dirty, 0xFF, 64);
  arena.release(dirty);
  auto* clean = static_cast<unsigned char*>(arena.allocate(64, true));
  ASSERT_EQ(clean, dirty);
  EXPECT_TRUE(std::all_of(clean, clean + 64, [](unsigned char byte) { return byte == 0; }));
}

TEST(Arena, AnswersNullptrAndCountsWhenNothingIsLargeEnough) {
  Memory<256> memory;
  Arena arena(memory.bytes);
  EXPECT_EQ(arena.allocate(256), nullptr);  // the header has no room
  EXPECT_EQ(arena.allocate(SIZE_MAX), nullptr);
  EXPECT_EQ(arena.allocate(SIZE_MAX - 6), nullptr);  // would wrap when rounded up
  EXPECT_EQ(arena.failures(), 3U);
  EXPECT_NE(arena.allocate(248), nullptr);
  EXPECT_EQ(arena.allocate(1), nullptr);
  EXPECT_EQ(arena.failures(), 4U);
}

TEST(Arena, MergesReleasedNeighboursInAnyOrder) {
  std::array<int, 4> order = {0, 1, 2, 3};
  do {
    Memory<512> memory;
    Arena arena(memory.bytes);
    std::array<void*, 4> blocks;
    for (void*& block : blocks) block = arena.allocate(120);
    EXPECT_EQ(arena.allocate(1), nullptr);
    for (int index : order) arena.release(blocks[static_cast<std::size_t>(index)]);
    EXPECT_EQ(arena.in_use(), 0U);
    EXPECT_NE(arena.allocate(504), nullptr)
        << "a gap is left after releasing in order " << order[0] << order[1] << order[2] << order[3];
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST(Arena, TakesTheLowestBlockThatFits) {
  Memory<1024> memory;
  Arena arena(memory.bytes);
  void* low = arena.allocate(100);
  void* high = arena.allocate(100);
  static_cast<void>(arena.allocate(8));
  arena.release(high);
  arena.release(low);
  EXPECT_EQ(arena.allocate(50), low);
}

TEST(Arena, GrowsInPlaceWhenTheNextBlockIsFree) {
  Memory<512> memory;
  Arena arena(memory.bytes);
  void* pointer = arena.allocate(16);
  EXPECT_EQ(arena.resize(pointer, 300), pointer);
  std::memset(pointer, 0xAB, 300);
  EXPECT_GE(arena.in_use(), 300U);
}

TEST(Arena, MovesWithContentWhenItCannotGrowInPlace) {
  Memory<512> memory;
  Arena arena(memory.bytes);
  auto* pointer = static_cast<char*>(arena.allocate(6));
  std::memcpy(pointer, "hello", 6);
  void* wall = arena.allocate(8);
  auto* moved = static_cast<char*>(arena.resize(pointer, 100));
  ASSERT_NE(moved, nullptr);
  EXPECT_NE(moved, pointer);
  EXPECT_STREQ(moved, "hello");
  arena.release(moved);
  arena.release(wall);
  EXPECT_EQ(arena.in_use(), 0U);
}

TEST(Arena, KeepsTheOldBlockWhenItCannotGrow) {
  Memory<128> memory;
  Arena arena(memory.bytes);
  auto* pointer = static_cast<char*>(arena.allocate(6));
  std::memcpy(pointer, "hello", 6);
  EXPECT_EQ(arena.resize(pointer, 1000), nullptr);
  EXPECT_STREQ(pointer, "hello");
  EXPECT_EQ(arena.failures(), 1U);
}

TEST(Arena, ShrinkingGivesTheRestBack) {
  Memory<512> memory;
  Arena arena(memory.bytes);
  void* pointer = arena.allocate(504);
  EXPECT_EQ(arena.allocate(100), nullptr);
  EXPECT_EQ(arena.resize(pointer, 8), pointer);
  EXPECT_NE(arena.allocate(400), nullptr);
}

TEST(Arena, ResetForgetsAndWipesWhatMayHaveHeldKeys) {
  Memory<512> memory;
  {
    Arena arena(memory.bytes);
    void* pointer = arena.allocate(300);
    std::memset(pointer, 0x5A, 300);
    arena.release(arena.allocate(64));
    arena.reset();
    EXPECT_EQ(arena.in_use(), 0U);
    EXPECT_GE(arena.high_water(), 300U);
    EXPECT_NE(arena.allocate(504), nullptr);
    arena.reset();
  }
  EXPECT_EQ(std::count(memory.bytes.begin(), memory.bytes.end(), std::byte{0x5A}), 0);
}

TEST(Arena, NeverHandsOutMemoryOutsideItsOwn_UnalignedSizeIncluded) {
  Memory<128> memory;
  Arena arena(std::span(memory.bytes).first(125));
  EXPECT_EQ(arena.capacity(), 120U);
  void* pointer = arena.allocate(112);
  ASSERT_NE(pointer, nullptr);
  EXPECT_EQ(static_cast<std::byte*>(pointer) + 112, memory.bytes.data() + 120);
}

// Compares against a model that knows every live allocation, for a long random history.
TEST(Arena, SurvivesARandomHistoryWithoutMixingContents) {
  struct Allocation {
    unsigned char* pointer;
    std::size_t size;
    unsigned char fill;
  };
  Memory<16384> memory;
  Arena arena(memory.bytes);
  std::mt19937 random(20240607);
  std::vector<Allocation> live;
  const auto intact = [](const Allocation& a, std::size_t size) {
    return std::all_of(a.pointer, a.pointer + size, [&](unsigned char byte) { return byte == a.fill; });
  };
  for (int step = 0; step < 20000; ++step) {
    const std::size_t size = random() % 700 + 1;
    const auto fill = static_cast<unsigned char>(random());
    const auto action = random() % 4;
    if (action < 2 || live.empty()) {
      auto* pointer = static_cast<unsigned char*>(arena.allocate(size));
      if (pointer == nullptr) continue;
      std::memset(pointer, fill, size);
      live.push_back({pointer, size, fill});
      continue;
    }
    Allocation& chosen = live[random() % live.size()];
    ASSERT_TRUE(intact(chosen, chosen.size)) << "step " << step;
    if (action == 2) {
      auto* moved = static_cast<unsigned char*>(arena.resize(chosen.pointer, size));
      if (moved == nullptr) continue;
      const std::size_t kept = std::min(size, chosen.size);
      chosen.pointer = moved;
      ASSERT_TRUE(intact(chosen, kept)) << "step " << step;
      std::memset(moved, fill, size);
      chosen = {moved, size, fill};
    } else {
      arena.release(chosen.pointer);
      chosen = live.back();
      live.pop_back();
    }
  }
  EXPECT_GT(arena.failures(), 0U) << "the history never filled the arena: it shows less than it should";
  for (const Allocation& allocation : live) arena.release(allocation.pointer);
  EXPECT_EQ(arena.in_use(), 0U);
  EXPECT_NE(arena.allocate(arena.capacity() - 8), nullptr);
}

TEST(ArenaDeathTest, RefusesAPointerThatIsNotItsOwn) {
  Memory<256> memory;
  Memory<256> other_memory;
  Arena arena(memory.bytes);
  Arena other(other_memory.bytes);
  void* foreign = other.allocate(16);
  EXPECT_DEATH(arena.release(foreign), "assertion failed");
}

TEST(ArenaDeathTest, RefusesASecondRelease) {
  Memory<256> memory;
  Arena arena(memory.bytes);
  void* pointer = arena.allocate(16);
  static_cast<void>(arena.allocate(16));
  arena.release(pointer);
  EXPECT_DEATH(arena.release(pointer), "assertion failed");
}

#ifdef __SANITIZE_ADDRESS__
TEST(ArenaDeathTest, AddressSanitizerSeesUseAfterReleaseAndOverrun) {
  Memory<256> memory;
  Arena arena(memory.bytes);
  auto* pointer = static_cast<volatile char*>(arena.allocate(13));
  EXPECT_DEATH(pointer[13] = 1, "AddressSanitizer");
  arena.release(const_cast<char*>(pointer));
  EXPECT_DEATH(pointer[0] = 1, "AddressSanitizer");
}
#endif

TEST(ArenaScope, SelectsTheInnermostArenaAndRestoresTheOuterOne) {
  Memory<64> memory;
  Memory<64> inner_memory;
  Arena arena(memory.bytes);
  Arena inner(inner_memory.bytes);
  EXPECT_EQ(Arena::current(), nullptr);
  {
    ArenaScope scope(arena);
    EXPECT_EQ(Arena::current(), &arena);
    {
      ArenaScope inner_scope(inner);
      EXPECT_EQ(Arena::current(), &inner);
    }
    EXPECT_EQ(Arena::current(), &arena);
  }
  EXPECT_EQ(Arena::current(), nullptr);
}

TEST(Arena, MovesABlockToAnother) {
  Memory<256> small;
  Memory<1024> large;
  Arena arena(small.bytes);
  Arena other(large.bytes);
  void* pointer = arena.allocate(13);
  std::memcpy(pointer, "thirteen byte", 13);
  EXPECT_TRUE(arena.owns(pointer));
  EXPECT_FALSE(other.owns(pointer));
  EXPECT_EQ(arena.move_to(other, pointer, 2000), nullptr) << "no room: the block stays";
  EXPECT_TRUE(std::memcmp(pointer, "thirteen byte", 13) == 0);
  void* moved = arena.move_to(other, pointer, 500);
  ASSERT_NE(moved, nullptr);
  EXPECT_TRUE(other.owns(moved));
  EXPECT_TRUE(std::memcmp(moved, "thirteen byte", 13) == 0);
  EXPECT_EQ(arena.in_use(), 0U);
  other.release(moved);
  EXPECT_EQ(other.in_use(), 0U);
}

}  // namespace
}  // namespace sallyport
