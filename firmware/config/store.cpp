#include "firmware/config/store.h"

#include <algorithm>
#include <cinttypes>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <limits>

#include "firmware/config/crc32.h"
#include "firmware/config/little_endian.h"
#include "hal/base/assert.h"
#include "hal/base/log.h"

namespace sallyport::firmware {
namespace {

using hal::block_bytes;

constexpr const char* module = "store";
constexpr std::string_view label_magic = "SALLYPRT";
constexpr std::string_view slot_magic{"SPSLOT\0\0", 8};
constexpr std::string_view seed_magic{"SPSEED\0\0", 8};
constexpr std::string_view clock_magic{"SPCLOCK\0", 8};
constexpr std::uint32_t label_version = 1;
constexpr std::size_t crc_offset = block_bytes - 4;

/// A generation per second would take nine million years: more is damage, and counting on below it never wraps.
constexpr std::uint64_t max_generation = (std::uint64_t{1} << 48) - 1;

/// Times outside are damage: before this firmware existed, or after any certificate it will see.
constexpr UnixTime earliest_time{std::chrono::seconds(1'577'836'800)};  // 2020-01-01
constexpr UnixTime latest_time{std::chrono::seconds(7'258'118'400)};    // 2200-01-01

bool is_plausible(UnixTime time) { return time >= earliest_time && time < latest_time; }

std::uint64_t to_raw(UnixTime time) { return static_cast<std::uint64_t>(time.time_since_epoch().count()); }

UnixTime read_time(std::span<const std::byte> block, std::size_t offset) {
  return UnixTime(std::chrono::seconds(static_cast<std::int64_t>(read_little_endian<std::uint64_t>(block, offset))));
}

bool has_magic(std::span<const std::byte, block_bytes> block, std::string_view magic) {
  return std::memcmp(block.data(), magic.data(), magic.size()) == 0;
}

bool has_valid_crc(std::span<const std::byte, block_bytes> block) {
  return read_little_endian<std::uint32_t>(block, crc_offset) == crc32(block.first<crc_offset>());
}

void start_block(std::span<std::byte, block_bytes> block, std::string_view magic) {
  std::fill(block.begin(), block.end(), std::byte{0});
  std::memcpy(block.data(), magic.data(), magic.size());
}

void seal_block(std::span<std::byte, block_bytes> block) {
  write_little_endian(block, crc_offset, crc32(block.first<crc_offset>()));
}

std::size_t blocks_for(std::size_t bytes) { return (bytes + block_bytes - 1) / block_bytes; }

[[gnu::format(printf, 2, 3)]] StoreError make_error(StoreFault fault, const char* format, ...) {
  std::array<char, 161> text{};
  std::va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(text.data(), text.size(), format, arguments);
  va_end(arguments);
  return {fault, FixedString<160>(std::string_view(text.data()))};
}

StoreError from_device(hal::BlockError error, std::uint64_t block, const char* action) {
  switch (error) {
    case hal::BlockError::no_medium:
      return make_error(StoreFault::no_card, "there is no card in the reader: put one in and restart");
    case hal::BlockError::read_only:
      return make_error(StoreFault::write_protected, "the card is write-protected: move its switch and restart");
    case hal::BlockError::out_of_range:
      return make_error(StoreFault::device, "block %" PRIu64 " lies behind the card's end: replace the card", block);
    case hal::BlockError::timeout:
    case hal::BlockError::io: break;
  }
  return make_error(StoreFault::device, "the card cannot %s block %" PRIu64 " (%s): replace the card", action, block,
                    error == hal::BlockError::timeout ? "no answer" : "input/output error");
}

struct Region {
  std::uint64_t first;
  std::uint64_t count;
};

bool fits(const Region& region, std::uint64_t card_blocks) {
  return region.first <= card_blocks && region.count <= card_blocks - region.first;
}

bool overlap(const Region& left, const Region& right) {
  return left.first < right.first + right.count && right.first < left.first + left.count;
}

}  // namespace

Result<LoadedSettings, StoreError> Store::load(SettingsImage& into) {
  into.clear();
  if (const auto mounted = mount(); !mounted) return unexpected(mounted.error());
  read_headers();
  live_.reset();

  unsigned passed_over = 0;
  for (auto slot = newest_below(max_generation + 1); slot; slot = newest_below(headers_[*slot]->generation)) {
    const SlotHeader& header = *headers_[*slot];
    const std::string_view why = read_payload(*slot, into);
    if (why.empty()) {
      live_ = slot;
      return LoadedSettings{*slot, header.generation, header.saved, header.comment, passed_over};
    }
    log(LogLevel::error, module, "settings in slot %u (generation %" PRIu64 ") are passed over: %.*s", *slot,
        header.generation, SALLYPORT_SV(why));
    ++passed_over;
  }
  return unexpected(
      make_error(StoreFault::no_settings, "no slot of the card holds settings: write it again with make-card"));
}

Result<LoadedSettings, StoreError> Store::save(const SettingsImage& image, UnixTime now, std::string_view comment) {
  SALLYPORT_ASSERT(!image.payload().empty());
  if (const auto mounted = mount(); !mounted) return unexpected(mounted.error());
  if (blocks_for(image.payload().size()) + 1 > label_->slot_blocks) {
    return unexpected(make_error(StoreFault::too_large,
                                 "the settings have %zu bytes, a slot of this card has room for %zu",
                                 image.payload().size(), (std::size_t{label_->slot_blocks} - 1) * block_bytes));
  }
  read_headers();
  live_ = find_live_slot();

  const auto newest = newest_below(max_generation + 1);
  SlotHeader header;
  header.generation = newest ? headers_[*newest]->generation + 1 : 1;
  if (header.generation > max_generation)
    return unexpected(
        make_error(StoreFault::bad_label, "the card's count of saves is at its end: write the card again"));
  header.saved = is_plausible(now) ? now : label_->made;
  header.payload_bytes = static_cast<std::uint32_t>(image.payload().size());
  header.text_bytes = static_cast<std::uint32_t>(image.text_bytes());
  header.files = static_cast<std::uint32_t>(image.file_count());
  header.payload_crc = crc32(image.payload());
  header.comment = SlotComment(comment);

  // A slot whose blocks have worn out does not end all saving: the next one is tried.
  SlotSet tried = 0;
  StoreError why;
  for (auto target = choose_target(tried); target; target = choose_target(tried)) {
    tried |= SlotSet{1} << *target;
    headers_[*target].reset();
    if (const auto written = write_slot(*target, header, image); written) {
      headers_[*target] = header;
      live_ = target;
      return LoadedSettings{*target, header.generation, header.saved, header.comment, 0};
    } else {
      why = written.error();
    }
    if (why.fault != StoreFault::device) break;
    log(LogLevel::error, module, "settings cannot be saved in slot %u: %s", *target, why.text.c_str());
  }
  return unexpected(why);
}

Result<Seed, StoreError> Store::read_seed() {
  if (const auto mounted = mount(); !mounted) return unexpected(mounted.error());
  const auto blocks = read_seed_blocks();
  const SeedBlock* newest = nullptr;
  for (const auto& block : blocks)
    if (block && (newest == nullptr || block->generation > newest->generation)) newest = &*block;
  if (newest != nullptr) return newest->seed;
  return unexpected(make_error(StoreFault::no_seed, "the card holds no random seed: write it again with make-card"));
}

Result<void, StoreError> Store::renew_seed(std::span<const std::byte, 64> seed) {
  if (const auto mounted = mount(); !mounted) return unexpected(mounted.error());
  const auto blocks = read_seed_blocks();
  const auto generation_of = [&](std::size_t index) { return blocks[index] ? blocks[index]->generation : 0; };
  const std::size_t older = generation_of(0) <= generation_of(1) ? 0 : 1;

  Block block;
  start_block(block, seed_magic);
  const std::uint64_t last = std::max(generation_of(0), generation_of(1));
  // Counting starts again at the end: both blocks get it, so the order is right again with the second write.
  write_little_endian(std::span(block), 8, last < max_generation ? last + 1 : 1);
  std::copy(seed.begin(), seed.end(), block.begin() + 16);
  seal_block(block);
  if (const auto written = write_block(label_->seed_area + older, block); !written) return written;
  return write_block(label_->seed_area + (1 - older), block);
}

Result<UnixTime, StoreError> Store::clock_floor() {
  if (const auto mounted = mount(); !mounted) return unexpected(mounted.error());
  read_headers();
  UnixTime floor = label_->made;
  for (const auto& header : headers_)
    if (header) floor = std::max(floor, header->saved);
  for (const auto& time : read_clock_blocks())
    if (time) floor = std::max(floor, *time);
  return floor;
}

Result<void, StoreError> Store::raise_clock_floor(UnixTime now) {
  const auto floor = clock_floor();
  if (!floor) return unexpected(floor.error());
  if (now <= *floor || !is_plausible(now)) return {};

  const auto times = read_clock_blocks();
  const UnixTime nothing{};
  const std::size_t lower = times[0].value_or(nothing) <= times[1].value_or(nothing) ? 0 : 1;
  Block block;
  start_block(block, clock_magic);
  write_little_endian(std::span(block), 8, to_raw(now));
  seal_block(block);
  return write_block(label_->clock_area + lower, block);
}

Result<void, StoreError> Store::mount() {
  if (label_) return {};
  if (device_.block_count() == 0) return unexpected(from_device(hal::BlockError::no_medium, 0, "read"));
  StoreError why =
      make_error(StoreFault::foreign_card, "the card was not made for this appliance: write it with make-card");
  for (std::uint64_t copy = 0; copy < 2; ++copy) {
    Block block;
    if (const auto read = read_block(copy, block); !read) {
      why = read.error();
      continue;
    }
    label_ = parse_label(block, why);
    if (!label_) continue;
    if (copy > 0)
      log(LogLevel::warning, module, "the card's first label is damaged, its copy is used: replace the card");
    return {};
  }
  return unexpected(why);
}

// Leaves `why` alone when the block is not a label at all, so that the other copy's reason stands.
std::optional<Store::Label> Store::parse_label(const Block& block, StoreError& why) const {
  if (!has_magic(block, label_magic)) return std::nullopt;
  if (!has_valid_crc(block)) {
    why = make_error(StoreFault::bad_label, "the card's label is damaged: write the card again with make-card");
    return std::nullopt;
  }
  if (const auto version = read_little_endian<std::uint32_t>(block, 8); version != label_version) {
    why = make_error(StoreFault::bad_label,
                     "the card has layout version %" PRIu32 ", this firmware reads version %" PRIu32, version,
                     label_version);
    return std::nullopt;
  }
  Label label;
  label.slots = static_cast<unsigned>(read_little_endian<std::uint32_t>(block, 12));
  label.first_slot = read_little_endian<std::uint64_t>(block, 16);
  label.slot_blocks = read_little_endian<std::uint32_t>(block, 24);
  label.seed_area = read_little_endian<std::uint64_t>(block, 32);
  label.clock_area = read_little_endian<std::uint64_t>(block, 40);
  label.made = read_time(block, 48);

  const bool counts = label.slots >= min_slots && label.slots <= max_slots && label.slot_blocks >= 2;
  const std::array<Region, 4> regions{Region{0, 2}, Region{label.seed_area, 2}, Region{label.clock_area, 2},
                                      Region{label.first_slot, std::uint64_t{label.slots} * label.slot_blocks}};
  const auto on_card = [&](const Region& region) { return fits(region, device_.block_count()); };
  bool sound = counts && is_plausible(label.made) && std::all_of(regions.begin(), regions.end(), on_card);
  for (std::size_t i = 0; sound && i < regions.size(); ++i)
    for (std::size_t j = 0; j < i; ++j) sound = sound && !overlap(regions[i], regions[j]);
  if (sound) return label;
  why =
      make_error(StoreFault::bad_label, "the label's layout does not fit a card of %" PRIu64 " blocks: write it again",
                 device_.block_count());
  return std::nullopt;
}

void Store::read_headers() {
  headers_.fill(std::nullopt);
  for (unsigned slot = 0; slot < label_->slots; ++slot) {
    Block block;
    // A block that cannot be read, or is none of ours, is a slot that was never written: the others decide.
    if (!read_block(slot_block(slot), block) || !has_magic(block, slot_magic)) continue;
    if (!has_valid_crc(block)) {
      log(LogLevel::warning, module, "slot %u is passed over: its header is damaged (a save that was cut off?)", slot);
      continue;
    }
    SlotHeader header;
    header.generation = read_little_endian<std::uint64_t>(block, 8);
    header.saved = read_time(block, 16);
    header.payload_bytes = read_little_endian<std::uint32_t>(block, 24);
    header.text_bytes = read_little_endian<std::uint32_t>(block, 28);
    header.files = read_little_endian<std::uint32_t>(block, 32);
    header.payload_crc = read_little_endian<std::uint32_t>(block, 36);
    const std::string_view comment(reinterpret_cast<const char*>(block.data()) + 40, SlotComment::capacity());
    header.comment = SlotComment(comment.substr(0, comment.find('\0')));
    const bool sound = header.generation >= 1 && header.generation <= max_generation && is_plausible(header.saved) &&
                       header.payload_bytes <= SettingsImage::max_payload_bytes &&
                       blocks_for(header.payload_bytes) + 1 <= label_->slot_blocks;
    if (sound)
      headers_[slot] = header;
    else
      log(LogLevel::error, module, "slot %u is passed over: a number in its header is out of range", slot);
  }
}

// The first slot of the newest generation below `generation`. Two slots of one generation do not happen by themselves;
// of a card where they do, the first counts and the second is skipped.
std::optional<unsigned> Store::newest_below(std::uint64_t generation) const {
  std::optional<unsigned> newest;
  for (unsigned slot = 0; slot < headers_.size(); ++slot) {
    if (!headers_[slot] || headers_[slot]->generation >= generation) continue;
    if (!newest || headers_[slot]->generation > headers_[*newest]->generation) newest = slot;
  }
  return newest;
}

/// Empty when the payload is in `into`, checked; else why it is not.
std::string_view Store::read_payload(unsigned slot, SettingsImage& into) {
  const SlotHeader& header = *headers_[slot];
  const auto storage = into.storage();
  const std::size_t blocks = blocks_for(header.payload_bytes);
  for (std::size_t i = 0; i < blocks; ++i) {
    const auto part = storage.subspan(i * block_bytes).first<block_bytes>();
    if (!device_.read(slot_block(slot) + 1 + i, part)) return into.clear(), "a block cannot be read";
  }
  if (crc32(storage.first(header.payload_bytes)) != header.payload_crc) {
    into.clear();
    return "its checksum does not match (a save that was cut off, or a damaged card)";
  }
  if (const auto adopted = into.adopt(header.payload_bytes, header.text_bytes, header.files); !adopted)
    return to_text(adopted.error());
  return {};
}

bool Store::payload_intact(unsigned slot, const SlotHeader& header) {
  std::uint32_t crc = 0;
  std::size_t left = header.payload_bytes;
  for (std::uint64_t block = slot_block(slot) + 1; left > 0; ++block) {
    Block buffer;
    if (!read_block(block, buffer)) return false;
    const std::size_t count = std::min(left, block_bytes);
    crc = crc32(std::span(buffer).first(count), crc);
    left -= count;
  }
  return crc == header.payload_crc;
}

std::optional<unsigned> Store::find_live_slot() {
  if (live_ && headers_[*live_]) return live_;
  auto slot = newest_below(max_generation + 1);
  while (slot && !payload_intact(*slot, *headers_[*slot])) slot = newest_below(headers_[*slot]->generation);
  return slot;
}

/// A slot without a sound header if there is one, else that of the oldest generation; never the live one.
std::optional<unsigned> Store::choose_target(SlotSet except) const {
  std::optional<unsigned> oldest;
  for (unsigned slot = 0; slot < label_->slots; ++slot) {
    if (slot == live_ || ((except >> slot) & 1U) != 0) continue;
    if (!headers_[slot]) return slot;
    if (!oldest || headers_[slot]->generation < headers_[*oldest]->generation) oldest = slot;
  }
  return oldest;
}

// The old header goes first: from then on the slot is empty, whatever of the payload has been written, until the new
// header makes it valid at one stroke. What was written is read back before that, so a card that lies keeps the old
// settings.
Result<void, StoreError> Store::write_slot(unsigned slot, const SlotHeader& header, const SettingsImage& image) {
  Block block{};
  if (const auto erased = write_block(slot_block(slot), block); !erased) return erased;

  auto rest = image.payload();
  for (std::uint64_t number = slot_block(slot) + 1; !rest.empty(); ++number) {
    const std::size_t count = std::min(rest.size(), block_bytes);
    block.fill(std::byte{0});
    std::copy_n(rest.begin(), count, block.begin());
    if (const auto written = write_block(number, block); !written) return written;
    rest = rest.subspan(count);
  }
  if (!payload_intact(slot, header))
    return unexpected(
        make_error(StoreFault::device, "the card does not keep what was written to it: replace the card"));

  start_block(block, slot_magic);
  write_little_endian(std::span(block), 8, header.generation);
  write_little_endian(std::span(block), 16, to_raw(header.saved));
  write_little_endian(std::span(block), 24, header.payload_bytes);
  write_little_endian(std::span(block), 28, header.text_bytes);
  write_little_endian(std::span(block), 32, header.files);
  write_little_endian(std::span(block), 36, header.payload_crc);
  std::memcpy(block.data() + 40, header.comment.view().data(), header.comment.size());
  seal_block(block);
  return write_block(slot_block(slot), block);
}

std::array<std::optional<Store::SeedBlock>, 2> Store::read_seed_blocks() {
  std::array<std::optional<SeedBlock>, 2> blocks;
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    Block block;
    if (!read_block(label_->seed_area + i, block) || !has_magic(block, seed_magic) || !has_valid_crc(block)) continue;
    SeedBlock found;
    found.generation = read_little_endian<std::uint64_t>(block, 8);
    std::copy_n(block.begin() + 16, found.seed.size(), found.seed.begin());
    // A seed of one repeated byte never was random: an erased card, or a tool that failed.
    const bool constant =
        std::all_of(found.seed.begin(), found.seed.end(), [&](std::byte b) { return b == found.seed[0]; });
    if (!constant && found.generation >= 1 && found.generation <= max_generation) blocks[i] = found;
  }
  return blocks;
}

std::array<std::optional<UnixTime>, 2> Store::read_clock_blocks() {
  std::array<std::optional<UnixTime>, 2> times;
  for (std::size_t i = 0; i < times.size(); ++i) {
    Block block;
    if (!read_block(label_->clock_area + i, block) || !has_magic(block, clock_magic) || !has_valid_crc(block)) continue;
    if (const UnixTime time = read_time(block, 8); is_plausible(time)) times[i] = time;
  }
  return times;
}

std::uint64_t Store::slot_block(unsigned slot) const {
  return label_->first_slot + std::uint64_t{slot} * label_->slot_blocks;
}

Result<void, StoreError> Store::read_block(std::uint64_t block, Block& into) {
  if (const auto read = device_.read(block, into); !read) return unexpected(from_device(read.error(), block, "read"));
  return {};
}

Result<void, StoreError> Store::write_block(std::uint64_t block, const Block& from) {
  if (const auto written = device_.write(block, from); !written)
    return unexpected(from_device(written.error(), block, "write"));
  return {};
}

}  // namespace sallyport::firmware
