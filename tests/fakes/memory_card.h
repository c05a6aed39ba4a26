// MemoryCard: an SD card in memory that can lose power at any write, tear the block it was writing, and fail.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "hal/block_device.h"

namespace sallyport::fakes {

class MemoryCard final : public hal::BlockDevice {
 public:
  using Block = std::array<std::byte, hal::block_bytes>;

  explicit MemoryCard(std::uint64_t blocks) : blocks_(blocks) {}

  std::uint64_t block_count() const override { return blocks_; }

  Result<void, hal::BlockError> read(std::uint64_t block, std::span<std::byte, hal::block_bytes> into) override {
    if (blocks_ == 0) return unexpected(hal::BlockError::no_medium);
    if (block >= blocks_) return unexpected(hal::BlockError::out_of_range);
    if (is_bad(block) || powered_off_) return unexpected(hal::BlockError::io);
    const auto found = content_.find(block);
    const Block& from = found == content_.end() ? zeros_ : found->second;
    std::copy(from.begin(), from.end(), into.begin());
    return {};
  }

  Result<void, hal::BlockError> write(std::uint64_t block, std::span<const std::byte, hal::block_bytes> from) override {
    if (block >= blocks_) return unexpected(hal::BlockError::out_of_range);
    if (write_protected_) return unexpected(hal::BlockError::read_only);
    if (is_bad(block) || powered_off_) return unexpected(hal::BlockError::io);
    Block& into = content_[block];
    std::size_t count = from.size();
    if (writes_until_cut_ && (*writes_until_cut_)-- == 0) {
      powered_off_ = true;
      count = torn_bytes_;
    }
    std::copy_n(from.begin(), count, into.begin());
    if (powered_off_) return unexpected(hal::BlockError::io);
    ++writes_;
    return {};
  }

  /// The power goes during the write after `writes` more; of that block only the first `torn_bytes` are written.
  void cut_power_after(std::size_t writes, std::size_t torn_bytes) {
    writes_until_cut_ = writes;
    torn_bytes_ = torn_bytes;
  }
  void power_on() { powered_off_ = false, writes_until_cut_.reset(); }
  bool powered_off() const { return powered_off_; }

  void set_write_protected(bool on) { write_protected_ = on; }
  void set_bad(std::uint64_t block) { bad_.push_back(block); }
  void remove() { blocks_ = 0; }

  Block& block(std::uint64_t number) { return content_[number]; }
  std::size_t writes() const { return writes_; }

 private:
  bool is_bad(std::uint64_t block) const { return std::find(bad_.begin(), bad_.end(), block) != bad_.end(); }

  std::uint64_t blocks_;
  std::map<std::uint64_t, Block> content_;
  Block zeros_{};
  std::optional<std::size_t> writes_until_cut_;
  std::size_t torn_bytes_ = 0;
  bool powered_off_ = false;
  bool write_protected_ = false;
  std::vector<std::uint64_t> bad_;
  std::size_t writes_ = 0;
};

}  // namespace sallyport::fakes
