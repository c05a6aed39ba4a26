#include "bsp/imx6ul/clocks.h"

#include <cstddef>

#include "bsp/imx6ul/soc.h"
#include "hal/drivers/mmio.h"

namespace sallyport::bsp::imx6ul {
namespace {

/// 18.6
struct Ccm {
  std::uint32_t reserved_00[7];
  hal::Register32 cscmr1;  // 0x1c
  hal::Register32 cscmr2;  // 0x20
  hal::Register32 cscdr1;  // 0x24
  std::uint32_t reserved_28[16];
  hal::Register32 ccgr[7];  // 0x68
};
static_assert(offsetof(Ccm, cscdr1) == 0x24 && offsetof(Ccm, ccgr) == 0x68);

/// 18.7: CCM_ANALOG_PLL_ENET with its set, clear and toggle twins.
struct PllEnet {
  hal::Register32 value, set, clear, toggle;
};
constexpr std::uintptr_t pll_enet_offset = 0xE0;

constexpr std::uint32_t pll_enet_lock = 1u << 31;
constexpr std::uint32_t pll_enet2_enable = 1u << 20;
constexpr std::uint32_t pll_enet_bypass = 1u << 16;
constexpr std::uint32_t pll_enet1_enable = 1u << 13;
constexpr std::uint32_t pll_enet_power_down = 1u << 12;
constexpr std::uint32_t pll_enet_dividers = 0xF;
constexpr std::uint32_t pll_enet_50_mhz_both = 1u << 2 | 1u;

// IOMUXC_GPR1: reference clock from PLL6 and out on the TX_CLK pad, for both ports.
constexpr std::uint32_t gpr1_enet_clock_external = 1u << 13 | 1u << 14;
constexpr std::uint32_t gpr1_enet_clock_output = 1u << 17 | 1u << 18;
constexpr std::uintptr_t gpr1_offset = 4;

constexpr int lock_polls = 1'000'000;  // more than the PLL's few hundred microseconds

Ccm& ccm() { return registers_at<Ccm>(ccm_address); }

}  // namespace

bool start_clocks() {
  for (auto& gates : ccm().ccgr) gates.write(0xFFFF'FFFFu);
  auto& gpr1 = registers_at<hal::Register32>(iomuxc_gpr_address + gpr1_offset);
  gpr1.write((gpr1.read() & ~gpr1_enet_clock_external) | gpr1_enet_clock_output);
  auto& pll = registers_at<PllEnet>(ccm_analog_address + pll_enet_offset);
  pll.clear.write(pll_enet_power_down | pll_enet_dividers);
  pll.set.write(pll_enet_50_mhz_both);
  bool locked = false;
  for (int i = 0; i < lock_polls && !locked; ++i) locked = pll.value.any(pll_enet_lock);
  pll.clear.write(pll_enet_bypass);
  pll.set.write(pll_enet1_enable | pll_enet2_enable);
  return locked;
}

// CSCDR1 (18.6.10): UART_CLK_SEL chooses PLL3 / 6 or the crystal, UART_CLK_PODF divides.
std::uint32_t uart_clock_hz() {
  const std::uint32_t select = ccm().cscdr1.read();
  const std::uint32_t source = (select & 1u << 6) != 0 ? 24'000'000 : 80'000'000;
  return source / ((select & 0x3F) + 1);
}

// CSCMR1 (18.6.8) USDHC1_CLK_SEL chooses PFD2 (396 MHz) or PFD0 (352 MHz) of PLL2, CSCDR1 USDHC1_PODF divides.
std::uint32_t usdhc1_clock_hz() {
  const std::uint32_t source = ccm().cscmr1.any(1u << 16) ? 352'000'000 : 396'000'000;
  return source / ((ccm().cscdr1.read() >> 11 & 7) + 1);
}

}  // namespace sallyport::bsp::imx6ul
