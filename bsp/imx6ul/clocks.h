// Clock tree of i.MX 6UltraLite, as far as the appliance needs it (IMX6ULLRM chapter 18, "Clock Controller Module
// (CCM)"). PLLs and DDR are the boot loader's; what is read back here is what the boot loader has set.
#pragma once

#include <cstdint>

namespace sallyport::bsp::imx6ul {

/// Opens the gates of all modules and gives both Ethernet controllers and their PHYs the 50 MHz reference clock of RMII
/// (PLL6). False: the PLL did not lock; the MACs will see no link.
bool start_clocks();

std::uint32_t uart_clock_hz();
std::uint32_t usdhc1_clock_hz();

}  // namespace sallyport::bsp::imx6ul
