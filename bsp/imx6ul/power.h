// How the SoC is started again.
#pragma once

namespace sallyport::bsp::imx6ul {

/// Interrupts off, then reset through the watchdog's software reset. What the console still holds is lost; the board's
/// reset() drains it first.
[[noreturn]] void reset_soc();

}  // namespace sallyport::bsp::imx6ul
