// SeededRandom: repeatable bytes that look random (SplitMix64). For tests only, where nothing has to be unguessable.
#pragma once

#include "hal/random.h"

namespace sallyport::fakes {

class SeededRandom final : public hal::Random {
 public:
  explicit SeededRandom(std::uint64_t seed = 1) : state_(seed) {}

  void fill(std::span<std::byte> into) override {
    for (std::byte& byte : into) {
      state_ += 0x9E3779B97F4A7C15U;
      std::uint64_t z = state_;
      z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
      z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
      byte = static_cast<std::byte>(z >> 56);
    }
  }

 private:
  std::uint64_t state_;
};

}  // namespace sallyport::fakes
