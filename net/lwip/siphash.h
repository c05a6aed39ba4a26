// SipHash-2-4 (Aumasson, Bernstein, 2012): a keyed hash that an attacker who sees its effects cannot predict. Initial
// sequence numbers (RFC 6528 asks for such a function) and the buckets of the flow table come from it.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

namespace sallyport::net {

struct SipKey {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
};

class SipHash {
 public:
  explicit constexpr SipHash(const SipKey& key)
      : v_{key.low ^ 0x736f6d6570736575U, key.high ^ 0x646f72616e646f6dU, key.low ^ 0x6c7967656e657261U,
           key.high ^ 0x7465646279746573U} {}

  constexpr std::uint64_t operator()(std::span<const std::uint8_t> bytes) && {
    std::size_t at = 0;
    for (; at + 8 <= bytes.size(); at += 8) absorb(little_endian(bytes.subspan(at, 8)));
    absorb(little_endian(bytes.subspan(at)) | std::uint64_t{bytes.size()} << 56);
    v_[2] ^= 0xFF;
    for (int i = 0; i < 4; ++i) round();
    return v_[0] ^ v_[1] ^ v_[2] ^ v_[3];
  }

 private:
  static constexpr std::uint64_t little_endian(std::span<const std::uint8_t> bytes) {
    std::uint64_t word = 0;
    for (std::size_t i = 0; i < bytes.size(); ++i) word |= std::uint64_t{bytes[i]} << (8 * i);
    return word;
  }

  constexpr void absorb(std::uint64_t word) {
    v_[3] ^= word;
    round();
    round();
    v_[0] ^= word;
  }

  constexpr void round() {
    v_[0] += v_[1], v_[1] = std::rotl(v_[1], 13) ^ v_[0], v_[0] = std::rotl(v_[0], 32);
    v_[2] += v_[3], v_[3] = std::rotl(v_[3], 16) ^ v_[2];
    v_[0] += v_[3], v_[3] = std::rotl(v_[3], 21) ^ v_[0];
    v_[2] += v_[1], v_[1] = std::rotl(v_[1], 17) ^ v_[2], v_[2] = std::rotl(v_[2], 32);
  }

  std::array<std::uint64_t, 4> v_;
};

}  // namespace sallyport::net
