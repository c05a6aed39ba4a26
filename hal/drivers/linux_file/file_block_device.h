// FileBlockDevice: a file as SD card, block by block with pread and pwrite; a write returns after fdatasync. A file
// that may only be read is a write-protected card; no file, or none opened, is an empty slot (BlockError::no_medium).
//
// The file is locked (flock) while it is open: two appliances on one card would each destroy the other's settings.
#pragma once

#include "hal/base/result.h"
#include "hal/block_device.h"

namespace sallyport::hal {

class FileBlockDevice final : public BlockDevice {
 public:
  FileBlockDevice() = default;
  ~FileBlockDevice();
  FileBlockDevice(const FileBlockDevice&) = delete;
  FileBlockDevice& operator=(const FileBlockDevice&) = delete;

  /// A missing file is no error (empty slot). Refused: a size that is no multiple of block_bytes, a file in use by
  /// another appliance, no permission. The error is a static text for the operator.
  Result<void, const char*> open(const char* path);
  bool read_only() const { return read_only_; }

  std::uint64_t block_count() const override { return block_count_; }
  Result<void, BlockError> read(std::uint64_t block, std::span<std::byte, block_bytes> into) override;
  Result<void, BlockError> write(std::uint64_t block, std::span<const std::byte, block_bytes> from) override;

 private:
  int file_ = -1;
  bool read_only_ = false;
  std::uint64_t block_count_ = 0;
};

}  // namespace sallyport::hal
