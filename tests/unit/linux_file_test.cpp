#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <string>

#include "hal/drivers/linux_file/file_block_device.h"

namespace sallyport::hal {
namespace {

using Block = std::array<std::byte, block_bytes>;

class FileBlockDeviceTest : public testing::Test {
 protected:
  FileBlockDeviceTest() {
    const int file = ::mkstemp(path_.data());
    EXPECT_GE(file, 0);
    ::close(file);
  }
  ~FileBlockDeviceTest() override { ::unlink(path_.c_str()); }

  void resize(off_t bytes) { ASSERT_EQ(::truncate(path_.c_str(), bytes), 0); }
  static Block filled(int value) {
    Block block;
    block.fill(std::byte(value));
    return block;
  }

  std::string path_ = testing::TempDir() + "sallyport-card-XXXXXX";
};

TEST_F(FileBlockDeviceTest, KeepsBlocksOverClosingAndOpening) {
  resize(4 * 512);
  {
    FileBlockDevice card;
    ASSERT_TRUE(card.open(path_.c_str()));
    EXPECT_EQ(card.block_count(), 4U);
    for (int i = 0; i < 4; ++i) EXPECT_TRUE(card.write(static_cast<std::uint64_t>(i), filled(i + 1)));
  }
  FileBlockDevice card;
  ASSERT_TRUE(card.open(path_.c_str()));
  for (int i = 3; i >= 0; --i) {
    Block block;
    ASSERT_TRUE(card.read(static_cast<std::uint64_t>(i), block));
    EXPECT_EQ(block, filled(i + 1));
  }
}

TEST_F(FileBlockDeviceTest, RefusesBlocksBehindTheEnd) {
  resize(512);
  FileBlockDevice card;
  ASSERT_TRUE(card.open(path_.c_str()));
  Block block;
  EXPECT_EQ(card.read(1, block).error(), BlockError::out_of_range);
  EXPECT_EQ(card.write(UINT64_MAX / block_bytes + 1, block).error(), BlockError::out_of_range);
}

TEST_F(FileBlockDeviceTest, ReportsAMediumThatShrank) {
  resize(2 * 512);
  FileBlockDevice card;
  ASSERT_TRUE(card.open(path_.c_str()));
  resize(512 + 100);
  Block block;
  EXPECT_EQ(card.read(1, block).error(), BlockError::io);
}

TEST_F(FileBlockDeviceTest, MissingFileIsAnEmptySlot) {
  FileBlockDevice card;
  EXPECT_TRUE(card.open((path_ + "-not-there").c_str()));
  EXPECT_EQ(card.block_count(), 0U);
  Block block;
  EXPECT_EQ(card.read(0, block).error(), BlockError::no_medium);
  EXPECT_EQ(card.write(0, block).error(), BlockError::no_medium);
}

TEST_F(FileBlockDeviceTest, RefusesASizeThatIsNotWholeBlocks) {
  resize(513);
  FileBlockDevice card;
  EXPECT_FALSE(card.open(path_.c_str()).has_value());
  EXPECT_EQ(card.block_count(), 0U);
}

TEST_F(FileBlockDeviceTest, RefusesACardThatIsInUse) {
  resize(512);
  FileBlockDevice first, second;
  ASSERT_TRUE(first.open(path_.c_str()));
  const auto opened = second.open(path_.c_str());
  ASSERT_FALSE(opened.has_value());
  EXPECT_STREQ(opened.error(), "is in use by another appliance");
}

TEST_F(FileBlockDeviceTest, WriteProtectedFileIsReadOnly) {
  resize(512);
  ASSERT_EQ(::chmod(path_.c_str(), 0400), 0);
  constexpr uid_t nobody = 65534;
  const bool root = ::geteuid() == 0;  // who may write everything
  if (root) {
    ASSERT_EQ(::chown(path_.c_str(), nobody, static_cast<gid_t>(-1)), 0);
    ASSERT_EQ(::seteuid(nobody), 0);
  }
  FileBlockDevice card;
  ASSERT_TRUE(card.open(path_.c_str()));
  EXPECT_TRUE(card.read_only());
  Block block = filled(7);
  EXPECT_EQ(card.write(0, block).error(), BlockError::read_only);
  EXPECT_TRUE(card.read(0, block));
  if (root) {
    ASSERT_EQ(::seteuid(0), 0);
  }
}

TEST_F(FileBlockDeviceTest, RefusesAFolder) {
  FileBlockDevice card;
  EXPECT_FALSE(card.open(testing::TempDir().c_str()).has_value());
}

}  // namespace
}  // namespace sallyport::hal
