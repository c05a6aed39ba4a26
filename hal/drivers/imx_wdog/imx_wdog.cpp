#include "hal/drivers/imx_wdog/imx_wdog.h"

#include "hal/base/assert.h"

namespace sallyport::hal {
namespace {

// WCR
constexpr unsigned timeout_shift = 8;                   // WT
constexpr std::uint16_t no_external_reset = 1u << 5;    // WDA: 0 asserts WDOG_B
constexpr std::uint16_t no_software_reset = 1u << 4;    // SRS: 0 resets the SoC
constexpr std::uint16_t external_on_timeout = 1u << 3;  // WDT: WDOG_B on time-out; the EVK's PMIC then cycles the power
constexpr std::uint16_t enable = 1u << 2;               // WDE
constexpr std::uint16_t stop_in_debug = 1u << 1;        // WDBG
// WSR: both, in this order
constexpr std::uint16_t service_1 = 0x5555;
constexpr std::uint16_t service_2 = 0xAAAA;

// ERR004346: SRS must be written more than once for the reset to take place.
constexpr int reset_writes = 3;

}  // namespace

void ImxWdog::start(std::chrono::seconds timeout) {
  SALLYPORT_ASSERT(timeout >= std::chrono::seconds{1} && timeout <= max_timeout);
  // WDE and WDBG are write-once, and models of the device lose WDE on a second write.
  if (started_) return;
  started_ = true;
  const auto half_seconds = static_cast<std::uint16_t>(timeout.count() * 2 - 1);  // 0 is half a second
  registers_.wcr.write(static_cast<std::uint16_t>(half_seconds << timeout_shift | no_external_reset |
                                                  no_software_reset | external_on_timeout | enable | stop_in_debug));
  // The power-down counter, which pulls WDOG_B 16 s after reset, is for boards that have no software.
  registers_.wmcr.write(0);
  refresh();
}

void ImxWdog::refresh() {
  if (!started_) return;
  registers_.wsr.write(service_1);
  registers_.wsr.write(service_2);
}

void ImxWdog::reset_now(WdogRegisters& registers) {
  // Both kinds at once: whichever this board has wired, and with WDOG_B not muxed the SoC's own reset.
  for (int i = 0; i < reset_writes; ++i) registers.wcr.write(enable);
}

}  // namespace sallyport::hal
