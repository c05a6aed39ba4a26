#include "net/lwip/siphash.h"

#include <gtest/gtest.h>

#include <numeric>

namespace sallyport::net {
namespace {

/// The authors' reference vectors (SipHash paper, appendix A, and its vectors.h): key 00..0f, input 00..n-1.
TEST(SipHash, GivesTheReferenceValues) {
  const SipKey key{0x0706050403020100U, 0x0f0e0d0c0b0a0908U};
  std::array<std::uint8_t, 15> input;
  std::iota(input.begin(), input.end(), std::uint8_t{0});
  const auto hash = [&](std::size_t length) { return SipHash(key)(std::span(input).first(length)); };
  EXPECT_EQ(hash(0), 0x726fdb47dd0e0e31U);
  EXPECT_EQ(hash(1), 0x74f839c593dc67fdU);
  EXPECT_EQ(hash(7), 0xab0200f58b01d137U);
  EXPECT_EQ(hash(8), 0x93f5f5799a932462U);
  EXPECT_EQ(hash(15), 0xa129ca6149be45e5U);
}

TEST(SipHash, DependsOnBothHalvesOfTheKey) {
  const std::array<std::uint8_t, 3> input{1, 2, 3};
  const std::uint64_t base = SipHash({1, 2})(input);
  EXPECT_NE(base, SipHash({3, 2})(input));
  EXPECT_NE(base, SipHash({1, 3})(input));
}

}  // namespace
}  // namespace sallyport::net
