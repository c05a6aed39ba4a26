// Registers of the Ultra Secured Digital Host Controller of NXP i.MX 6UltraLite: IMX6ULLRM chapter 58, "Ultra Secured
// Digital Host Controller (uSDHC)", memory map 58.8.
#pragma once

#include <cstddef>
#include <cstdint>

#include "hal/drivers/mmio.h"

namespace sallyport::hal {

struct UsdhcRegisters {
  Register32 ds_addr;        // 0x00 DMA address, unused
  Register32 blk_att;        // 0x04 block attributes
  Register32 cmd_arg;        // 0x08 command argument
  Register32 cmd_xfr_typ;    // 0x0c command and transfer type: writing it sends the command
  Register32 cmd_rsp[4];     // 0x10 response
  Register32 data_buff;      // 0x20 data port
  Register32 pres_state;     // 0x24 present state
  Register32 prot_ctrl;      // 0x28 protocol control
  Register32 sys_ctrl;       // 0x2c system control
  Register32 int_status;     // 0x30 interrupt status, write one to clear
  Register32 int_status_en;  // 0x34 which status bits there are
  Register32 int_signal_en;  // 0x38 which of them interrupt
  Register32 autocmd12_err;  // 0x3c
  Register32 host_ctrl_cap;  // 0x40
  Register32 wtmk_lvl;       // 0x44 watermarks
  Register32 mix_ctrl;       // 0x48 transfer mode
  std::uint32_t reserved_4c[29];
  Register32 vend_spec;  // 0xc0 vendor specific
};
static_assert(offsetof(UsdhcRegisters, data_buff) == 0x20 && offsetof(UsdhcRegisters, int_status) == 0x30);
static_assert(offsetof(UsdhcRegisters, mix_ctrl) == 0x48 && offsetof(UsdhcRegisters, vend_spec) == 0xc0);

namespace usdhc {
// CMD_XFR_TYP (58.8.4)
inline constexpr unsigned command_index_shift = 24;
inline constexpr std::uint32_t data_present = 1u << 21;
inline constexpr std::uint32_t check_index = 1u << 20;
inline constexpr std::uint32_t check_crc = 1u << 19;
inline constexpr std::uint32_t response_none = 0u << 16;
inline constexpr std::uint32_t response_136 = 1u << 16;
inline constexpr std::uint32_t response_48 = 2u << 16;
inline constexpr std::uint32_t response_48_busy = 3u << 16;
// PRES_STATE (58.8.10)
inline constexpr std::uint32_t command_inhibit = 1u << 0;
inline constexpr std::uint32_t data_inhibit = 1u << 1;
inline constexpr std::uint32_t clock_stable = 1u << 3;
inline constexpr std::uint32_t buffer_write_enable = 1u << 10;
inline constexpr std::uint32_t buffer_read_enable = 1u << 11;
inline constexpr std::uint32_t card_inserted = 1u << 16;
inline constexpr std::uint32_t data0_high = 1u << 24;
// PROT_CTRL (58.8.11)
inline constexpr std::uint32_t width_4_bits = 1u << 1;
inline constexpr std::uint32_t little_endian = 2u << 4;
// SYS_CTRL (58.8.12)
inline constexpr std::uint32_t clocks_reserved_ones = 0xF;
inline constexpr unsigned divisor_shift = 4;
inline constexpr unsigned prescaler_shift = 8;
inline constexpr std::uint32_t data_timeout_longest = 0xEu << 16;
inline constexpr std::uint32_t not_card_reset = 1u << 23;
inline constexpr std::uint32_t reset_all = 1u << 24;
inline constexpr std::uint32_t reset_command = 1u << 25;
inline constexpr std::uint32_t reset_data = 1u << 26;
inline constexpr std::uint32_t initialisation_active = 1u << 27;
// INT_STATUS and INT_STATUS_EN (58.8.13, 58.8.14)
inline constexpr std::uint32_t command_complete = 1u << 0;
inline constexpr std::uint32_t transfer_complete = 1u << 1;
inline constexpr std::uint32_t write_ready = 1u << 4;
inline constexpr std::uint32_t read_ready = 1u << 5;
inline constexpr std::uint32_t command_timeout = 1u << 16;
inline constexpr std::uint32_t command_errors = 0xFu << 16;  // time-out, CRC, end bit, index
inline constexpr std::uint32_t data_timeout = 1u << 20;
inline constexpr std::uint32_t data_errors = 0x7u << 20;  // time-out, CRC, end bit
inline constexpr std::uint32_t all_status = 0xFFFF'FFFFu;
// MIX_CTRL (58.8.19)
inline constexpr std::uint32_t transfer_mode_mask = 0x7F;
inline constexpr std::uint32_t transfer_read = 1u << 4;
// VEND_SPEC: the four clock enables, and the value after reset with them
inline constexpr std::uint32_t card_clock_enable = 1u << 14;
inline constexpr std::uint32_t vendor_initial = 0x2000'7809;
}  // namespace usdhc

}  // namespace sallyport::hal
