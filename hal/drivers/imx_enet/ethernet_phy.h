// EthernetPhy: a 10/100 PHY on a management bus, found by probing, and asked for its link.
// Registers: IEEE 802.3 clause 22.2.4, 28.2.4.
#pragma once

#include <cstdint>
#include <span>

#include "hal/drivers/imx_enet/mdio_bus.h"

namespace sallyport::hal {

struct LinkState {
  bool up = false;
  bool fast = true;  // 100 Mbit/s, else 10
  bool full_duplex = true;
  friend bool operator==(const LinkState&, const LinkState&) = default;
};

class EthernetPhy {
 public:
  /// `buses`: where the PHY at `address` may be wired, most likely first; the span and the buses outlive the PHY.
  EthernetPhy(std::span<ImxMdioBus* const> buses, unsigned address) : buses_(buses), address_(address) {}
  EthernetPhy(const EthernetPhy&) = delete;
  EthernetPhy& operator=(const EthernetPhy&) = delete;

  /// Finds the PHY and starts auto-negotiation. False: none answered; state() is then always down.
  bool probe();
  bool found() const { return bus_ != nullptr; }
  unsigned address() const { return address_; }
  /// OUI and model from registers 2 and 3; 0 when there is no PHY.
  std::uint32_t identifier() const { return identifier_; }
  /// The link bit is latched low (22.2.4.2.13): a loss shorter than the time between two calls is still seen once.
  LinkState state();

 private:
  void configure();

  std::span<ImxMdioBus* const> buses_;
  unsigned address_;
  ImxMdioBus* bus_ = nullptr;
  std::uint32_t identifier_ = 0;
};

}  // namespace sallyport::hal
