// The stream's fuzz driver over its corpus and a fixed number of mutations of it.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string_view>
#include <vector>

#include "tests/fakes/seeded_random.h"
#include "tests/fuzz/stream_driver.h"

namespace sallyport::fuzz {
namespace {

using Input = std::vector<std::uint8_t>;

std::vector<Input> corpus() {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(SALLYPORT_SOURCE_DIR "/tests/fuzz/corpus/stream"))
    paths.push_back(entry.path());
  std::ranges::sort(paths);
  std::vector<Input> inputs;
  for (const auto& path : paths) {
    std::ifstream file(path, std::ios::binary);
    inputs.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  return inputs;
}

/// One change: a byte, a piece removed, a piece doubled, or a piece of another input put in.
void mutate(Input& input, const Input& other, fakes::SeededRandom& random) {
  const auto below = [&random](std::size_t bound) { return bound == 0 ? 0 : random.next_u32() % bound; };
  const std::size_t at = below(input.size());
  const auto position = input.begin() + static_cast<std::ptrdiff_t>(at);
  const std::size_t length = std::min<std::size_t>(below(64), input.size() - at);
  using namespace std::string_view_literals;
  static constexpr std::string_view interesting = "<>&'\"/=:; \n\0x]!?#\xC3\xFF"sv;
  switch (below(5)) {
    case 0: input[at] = static_cast<std::uint8_t>(random.next_u32()); break;
    case 1: input[at] = static_cast<std::uint8_t>(interesting[below(interesting.size())]); break;
    case 2: input.erase(position, position + static_cast<std::ptrdiff_t>(length)); break;
    case 3: {
      const Input piece(position, position + static_cast<std::ptrdiff_t>(length));
      input.insert(position, piece.begin(), piece.end());
      break;
    }
    default: {
      const auto from = other.begin() + static_cast<std::ptrdiff_t>(below(other.size()));
      input.insert(position, from, std::min(other.end(), from + 64));
      break;
    }
  }
  if (input.empty()) input.push_back('0');
}

TEST(StreamFuzz, EstablishesWithTheCorpusThatIsValid) {
  std::size_t established = 0, stanzas = 0;
  for (const Input& input : corpus()) {
    const Driven driven = drive_stream(input);
    established += driven.established ? 1U : 0U;
    stanzas += driven.stanzas;
  }
  EXPECT_GE(established, 10U) << "else the mutations would only test the front door";
  EXPECT_GE(stanzas, 9U);
}

TEST(StreamFuzz, HoldsItsInvariantsForMutationsOfTheCorpus) {
  constexpr int rounds = 2'000;
  const std::vector<Input> seeds = corpus();
  fakes::SeededRandom random(20'261'120);
  std::size_t established = 0;
  for (int round = 0; round < rounds; ++round) {
    Input input = seeds[random.next_u32() % seeds.size()];
    for (std::uint32_t changes = 1 + random.next_u32() % 4; changes > 0; --changes)
      mutate(input, seeds[random.next_u32() % seeds.size()], random);
    established += drive_stream(input).established ? 1U : 0U;
  }
  EXPECT_GT(established, rounds / 10);
}

}  // namespace
}  // namespace sallyport::fuzz
