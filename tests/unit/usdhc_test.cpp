// The SD card driver against a controller and card in memory. Sections: SD Specifications Part 1, Physical Layer
// Simplified Specification 6.00 (Sd), and the i.MX 6ULL Reference Manual, which has the same block (58.*).
#include "hal/drivers/usdhc/usdhc.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "tests/fakes/sd_slot.h"
#include "tests/fakes/ticking_clock.h"

namespace sallyport::hal {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::Not;

constexpr std::uint64_t blocks_of_default_card = 8192 * 1024;

class UsdhcTest : public testing::Test {
 protected:
  using Block = std::array<std::byte, block_bytes>;

  static Block pattern(unsigned seed) {
    Block block{};
    for (std::size_t i = 0; i < block.size(); ++i) block[i] = static_cast<std::byte>(i * 31 + seed + i / 256);
    return block;
  }
  std::optional<BlockError> error_of_read(std::uint64_t block) {
    Block into{};
    const auto result = card_.read(block, into);
    return result ? std::nullopt : std::optional(result.error());
  }
  std::optional<BlockError> error_of_write(std::uint64_t block) {
    const auto result = card_.write(block, pattern(1));
    return result ? std::nullopt : std::optional(result.error());
  }

  fakes::SdSlot slot_;
  fakes::TickingClock clock_;
  Usdhc card_{slot_.registers, clock_, 198'000'000};
};

TEST_F(UsdhcTest, IdentificationIsInTheOrderOfTheStandard_Sd_4_2_3) {
  slot_.power_up_polls = 1;
  ASSERT_TRUE(card_.start());
  EXPECT_THAT(slot_.commands, ElementsAre(0, 8, 55, 41, 55, 41, 2, 3, 9, 7, 16, 55, 6));
}

TEST_F(UsdhcTest, CardClockIsSlowForIdentificationAndThen25Mhz_58_8_12) {
  ASSERT_TRUE(card_.start());
  const std::uint32_t control = slot_.registers.sys_ctrl.read();
  const std::uint32_t prescaler = std::max(1u, (control >> 8 & 0xFF) * 2), divisor = (control >> 4 & 0xF) + 1;
  EXPECT_LE(198'000'000 / prescaler / divisor, 25'000'000u);
  EXPECT_GE(198'000'000 / prescaler / divisor, 20'000'000u);
  slot_.mute = true;
  ASSERT_FALSE(card_.start());
  const std::uint32_t slow = slot_.registers.sys_ctrl.read();
  const std::uint32_t slow_hz = 198'000'000 / ((slow >> 8 & 0xFF) * 2) / ((slow >> 4 & 0xF) + 1);
  EXPECT_LE(slow_hz, 400'000u);
  EXPECT_GE(slow_hz, 100'000u);
}

TEST_F(UsdhcTest, HighCapacityCardIsAddressedInBlocks_Sd_4_3_14) {
  ASSERT_TRUE(card_.start());
  EXPECT_EQ(blocks_of_default_card, card_.block_count());
  ASSERT_TRUE(card_.write(5'000'000, pattern(3)));
  ASSERT_TRUE(slot_.blocks.contains(5'000'000));
  EXPECT_EQ(0, std::memcmp(slot_.blocks[5'000'000].data(), pattern(3).data(), block_bytes));
}

TEST_F(UsdhcTest, StandardCapacityCardIsAddressedInBytes_Sd_4_3_14) {
  slot_.high_capacity = false;
  slot_.csd = fakes::SdSlot::csd_version_1(9, 4095, 7);
  ASSERT_TRUE(card_.start());
  EXPECT_EQ(4096u * 512, card_.block_count());
  ASSERT_TRUE(card_.write(1000, pattern(4)));
  Block back{};
  ASSERT_TRUE(card_.read(1000, back));
  EXPECT_EQ(pattern(4), back);
  EXPECT_TRUE(slot_.blocks.contains(1000));
}

TEST_F(UsdhcTest, CardOfVersion1DoesNotAnswerCmd8AndIsNotAskedForHighCapacity_Sd_4_2_3) {
  slot_.version_2 = slot_.high_capacity = false;
  slot_.csd = fakes::SdSlot::csd_version_1(9, 1023, 5);
  ASSERT_TRUE(card_.start());
  EXPECT_EQ(1024u * 128, card_.block_count());
  ASSERT_TRUE(card_.write(7, pattern(1)));
  EXPECT_TRUE(slot_.blocks.contains(7));
}

TEST_F(UsdhcTest, TwoGigabyteCardOfVersion1HasBlocksOf1024_Sd_5_3_2) {
  slot_.high_capacity = false;
  slot_.csd = fakes::SdSlot::csd_version_1(10, 4095, 7);
  ASSERT_TRUE(card_.start());
  EXPECT_EQ(4096u * 512 * 2, card_.block_count());
}

TEST_F(UsdhcTest, BlocksAreReadAndWrittenWhole) {
  ASSERT_TRUE(card_.start());
  for (unsigned i = 0; i < 4; ++i) ASSERT_TRUE(card_.write(i, pattern(i)));
  for (unsigned i = 4; i-- > 0;) {
    Block back{};
    ASSERT_TRUE(card_.read(i, back));
    EXPECT_EQ(pattern(i), back);
  }
}

TEST_F(UsdhcTest, EmptySlotIsNoMedium) {
  slot_.inserted = false;
  EXPECT_EQ(BlockError::no_medium, card_.start().error());
  EXPECT_EQ(0u, card_.block_count());
  EXPECT_EQ(BlockError::no_medium, error_of_read(0));
  EXPECT_THAT(slot_.commands, ElementsAre());
}

TEST_F(UsdhcTest, CardPutInLaterIsFoundByTheNextAccess) {
  slot_.inserted = false;
  ASSERT_EQ(BlockError::no_medium, error_of_read(0));
  slot_.inserted = true;
  EXPECT_EQ(std::nullopt, error_of_read(0));
  EXPECT_EQ(blocks_of_default_card, card_.block_count());
}

TEST_F(UsdhcTest, CardTakenOutIsNoMediumAgain) {
  ASSERT_TRUE(card_.start());
  slot_.inserted = false;
  EXPECT_EQ(BlockError::no_medium, error_of_write(0));
  EXPECT_EQ(0u, card_.block_count());
}

TEST_F(UsdhcTest, BlockBeyondTheEndIsRefusedWithoutACommand) {
  ASSERT_TRUE(card_.start());
  slot_.commands.clear();
  EXPECT_EQ(BlockError::out_of_range, error_of_read(blocks_of_default_card));
  EXPECT_EQ(BlockError::out_of_range, error_of_write(~std::uint64_t{0}));
  EXPECT_THAT(slot_.commands, ElementsAre());
}

TEST_F(UsdhcTest, MuteCardIsATimeOut) {
  slot_.mute = true;
  EXPECT_EQ(BlockError::timeout, card_.start().error());
}

TEST_F(UsdhcTest, CardThatNeverPowersUpIsGivenASecond_Sd_4_2_3) {
  slot_.power_up_polls = 1'000'000;
  EXPECT_EQ(BlockError::timeout, card_.start().error());
  EXPECT_GE(clock_.passed(), Usdhc::power_up_timeout);
  EXPECT_LT(clock_.passed(), 2 * Usdhc::power_up_timeout);
}

TEST_F(UsdhcTest, StuckReadIsBoundedAndTheCardIsIdentifiedAnew) {
  ASSERT_TRUE(card_.start());
  const Duration before = clock_.passed();
  slot_.data_stuck = true;
  EXPECT_EQ(BlockError::timeout, error_of_read(0));
  EXPECT_LT(clock_.passed() - before, 2 * Usdhc::read_timeout);
  EXPECT_GT(slot_.line_resets, 0);
  slot_.data_stuck = false;
  slot_.commands.clear();
  EXPECT_EQ(std::nullopt, error_of_read(0));
  EXPECT_THAT(slot_.commands, Contains(0u)) << "GO_IDLE_STATE";
}

TEST_F(UsdhcTest, CrcErrorOfDataIsAnIoError_58_8_13) {
  ASSERT_TRUE(card_.start());
  slot_.data_error = 1u << 21;
  EXPECT_EQ(BlockError::io, error_of_read(0));
  EXPECT_EQ(std::nullopt, error_of_read(0));
}

TEST_F(UsdhcTest, WriteReturnsWhenTheCardHasProgrammed_Sd_4_3_4) {
  ASSERT_TRUE(card_.start());
  slot_.commands.clear();
  ASSERT_TRUE(card_.write(0, pattern(0)));
  EXPECT_THAT(slot_.commands, ElementsAre(24, 13));
  EXPECT_EQ(fakes::SdSlot::State::transfer, slot_.state);
}

TEST_F(UsdhcTest, CardBusyForEverIsBounded_Sd_4_6_2_2) {
  ASSERT_TRUE(card_.start());
  slot_.busy_for_ever = true;
  const Duration before = clock_.passed();
  EXPECT_EQ(BlockError::timeout, error_of_write(0));
  EXPECT_LT(clock_.passed() - before, 3 * Usdhc::write_timeout);
}

TEST_F(UsdhcTest, ErrorInTheStatusAfterAWriteIsReported_Sd_4_10_1) {
  ASSERT_TRUE(card_.start());
  slot_.write_status = 1u << 20;  // CC_ERROR
  EXPECT_EQ(BlockError::io, error_of_write(0));
  slot_.write_status = 1u << 26;  // WP_VIOLATION
  EXPECT_EQ(BlockError::read_only, error_of_write(0));
}

TEST_F(UsdhcTest, WriteProtectedCardIsReadOnly_Sd_5_3_2) {
  slot_.csd[3] |= 1u << 12;  // TMP_WRITE_PROTECT
  ASSERT_TRUE(card_.start());
  EXPECT_EQ(BlockError::read_only, error_of_write(0));
  EXPECT_EQ(std::nullopt, error_of_read(0));
  EXPECT_THAT(slot_.commands, Not(Contains(24u)));
}

TEST_F(UsdhcTest, CardThatFallsSilentBetweenCommandsIsReported) {
  for (const int command : {2, 3, 9, 7, 16, 6}) {
    slot_.mute = false;
    slot_.mute_from_command = command;
    slot_.power_up_polls = 1;
    EXPECT_EQ(BlockError::timeout, card_.start().error()) << command;
    EXPECT_EQ(0u, card_.block_count()) << command;
  }
}

TEST_F(UsdhcTest, NonsenseCsdIsAnIoError) {
  slot_.csd = fakes::SdSlot::csd_version_1(3, 0, 0);
  EXPECT_EQ(BlockError::io, card_.start().error());
}

}  // namespace
}  // namespace sallyport::hal
