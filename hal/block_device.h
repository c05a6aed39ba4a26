// BlockDevice: 512-byte blocks (SD card). Blocking; a call is bounded by the driver's time-out.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "hal/base/result.h"

namespace sallyport::hal {

inline constexpr std::size_t block_bytes = 512;

enum class BlockError : std::uint8_t { no_medium, out_of_range, read_only, timeout, io };

class BlockDevice {
 public:
  /// 0 when there is no medium.
  virtual std::uint64_t block_count() const = 0;
  virtual Result<void, BlockError> read(std::uint64_t block, std::span<std::byte, block_bytes> into) = 0;
  /// Returns when the medium has taken the block.
  virtual Result<void, BlockError> write(std::uint64_t block, std::span<const std::byte, block_bytes> from) = 0;

 protected:
  ~BlockDevice() = default;
};

}  // namespace sallyport::hal
