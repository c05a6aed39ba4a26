// CRC-32 of IEEE 802.3 (reflected 0xEDB88320), as zlib and Python's binascii.crc32 compute it. It finds accidents on
// the card, not attacks: whoever can write the card owns the appliance.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace sallyport::firmware {

/// CRC of `bytes`, or of everything so far when `previous` is the CRC of what came before.
std::uint32_t crc32(std::span<const std::byte> bytes, std::uint32_t previous = 0);

}  // namespace sallyport::firmware
