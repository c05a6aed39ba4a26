// Drbg: what it takes to be seeded, and that it never hands out constants.
#include "net/tls/drbg.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <set>
#include <vector>

namespace sallyport::net::tls {
namespace {

class Board final : public hal::EntropySource {
 public:
  std::size_t read(std::span<std::byte> into) override {
    if (!has_generator) return 0;
    for (std::byte& byte : into) byte = static_cast<std::byte>(generator_state += 59);
    return into.size();
  }
  std::uint32_t cycle_counter() override { return counter += step; }

  bool has_generator = false;
  std::uint8_t generator_state = 0;
  std::uint32_t counter = 0, step = 41;
};

std::vector<std::byte> stored_seed(std::size_t size = stored_seed_bytes) {
  std::vector<std::byte> seed;
  for (std::size_t at = 0; at < size; ++at) seed.push_back(static_cast<std::byte>(at * 11 + 3));
  return seed;
}

std::array<std::byte, 32> draw(Drbg& drbg) {
  std::array<std::byte, 32> bytes{};
  drbg.fill(bytes);
  return bytes;
}

TEST(Drbg, RefusesToRunOnNothing) {
  Board board;
  Drbg drbg;
  const auto seeded = drbg.seed({}, board);
  ASSERT_FALSE(seeded);
  EXPECT_EQ(seeded.error(), EntropyError::no_source);
  EXPECT_FALSE(drbg.seeded());
}

TEST(Drbg, RefusesABlankOrShortSeed) {
  Board board;
  Drbg drbg;
  EXPECT_FALSE(drbg.seed(std::vector(stored_seed_bytes, std::byte{0xFF}), board));
  EXPECT_FALSE(drbg.seed(std::vector(stored_seed_bytes, std::byte{0}), board));
  EXPECT_FALSE(drbg.seed(stored_seed(31), board));
  EXPECT_TRUE(drbg.seed(stored_seed(32), board));
}

TEST(DrbgDeathTest, StopsTheBoardWhenAskedUnseeded) {
  Drbg drbg;
  EXPECT_DEATH(draw(drbg), "assertion failed: seeded_");
}

TEST(Drbg, RunsOnHardwareAlone) {
  Board board;
  board.has_generator = true;
  Drbg drbg;
  EXPECT_TRUE(drbg.seed({}, board));
  EXPECT_NE(draw(drbg), draw(drbg));
}

TEST(Drbg, IsDeterministicInItsInputs_SoTheInputsAreWhatCounts) {
  Board one, other;
  Drbg first, second;
  ASSERT_TRUE(first.seed(stored_seed(), one));
  ASSERT_TRUE(second.seed(stored_seed(), other));
  EXPECT_EQ(draw(first), draw(second));
}

TEST(Drbg, TwoBootsOfAClonedCardDifferByJitter) {
  Board one, other;
  other.step = 43;
  Drbg first, second;
  ASSERT_TRUE(first.seed(stored_seed(), one));
  ASSERT_TRUE(second.seed(stored_seed(), other));
  EXPECT_NE(draw(first), draw(second));
}

TEST(Drbg, HardwareCountsBesideTheSeed) {
  Board one, other;
  other.has_generator = true;
  Drbg first, second;
  ASSERT_TRUE(first.seed(stored_seed(), one));
  ASSERT_TRUE(second.seed(stored_seed(), other));
  EXPECT_NE(draw(first), draw(second));
}

TEST(Drbg, EveryBootLeavesAnotherSeed) {
  std::set<std::array<std::byte, stored_seed_bytes>> seeds;
  std::vector<std::byte> seed = stored_seed();
  for (int boot = 0; boot < 20; ++boot) {
    Board board;
    Drbg drbg;
    ASSERT_TRUE(drbg.seed(seed, board));
    std::array<std::byte, stored_seed_bytes> next{};
    drbg.next_seed(next);
    EXPECT_TRUE(seeds.insert(next).second);
    seed.assign(next.begin(), next.end());
  }
}

TEST(Drbg, StirringChangesWhatComes) {
  Board one, other;
  Drbg first, second;
  ASSERT_TRUE(first.seed(stored_seed(), one));
  ASSERT_TRUE(second.seed(stored_seed(), other));
  second.stir(other);
  EXPECT_NE(draw(first), draw(second));
}

TEST(Drbg, FillsAnyLength) {
  Board board;
  Drbg drbg;
  ASSERT_TRUE(drbg.seed(stored_seed(), board));
  for (const std::size_t size : {0U, 1U, 1023U, 1024U, 1025U, 10000U}) {
    std::vector<std::byte> bytes(size);
    drbg.fill(bytes);
    if (size > 1000) {
      const auto zeros = std::ranges::count(bytes, std::byte{0});
      EXPECT_LT(static_cast<std::size_t>(zeros), size / 64) << "4 in 1024 are expected";
    }
  }
}

}  // namespace
}  // namespace sallyport::net::tls
