// The ENET driver against a controller in memory. Sections are those of the i.MX 6ULL Reference Manual (same blocks).
#include "hal/drivers/imx_enet/imx_enet.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <numeric>
#include <set>

#include "tests/fakes/enet_device.h"
#include "tests/fakes/ticking_clock.h"

namespace sallyport::hal {
namespace {

using fakes::Bytes;
using testing::ElementsAre;

constexpr std::size_t ring_slots = 8, buffer_count = 20, transmit_slots = 4;
constexpr MacAddress own = {0x02, 0x53, 0x41, 0x59, 0x00, 0x01};
constexpr MacAddress broadcast = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};
constexpr unsigned phy_address = 2;

Bytes frame_to(const MacAddress& destination, std::size_t length = 60, std::uint8_t fill = 0) {
  Bytes frame(length, fill);
  std::copy(destination.begin(), destination.end(), frame.begin());
  return frame;
}

class ImxEnetTest : public testing::Test {
 protected:
  ImxEnetTest() {
    device_.attach(view_);
    device_.phys[phy_address] = &phy_chip_;
    phy_.probe();
    mac_.start(own);
  }

  bool transmit(const Bytes& frame) {
    const std::span<const std::byte> parts[] = {std::as_bytes(std::span(frame))};
    return mac_.transmit(parts);
  }

  static Bytes content(const ReceivedFrame& frame) {
    const auto* from = reinterpret_cast<const std::uint8_t*>(frame.buffer.data());
    return {from, from + frame.length};
  }

  void interrupt_if_raised() {
    if (device_.interrupting()) mac_.on_interrupt();
  }

  fakes::EnetDevice device_;
  fakes::FakePhy phy_chip_;
  fakes::TickingClock clock_;
  EnetMemory<buffer_count, ring_slots, transmit_slots> memory_{};
  EnetBookkeeping<buffer_count, ring_slots> bookkeeping_{};
  EnetMemoryView view_{memory_, bookkeeping_};
  ImxMdioBus bus_{device_.registers, clock_};
  ImxMdioBus* const buses_[1] = {&bus_};
  EthernetPhy phy_{buses_, phy_address};
  ImxEnet mac_{device_.registers, view_, phy_};
};

TEST_F(ImxEnetTest, StartArmsTheWholeRingAndEnablesTheController) {
  EXPECT_TRUE(device_.receiving());
  EXPECT_EQ(buffer_count, mac_.receive_buffers());
  EXPECT_EQ(buffer_count, mac_.receive_buffers_free());
  std::set<std::uint32_t> buffers;
  for (std::size_t i = 0; i < ring_slots; ++i) {
    EXPECT_TRUE(memory_.receive_ring[i].control & enet::rx_empty);
    EXPECT_EQ(i + 1 == ring_slots, (memory_.receive_ring[i].control & enet::rx_wrap) != 0);
    buffers.insert(std::uint32_t{memory_.receive_ring[i].buffer});
  }
  EXPECT_EQ(ring_slots, buffers.size());
}

TEST_F(ImxEnetTest, AddressGoesIntoPalrAndPaur_22_5_11) {
  EXPECT_EQ(0x0253'4159u, device_.registers.palr.read());
  EXPECT_EQ(0x0001'0000u, device_.registers.paur.read() & 0xFFFF'0000u);
  EXPECT_EQ(own, mac_.address());
}

TEST_F(ImxEnetTest, DescriptorsAreLittleEndian_22_5_5) {
  EXPECT_TRUE(device_.registers.ecr.any(enet::control_swap_descriptors));
}

TEST_F(ImxEnetTest, ReceivesAFrameWithoutItsFcs) {
  Bytes sent = frame_to(own, 1514);
  std::iota(sent.begin() + 6, sent.end(), std::uint8_t{0});
  ASSERT_TRUE(device_.receive(sent));
  const auto frame = mac_.receive();
  EXPECT_EQ(sent, content(frame));
  EXPECT_EQ(enet_buffer_bytes, frame.buffer.size());
  EXPECT_EQ(1u, mac_.counters().received_frames);
  EXPECT_EQ(1514u, mac_.counters().received_bytes);
  EXPECT_FALSE(mac_.receive());
}

TEST_F(ImxEnetTest, AHeldFrameCostsTheRingNothing) {
  ASSERT_TRUE(device_.receive(frame_to(own)));
  const auto frame = mac_.receive();
  ASSERT_TRUE(frame);
  EXPECT_EQ(buffer_count - 1, mac_.receive_buffers_free());
  std::size_t taken = 0;
  while (device_.receive(frame_to(own))) ++taken;
  EXPECT_EQ(ring_slots, taken);
}

TEST_F(ImxEnetTest, FramesAreDeliveredInOrderAroundTheRing) {
  for (unsigned i = 0; i < 5 * ring_slots; ++i) {
    ASSERT_TRUE(device_.receive(frame_to(own, 60, static_cast<std::uint8_t>(i))));
    if (i % 3 == 2) {
      for (unsigned k = i - 2; k <= i; ++k) {
        const auto frame = mac_.receive();
        ASSERT_TRUE(frame);
        EXPECT_EQ(k, content(frame)[20]);
        mac_.release(frame);
      }
    }
  }
}

TEST_F(ImxEnetTest, EveryBufferCanBeHeldAndNoMore) {
  std::vector<ReceivedFrame> held;
  std::size_t dropped = 0;
  for (std::size_t i = 0; i < 2 * buffer_count; ++i) {
    if (!device_.receive(frame_to(own, 60, static_cast<std::uint8_t>(i)))) ++dropped;
    if (const auto frame = mac_.receive()) held.push_back(frame);
  }
  EXPECT_EQ(buffer_count, held.size());
  EXPECT_EQ(buffer_count, dropped);
  EXPECT_EQ(0u, mac_.receive_buffers_free());
  EXPECT_GT(mac_.counters().receive_pool_empty, 0u);
  std::set<std::uint16_t> indices;
  for (std::size_t i = 0; i < held.size(); ++i) {
    EXPECT_EQ(i, content(held[i])[20]) << "a held buffer was overwritten";
    indices.insert(held[i].index);
  }
  EXPECT_EQ(buffer_count, indices.size());
}

TEST_F(ImxEnetTest, ReleaseInAnyOrderStartsReceptionAgain) {
  std::vector<ReceivedFrame> held;
  while (device_.receive(frame_to(own))) held.push_back(mac_.receive());
  ASSERT_EQ(buffer_count, held.size());
  ASSERT_FALSE(device_.receiving());
  for (std::size_t i : {17u, 3u, 9u}) mac_.release(held[i]);
  EXPECT_EQ(3u, mac_.receive_buffers_free());
  for (std::uint8_t i = 0; i < 3; ++i) {
    ASSERT_TRUE(device_.receive(frame_to(own, 60, i)));
    const auto frame = mac_.receive();
    ASSERT_TRUE(frame);
    EXPECT_EQ(i, content(frame)[20]);
  }
  EXPECT_FALSE(device_.receiving());
}

TEST_F(ImxEnetTest, ReceptionGoesOnForEverInAnExhaustedPool) {
  std::deque<ReceivedFrame> held;
  while (device_.receive(frame_to(own))) held.push_back(mac_.receive());
  for (unsigned i = 0; i < 1000; ++i) {
    const std::size_t victim = i * 7 % held.size();
    mac_.release(held[victim]);
    held.erase(held.begin() + static_cast<std::ptrdiff_t>(victim));
    ASSERT_TRUE(device_.receive(frame_to(own, 60, static_cast<std::uint8_t>(i)))) << i;
    const auto frame = mac_.receive();
    ASSERT_TRUE(frame) << i;
    ASSERT_EQ(static_cast<std::uint8_t>(i), content(frame)[20]);
    held.push_back(frame);
  }
}

TEST_F(ImxEnetTest, ReleasingTwiceIsOurBug) {
  ASSERT_TRUE(device_.receive(frame_to(own)));
  const auto frame = mac_.receive();
  mac_.release(frame);
  EXPECT_DEATH(mac_.release(frame), "held");
}

struct Rejected {
  const char* name;
  std::uint16_t error_bits;
};

class ImxEnetErrorTest : public ImxEnetTest, public testing::WithParamInterface<Rejected> {};

TEST_P(ImxEnetErrorTest, FrameWithErrorIsCountedAndItsBufferReused_22_6_13) {
  ASSERT_TRUE(device_.receive(frame_to(own), GetParam().error_bits));
  ASSERT_TRUE(device_.receive(frame_to(own, 60, 7)));
  const auto frame = mac_.receive();
  ASSERT_TRUE(frame);
  EXPECT_EQ(7, content(frame)[20]);
  EXPECT_EQ(1u, mac_.counters().receive_errors);
  mac_.release(frame);
  EXPECT_EQ(buffer_count, mac_.receive_buffers_free());
}

INSTANTIATE_TEST_SUITE_P(Bits, ImxEnetErrorTest,
                         testing::Values(Rejected{"TooLong", enet::rx_too_long},
                                         Rejected{"NonOctet", enet::rx_non_octet}, Rejected{"Crc", enet::rx_crc_error},
                                         Rejected{"Overrun", enet::rx_overrun},
                                         Rejected{"Truncated", enet::rx_truncated}),
                         [](const auto& rejected) { return rejected.param.name; });

TEST_F(ImxEnetTest, FrameOverSeveralDescriptorsIsOneError) {
  ASSERT_TRUE(device_.receive(frame_to(own, 4000)));
  EXPECT_FALSE(mac_.receive());
  EXPECT_EQ(1u, mac_.counters().receive_errors);
  device_.last_length_is_whole = false;
  ASSERT_TRUE(device_.receive(frame_to(own, 2000, 0xFF)));
  EXPECT_FALSE(mac_.receive()) << "the end of a frame is not a frame";
  EXPECT_EQ(2u, mac_.counters().receive_errors);
  ASSERT_TRUE(device_.receive(frame_to(own)));
  EXPECT_TRUE(mac_.receive());
}

TEST_F(ImxEnetTest, LongestFrameIsTakenAndOneByteMoreIsNot) {
  ASSERT_TRUE(device_.receive(frame_to(own, max_frame_bytes)));
  EXPECT_TRUE(mac_.receive());
  ASSERT_TRUE(device_.receive(frame_to(own, max_frame_bytes + 1)));
  EXPECT_FALSE(mac_.receive());
}

TEST_F(ImxEnetTest, FrameShorterThanItsHeaderIsAnError) {
  ASSERT_TRUE(device_.receive(Bytes(13, 0xFF)));
  EXPECT_FALSE(mac_.receive());
  EXPECT_EQ(1u, mac_.counters().receive_errors);
}

TEST_F(ImxEnetTest, OwnAddressBroadcastAndIpv6MulticastOnly_Rfc2464_7) {
  for (const MacAddress& address :
       {own, broadcast, MacAddress{0x33, 0x33, 0, 0, 0, 1}, MacAddress{0x33, 0x33, 0xFF, 1, 2, 3}}) {
    ASSERT_TRUE(device_.receive(frame_to(address)));
    EXPECT_TRUE(mac_.receive());
  }
  const MacAddress foreign[] = {
      {0x02, 0x53, 0x41, 0x59, 0x00, 0x02}, {0x01, 0x00, 0x5E, 0, 0, 1}, {0, 0, 0, 0, 0, 0}, {0x33, 0x32, 0, 0, 0, 1},
      {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFE}, {0x01, 0x80, 0xC2, 0, 0, 0},
  };
  for (const MacAddress& address : foreign) {
    ASSERT_TRUE(device_.receive(frame_to(address)));
    EXPECT_FALSE(mac_.receive());
  }
  EXPECT_EQ(std::size(foreign), mac_.counters().receive_not_for_us);
}

TEST_F(ImxEnetTest, InterruptMasksTheControllerUntilTheRingIsDrained) {
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(device_.receive(frame_to(own)));
  ASSERT_TRUE(device_.interrupting());
  mac_.on_interrupt();
  EXPECT_FALSE(device_.interrupting());
  EXPECT_TRUE(mac_.has_events());
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(mac_.receive());
    ASSERT_TRUE(device_.receive(frame_to(own)));
    EXPECT_FALSE(device_.interrupting()) << "one interrupt for a drained ring, not for a frame";
  }
  while (mac_.receive()) {
  }
  EXPECT_FALSE(mac_.has_events());
  ASSERT_TRUE(device_.receive(frame_to(own)));
  EXPECT_TRUE(device_.interrupting());
}

TEST_F(ImxEnetTest, FrameThatComesWhileTheEventIsClearedIsNotLost) {
  ASSERT_TRUE(device_.receive(frame_to(own, 60, 1)));
  interrupt_if_raised();
  ASSERT_TRUE(mac_.receive());
  bool late = false;
  device_.when_events_are_cleared = [&] {
    if (late) return;
    late = true;
    device_.receive(frame_to(own, 60, 2));
    device_.raise(0);
  };
  const auto frame = mac_.receive();
  ASSERT_TRUE(late);
  ASSERT_TRUE(frame);
  EXPECT_EQ(2, content(frame)[20]);
}

TEST_F(ImxEnetTest, LeavingFramesInTheRingKeepsTheBoardAwake) {
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(device_.receive(frame_to(own)));
  interrupt_if_raised();
  ASSERT_TRUE(mac_.receive());
  EXPECT_TRUE(mac_.has_events());
}

TEST_F(ImxEnetTest, FloodForOthersDoesNotHoldTheLoop) {
  const Bytes foreign = frame_to({0x02, 0, 0, 0, 0, 9});
  while (device_.receive(foreign)) {
  }
  device_.when_ring_is_read = [&] { device_.receive(foreign); };
  EXPECT_FALSE(mac_.receive());
  EXPECT_EQ(ring_slots, mac_.counters().receive_not_for_us);
  EXPECT_TRUE(mac_.has_events());
}

TEST_F(ImxEnetTest, BusErrorStartsTheControllerAgain_22_5_1) {
  ASSERT_TRUE(device_.receive(frame_to(own)));
  const auto held = mac_.receive();
  ASSERT_TRUE(device_.receive(frame_to(own)));
  const int resets = device_.resets;
  device_.raise(enet::event_eberr);
  interrupt_if_raised();
  EXPECT_FALSE(mac_.receive());
  EXPECT_EQ(resets + 1, device_.resets);
  EXPECT_EQ(buffer_count - 1, mac_.receive_buffers_free());
  ASSERT_TRUE(device_.receive(frame_to(own, 60, 5)));
  const auto frame = mac_.receive();
  ASSERT_TRUE(frame);
  EXPECT_EQ(5, content(frame)[20]);
  EXPECT_NE(held.index, frame.index);
}

TEST_F(ImxEnetTest, TransmitGathersItsParts) {
  const Bytes head = frame_to(broadcast, 14), middle(40, 1), tail(1460, 2);
  const std::span<const std::byte> parts[] = {
      std::as_bytes(std::span(head)), std::as_bytes(std::span(middle)), {}, std::as_bytes(std::span(tail))};
  ASSERT_TRUE(mac_.transmit(parts));
  Bytes whole = head;
  whole.insert(whole.end(), middle.begin(), middle.end());
  whole.insert(whole.end(), tail.begin(), tail.end());
  EXPECT_THAT(device_.sent, ElementsAre(whole));
  EXPECT_EQ(1u, mac_.counters().transmitted_frames);
  EXPECT_EQ(1514u, mac_.counters().transmitted_bytes);
}

TEST_F(ImxEnetTest, ShortFrameIsPaddedWithZeros_Cve2003_0001) {
  for (std::size_t i = 0; i < transmit_slots; ++i) ASSERT_TRUE(transmit(Bytes(200, 0xAA)));
  device_.sent.clear();
  ASSERT_TRUE(transmit(Bytes(20, 0x55)));
  Bytes padded(20, 0x55);
  padded.resize(60, 0);
  EXPECT_THAT(device_.sent, ElementsAre(padded));
}

TEST_F(ImxEnetTest, FullTransmitRingRefusesAndCountsAndRecovers) {
  device_.transmitter_runs = false;
  for (std::size_t i = 0; i < transmit_slots; ++i) EXPECT_TRUE(transmit(Bytes(60, static_cast<std::uint8_t>(i))));
  EXPECT_FALSE(transmit(Bytes(60, 99)));
  EXPECT_EQ(1u, mac_.counters().transmit_ring_full);
  device_.transmitter_runs = true;
  EXPECT_FALSE(transmit(Bytes(60, 99))) << "full when it was asked; the refusal starts the transmitter";
  EXPECT_TRUE(transmit(Bytes(60, 4)));
  ASSERT_EQ(transmit_slots + 1, device_.sent.size());
  for (std::uint8_t i = 0; i < device_.sent.size(); ++i) EXPECT_EQ(i, device_.sent[i][0]);
}

TEST_F(ImxEnetTest, TransmitterIsNotStartedWhileItRuns_Err007885) {
  device_.transmitter_busy_reads = 3;
  ASSERT_TRUE(transmit(Bytes(60, 1)));
  EXPECT_EQ(1, device_.transmit_starts);
  ASSERT_TRUE(transmit(Bytes(60, 2)));
  EXPECT_EQ(2, device_.transmit_starts) << "the fourth read found it idle";
  device_.transmitter_busy_reads = 100;
  ASSERT_TRUE(transmit(Bytes(60, 3)));
  const int starts = device_.transmit_starts;
  ASSERT_TRUE(transmit(Bytes(60, 4)));
  EXPECT_EQ(starts, device_.transmit_starts);
}

TEST_F(ImxEnetTest, FrameLeftBehindByErr007885GoesOutWithTheNextLookAtTheLink) {
  device_.transmitter_runs = false;
  ASSERT_TRUE(transmit(Bytes(60, 1)));
  device_.transmitter_runs = true;
  mac_.link_up();
  EXPECT_EQ(1u, device_.sent.size());
}

TEST_F(ImxEnetTest, OversizedFrameIsOurBug) {
  EXPECT_DEATH(transmit(Bytes(max_frame_bytes + 1, 0)), "max_frame_bytes");
}

TEST_F(ImxEnetTest, LinkFollowsThePhy) {
  EXPECT_TRUE(mac_.link_up());
  phy_chip_.set_link(false);
  EXPECT_FALSE(mac_.link_up());
  phy_chip_.set_link(true);
  EXPECT_TRUE(mac_.link_up());
}

TEST_F(ImxEnetTest, SameModeDoesNotRestartTheController) {
  const int resets = device_.resets;
  EXPECT_TRUE(mac_.link_up());
  phy_chip_.set_link(false);
  mac_.link_up();
  phy_chip_.set_link(true);
  mac_.link_up();
  EXPECT_EQ(resets, device_.resets);
}

TEST_F(ImxEnetTest, SlowerPartnerSetsTheControllerAnewAndKeepsHeldFrames_22_5_9) {
  ASSERT_TRUE(device_.receive(frame_to(own, 60, 3)));
  const auto held = mac_.receive();
  phy_chip_.registers[5] = 0x0021;  // 10 Mbit/s, half duplex
  EXPECT_TRUE(mac_.link_up());
  EXPECT_TRUE(device_.registers.rcr.any(enet::receive_rmii_10));
  EXPECT_FALSE(device_.registers.tcr.any(enet::transmit_full_duplex));
  for (std::size_t i = 0; i < 3 * buffer_count; ++i) {
    ASSERT_TRUE(device_.receive(frame_to(own, 60, 9)));
    const auto frame = mac_.receive();
    ASSERT_TRUE(frame);
    ASSERT_NE(held.index, frame.index);
    mac_.release(frame);
  }
  EXPECT_EQ(3, content(held)[20]);
  mac_.release(held);
  EXPECT_EQ(buffer_count, mac_.receive_buffers_free());
}

class EthernetPhyTest : public testing::Test {
 protected:
  fakes::TickingClock clock_;
  fakes::FakePhy chip_;
};

TEST_F(EthernetPhyTest, ManagementBusThatNeverFinishesIsBounded) {
  fakes::EnetDevice device;
  device.management_answers = false;
  ImxMdioBus bus{device.registers, clock_};
  EXPECT_FALSE(bus.read(1, 1));
  EXPECT_LT(clock_.passed(), 2 * ImxMdioBus::frame_timeout);
}

TEST_F(EthernetPhyTest, ManagementClockIsSetAgainAfterTheControllersReset_22_5_7) {
  fakes::EnetDevice device;
  device.phys[1] = &chip_;
  ImxMdioBus bus{device.registers, clock_};
  bus.read(1, 1);
  const std::uint32_t speed = device.registers.mscr.read();
  EXPECT_GE(speed >> 1 & 0x3F, 13u) << "2.5 MHz from 66 MHz";
  device.registers.mscr.write(0);
  bus.read(1, 1);
  EXPECT_EQ(speed, device.registers.mscr.read());
}

TEST_F(EthernetPhyTest, NothingAtTheAddressIsNoPhyAndNoLink) {
  fakes::EnetDevice device;
  device.phys[2] = &chip_;
  ImxMdioBus bus{device.registers, clock_};
  ImxMdioBus* const buses[] = {&bus};
  EthernetPhy phy{buses, 1};
  EXPECT_FALSE(phy.probe());
  EXPECT_FALSE(phy.state().up);
  EXPECT_EQ(0u, phy.identifier());
}

// One observer sees both controllers: which registers an access is for tells it whose bus it is.
class TwoBuses final : public MmioObserver {
 public:
  explicit TwoBuses(fakes::FakePhy& chip) {
    second.phys[2] = &chip;
    mmio_observer = this;
  }
  ~TwoBuses() { mmio_observer = nullptr; }
  std::uint32_t on_read(const volatile void* address, std::uint32_t stored) override {
    return owner(address).on_read(address, stored);
  }
  std::uint32_t on_write(const volatile void* address, std::uint32_t before, std::uint32_t written) override {
    return owner(address).on_write(address, before, written);
  }
  fakes::EnetDevice first, second;

 private:
  fakes::EnetDevice& owner(const volatile void* address) {
    const auto* at = static_cast<const volatile std::byte*>(address);
    const auto* start = reinterpret_cast<const volatile std::byte*>(&first.registers);
    return at >= start && at < start + sizeof first.registers ? first : second;
  }
};

TEST_F(EthernetPhyTest, PhyIsFoundOnTheOtherControllersBus) {
  TwoBuses devices{chip_};
  ImxMdioBus first{devices.first.registers, clock_}, second{devices.second.registers, clock_};
  ImxMdioBus* const buses[] = {&first, &second};
  EthernetPhy phy{buses, 2};
  ASSERT_TRUE(phy.probe());
  EXPECT_EQ(0x0022'1561u, phy.identifier());
  EXPECT_EQ((LinkState{.up = true, .fast = true, .full_duplex = true}), phy.state());
}

TEST_F(EthernetPhyTest, Ksz8081IsToldItsReferenceClock_PhyControl2) {
  fakes::EnetDevice device;
  device.phys[1] = &chip_;
  chip_.registers[0x1F] = 0x8110;
  ImxMdioBus bus{device.registers, clock_};
  ImxMdioBus* const buses[] = {&bus};
  EthernetPhy phy{buses, 1};
  ASSERT_TRUE(phy.probe());
  EXPECT_EQ(0x8190, chip_.registers[0x1F]) << "bit 7 is set, the others are kept";
}

struct Negotiated {
  std::uint16_t partner;
  bool fast, full_duplex;
};

class NegotiationTest : public EthernetPhyTest, public testing::WithParamInterface<Negotiated> {};

TEST_P(NegotiationTest, BestCommonAbilityWins_Ieee802_3_28B_3) {
  fakes::EnetDevice device;
  device.phys[1] = &chip_;
  ImxMdioBus bus{device.registers, clock_};
  ImxMdioBus* const buses[] = {&bus};
  EthernetPhy phy{buses, 1};
  ASSERT_TRUE(phy.probe());
  chip_.registers[5] = GetParam().partner;
  EXPECT_EQ((LinkState{.up = true, .fast = GetParam().fast, .full_duplex = GetParam().full_duplex}), phy.state());
}

INSTANTIATE_TEST_SUITE_P(Partners, NegotiationTest,
                         testing::Values(Negotiated{0x01E1, true, true}, Negotiated{0x00E1, true, false},
                                         Negotiated{0x0061, false, true}, Negotiated{0x0021, false, false}));

}  // namespace
}  // namespace sallyport::hal
