// Store: settings, the random seed and the clock's floor on the SD card. Everything that comes from the card is checked
// here, once. The card's partition table is not used: the card belongs to the appliance (tools/make-card writes it).
//
// Layout, in blocks of 512 bytes; integers little-endian; each CRC-32 (IEEE) covers the rest of its block:
//
//   0 and 1       label, twice the same; written once, by tools/make-card
//                   0 "SALLYPRT"  8 u32 version (1)  12 u32 slots (2..16)  16 u64 first block of slot 0
//                   24 u32 blocks of a slot  32 u64 first block of the seed area  40 u64 first block of the clock area
//                   48 i64 time of making (Unix)  508 u32 CRC
//   slot n        header block, then the payload (settings_image.h)
//                   0 "SPSLOT\0\0"  8 u64 generation (1 and up)  16 i64 time of saving (Unix)  24 u32 payload bytes
//                   28 u32 text bytes  32 u32 files  36 u32 CRC of the payload  40 comment, 80 bytes, NUL-padded  508
//                   u32 CRC
//   seed area     two blocks
//                   0 "SPSEED\0\0"  8 u64 generation  16 seed, 64 bytes  508 u32 CRC
//   clock area    two blocks
//                   0 "SPCLOCK\0"  8 i64 Unix time  508 u32 CRC
//
// Power cuts: at any block write, also one that is torn in the middle, the card holds the old or the new content,
// whole. A save writes into the slot with the oldest content, its header last, so the newest settings are never
// touched. A new seed goes first over the older of the two blocks and then over the other, so that a seed that was used
// never comes back. The clock's floor goes over the lower of the two.
//
// Wear: a save writes one slot of several in turn, a boot renews two seed blocks; how often the floor is raised is the
// caller's choice (once an hour is 9,000 writes a year to each of its blocks).
//
// All calls block for the device's time, from the event loop. The device must outlive the store.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "firmware/config/settings_image.h"
#include "hal/base/fixed_string.h"
#include "hal/base/result.h"
#include "hal/base/time.h"
#include "hal/block_device.h"

namespace sallyport::firmware {

enum class StoreFault : std::uint8_t {
  no_card,  // no medium in the reader
  device,   // the medium does not answer, or with errors
  write_protected,
  foreign_card,  // no label of ours: not made by tools/make-card
  bad_label,     // ours, but of another version, or its geometry does not fit the card
  no_settings,   // no slot holds settings that pass the checks
  no_seed,       // neither seed block passes the checks
  too_large      // the settings do not fit into a slot of this card
};

struct StoreError {
  StoreFault fault = StoreFault::device;
  FixedString<160> text;  // what happened and what the operator can do, one sentence
};

using Seed = std::array<std::byte, 64>;
using SlotComment = FixedString<80>;

struct LoadedSettings {
  unsigned slot = 0;
  std::uint64_t generation = 0;
  UnixTime saved;
  SlotComment comment;
  unsigned passed_over = 0;  // slots that looked newer but failed a check; each was logged with its reason
};

class Store {
 public:
  static constexpr unsigned min_slots = 2;
  static constexpr unsigned max_slots = 16;

  explicit Store(hal::BlockDevice& device) : device_(device) {}
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  /// Reads the newest slot that passes every check into `into`; on an error `into` is empty.
  Result<LoadedSettings, StoreError> load(SettingsImage& into);
  /// Makes `image` the newest settings. On an error the settings on the card are what they were.
  Result<LoadedSettings, StoreError> save(const SettingsImage& image, UnixTime now, std::string_view comment = {});

  /// The seed to mix into the generator's start. Write its successor with renew_seed() before anything that was made
  /// from it leaves the appliance.
  Result<Seed, StoreError> read_seed();
  Result<void, StoreError> renew_seed(std::span<const std::byte, 64> seed);

  /// The newest time that the card has seen: of its making, of a save, or of the last raise.
  Result<UnixTime, StoreError> clock_floor();
  /// Writes only when `now` is later than the floor on the card.
  Result<void, StoreError> raise_clock_floor(UnixTime now);

 private:
  using Block = std::array<std::byte, hal::block_bytes>;
  using SlotSet = std::uint32_t;  // a bit for each slot
  static_assert(max_slots <= 32);
  struct Label {
    unsigned slots = 0;
    std::uint64_t first_slot = 0;
    std::uint32_t slot_blocks = 0;
    std::uint64_t seed_area = 0;
    std::uint64_t clock_area = 0;
    UnixTime made;
  };
  struct SlotHeader {
    std::uint64_t generation = 0;
    UnixTime saved;
    std::uint32_t payload_bytes = 0;
    std::uint32_t text_bytes = 0;
    std::uint32_t files = 0;
    std::uint32_t payload_crc = 0;
    SlotComment comment;
  };
  struct SeedBlock {
    std::uint64_t generation = 0;
    Seed seed{};
  };

  Result<void, StoreError> mount();
  std::optional<Label> parse_label(const Block& block, StoreError& why) const;
  std::uint64_t slot_block(unsigned slot) const;

  void read_headers();
  std::optional<unsigned> newest_below(std::uint64_t generation) const;
  std::string_view read_payload(unsigned slot, SettingsImage& into);
  bool payload_intact(unsigned slot, const SlotHeader& header);
  std::optional<unsigned> find_live_slot();
  std::optional<unsigned> choose_target(SlotSet except) const;
  Result<void, StoreError> write_slot(unsigned slot, const SlotHeader& header, const SettingsImage& image);

  std::array<std::optional<SeedBlock>, 2> read_seed_blocks();
  std::array<std::optional<UnixTime>, 2> read_clock_blocks();

  Result<void, StoreError> read_block(std::uint64_t block, Block& into);
  Result<void, StoreError> write_block(std::uint64_t block, const Block& from);

  hal::BlockDevice& device_;
  std::optional<Label> label_;
  std::array<std::optional<SlotHeader>, max_slots> headers_{};
  std::optional<unsigned> live_;  // the slot with the newest settings that pass the checks: never written to
};

}  // namespace sallyport::firmware
