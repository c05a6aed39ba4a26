#include "hal/drivers/imx_enet/mdio_bus.h"

namespace sallyport::hal {
namespace {

// MDC = ipg_clk / (2 * (divider + 1)) must not exceed 2.5 MHz (IEEE 802.3 22.2.2.11); ipg_clk is 66 MHz.
constexpr std::uint32_t mdc_divider = 13;
// MDIO must hold for 10 ns after MDC rises: (hold + 1) periods of ipg_clk, 15 ns each.
constexpr std::uint32_t mdio_hold = 1;
constexpr std::uint32_t speed = mdc_divider << enet::mdio_divider_shift | mdio_hold << enet::mdio_hold_shift;

constexpr std::uint32_t address_bits(unsigned phy, unsigned reg) {
  return (phy & 31u) << enet::mdio_phy_shift | (reg & 31u) << enet::mdio_register_shift | enet::mdio_turnaround;
}

}  // namespace

std::optional<std::uint16_t> ImxMdioBus::read(unsigned phy, unsigned reg) {
  if (!transfer(enet::mdio_start | enet::mdio_read | address_bits(phy, reg))) return std::nullopt;
  return static_cast<std::uint16_t>(registers_.mmfr.read());
}

bool ImxMdioBus::write(unsigned phy, unsigned reg, std::uint16_t value) {
  return transfer(enet::mdio_start | enet::mdio_write | address_bits(phy, reg) | value);
}

bool ImxMdioBus::transfer(std::uint32_t frame) {
  // The controller's own reset clears MSCR, and that happens behind this object's back.
  if (registers_.mscr.read() == 0) registers_.mscr.write(speed);
  registers_.eir.write(enet::event_mii);
  registers_.mmfr.write(frame);
  const Instant deadline = clock_.now() + frame_timeout;
  while (!registers_.eir.any(enet::event_mii))
    if (clock_.now() >= deadline) return false;
  registers_.eir.write(enet::event_mii);
  return true;
}

}  // namespace sallyport::hal
