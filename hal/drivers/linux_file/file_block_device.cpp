#include "hal/drivers/linux_file/file_block_device.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "hal/base/assert.h"

namespace sallyport::hal {

FileBlockDevice::~FileBlockDevice() {
  if (file_ >= 0) ::close(file_);
}

Result<void, const char*> FileBlockDevice::open(const char* path) {
  SALLYPORT_ASSERT(file_ < 0);
  int file = ::open(path, O_RDWR | O_CLOEXEC);
  const bool protect = file < 0 && (errno == EACCES || errno == EROFS);
  if (protect) file = ::open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0 && errno == ENOENT) return {};
  if (file < 0) return unexpected("does not open");

  struct stat status = {};
  const char* problem = nullptr;
  if (::fstat(file, &status) < 0 || !S_ISREG(status.st_mode)) {
    problem = "is not a file";
  } else if (status.st_size % static_cast<off_t>(block_bytes) != 0) {
    problem = "is no card: its size is not a multiple of 512 bytes";
  } else if (::flock(file, (protect ? LOCK_SH : LOCK_EX) | LOCK_NB) < 0) {
    problem = "is in use by another appliance";
  }
  if (problem != nullptr) {
    ::close(file);
    return unexpected(problem);
  }
  file_ = file;
  read_only_ = protect;
  block_count_ = static_cast<std::uint64_t>(status.st_size) / block_bytes;
  return {};
}

Result<void, BlockError> FileBlockDevice::read(std::uint64_t block, std::span<std::byte, block_bytes> into) {
  if (file_ < 0) return unexpected(BlockError::no_medium);
  if (block >= block_count_) return unexpected(BlockError::out_of_range);
  const ssize_t got = ::pread(file_, into.data(), into.size(), static_cast<off_t>(block * block_bytes));
  if (got != static_cast<ssize_t>(into.size())) return unexpected(BlockError::io);
  return {};
}

Result<void, BlockError> FileBlockDevice::write(std::uint64_t block, std::span<const std::byte, block_bytes> from) {
  if (file_ < 0) return unexpected(BlockError::no_medium);
  if (block >= block_count_) return unexpected(BlockError::out_of_range);
  if (read_only_) return unexpected(BlockError::read_only);
  const ssize_t put = ::pwrite(file_, from.data(), from.size(), static_cast<off_t>(block * block_bytes));
  if (put != static_cast<ssize_t>(from.size()) || ::fdatasync(file_) < 0) return unexpected(BlockError::io);
  return {};
}

}  // namespace sallyport::hal
