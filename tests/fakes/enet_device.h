// EnetDevice: an ENET controller as far as its driver can tell, on plain memory: write-one-to-clear events, both rings
// walked as the DMA does, management frames answered by PHYs.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "hal/drivers/imx_enet/imx_enet.h"

namespace sallyport::fakes {

using Bytes = std::vector<std::uint8_t>;

/// A PHY's 32 registers; link up, 100 Mbit/s full duplex on both ends.
struct FakePhy {
  std::map<unsigned, std::uint16_t> registers{{0, 0x3000}, {1, 0x782D}, {2, 0x0022},
                                              {3, 0x1561}, {4, 0x01E1}, {5, 0x41E1}};

  void set_link(bool up) { registers[1] = up ? 0x782D : 0x7809; }
};

class EnetDevice final : public hal::MmioObserver {
 public:
  EnetDevice() { hal::mmio_observer = this; }
  ~EnetDevice() { hal::mmio_observer = nullptr; }
  EnetDevice(const EnetDevice&) = delete;
  EnetDevice& operator=(const EnetDevice&) = delete;

  hal::EnetRegisters registers{};
  std::map<unsigned, FakePhy*> phys;
  bool management_answers = true;
  /// The last descriptor of a frame says the whole frame's length (22.6.13), or only its own part's, as QEMU has it.
  bool last_length_is_whole = true;
  /// TDAR reads as set this many times after each frame (ERR007885).
  int transmitter_busy_reads = 0;
  bool transmitter_runs = true;
  int transmit_starts = 0;
  int resets = 0;
  std::vector<Bytes> sent;
  std::function<void()> when_events_are_cleared, when_ring_is_read;

  /// The memory that descriptors point into.
  void attach(const hal::EnetMemoryView& memory) { memory_.emplace(memory); }

  bool interrupting() const { return (events_ & mask_) != 0; }
  void raise(std::uint32_t events) { events_ |= events; }
  bool receiving() const { return enabled_ && (next_receive().control & hal::enet::rx_empty) != 0; }

  /// A frame from the wire, FCS appended, spread over as many descriptors as it needs. False: dropped, no descriptor.
  bool receive(const Bytes& frame, std::uint16_t error_bits = 0) {
    Bytes with_fcs = frame;
    with_fcs.insert(with_fcs.end(), {0xDE, 0xAD, 0xBE, 0xEF});
    std::size_t offset = 0;
    while (offset < with_fcs.size()) {
      if (!receiving()) return false;
      hal::EnetDescriptor& slot = next_receive();
      const std::size_t part = std::min(with_fcs.size() - offset, hal::enet_buffer_bytes);
      std::memcpy(memory_at(slot.buffer), with_fcs.data() + offset, part);
      offset += part;
      const bool last = offset == with_fcs.size();
      slot.length = static_cast<std::uint16_t>(last && last_length_is_whole ? with_fcs.size() : part);
      const bool wrap = (slot.control & hal::enet::rx_wrap) != 0;
      slot.control =
          static_cast<std::uint16_t>((wrap ? hal::enet::rx_wrap : 0) | (last ? hal::enet::rx_last | error_bits : 0));
      receive_index_ = wrap ? 0 : receive_index_ + 1;
    }
    events_ |= hal::enet::event_rxf;
    return true;
  }

  std::uint32_t on_read(const volatile void* address, std::uint32_t stored) override {
    if (address == &registers.eir) return events_;
    if (address == &registers.eimr) return mask_;
    if (address == &registers.tdar && busy_reads_left_ > 0) {
      --busy_reads_left_;
      return hal::enet::descriptor_active;
    }
    return stored;
  }

  std::uint32_t on_write(const volatile void* address, std::uint32_t before, std::uint32_t written) override {
    if (address == &registers.eir) {
      events_ &= ~written;
      if ((written & hal::enet::event_rxf) != 0 && when_events_are_cleared) when_events_are_cleared();
      return 0;
    }
    if (address == &registers.eimr) return mask_ = written;
    if (address == &registers.mmfr) return manage(written);
    if (address == &registers.ecr) return control(written);
    if (address == &registers.rdar && when_ring_is_read) when_ring_is_read();
    if (address == &registers.rdar) return 0;
    if (address == &registers.tdar) return transmit();
    (void)before;
    return written;
  }

 private:
  hal::EnetDescriptor& next_receive() const { return memory_->receive_ring[receive_index_]; }

  std::uint8_t* memory_at(std::uint32_t dma) {
    for (auto buffers : {memory_->receive_buffers, memory_->transmit_buffers})
      for (auto& buffer : buffers)
        if (hal::dma_address(buffer.data()) == dma) return reinterpret_cast<std::uint8_t*>(buffer.data());
    ADD_FAILURE() << "a descriptor points outside the buffers";
    return nullptr;
  }

  std::uint32_t control(std::uint32_t written) {
    if ((written & hal::enet::control_reset) != 0) {
      ++resets;
      events_ = mask_ = 0;
      enabled_ = false;
      return 0;
    }
    if (!enabled_ && (written & hal::enet::control_enable) != 0) {
      EXPECT_EQ(hal::dma_address(memory_->receive_ring.data()), registers.rdsr.read());
      EXPECT_EQ(hal::dma_address(memory_->transmit_ring.data()), registers.tdsr.read());
      receive_index_ = transmit_index_ = 0;
    }
    enabled_ = (written & hal::enet::control_enable) != 0;
    return written;
  }

  std::uint32_t transmit() {
    ++transmit_starts;
    busy_reads_left_ = transmitter_busy_reads;
    while (enabled_ && transmitter_runs) {
      hal::EnetDescriptor& slot = memory_->transmit_ring[transmit_index_];
      if ((slot.control & hal::enet::tx_ready) == 0) break;
      EXPECT_TRUE((slot.control & hal::enet::tx_last) != 0 && (slot.control & hal::enet::tx_crc) != 0);
      const std::uint8_t* from = memory_at(slot.buffer);
      sent.emplace_back(from, from + slot.length);
      const bool wrap = (slot.control & hal::enet::tx_wrap) != 0;
      slot.control = static_cast<std::uint16_t>(slot.control & ~hal::enet::tx_ready);
      transmit_index_ = wrap ? 0 : transmit_index_ + 1;
    }
    return 0;
  }

  std::uint32_t manage(std::uint32_t frame) {
    if (!management_answers) return frame;
    events_ |= hal::enet::event_mii;
    const auto phy = phys.find(frame >> hal::enet::mdio_phy_shift & 31);
    const unsigned reg = frame >> hal::enet::mdio_register_shift & 31;
    const bool reading = (frame & hal::enet::mdio_read) != 0;
    if (phy == phys.end()) return (frame & 0xFFFF'0000u) | 0xFFFF;
    if (!reading) phy->second->registers[reg] = static_cast<std::uint16_t>(frame);
    return (frame & 0xFFFF'0000u) | phy->second->registers[reg];
  }

  std::optional<hal::EnetMemoryView> memory_;
  std::uint32_t events_ = 0, mask_ = 0;
  std::size_t receive_index_ = 0, transmit_index_ = 0;
  int busy_reads_left_ = 0;
  bool enabled_ = false;
};

}  // namespace sallyport::fakes
