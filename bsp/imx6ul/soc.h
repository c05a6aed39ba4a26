// NXP i.MX 6UltraLite: where its devices are, and on which interrupt. Source: i.MX 6UltraLite Applications Processor
// Reference Manual (IMX6ULRM), chapter 2, "Memory Maps", and chapter 3, "Interrupts and DMA Events" (whose table counts
// from 0; the GIC's ids below are 32 more). Section numbers elsewhere are those of the i.MX 6ULL's manual, IMX6ULLRM,
// which describes the same blocks.
#pragma once

#include <cstdint>

#include "hal/drivers/imx_enet/enet_registers.h"
#include "hal/drivers/imx_snvs/imx_snvs.h"
#include "hal/drivers/imx_uart/uart_registers.h"
#include "hal/drivers/imx_wdog/imx_wdog.h"
#include "hal/drivers/usdhc/usdhc_registers.h"

namespace sallyport::bsp::imx6ul {

inline constexpr std::uintptr_t gic_distributor_address = 0x00A0'1000;
inline constexpr std::uintptr_t gic_cpu_interface_address = 0x00A0'2000;
inline constexpr std::uintptr_t uart1_address = 0x0202'0000;
inline constexpr std::uintptr_t enet2_address = 0x020B'4000;
inline constexpr std::uintptr_t wdog1_address = 0x020B'C000;
inline constexpr std::uintptr_t ccm_address = 0x020C'4000;
inline constexpr std::uintptr_t ccm_analog_address = 0x020C'8000;
inline constexpr std::uintptr_t snvs_address = 0x020C'C000;
inline constexpr std::uintptr_t iomuxc_address = 0x020E'0000;
inline constexpr std::uintptr_t iomuxc_gpr_address = 0x020E'4000;
inline constexpr std::uintptr_t caam_address = 0x0214'0000;
inline constexpr std::uintptr_t enet1_address = 0x0218'8000;
inline constexpr std::uintptr_t usdhc1_address = 0x0219'0000;
inline constexpr std::uintptr_t ocotp_address = 0x021B'C000;
inline constexpr std::uintptr_t system_counter_address = 0x021D'C000;

/// Windows that are mapped as device memory; everything else outside the image is not mapped at all.
inline constexpr std::uintptr_t arm_peripherals_start = 0x00A0'0000, arm_peripherals_end = 0x00B0'0000;
inline constexpr std::uintptr_t aips_start = 0x0200'0000, aips_end = 0x0220'0000;  // AIPS-1 and AIPS-2

inline constexpr unsigned virtual_timer_interrupt = 27;
inline constexpr unsigned uart1_interrupt = 58;
inline constexpr unsigned enet1_interrupt = 150;
inline constexpr unsigned enet2_interrupt = 152;

template <class Registers>
Registers& registers_at(std::uintptr_t address) {
  return *reinterpret_cast<Registers*>(address);
}

inline hal::UartRegisters& uart1() { return registers_at<hal::UartRegisters>(uart1_address); }
inline hal::EnetRegisters& enet1() { return registers_at<hal::EnetRegisters>(enet1_address); }
inline hal::EnetRegisters& enet2() { return registers_at<hal::EnetRegisters>(enet2_address); }
inline hal::WdogRegisters& wdog1() { return registers_at<hal::WdogRegisters>(wdog1_address); }
inline hal::SnvsRegisters& snvs() { return registers_at<hal::SnvsRegisters>(snvs_address); }
inline hal::UsdhcRegisters& usdhc1() { return registers_at<hal::UsdhcRegisters>(usdhc1_address); }

}  // namespace sallyport::bsp::imx6ul
