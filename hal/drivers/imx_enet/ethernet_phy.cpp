#include "hal/drivers/imx_enet/ethernet_phy.h"

namespace sallyport::hal {
namespace {

constexpr unsigned control = 0;
constexpr unsigned status = 1;
constexpr unsigned identifier_high = 2;
constexpr unsigned identifier_low = 3;
constexpr unsigned advertisement = 4;
constexpr unsigned partner_ability = 5;

constexpr std::uint16_t control_autonegotiate = 1u << 12;
constexpr std::uint16_t control_restart_autonegotiation = 1u << 9;
constexpr std::uint16_t status_autonegotiated = 1u << 5;
constexpr std::uint16_t status_link = 1u << 2;

// Technology ability field (28.2.4.1.4), in the order of their priority (28B.3).
constexpr std::uint16_t ability_100_full = 1u << 8;
constexpr std::uint16_t ability_100_half = 1u << 7;
constexpr std::uint16_t ability_10_full = 1u << 6;
constexpr std::uint16_t ability_all = 0x01E0;
constexpr std::uint16_t selector_ieee_802_3 = 1;

constexpr std::uint16_t no_phy = 0xFFFF;

// Microchip KSZ8081RNB: its RMII reference clock is 50 MHz from the MAC only when PHY Control 2 says so (data sheet,
// register 1Fh, bit 7).
constexpr std::uint32_t ksz8081 = 0x0022'1560;
constexpr std::uint32_t revision_mask = 0x0000'000F;
constexpr unsigned ksz8081_phy_control_2 = 0x1F;
constexpr std::uint16_t ksz8081_rmii_50_mhz = 1u << 7;

}  // namespace

bool EthernetPhy::probe() {
  bus_ = nullptr;
  identifier_ = 0;
  for (ImxMdioBus* bus : buses_) {
    const auto high = bus->read(address_, identifier_high);
    const auto low = bus->read(address_, identifier_low);
    if (!high || !low || *high == no_phy || (*high == 0 && *low == 0)) continue;
    bus_ = bus;
    identifier_ = static_cast<std::uint32_t>(*high) << 16 | *low;
    configure();
    return true;
  }
  return false;
}

LinkState EthernetPhy::state() {
  if (bus_ == nullptr) return {};
  const auto now = bus_->read(address_, status);
  if (!now || *now == no_phy || (*now & status_link) == 0) return {};
  LinkState state{.up = true};
  if ((*now & status_autonegotiated) == 0) return state;
  const auto ours = bus_->read(address_, advertisement);
  const auto theirs = bus_->read(address_, partner_ability);
  if (!ours || !theirs) return state;
  const std::uint16_t common = *ours & *theirs;
  state.fast = (common & (ability_100_full | ability_100_half)) != 0;
  state.full_duplex = state.fast ? (common & ability_100_full) != 0 : (common & ability_10_full) != 0;
  return state;
}

void EthernetPhy::configure() {
  if ((identifier_ & ~revision_mask) == ksz8081) {
    const std::uint16_t before = bus_->read(address_, ksz8081_phy_control_2).value_or(0);
    bus_->write(address_, ksz8081_phy_control_2, before | ksz8081_rmii_50_mhz);
  }
  bus_->write(address_, advertisement, ability_all | selector_ieee_802_3);
  bus_->write(address_, control, control_autonegotiate | control_restart_autonegotiation);
  // The latched link bit still tells of the time before negotiation: read it away.
  static_cast<void>(bus_->read(address_, status));
}

}  // namespace sallyport::hal
