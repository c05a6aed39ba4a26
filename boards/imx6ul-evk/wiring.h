// Wiring of the i.MX 6UltraLite EVK: the one place that says which controller is external and which internal.
//
//   ENET1 (the first -nic of QEMU)   external: partners, TCP 5269
//   ENET2 (the second one)           internal: the gateway, TCP 23456
//   UART1 (behind the USB bridge)    console
//   USDHC1 (SD slot)                 settings and seed
#pragma once

#include <cstddef>

#include "bsp/imx6ul/mac_address.h"
#include "bsp/imx6ul/soc.h"

namespace sallyport::boards::imx6ul_evk {

namespace soc = bsp::imx6ul;

// PHY addresses as strapped on the board (Linux: imx6ul-14x14-evk.dtsi).
inline constexpr unsigned enet1_phy_address = 2;
inline constexpr unsigned enet2_phy_address = 1;

inline hal::EnetRegisters& external_enet() { return soc::enet1(); }
inline constexpr soc::MacPort external_port = soc::MacPort::enet1;
inline constexpr unsigned external_interrupt = soc::enet1_interrupt;
inline constexpr unsigned external_phy_address = enet1_phy_address;

inline hal::EnetRegisters& internal_enet() { return soc::enet2(); }
inline constexpr soc::MacPort internal_port = soc::MacPort::enet2;
inline constexpr unsigned internal_interrupt = soc::enet2_interrupt;
inline constexpr unsigned internal_phy_address = enet2_phy_address;

// Descriptors. Receive: 128 frames of 64 bytes arrive in 0.8 ms at 100 Mbit/s, 128 full ones in 15 ms, which is longer
// than the loop's longest step outside a handshake. Transmit: 112 full frames are 14 ms of wire.
inline constexpr std::size_t receive_ring = 128;
inline constexpr std::size_t transmit_ring = 112;

// Receive buffers of 1,536 bytes: the ring, and what TCP may hold unread. Outside a full window (8 segments) for
// 32 partners that are held back at once (768 KiB); inside half a window for each of 16 gateway streams less the ring
// (384 KiB). When a pool runs low, segments of connections that hold much are shed, and their senders send again.
inline constexpr std::size_t external_receive_buffers = 512;
inline constexpr std::size_t internal_receive_buffers = 256;

}  // namespace sallyport::boards::imx6ul_evk
