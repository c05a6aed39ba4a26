// Where this SoC's two Ethernet addresses come from.
#pragma once

#include "hal/drivers/imx_enet/enet_registers.h"
#include "hal/ethernet_mac.h"

namespace sallyport::bsp::imx6ul {

enum class MacPort : std::uint8_t { enet1 = 0, enet2 = 1 };

/// The first of: what the boot loader (or QEMU's `mac=`) left in PALR and PAUR; the fuses; a locally administered
/// address made from the SoC's unique id. Always a unicast address. Must be asked before the controller is reset.
hal::MacAddress mac_address(const hal::EnetRegisters& registers, MacPort port);

}  // namespace sallyport::bsp::imx6ul
