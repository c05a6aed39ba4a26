// Registers of the UART of NXP i.MX 6UltraLite: IMX6ULLRM chapter 55, "Universal Asynchronous Receiver/Transmitter
// (UART)", memory map 55.15.
#pragma once

#include <cstddef>
#include <cstdint>

#include "hal/drivers/mmio.h"

namespace sallyport::hal {

struct UartRegisters {
  Register32 urxd;  // 0x00 receiver
  std::uint32_t reserved_04[15];
  Register32 utxd;  // 0x40 transmitter
  std::uint32_t reserved_44[15];
  Register32 ucr1;  // 0x80 control
  Register32 ucr2;  // 0x84
  Register32 ucr3;  // 0x88
  Register32 ucr4;  // 0x8c
  Register32 ufcr;  // 0x90 FIFO control
  Register32 usr1;  // 0x94 status
  Register32 usr2;  // 0x98
  std::uint32_t reserved_9c[2];
  Register32 ubir;   // 0xa4 baud rate: BRM incremental
  Register32 ubmr;   // 0xa8 baud rate: BRM modulator
  Register32 ubrc;   // 0xac
  Register32 onems;  // 0xb0
  Register32 uts;    // 0xb4 test
};
static_assert(offsetof(UartRegisters, utxd) == 0x40 && offsetof(UartRegisters, ucr1) == 0x80);
static_assert(offsetof(UartRegisters, ubir) == 0xa4 && offsetof(UartRegisters, uts) == 0xb4);

namespace uart {
// URXD (55.15.1)
inline constexpr std::uint32_t receive_ready = 1u << 15;
inline constexpr std::uint32_t receive_error = 1u << 14;
inline constexpr std::uint32_t receive_overrun = 1u << 13;
inline constexpr std::uint32_t receive_byte = 0xFF;
// UCR1 (55.15.3)
inline constexpr std::uint32_t transmit_ready_interrupt = 1u << 13;  // TRDYEN
inline constexpr std::uint32_t receive_ready_interrupt = 1u << 9;    // RRDYEN
inline constexpr std::uint32_t uart_enable = 1u << 0;
// UCR2 (55.15.4)
inline constexpr std::uint32_t ignore_rts = 1u << 14;
inline constexpr std::uint32_t word_8_bits = 1u << 5;
inline constexpr std::uint32_t transmitter_enable = 1u << 2;
inline constexpr std::uint32_t receiver_enable = 1u << 1;
inline constexpr std::uint32_t not_software_reset = 1u << 0;
// UCR3 (55.15.5): RXDMUXSEL must be set on this SoC; the DCE resets of DSR, DCD and RI are kept
inline constexpr std::uint32_t control_3 = 1u << 10 | 1u << 9 | 1u << 8 | 1u << 2;
// UFCR (55.15.7): transmit trigger 2, reference clock divided by 1, receive trigger 1
inline constexpr std::uint32_t fifo_control = 2u << 10 | 5u << 7 | 1u;
// USR1, USR2 (55.15.8, 55.15.9)
inline constexpr std::uint32_t transmit_ready = 1u << 13;     // USR1 TRDY
inline constexpr std::uint32_t transmit_complete = 1u << 3;   // USR2 TXDC
inline constexpr std::uint32_t receive_data_ready = 1u << 0;  // USR2 RDR
inline constexpr std::uint32_t overrun = 1u << 1;             // USR2 ORE, write one to clear
// UTS (55.15.16)
inline constexpr std::uint32_t transmit_fifo_full = 1u << 4;
}  // namespace uart

}  // namespace sallyport::hal
