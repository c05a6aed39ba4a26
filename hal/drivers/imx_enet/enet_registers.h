// Registers of the 10/100-Mbps Ethernet MAC (ENET) of NXP i.MX 6UltraLite. Section numbers here and in the other
// drivers of this SoC are those of the i.MX 6ULL Applications Processor Reference Manual (IMX6ULLRM), which describes
// the same blocks: chapter 22, "10/100-Mbps Ethernet MAC (ENET)", memory map 22.5. Offsets are checked below.
#pragma once

#include <cstddef>
#include <cstdint>

#include "hal/drivers/mmio.h"

namespace sallyport::hal {

struct EnetRegisters {
  std::uint32_t reserved_000;
  Register32 eir;   // 0x004 interrupt event, write one to clear
  Register32 eimr;  // 0x008 interrupt mask, 1 = enabled
  std::uint32_t reserved_00c;
  Register32 rdar;  // 0x010 receive descriptor active
  Register32 tdar;  // 0x014 transmit descriptor active
  std::uint32_t reserved_018[3];
  Register32 ecr;  // 0x024 Ethernet control
  std::uint32_t reserved_028[6];
  Register32 mmfr;  // 0x040 MII management frame
  Register32 mscr;  // 0x044 MII speed control
  std::uint32_t reserved_048[7];
  Register32 mibc;  // 0x064 MIB control
  std::uint32_t reserved_068[7];
  Register32 rcr;  // 0x084 receive control
  std::uint32_t reserved_088[15];
  Register32 tcr;  // 0x0c4 transmit control
  std::uint32_t reserved_0c8[7];
  Register32 palr;  // 0x0e4 physical address, bytes 0 to 3
  Register32 paur;  // 0x0e8 physical address, bytes 4 and 5 in the upper half
  Register32 opd;   // 0x0ec opcode and pause duration
  std::uint32_t reserved_0f0[10];
  Register32 iaur;  // 0x118 individual address hash, upper
  Register32 ialr;  // 0x11c lower
  Register32 gaur;  // 0x120 group address hash, upper
  Register32 galr;  // 0x124 lower
  std::uint32_t reserved_128[7];
  Register32 tfwr;  // 0x144 transmit FIFO watermark
  std::uint32_t reserved_148[14];
  Register32 rdsr;  // 0x180 receive descriptor ring start
  Register32 tdsr;  // 0x184 transmit descriptor ring start
  Register32 mrbr;  // 0x188 receive buffer size
  std::uint32_t reserved_18c[9];
  Register32 ftrl;  // 0x1b0 frame truncation length
  std::uint32_t reserved_1b4[4];
  Register32 racc;  // 0x1c4 receive accelerator
};

static_assert(offsetof(EnetRegisters, ecr) == 0x024 && offsetof(EnetRegisters, mscr) == 0x044);
static_assert(offsetof(EnetRegisters, mibc) == 0x064 && offsetof(EnetRegisters, rcr) == 0x084);
static_assert(offsetof(EnetRegisters, tcr) == 0x0c4 && offsetof(EnetRegisters, palr) == 0x0e4);
static_assert(offsetof(EnetRegisters, iaur) == 0x118 && offsetof(EnetRegisters, galr) == 0x124);
static_assert(offsetof(EnetRegisters, tfwr) == 0x144 && offsetof(EnetRegisters, rdsr) == 0x180);
static_assert(offsetof(EnetRegisters, ftrl) == 0x1b0 && offsetof(EnetRegisters, racc) == 0x1c4);

namespace enet {

// EIR, EIMR (22.5.1, 22.5.2)
inline constexpr std::uint32_t event_rxf = 1u << 25;    // a whole frame was received
inline constexpr std::uint32_t event_mii = 1u << 23;    // the MDIO frame is done
inline constexpr std::uint32_t event_eberr = 1u << 22;  // bus error: the DMA stopped
inline constexpr std::uint32_t event_all = 0xFFFF'FFFFu;

// RDAR, TDAR (22.5.3, 22.5.4): any write sets the flag
inline constexpr std::uint32_t descriptor_active = 1u << 24;

// ECR (22.5.5)
inline constexpr std::uint32_t control_reset = 1u << 0;
inline constexpr std::uint32_t control_enable = 1u << 1;
inline constexpr std::uint32_t control_swap_descriptors = 1u << 8;  // DBSWP: little-endian descriptors

// MMFR (22.5.6), IEEE 802.3 clause 22 frames
inline constexpr std::uint32_t mdio_start = 1u << 30;
inline constexpr std::uint32_t mdio_read = 2u << 28;
inline constexpr std::uint32_t mdio_write = 1u << 28;
inline constexpr std::uint32_t mdio_turnaround = 2u << 16;
inline constexpr unsigned mdio_phy_shift = 23;
inline constexpr unsigned mdio_register_shift = 18;

// MSCR (22.5.7)
inline constexpr unsigned mdio_divider_shift = 1;
inline constexpr unsigned mdio_hold_shift = 8;

// MIBC (22.5.8)
inline constexpr std::uint32_t mib_disable = 1u << 31;

// RCR (22.5.9)
inline constexpr std::uint32_t receive_loopback = 1u << 0;
inline constexpr std::uint32_t receive_mii_mode = 1u << 2;
inline constexpr std::uint32_t receive_flow_control = 1u << 5;
inline constexpr std::uint32_t receive_rmii = 1u << 8;
inline constexpr std::uint32_t receive_rmii_10 = 1u << 9;
inline constexpr unsigned receive_max_length_shift = 16;

// TCR (22.5.10)
inline constexpr std::uint32_t transmit_full_duplex = 1u << 2;

// TFWR
inline constexpr std::uint32_t transmit_store_and_forward = 1u << 8;

}  // namespace enet

/// Legacy receive and transmit descriptor as a little-endian core sees it with ECR[DBSWP] set (22.6.13). The MAC and
/// the core take turns: whoever the ownership bit (E, R) names may touch the rest.
struct EnetDescriptor {
  volatile std::uint16_t length;
  volatile std::uint16_t control;
  volatile std::uint32_t buffer;
};
static_assert(sizeof(EnetDescriptor) == 8);

namespace enet {
// Receive descriptor (22.6.13)
inline constexpr std::uint16_t rx_empty = 1u << 15;     // E: the MAC's
inline constexpr std::uint16_t rx_wrap = 1u << 13;      // W: last of the ring
inline constexpr std::uint16_t rx_last = 1u << 11;      // L: the frame ends here
inline constexpr std::uint16_t rx_too_long = 1u << 5;   // LG
inline constexpr std::uint16_t rx_non_octet = 1u << 4;  // NO
inline constexpr std::uint16_t rx_crc_error = 1u << 2;  // CR
inline constexpr std::uint16_t rx_overrun = 1u << 1;    // OV
inline constexpr std::uint16_t rx_truncated = 1u << 0;  // TR
inline constexpr std::uint16_t rx_errors = rx_too_long | rx_non_octet | rx_crc_error | rx_overrun | rx_truncated;
// Transmit descriptor (22.6.13)
inline constexpr std::uint16_t tx_ready = 1u << 15;  // R: the MAC's
inline constexpr std::uint16_t tx_wrap = 1u << 13;   // W
inline constexpr std::uint16_t tx_last = 1u << 11;   // L
inline constexpr std::uint16_t tx_crc = 1u << 10;    // TC: the MAC appends the FCS
}  // namespace enet

}  // namespace sallyport::hal
