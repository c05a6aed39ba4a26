// Integers in the byte order of the card.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>

namespace sallyport::firmware {

/// Reads sizeof(T) bytes at `offset`, which must lie within `bytes`.
template <std::unsigned_integral T>
constexpr T read_little_endian(std::span<const std::byte> bytes, std::size_t offset) {
  T value = 0;
  for (std::size_t i = sizeof(T); i > 0; --i)
    value = static_cast<T>(static_cast<T>(static_cast<std::uint64_t>(value) << 8) |
                           std::to_integer<T>(bytes[offset + i - 1]));
  return value;
}

/// Writes sizeof(T) bytes at `offset`, which must lie within `bytes`.
template <std::unsigned_integral T>
constexpr void write_little_endian(std::span<std::byte> bytes, std::size_t offset, T value) {
  for (std::size_t i = 0; i < sizeof(T); ++i)
    bytes[offset + i] = static_cast<std::byte>(static_cast<std::uint64_t>(value) >> (8 * i));
}

}  // namespace sallyport::firmware
