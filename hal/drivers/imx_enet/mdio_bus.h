// ImxMdioBus: the management bus (IEEE 802.3 clause 22) behind one ENET controller. It is an object of its own because
// a board may wire the PHYs of both controllers to the bus of one of them, as the i.MX 6UltraLite EVK does.
//
// Every call is bounded: a frame takes 26 us, a bus that does not finish in frame_timeout is reported as no answer.
#pragma once

#include <cstdint>
#include <optional>

#include "hal/base/time.h"
#include "hal/clock.h"
#include "hal/drivers/imx_enet/enet_registers.h"

namespace sallyport::hal {

class ImxMdioBus {
 public:
  static constexpr Duration frame_timeout = 1ms;

  /// Both must outlive the bus. The controller's clocks are on; its data path need not be.
  ImxMdioBus(EnetRegisters& registers, const MonotonicClock& clock) : registers_(registers), clock_(clock) {}
  ImxMdioBus(const ImxMdioBus&) = delete;
  ImxMdioBus& operator=(const ImxMdioBus&) = delete;

  /// nullopt: the controller did not finish the frame. 0xFFFF: no PHY at that address drove the bus.
  std::optional<std::uint16_t> read(unsigned phy, unsigned reg);
  bool write(unsigned phy, unsigned reg, std::uint16_t value);

 private:
  bool transfer(std::uint32_t frame);

  EnetRegisters& registers_;
  const MonotonicClock& clock_;
};

}  // namespace sallyport::hal
