// ImxEnet: EthernetMac on one 10/100-Mbps ENET controller of i.MX 6UltraLite (IMX6ULLRM chapter 22).
//
// Memory. The board gives each controller an EnetMemory (descriptors and frame buffers; non-cacheable, the controller's
// own) and an EnetBookkeeping (indices; ordinary memory). There are more receive buffers than ring slots: TCP may hold
// frames until it has consumed them, while the ring goes on receiving.
//
// Receive ring. Slots [take, take + armed) belong to the MAC or hold frames not yet taken, in order; the rest have no
// buffer, because all were held when it was their turn, and are armed again by release(). Each buffer is in exactly one
// place: free list, ring slot, or held by the receiver.
//
// Interrupts. The handler masks the controller and sets a flag; receive() unmasks it when it has drained the ring. So a
// flood costs one interrupt per drained ring and not one per frame.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "hal/drivers/imx_enet/enet_registers.h"
#include "hal/drivers/imx_enet/ethernet_phy.h"
#include "hal/ethernet_mac.h"

namespace sallyport::hal {

/// One frame with its FCS; a multiple of 64 for MRBR and the DMA's bursts (22.6.13).
inline constexpr std::size_t enet_buffer_bytes = 1536;
using EnetBuffer = std::array<std::byte, enet_buffer_bytes>;

/// What the DMA reads and writes. Must lie in non-cacheable memory.
template <std::size_t ReceiveBuffers, std::size_t ReceiveRing, std::size_t TransmitRing>
struct EnetMemory {
  static_assert(ReceiveBuffers >= ReceiveRing && ReceiveBuffers <= 0xFFFF && TransmitRing >= 2);
  alignas(64) std::array<EnetDescriptor, ReceiveRing> receive_ring;
  alignas(64) std::array<EnetDescriptor, TransmitRing> transmit_ring;
  alignas(64) std::array<EnetBuffer, ReceiveBuffers> receive_buffers;
  alignas(64) std::array<EnetBuffer, TransmitRing> transmit_buffers;
};

/// What only the core reads and writes.
template <std::size_t ReceiveBuffers, std::size_t ReceiveRing>
struct EnetBookkeeping {
  std::array<std::uint16_t, ReceiveBuffers> free_buffers;
  std::array<bool, ReceiveBuffers> held;
  std::array<std::uint16_t, ReceiveRing> buffer_of_slot;
};

/// Both of them without their sizes.
struct EnetMemoryView {
  template <std::size_t ReceiveBuffers, std::size_t ReceiveRing, std::size_t TransmitRing>
  EnetMemoryView(EnetMemory<ReceiveBuffers, ReceiveRing, TransmitRing>& memory,
                 EnetBookkeeping<ReceiveBuffers, ReceiveRing>& bookkeeping)
      : receive_ring(memory.receive_ring),
        transmit_ring(memory.transmit_ring),
        receive_buffers(memory.receive_buffers),
        transmit_buffers(memory.transmit_buffers),
        free_buffers(bookkeeping.free_buffers),
        held(bookkeeping.held),
        buffer_of_slot(bookkeeping.buffer_of_slot) {}

  std::span<EnetDescriptor> receive_ring, transmit_ring;
  std::span<EnetBuffer> receive_buffers, transmit_buffers;
  std::span<std::uint16_t> free_buffers;
  std::span<bool> held;
  std::span<std::uint16_t> buffer_of_slot;
};

class ImxEnet final : public EthernetMac {
 public:
  /// Touches no register. Everything referred to outlives the driver.
  ImxEnet(EnetRegisters& registers, const EnetMemoryView& memory, EthernetPhy& phy)
      : registers_(registers), memory_(memory), phy_(phy) {}
  ImxEnet(const ImxEnet&) = delete;
  ImxEnet& operator=(const ImxEnet&) = delete;

  /// Resets the controller, arms the ring and receives from now on. The clocks, pins and the PHY's reference clock are
  /// on. All buffers must be free: call once.
  void start(const MacAddress& address);
  /// The controller's interrupt.
  void on_interrupt();
  /// True while receive() would do something: to be asked with interrupts off before the core sleeps.
  bool has_events() const;

  const MacAddress& address() const override { return address_; }
  bool link_up() override;
  ReceivedFrame receive() override;
  void release(const ReceivedFrame& frame) override;
  std::size_t receive_buffers_free() const override { return free_count_ + armed_; }
  std::size_t receive_buffers() const override { return memory_.receive_buffers.size(); }
  bool transmit(std::span<const std::span<const std::byte>> parts) override;
  const EthernetCounters& counters() const override { return counters_; }

 private:
  void configure(const LinkState& mode);
  void reset_rings();
  bool slot_filled() const;
  bool ring_drained();
  std::uint16_t take_slot(std::uint16_t& control, std::size_t& length);
  bool acceptable(std::uint16_t control, std::size_t length, const EnetBuffer& buffer);
  void return_buffer(std::uint16_t index);
  void arm_slots();
  void start_transmitter();

  EnetRegisters& registers_;
  EnetMemoryView memory_;
  EthernetPhy& phy_;
  MacAddress address_{};
  LinkState mode_{};
  EthernetCounters counters_{};
  std::size_t free_count_ = 0;
  std::size_t take_ = 0;
  std::size_t armed_ = 0;
  std::size_t transmit_next_ = 0;
  bool in_fragmented_frame_ = false;
  volatile bool interrupted_ = false;  // the handler has masked the controller
  volatile bool bus_error_ = false;
};

}  // namespace sallyport::hal
