// ImxWdog: Watchdog on WDOG1 of i.MX 6UltraLite (IMX6ULLRM chapter 59, "Watchdog Timer (WDOG)"), and the software
// reset.
#pragma once

#include <cstddef>
#include <cstdint>

#include "hal/drivers/mmio.h"
#include "hal/watchdog.h"

namespace sallyport::hal {

/// 16-bit accesses only.
struct WdogRegisters {
  Register16 wcr;   // 0x0 control
  Register16 wsr;   // 0x2 service
  Register16 wrsr;  // 0x4 reset status
  Register16 wicr;  // 0x6 interrupt control
  Register16 wmcr;  // 0x8 miscellaneous control
};
static_assert(sizeof(WdogRegisters) == 0xa && offsetof(WdogRegisters, wmcr) == 0x8);

class ImxWdog final : public Watchdog {
 public:
  /// The counter has eight bits of half seconds.
  static constexpr std::chrono::seconds max_timeout{128};

  explicit ImxWdog(WdogRegisters& registers) : registers_(registers) {}
  ImxWdog(const ImxWdog&) = delete;
  ImxWdog& operator=(const ImxWdog&) = delete;

  /// `timeout` is 1 s to max_timeout. It cannot be stopped, and runs on in WFI. The first call counts.
  void start(std::chrono::seconds timeout) override;
  void refresh() override;
  bool started() const { return started_; }

  /// Resets the SoC; returns only where the device does not work.
  static void reset_now(WdogRegisters& registers);

 private:
  WdogRegisters& registers_;
  bool started_ = false;
};

}  // namespace sallyport::hal
