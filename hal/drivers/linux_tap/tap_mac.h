// TapMac: an Ethernet controller made of a Linux TAP device (Documentation/networking/tuntap.rst). The appliance is at
// the descriptor's end, with a MAC address of its own; the kernel's network device of that name is the other end of the
// cable.
//
// The receive pool is memory of the caller's (TapReceivePool), as a DMA ring's would be. While no buffer is free
// nothing is read: frames wait in the kernel's queue of the device (txqueuelen) and are lost there, and only this
// side's.
//
// The cable is pulled by setting the kernel's device down. The kernel then answers reads with EAGAIN and writes with
// EIO; a frame that is transmitted meanwhile is lost, as on a wire. A deleted device never comes back: link_up() stays
// false.
//
// Owner: boards/host, static storage. Not movable.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "hal/base/fixed_string.h"
#include "hal/base/result.h"
#include "hal/ethernet_mac.h"

namespace sallyport::hal {

/// One received frame: max_frame_bytes, a VLAN tag and the FCS that a real controller would write, rounded up to 64 (a
/// cache line).
using TapBuffer = std::array<std::byte, 1536>;

template <std::size_t N>
struct TapReceivePool {
  static_assert(N > 0 && N <= 0xFFFF);
  alignas(64) std::array<TapBuffer, N> buffers;
  std::array<std::uint16_t, N> free;
  std::array<bool, N> lent;
};

class TapMac final : public EthernetMac {
 public:
  template <std::size_t N>
  TapMac(const MacAddress& address, TapReceivePool<N>& pool) : TapMac(address, pool.buffers, pool.free, pool.lent) {}
  ~TapMac();
  TapMac(const TapMac&) = delete;
  TapMac& operator=(const TapMac&) = delete;

  /// Attaches to the existing TAP device `name` of this network namespace. The error is a static text for the operator;
  /// errno has the system's reason.
  Result<void, const char*> open(std::string_view name);
  /// Takes `descriptor`, which delivers and takes one frame per read() and write(), in place of a TAP: for tests
  /// (socketpair, SOCK_SEQPACKET). The link is then always up.
  void adopt(int descriptor);

  /// False: as if the cable were pulled at the appliance's end. Frames of both directions are lost.
  void set_cable(bool plugged) { cable_ = plugged; }

  /// What to poll for POLLIN, or -1 while a frame could not be received anyway (not open, no free buffer, device
  /// deleted).
  int pollable_descriptor() const;

  const MacAddress& address() const override { return address_; }
  bool link_up() override;
  ReceivedFrame receive() override;
  void release(const ReceivedFrame& frame) override;
  std::size_t receive_buffers_free() const override { return free_count_; }
  std::size_t receive_buffers() const override { return buffers_.size(); }
  bool transmit(std::span<const std::span<const std::byte>> parts) override;
  const EthernetCounters& counters() const override { return counters_; }

 private:
  TapMac(const MacAddress& address, std::span<TapBuffer> buffers, std::span<std::uint16_t> free, std::span<bool> lent);
  bool accepts(std::span<const std::byte> frame) const;

  const MacAddress address_;
  const std::span<TapBuffer> buffers_;
  const std::span<std::uint16_t> free_;  // the first free_count_ are indices of free buffers
  const std::span<bool> lent_;
  std::size_t free_count_ = 0;
  FixedString<15> device_;  // IFNAMSIZ - 1
  int tap_ = -1;
  int control_ = -1;  // any socket: carries the ioctls that ask for the device's flags
  bool detached_ = false;
  bool cable_ = true;
  EthernetCounters counters_;
};

}  // namespace sallyport::hal
