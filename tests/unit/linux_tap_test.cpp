#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <string>
#include <vector>

#include "hal/drivers/linux_tap/tap_mac.h"

namespace sallyport::hal {
namespace {

constexpr MacAddress ours = {0x02, 0x53, 0x41, 0x59, 0x00, 0x01};
constexpr std::size_t buffers = 4;

class TapMacTest : public testing::Test {
 protected:
  TapMacTest() {
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, ends_.data()), 0);
    mac_.adopt(ends_[0]);
  }
  ~TapMacTest() override {
    if (ends_[1] >= 0) ::close(ends_[1]);
  }

  void wire(const MacAddress& destination, std::size_t length = 60, char fill = 'x') {
    std::string frame(length, fill);
    std::memcpy(frame.data(), destination.data(), std::min(length, destination.size()));
    ASSERT_EQ(::write(ends_[1], frame.data(), frame.size()), static_cast<ssize_t>(frame.size()));
  }

  std::string from_wire() {
    std::string frame(2000, '\0');
    const ssize_t got = ::read(ends_[1], frame.data(), frame.size());
    frame.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
    return frame;
  }

  std::array<int, 2> ends_{-1, -1};
  TapReceivePool<buffers> pool_;
  TapMac mac_{ours, pool_};
};

std::span<const std::byte> bytes(const std::string& text) { return std::as_bytes(std::span(text)); }

TEST_F(TapMacTest, HandsOverFramesInTheOrderOfTheirArrival) {
  wire(ours, 60, 'a');
  wire(ours, 1514, 'b');
  const ReceivedFrame first = mac_.receive();
  const ReceivedFrame second = mac_.receive();
  ASSERT_EQ(first.length, 60U);
  ASSERT_EQ(second.length, 1514U);
  EXPECT_EQ(first.buffer[59], std::byte{'a'});
  EXPECT_EQ(second.buffer[1513], std::byte{'b'});
  EXPECT_GE(first.buffer.size(), max_frame_bytes);
  EXPECT_FALSE(mac_.receive());
  EXPECT_EQ(mac_.counters().received_frames, 2U);
  EXPECT_EQ(mac_.counters().received_bytes, 60U + 1514U);
}

TEST_F(TapMacTest, AcceptsOwnAddressBroadcastAndIpv6MulticastOnly) {
  wire({0x02, 0x53, 0x41, 0x59, 0x00, 0x02});  // the other port's
  wire({0x01, 0x00, 0x5E, 0x00, 0x00, 0x01});  // IPv4 multicast
  wire({0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}, 61);
  wire({0x33, 0x33, 0xFF, 0x12, 0x34, 0x56}, 62);
  EXPECT_EQ(mac_.receive().length, 61U);
  EXPECT_EQ(mac_.receive().length, 62U);
  EXPECT_FALSE(mac_.receive());
  EXPECT_EQ(mac_.counters().receive_not_for_us, 2U);
}

TEST_F(TapMacTest, CountsRuntsAndGiantsAsErrors) {
  wire(ours, 13);
  wire(ours, max_frame_bytes + 1);
  EXPECT_FALSE(mac_.receive());
  EXPECT_EQ(mac_.counters().receive_errors, 2U);
  EXPECT_EQ(mac_.receive_buffers_free(), buffers);
}

TEST_F(TapMacTest, LeavesFramesOnTheWireWhileNoBufferIsFree) {
  for (std::size_t i = 0; i <= buffers; ++i) wire(ours, 60 + i);
  std::array<ReceivedFrame, buffers> frames;
  for (auto& frame : frames) frame = mac_.receive();
  EXPECT_EQ(mac_.receive_buffers_free(), 0U);
  EXPECT_EQ(mac_.pollable_descriptor(), -1);
  EXPECT_FALSE(mac_.receive());
  EXPECT_EQ(mac_.counters().receive_pool_empty, 1U);

  mac_.release(frames[2]);
  EXPECT_EQ(mac_.pollable_descriptor(), ends_[0]);
  const ReceivedFrame last = mac_.receive();
  EXPECT_EQ(last.length, 60 + buffers);
  EXPECT_EQ(last.index, frames[2].index);
}

TEST_F(TapMacTest, GivesBuffersBackInAnyOrderAndNeverTwoOwners) {
  for (int round = 0; round < 100; ++round) {
    wire(ours), wire(ours), wire(ours);
    const ReceivedFrame a = mac_.receive(), b = mac_.receive(), c = mac_.receive();
    EXPECT_NE(a.index, b.index);
    EXPECT_NE(b.index, c.index);
    EXPECT_NE(a.index, c.index);
    mac_.release(b), mac_.release(a), mac_.release(c);
  }
  EXPECT_EQ(mac_.receive_buffers_free(), buffers);
}

TEST_F(TapMacTest, ReleasingTwiceIsOurBug) {
  wire(ours);
  const ReceivedFrame frame = mac_.receive();
  mac_.release(frame);
  EXPECT_DEATH(mac_.release(frame), "assertion failed");
}

TEST_F(TapMacTest, JoinsThePartsOfAFrame) {
  std::vector<std::string> texts = {std::string(14, 'h')};
  std::string all = texts[0];
  for (int i = 0; i < 40; ++i) all += texts.emplace_back(static_cast<std::size_t>(i), static_cast<char>('0' + i));
  const std::size_t few = 3;
  std::vector<std::span<const std::byte>> parts;
  for (const auto& text : texts) parts.push_back(bytes(text));

  EXPECT_TRUE(mac_.transmit(std::span(parts).first(few)));
  EXPECT_EQ(from_wire(), all.substr(0, 14 + 0 + 1));
  EXPECT_TRUE(mac_.transmit(parts));
  EXPECT_EQ(from_wire(), all);
  EXPECT_EQ(mac_.counters().transmitted_frames, 2U);
  EXPECT_EQ(mac_.counters().transmitted_bytes, 15 + all.size());
}

TEST_F(TapMacTest, RefusesAFrameWhenTheRingIsFull) {
  const std::string frame(1514, 'f');
  const std::array<std::span<const std::byte>, 1> parts = {bytes(frame)};
  std::size_t taken = 0;
  while (taken < 100'000 && mac_.transmit(parts)) ++taken;
  EXPECT_LT(taken, 100'000U);
  EXPECT_EQ(mac_.counters().transmit_ring_full, 1U);
  EXPECT_EQ(mac_.counters().transmitted_frames, taken);
  while (!from_wire().empty()) continue;
  EXPECT_TRUE(mac_.transmit(parts));
}

TEST_F(TapMacTest, LosesFramesOfBothDirectionsWhileTheCableIsPulled) {
  const std::string frame(60, 'f');
  const std::array<std::span<const std::byte>, 1> parts = {bytes(frame)};
  EXPECT_TRUE(mac_.link_up());
  mac_.set_cable(false);
  EXPECT_FALSE(mac_.link_up());
  wire(ours);
  EXPECT_FALSE(mac_.receive());
  EXPECT_TRUE(mac_.transmit(parts));
  EXPECT_EQ(from_wire(), "");
  mac_.set_cable(true);
  EXPECT_TRUE(mac_.link_up());
  EXPECT_FALSE(mac_.receive());
  wire(ours);
  EXPECT_TRUE(mac_.receive());
}

TEST_F(TapMacTest, StopsPollingADeviceThatWasDeleted) {
  ::close(std::exchange(ends_[1], -1));
  EXPECT_FALSE(mac_.receive());
  EXPECT_EQ(mac_.pollable_descriptor(), -1);
  EXPECT_FALSE(mac_.link_up());
}

TEST(TapMac, NamesTheReasonWhenTheDeviceIsMissing) {
  TapReceivePool<1> pool;
  TapMac mac(ours, pool);
  const auto opened = mac.open("no-such-tap");
  ASSERT_FALSE(opened.has_value());
  EXPECT_STREQ(opened.error(), "there is no such network device here");
  EXPECT_FALSE(mac.link_up());
  EXPECT_FALSE(mac.receive());
}

}  // namespace
}  // namespace sallyport::hal
