// EthernetMac: one Ethernet controller with its own DMA ring, receive pool, interrupt and counters. Two controllers
// share nothing (one flooded interface must not take a buffer from the other).
//
// All calls are from the event loop; the driver's interrupt handler only acknowledges and sets a flag.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace sallyport::hal {

using MacAddress = std::array<std::uint8_t, 6>;

inline constexpr std::size_t max_frame_bytes = 1514;  // IEEE 802.3 header + 1500, FCS excluded

struct EthernetCounters {
  std::uint64_t received_frames = 0, received_bytes = 0;
  std::uint64_t transmitted_frames = 0, transmitted_bytes = 0;
  std::uint64_t receive_errors = 0;      // CRC, length, overrun as the MAC reports them
  std::uint64_t receive_not_for_us = 0;  // destination neither our address, broadcast nor an accepted multicast
  std::uint64_t receive_pool_empty = 0;  // times the ring had no free buffer to offer
  std::uint64_t transmit_ring_full = 0;  // frames refused by transmit()
};

/// A received frame in the driver's memory. Owned by the receiver until release(); move-only in spirit, trivially
/// small.
struct ReceivedFrame {
  std::span<std::byte> buffer;  // the whole DMA buffer; bytes after `length` are free for the owner to use
  std::size_t length = 0;       // frame bytes from buffer.begin(), FCS excluded; 0: no frame
  std::uint16_t index = 0;      // the driver's own name of the buffer
  explicit operator bool() const { return length != 0; }
};

class EthernetMac {
 public:
  virtual const MacAddress& address() const = 0;
  /// True when the cable has a link. Cheap enough for every 250 ms.
  virtual bool link_up() = 0;
  /// The oldest received frame, or an empty one. Only frames to our address, broadcast, or multicast the stack needs
  /// (IPv4 none, IPv6 33:33:*).
  virtual ReceivedFrame receive() = 0;
  /// Gives a frame's buffer back. Any order.
  virtual void release(const ReceivedFrame& frame) = 0;
  /// Receive buffers that are free or in the ring, and all there are: the stack sheds load before the pool is empty.
  virtual std::size_t receive_buffers_free() const = 0;
  virtual std::size_t receive_buffers() const = 0;
  /// Copies the parts into one frame (header included, FCS excluded) and sends it. False: ring full, frame not taken.
  virtual bool transmit(std::span<const std::span<const std::byte>> parts) = 0;
  virtual const EthernetCounters& counters() const = 0;

 protected:
  ~EthernetMac() = default;
};

}  // namespace sallyport::hal
