// Pins of the i.MX 6UltraLite EVK that no boot loader sets up for us: both RMII ports, their management bus, and the
// card detect switch. UART1 and the other pads of USDHC1 are as the boot loader, which used both, has left them.
#pragma once

#include "bsp/imx6ul/iomux.h"

namespace sallyport::boards::imx6ul_evk {

namespace pins {

// IOMUXC_SW_PAD_CTL_*: the values with which Linux runs this board (imx6ul-14x14-evk).
inline constexpr std::uint32_t rmii = 0x1B0B0;
inline constexpr std::uint32_t rmii_clock = 0x1B031;
inline constexpr std::uint32_t card_detect = 0x17059;

inline constexpr bsp::imx6ul::Pad all[] = {
    {0x0074, 0x0300, 1, false, 0x0580, 0, rmii},         // GPIO1_IO06: ENET2_MDIO
    {0x0078, 0x0304, 1, false, 0, 0, rmii},              // GPIO1_IO07: ENET2_MDC
    {0x00C4, 0x0350, 0, false, 0, 0, rmii},              // ENET1_RX_DATA0
    {0x00C8, 0x0354, 0, false, 0, 0, rmii},              // ENET1_RX_DATA1
    {0x00CC, 0x0358, 0, false, 0, 0, rmii},              // ENET1_RX_EN
    {0x00D0, 0x035C, 0, false, 0, 0, rmii},              // ENET1_TX_DATA0
    {0x00D4, 0x0360, 0, false, 0, 0, rmii},              // ENET1_TX_DATA1
    {0x00D8, 0x0364, 0, false, 0, 0, rmii},              // ENET1_TX_EN
    {0x00DC, 0x0368, 4, true, 0x0574, 2, rmii_clock},    // ENET1_TX_CLK: ENET1_REF_CLK1, out and back in
    {0x00E0, 0x036C, 0, false, 0, 0, rmii},              // ENET1_RX_ER
    {0x00E4, 0x0370, 0, false, 0, 0, rmii},              // ENET2_RX_DATA0
    {0x00E8, 0x0374, 0, false, 0, 0, rmii},              // ENET2_RX_DATA1
    {0x00EC, 0x0378, 0, false, 0, 0, rmii},              // ENET2_RX_EN
    {0x00F0, 0x037C, 0, false, 0, 0, rmii},              // ENET2_TX_DATA0
    {0x00F4, 0x0380, 0, false, 0, 0, rmii},              // ENET2_TX_DATA1
    {0x00F8, 0x0384, 0, false, 0, 0, rmii},              // ENET2_TX_EN
    {0x00FC, 0x0388, 4, true, 0x057C, 2, rmii_clock},    // ENET2_TX_CLK: ENET2_REF_CLK2, out and back in
    {0x0100, 0x038C, 0, false, 0, 0, rmii},              // ENET2_RX_ER
    {0x0090, 0x031C, 2, false, 0x0668, 1, card_detect},  // UART1_RTS_B: USDHC1_CD_B
};

}  // namespace pins
}  // namespace sallyport::boards::imx6ul_evk
