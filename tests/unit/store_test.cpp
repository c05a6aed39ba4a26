// The store on a card that tools/make-card made: what it reads, what it refuses and why, and that no power cut at any
// block write, torn or not, leaves anything but the old or the new content.
#include "firmware/config/store.h"

#include <gmock/gmock.h>

#include <memory>
#include <random>
#include <set>

#include "firmware/config/crc32.h"
#include "hal/base/log.h"
#include "tests/fakes/card_maker.h"
#include "tests/fakes/memory_card.h"

namespace sallyport::firmware {
namespace {

using fakes::MemoryCard;
using testing::HasSubstr;

constexpr std::uint64_t image_blocks = 64 * 2048;  // 64 MiB
constexpr std::uint64_t first_slot = 2048;
constexpr std::uint64_t slot_blocks = 4096;
constexpr std::uint64_t seed_area = 8;
constexpr std::uint64_t clock_area = 16;
constexpr std::uint64_t made_at = 1'780'000'000;

constexpr const char* certificate = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
constexpr const char* key = "-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n";
const std::map<std::string, std::string> folder{
    {"settings.conf", "set external certificate edge.pem\nset external key edge.key\n"},
    {"edge.pem", certificate},
    {"edge.key", key}};

UnixTime at(std::uint64_t seconds) { return UnixTime(std::chrono::seconds(seconds)); }

class LogLines final : public LogSink {
 public:
  LogLines() { set_log_sink(this); }
  ~LogLines() { set_log_sink(nullptr); }
  void write(LogLevel, std::string_view, std::string_view message) override { text += std::string(message) + "\n"; }
  std::string text;
};

class StoreTest : public testing::Test {
 protected:
  void SetUp() override {
    static const MemoryCard fresh = [] {
      MemoryCard card(image_blocks);
      const auto made = fakes::make_card(folder, "--time 2026-05-28T20:26:40Z --comment first", card);
      EXPECT_EQ(made.exit_code, 0) << made.output;
      return card;
    }();
    card_ = fresh;
  }

  void reseal(std::uint64_t block) {
    auto& bytes = card_.block(block);
    const std::uint32_t crc = crc32(std::span(bytes).first<508>());
    for (std::size_t i = 0; i < 4; ++i) bytes[508 + i] = static_cast<std::byte>(crc >> (8 * i));
  }

  Result<LoadedSettings, StoreError> load() { return Store(card_).load(*image_); }
  std::string text() { return std::string(image_->text().begin(), image_->text().end()); }

  /// Settings that differ in their text and take several blocks.
  std::unique_ptr<SettingsImage> make_image(const std::string& word) {
    auto image = std::make_unique<SettingsImage>();
    const std::string content(1500, word[0]);
    const std::array files{NamedFile{"a.pem", content}, NamedFile{"b.pem", certificate}};
    EXPECT_TRUE(image->build("# " + word + "\n", files));
    return image;
  }

  LogLines log_;
  MemoryCard card_{image_blocks};
  std::unique_ptr<SettingsImage> image_ = std::make_unique<SettingsImage>();
};

TEST_F(StoreTest, LoadsWhatMakeCardWrote) {
  const auto loaded = load();
  ASSERT_TRUE(loaded) << loaded.error().text.c_str();
  EXPECT_EQ(loaded->generation, 1U);
  EXPECT_EQ(loaded->slot, 0U);
  EXPECT_EQ(loaded->saved, at(made_at));
  EXPECT_EQ(loaded->comment, "first");
  EXPECT_EQ(loaded->passed_over, 0U);
  EXPECT_EQ(text(), folder.at("settings.conf"));
  ASSERT_EQ(image_->file_count(), 2U);
  EXPECT_EQ(image_->find("edge.pem")->content, certificate);
  EXPECT_EQ(image_->find("edge.key")->content, key);
  EXPECT_EQ(image_->find("edge.pem")->content.data()[std::string_view(certificate).size()], '\0');
  EXPECT_FALSE(image_->find("edge"));
  EXPECT_FALSE(image_->find("zzz"));
}

// The tool and the firmware agree on the largest content, to the byte and to the file.
TEST_F(StoreTest, LoadsTheLargestContentThatMakeCardTakes) {
  std::map<std::string, std::string> files{{"settings.conf", "#" + std::string(limits::settings_bytes - 2, 'x')}};
  const auto largest = fakes::make_card(files, "", card_);
  ASSERT_EQ(largest.exit_code, 0) << largest.output;
  ASSERT_TRUE(load());
  EXPECT_EQ(image_->payload().size(), limits::settings_bytes);
  files["settings.conf"] += "x";
  EXPECT_NE(fakes::make_card(files, "", card_).exit_code, 0);

  files.clear();
  std::string& text = files["settings.conf"];
  for (std::size_t i = 0; i < SettingsImage::max_files; ++i) {
    text += "set partner p.example trust " + std::to_string(i) + ".pem\n";
    files[std::to_string(i) + ".pem"] = certificate;
  }
  ASSERT_EQ(fakes::make_card(files, "", card_).exit_code, 0);
  ASSERT_TRUE(load());
  EXPECT_EQ(image_->file_count(), SettingsImage::max_files);
  text += "set partner p.example trust more.pem\n";
  files["more.pem"] = certificate;
  EXPECT_NE(fakes::make_card(files, "", card_).exit_code, 0);
}

TEST_F(StoreTest, SavesIntoAllSlotsInTurnAndLoadsTheNewest) {
  Store store(card_);
  std::set<unsigned> slots;
  for (std::uint64_t generation = 2; generation < 30; ++generation) {
    const auto saved = store.save(*make_image("g" + std::to_string(generation)), at(made_at + generation), "note");
    ASSERT_TRUE(saved) << saved.error().text.c_str();
    slots.insert(saved->slot);
    const auto loaded = load();
    ASSERT_TRUE(loaded);
    EXPECT_EQ(loaded->generation, generation);
    EXPECT_EQ(loaded->slot, saved->slot);
    EXPECT_EQ(loaded->saved, at(made_at + generation));
    EXPECT_EQ(loaded->comment, "note");
    EXPECT_EQ(text(), "# g" + std::to_string(generation) + "\n");
  }
  EXPECT_EQ(slots.size(), 12U);
}

// A cut that tears the block being written, at each write of a save: issue 4, "A power cut at any single block write".
TEST_F(StoreTest, PowerCutAtAnyWriteOfASaveLeavesOldOrNewSettingsWhole) {
  ASSERT_TRUE(Store(card_).save(*make_image("old"), at(made_at + 1)));
  const MemoryCard before = card_;
  const auto wanted = make_image("new");
  ASSERT_TRUE(Store(card_).save(*wanted, at(made_at + 2)));
  const std::size_t writes = card_.writes() - before.writes();
  ASSERT_GE(writes, 5U);

  for (const std::size_t torn : {0U, 1U, 300U, 512U}) {
    for (std::size_t cut = 0; cut < writes; ++cut) {
      card_ = before;
      card_.cut_power_after(cut, torn);
      EXPECT_FALSE(Store(card_).save(*wanted, at(made_at + 2)));
      ASSERT_TRUE(card_.powered_off());
      card_.power_on();
      const auto loaded = load();
      ASSERT_TRUE(loaded) << loaded.error().text.c_str();
      const bool complete = cut + 1 == writes && torn == 512;
      EXPECT_EQ(text(), complete ? "# new\n" : "# old\n") << "cut at write " << cut << ", torn at " << torn;
      // And the next save goes through on that card.
      ASSERT_TRUE(Store(card_).save(*make_image("next"), at(made_at + 3)));
      ASSERT_TRUE(load());
      EXPECT_EQ(text(), "# next\n");
    }
  }
}

TEST_F(StoreTest, PassesOverADamagedNewestSlotAndSaysWhy) {
  const auto saved = Store(card_).save(*make_image("newer"), at(made_at + 1));
  ASSERT_TRUE(saved);
  card_.block(first_slot + saved->slot * slot_blocks + 2)[17] ^= std::byte{1};
  const auto loaded = load();
  ASSERT_TRUE(loaded);
  EXPECT_EQ(loaded->generation, 1U);
  EXPECT_EQ(loaded->passed_over, 1U);
  EXPECT_THAT(log_.text, HasSubstr("slot 1 (generation 2) are passed over: its checksum does not match"));
}

// With two slots, the damaged one must be overwritten although its generation is the higher one.
TEST_F(StoreTest, NeverOverwritesTheOnlyGoodSettings) {
  card_.block(0)[12] = card_.block(1)[12] = std::byte{2};
  reseal(0);
  reseal(1);
  ASSERT_TRUE(Store(card_).save(*make_image("newer"), at(made_at + 1)));
  card_.block(first_slot + slot_blocks + 1)[0] ^= std::byte{1};
  card_.cut_power_after(2, 0);
  EXPECT_FALSE(Store(card_).save(*make_image("third"), at(made_at + 2)));
  card_.power_on();
  ASSERT_TRUE(load());
  EXPECT_EQ(text(), folder.at("settings.conf"));
  const auto saved = Store(card_).save(*make_image("third"), at(made_at + 2));
  ASSERT_TRUE(saved);
  EXPECT_EQ(saved->slot, 1U);
}

TEST_F(StoreTest, SavesIntoTheNextSlotWhenOneHasWornOut) {
  card_.set_bad(first_slot + slot_blocks + 1);
  const auto saved = Store(card_).save(*make_image("new"), at(made_at + 1));
  ASSERT_TRUE(saved) << saved.error().text.c_str();
  EXPECT_EQ(saved->slot, 2U);
  ASSERT_TRUE(load());
  EXPECT_EQ(text(), "# new\n");
}

TEST_F(StoreTest, ExplainsEachCardItCannotUse) {
  const auto fault_of = [](MemoryCard& card) {
    auto image = std::make_unique<SettingsImage>();
    const auto loaded = Store(card).load(*image);
    EXPECT_FALSE(loaded);
    EXPECT_FALSE(loaded.error().text.empty());
    EXPECT_TRUE(image->payload().empty());
    return loaded.error().fault;
  };
  MemoryCard none(0);
  EXPECT_EQ(fault_of(none), StoreFault::no_card);
  MemoryCard blank(image_blocks);
  EXPECT_EQ(fault_of(blank), StoreFault::foreign_card);
  MemoryCard dead = card_;
  dead.set_bad(0), dead.set_bad(1);
  EXPECT_EQ(fault_of(dead), StoreFault::device);
  MemoryCard newer = card_;
  newer.block(0)[8] = newer.block(1)[8] = std::byte{2};
  EXPECT_EQ(fault_of(newer), StoreFault::bad_label);
  MemoryCard emptied = card_;
  emptied.block(first_slot)[9] ^= std::byte{1};
  EXPECT_EQ(fault_of(emptied), StoreFault::no_settings);
}

TEST_F(StoreTest, UsesTheLabelsCopyWhenTheFirstIsDamaged) {
  card_.block(0)[20] ^= std::byte{1};
  EXPECT_TRUE(load());
  EXPECT_THAT(log_.text, HasSubstr("first label is damaged"));
}

TEST_F(StoreTest, RefusesALabelWhoseAreasOverlapOrLieBehindTheCard) {
  const auto refused_with = [&](std::size_t offset, std::uint64_t value, std::size_t bytes) {
    const MemoryCard before = card_;
    for (const std::uint64_t copy : {0U, 1U}) {
      for (std::size_t i = 0; i < bytes; ++i) card_.block(copy)[offset + i] = static_cast<std::byte>(value >> (8 * i));
      reseal(copy);
    }
    const auto loaded = load();
    card_ = before;
    return !loaded && loaded.error().fault == StoreFault::bad_label;
  };
  EXPECT_TRUE(refused_with(12, 1, 4));   // one slot only
  EXPECT_TRUE(refused_with(12, 17, 4));  // more than there can be
  EXPECT_TRUE(refused_with(12, 0xFFFFFFFF, 4));
  EXPECT_TRUE(refused_with(16, 0, 8));  // slots over the label
  EXPECT_TRUE(refused_with(16, image_blocks, 8));
  EXPECT_TRUE(refused_with(16, ~std::uint64_t{0}, 8));  // a sum that would wrap
  EXPECT_TRUE(refused_with(24, 0xFFFFFFFF, 4));
  EXPECT_TRUE(refused_with(24, 1, 4));
  EXPECT_TRUE(refused_with(32, clock_area, 8));
  EXPECT_TRUE(refused_with(40, first_slot + 1, 8));
  EXPECT_TRUE(refused_with(48, 0, 8));  // made in 1970
  EXPECT_FALSE(refused_with(32, seed_area, 8));
}

TEST_F(StoreTest, SaysThatACardIsWriteProtectedAndLeavesItAsItIs) {
  card_.set_write_protected(true);
  const auto saved = Store(card_).save(*make_image("new"), at(made_at + 1));
  ASSERT_FALSE(saved);
  EXPECT_EQ(saved.error().fault, StoreFault::write_protected);
  EXPECT_THAT(saved.error().text.c_str(), HasSubstr("write-protected"));
  EXPECT_TRUE(load());
}

TEST_F(StoreTest, RefusesASaveThatNoSlotHasRoomFor) {
  for (const std::uint64_t copy : {0U, 1U}) {
    card_.block(copy)[24] = std::byte{4};  // slots of four blocks
    card_.block(copy)[25] = std::byte{0};
    reseal(copy);
  }
  const auto saved = Store(card_).save(*make_image("new"), at(made_at + 1));
  ASSERT_FALSE(saved);
  EXPECT_EQ(saved.error().fault, StoreFault::too_large);
}

TEST_F(StoreTest, RenewsTheSeedSoThatAnOldOneNeverComesBack) {
  const auto first = Store(card_).read_seed();
  ASSERT_TRUE(first);
  Seed previous = *first;
  for (int boot = 0; boot < 4; ++boot) {
    Seed next;
    next.fill(static_cast<std::byte>(0x11 * (boot + 1)));
    next[0] = std::byte{0xEE};
    ASSERT_TRUE(Store(card_).renew_seed(next));
    EXPECT_EQ(*Store(card_).read_seed(), next);
    for (const std::uint64_t damaged : {seed_area, seed_area + 1}) {
      MemoryCard copy = card_;
      copy.block(damaged)[30] ^= std::byte{1};
      EXPECT_EQ(*Store(copy).read_seed(), next);
      EXPECT_NE(*Store(copy).read_seed(), previous);
    }
    previous = next;
  }
}

TEST_F(StoreTest, PowerCutWhileTheSeedIsRenewedLeavesOneOfTheTwo) {
  const MemoryCard before = card_;
  const Seed old = *Store(card_).read_seed();
  Seed next = old;
  std::reverse(next.begin(), next.end());
  for (std::size_t cut = 0; cut < 2; ++cut) {
    for (const std::size_t torn : {0U, 20U, 511U}) {
      card_ = before;
      card_.cut_power_after(cut, torn);
      EXPECT_FALSE(Store(card_).renew_seed(next));
      card_.power_on();
      const auto seed = Store(card_).read_seed();
      ASSERT_TRUE(seed);
      EXPECT_EQ(*seed, cut == 0 ? old : next);
    }
  }
}

TEST_F(StoreTest, GivesNoSeedThatIsMissingOrConstant) {
  const auto made = fakes::make_card(folder, "--seed none", card_);
  ASSERT_EQ(made.exit_code, 0);
  MemoryCard unseeded(image_blocks);
  ASSERT_EQ(fakes::make_card(folder, "--seed none", unseeded).exit_code, 0);
  const auto missing = Store(unseeded).read_seed();
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().fault, StoreFault::no_seed);
  ASSERT_TRUE(Store(unseeded).renew_seed(Seed{}));
  EXPECT_FALSE(Store(unseeded).read_seed());
}

TEST_F(StoreTest, EachCardHasASeedOfItsOwn) {
  MemoryCard other(image_blocks);
  ASSERT_EQ(fakes::make_card(folder, "", other).exit_code, 0);
  EXPECT_NE(*Store(card_).read_seed(), *Store(other).read_seed());
}

TEST_F(StoreTest, ClockFloorOnlyRises) {
  Store store(card_);
  EXPECT_EQ(*store.clock_floor(), at(made_at));
  const std::size_t writes = card_.writes();
  ASSERT_TRUE(store.raise_clock_floor(at(made_at - 5)));
  EXPECT_EQ(card_.writes(), writes);
  for (std::uint64_t hours = 1; hours < 5; ++hours) {
    ASSERT_TRUE(store.raise_clock_floor(at(made_at + hours * 3600)));
    EXPECT_EQ(*Store(card_).clock_floor(), at(made_at + hours * 3600));
  }
  ASSERT_TRUE(store.save(*make_image("later"), at(made_at + 90'000)));
  EXPECT_EQ(*store.clock_floor(), at(made_at + 90'000));
  ASSERT_TRUE(store.raise_clock_floor(at(99'999'999'999)));  // the year 5138 is no time
  EXPECT_EQ(*store.clock_floor(), at(made_at + 90'000));
}

TEST_F(StoreTest, PowerCutWhileTheClockFloorRisesDoesNotLowerIt) {
  ASSERT_TRUE(Store(card_).raise_clock_floor(at(made_at + 3600)));
  for (const std::size_t torn : {0U, 10U, 300U}) {
    card_.cut_power_after(0, torn);
    EXPECT_FALSE(Store(card_).raise_clock_floor(at(made_at + 7200)));
    card_.power_on();
    EXPECT_EQ(*Store(card_).clock_floor(), at(made_at + 3600));
  }
}

// A hostile card: whatever its bytes, with checksums that match, no read or index leaves its bounds (run under ASan)
// and what is taken satisfies the image's rules.
TEST_F(StoreTest, SurvivesAnyMutationOfTheCard) {
  std::mt19937 random(20260528);
  const MemoryCard before = card_;
  const std::array<std::uint64_t, 7> targets{0, 1, seed_area, seed_area + 1, clock_area, first_slot, first_slot + 1};
  unsigned taken = 0;
  for (int round = 0; round < 1000; ++round) {
    card_ = before;
    for (auto mutations = 1 + random() % 4; mutations > 0; --mutations) {
      const std::uint64_t block = targets[random() % targets.size()];
      const bool header = block != first_slot + 1;
      card_.block(block)[random() % (header ? 60 : 200)] = static_cast<std::byte>(random() % 3 == 0 ? 0xFF : random());
      if (header) reseal(block);
    }
    // The payload's checksum is made to match as well, so that its structure is what is looked at.
    auto& header = card_.block(first_slot);
    std::uint32_t bytes = 0;
    for (std::size_t i = 0; i < 4; ++i) bytes |= std::to_integer<std::uint32_t>(header[24 + i]) << (8 * i);
    if (bytes <= 512) {
      const std::uint32_t crc = crc32(std::span(card_.block(first_slot + 1)).first(bytes));
      for (std::size_t i = 0; i < 4; ++i) header[36 + i] = static_cast<std::byte>(crc >> (8 * i));
      reseal(first_slot);
    }
    Store store(card_);
    if (store.load(*image_)) {
      ++taken;
      for (std::size_t i = 0; i < image_->file_count(); ++i) {
        const NamedFile file = image_->file(i);
        EXPECT_EQ(file.content.data()[file.content.size()], '\0');
        EXPECT_EQ(image_->find(file.name)->content.data(), file.content.data());
      }
    } else {
      EXPECT_TRUE(image_->payload().empty());
    }
    static_cast<void>(store.read_seed());
    static_cast<void>(store.clock_floor());
    static_cast<void>(store.save(*make_image("next"), at(made_at + 1)));
  }
  EXPECT_GT(taken, 30U);
}

TEST(SettingsImage, RefusesPartsThatBreakItsRules) {
  auto image = std::make_unique<SettingsImage>();
  const auto error_of = [&](std::initializer_list<NamedFile> files) {
    const auto built = image->build("text", std::span(files.begin(), files.size()));
    EXPECT_FALSE(built);
    EXPECT_EQ(image->file_count(), 0U);
    return built ? ImageError{} : built.error();
  };
  EXPECT_EQ(error_of({{"b", "1"}, {"a", "2"}}), ImageError::unordered);
  EXPECT_EQ(error_of({{"a", "1"}, {"a", "2"}}), ImageError::unordered);
  EXPECT_EQ(error_of({{"", "1"}}), ImageError::bad_name);
  EXPECT_EQ(error_of({{"a/b", "1"}}), ImageError::bad_name);
  EXPECT_EQ(error_of({{std::string_view("a\0b", 3), "1"}}), ImageError::bad_name);
  EXPECT_EQ(error_of({{std::string(65, 'a'), "1"}}), ImageError::bad_name);
  EXPECT_EQ(error_of({{"a", std::string_view("1\0002", 3)}}), ImageError::bad_content);
  EXPECT_EQ(error_of({{"a", std::string(limits::settings_bytes, 'x')}}), ImageError::too_large);
}

TEST(SettingsImage, HoldsAsManyFilesAsItSaysAndNoMore) {
  auto image = std::make_unique<SettingsImage>();
  std::vector<std::string> names;
  for (std::size_t i = 0; i <= SettingsImage::max_files; ++i) names.push_back(std::to_string(100'000 + i));
  std::vector<NamedFile> files;
  for (const auto& name : names) files.push_back({name, "pem"});
  EXPECT_EQ(image->build("text", files).error(), ImageError::too_many_files);
  files.pop_back();
  ASSERT_TRUE(image->build("text", files));
  EXPECT_EQ(image->find(names[SettingsImage::max_files - 1])->content, "pem");
}

TEST(Crc32, IsTheOneOfIeee8023) {
  const std::string_view check = "123456789";
  EXPECT_EQ(crc32(std::as_bytes(std::span(check))), 0xCBF43926U);
  EXPECT_EQ(crc32(std::as_bytes(std::span(check.substr(4))), crc32(std::as_bytes(std::span(check.substr(0, 4))))),
            0xCBF43926U);
}

}  // namespace
}  // namespace sallyport::firmware
