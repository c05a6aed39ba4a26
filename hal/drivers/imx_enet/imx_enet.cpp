#include "hal/drivers/imx_enet/imx_enet.h"

#include <cstring>

#include "hal/base/assert.h"

namespace sallyport::hal {
namespace {

constexpr std::size_t fcs_bytes = 4;
constexpr std::size_t header_bytes = 14;
constexpr std::size_t min_frame_bytes = 60;  // IEEE 802.3 minimum, FCS excluded
constexpr std::uint32_t interrupts = enet::event_rxf | enet::event_eberr;

// 22.5.5: ECR[RESET] clears itself after eight cycles of the module's clock; far more reads than that have passed here.
constexpr int reset_polls = 1000;
// ERR007885: TDAR written in the very cycle in which the uDMA clears it is lost. Linux' fec reads it up to four times.
constexpr int transmitter_idle_reads = 4;

std::uint32_t big_endian_word(const std::uint8_t* bytes) {
  return static_cast<std::uint32_t>(bytes[0]) << 24 | static_cast<std::uint32_t>(bytes[1]) << 16 |
         static_cast<std::uint32_t>(bytes[2]) << 8 | bytes[3];
}

bool is_broadcast(const std::byte* destination) {
  for (std::size_t i = 0; i < 6; ++i)
    if (destination[i] != std::byte{0xFF}) return false;
  return true;
}

// RFC 2464 section 7: IPv6 multicast. IPv4 multicast (01:00:5e) has no user in this appliance.
bool is_ipv6_multicast(const std::byte* destination) {
  return destination[0] == std::byte{0x33} && destination[1] == std::byte{0x33};
}

}  // namespace

void ImxEnet::start(const MacAddress& address) {
  address_ = address;
  free_count_ = memory_.free_buffers.size();
  for (std::size_t i = 0; i < free_count_; ++i) {
    memory_.free_buffers[i] = static_cast<std::uint16_t>(free_count_ - 1 - i);
    memory_.held[i] = false;
  }
  armed_ = 0;
  configure(LinkState{});
}

void ImxEnet::on_interrupt() {
  if (registers_.eir.any(enet::event_eberr)) bus_error_ = true;
  registers_.eimr.write(0);
  interrupted_ = true;
}

bool ImxEnet::has_events() const { return interrupted_ || slot_filled(); }

bool ImxEnet::link_up() {
  const LinkState state = phy_.state();
  if (state.up && (state.fast != mode_.fast || state.full_duplex != mode_.full_duplex)) configure(state);
  // A frame whose start was lost to ERR007885 goes out here at the latest.
  start_transmitter();
  return state.up;
}

ReceivedFrame ImxEnet::receive() {
  if (bus_error_) {
    ++counters_.receive_errors;
    configure(mode_);
  }
  // Bounded: a flood of frames that are not for us must not keep the loop in here.
  for (std::size_t budget = memory_.receive_ring.size(); budget > 0; --budget) {
    if (!slot_filled() && ring_drained()) break;
    std::uint16_t control = 0;
    std::size_t length = 0;
    const std::uint16_t index = take_slot(control, length);
    EnetBuffer& buffer = memory_.receive_buffers[index];
    if (!acceptable(control, length, buffer)) {
      return_buffer(index);
      arm_slots();
      continue;
    }
    memory_.held[index] = true;
    arm_slots();
    if (armed_ < memory_.receive_ring.size()) ++counters_.receive_pool_empty;
    const std::size_t frame_bytes = length - fcs_bytes;
    ++counters_.received_frames;
    counters_.received_bytes += frame_bytes;
    return {.buffer = buffer, .length = frame_bytes, .index = index};
  }
  return {};
}

void ImxEnet::release(const ReceivedFrame& frame) {
  SALLYPORT_ASSERT(frame.index < memory_.held.size() && memory_.held[frame.index]);
  memory_.held[frame.index] = false;
  return_buffer(frame.index);
  arm_slots();
}

bool ImxEnet::transmit(std::span<const std::span<const std::byte>> parts) {
  EnetDescriptor& slot = memory_.transmit_ring[transmit_next_];
  if ((slot.control & enet::tx_ready) != 0) {
    ++counters_.transmit_ring_full;
    start_transmitter();
    return false;
  }
  EnetBuffer& buffer = memory_.transmit_buffers[transmit_next_];
  std::size_t length = 0;
  for (const auto part : parts) {
    SALLYPORT_ASSERT(part.size() <= max_frame_bytes - length);
    if (part.empty()) continue;
    std::memcpy(buffer.data() + length, part.data(), part.size());
    length += part.size();
  }
  SALLYPORT_ASSERT(length >= header_bytes);
  counters_.transmitted_bytes += length;
  ++counters_.transmitted_frames;
  // Padded here and with zeros: what the buffer last held must not leave the board (CVE-2003-0001).
  if (length < min_frame_bytes) {
    std::memset(buffer.data() + length, 0, min_frame_bytes - length);
    length = min_frame_bytes;
  }
  const bool last_slot = transmit_next_ + 1 == memory_.transmit_ring.size();
  slot.length = static_cast<std::uint16_t>(length);
  slot.buffer = dma_address(buffer.data());
  dma_barrier();  // the MAC must not see R before the rest of the frame
  slot.control = enet::tx_ready | enet::tx_last | enet::tx_crc | (last_slot ? enet::tx_wrap : 0);
  transmit_next_ = last_slot ? 0 : transmit_next_ + 1;
  start_transmitter();
  return true;
}

void ImxEnet::configure(const LinkState& mode) {
  mode_ = mode;
  registers_.ecr.write(enet::control_reset);
  for (int i = 0; i < reset_polls && registers_.ecr.any(enet::control_reset); ++i) {
  }
  registers_.eimr.write(0);
  registers_.eir.write(enet::event_all & ~enet::event_mii);
  registers_.palr.write(big_endian_word(address_.data()));
  registers_.paur.write(static_cast<std::uint32_t>(address_[4]) << 24 | static_cast<std::uint32_t>(address_[5]) << 16);
  // The hash filter is open for every group; acceptable() is exact, here and where a model does not filter at all.
  registers_.iaur.write(0);
  registers_.ialr.write(0);
  registers_.gaur.write(0xFFFF'FFFFu);
  registers_.galr.write(0xFFFF'FFFFu);
  registers_.mibc.write(enet::mib_disable);
  registers_.rcr.write((max_frame_bytes + fcs_bytes) << enet::receive_max_length_shift | enet::receive_mii_mode |
                       enet::receive_rmii | (mode.fast ? 0 : enet::receive_rmii_10));
  registers_.tcr.write(mode.full_duplex ? enet::transmit_full_duplex : 0);
  registers_.tfwr.write(enet::transmit_store_and_forward);
  registers_.ftrl.write(max_frame_bytes + fcs_bytes);
  registers_.racc.write(0);
  registers_.mrbr.write(enet_buffer_bytes);
  reset_rings();
  bus_error_ = false;
  interrupted_ = false;
  registers_.eimr.write(interrupts);
  registers_.ecr.write(enet::control_enable | enet::control_swap_descriptors);
  registers_.rdar.write(enet::descriptor_active);
}

// The controller is in reset. Frames in the ring are lost, as with a cable pulled; buffers that are held stay held.
void ImxEnet::reset_rings() {
  for (; armed_ > 0; --armed_) {
    return_buffer(memory_.buffer_of_slot[take_]);
    take_ = (take_ + 1) % memory_.receive_ring.size();
  }
  for (EnetDescriptor& slot : memory_.receive_ring) slot.control = 0;
  for (EnetDescriptor& slot : memory_.transmit_ring) slot.control = 0;
  memory_.receive_ring.back().control = enet::rx_wrap;
  memory_.transmit_ring.back().control = enet::tx_wrap;
  take_ = 0;
  transmit_next_ = 0;
  in_fragmented_frame_ = false;
  registers_.rdsr.write(dma_address(memory_.receive_ring.data()));
  registers_.tdsr.write(dma_address(memory_.transmit_ring.data()));
  arm_slots();
}

bool ImxEnet::slot_filled() const { return armed_ != 0 && (memory_.receive_ring[take_].control & enet::rx_empty) == 0; }

// Opens the interrupt again when the ring is empty. A frame that came before EIR was cleared is seen by the second look
// at the slot; one that comes after it raises the interrupt.
bool ImxEnet::ring_drained() {
  if (!interrupted_) return true;
  interrupted_ = false;
  registers_.eir.write(enet::event_rxf);
  registers_.eimr.write(interrupts);
  dma_barrier();
  return !slot_filled();
}

std::uint16_t ImxEnet::take_slot(std::uint16_t& control, std::size_t& length) {
  EnetDescriptor& slot = memory_.receive_ring[take_];
  control = slot.control;
  dma_barrier();  // E was seen clear before anything else of the frame is read
  length = slot.length;
  const std::uint16_t index = memory_.buffer_of_slot[take_];
  take_ = (take_ + 1) % memory_.receive_ring.size();
  --armed_;
  return index;
}

bool ImxEnet::acceptable(std::uint16_t control, std::size_t length, const EnetBuffer& buffer) {
  const bool last = (control & enet::rx_last) != 0;
  const bool fragment = in_fragmented_frame_ || !last;
  in_fragmented_frame_ = !last;
  if (fragment || (control & enet::rx_errors) != 0 || length < header_bytes + fcs_bytes ||
      length > max_frame_bytes + fcs_bytes) {
    if (last) ++counters_.receive_errors;
    return false;
  }
  const std::byte* destination = buffer.data();
  if (std::memcmp(destination, address_.data(), address_.size()) == 0 || is_broadcast(destination) ||
      is_ipv6_multicast(destination))
    return true;
  ++counters_.receive_not_for_us;
  return false;
}

void ImxEnet::return_buffer(std::uint16_t index) {
  SALLYPORT_ASSERT(free_count_ < memory_.free_buffers.size());
  memory_.free_buffers[free_count_++] = index;
}

void ImxEnet::arm_slots() {
  const std::size_t ring_size = memory_.receive_ring.size();
  bool armed_any = false;
  while (armed_ < ring_size && free_count_ > 0) {
    const std::size_t at = (take_ + armed_) % ring_size;
    const std::uint16_t index = memory_.free_buffers[--free_count_];
    EnetDescriptor& slot = memory_.receive_ring[at];
    memory_.buffer_of_slot[at] = index;
    slot.buffer = dma_address(memory_.receive_buffers[index].data());
    slot.length = 0;
    dma_barrier();  // E is handed over last
    slot.control = enet::rx_empty | (at + 1 == ring_size ? enet::rx_wrap : 0);
    ++armed_;
    armed_any = true;
  }
  if (!armed_any) return;
  dma_barrier();
  registers_.rdar.write(enet::descriptor_active);
}

void ImxEnet::start_transmitter() {
  dma_barrier();
  for (int i = 0; i < transmitter_idle_reads; ++i) {
    if (registers_.tdar.any(enet::descriptor_active)) continue;
    registers_.tdar.write(enet::descriptor_active);
    return;
  }
}

}  // namespace sallyport::hal
