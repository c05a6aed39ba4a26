// How the SoC is started again, and what is done before.
#pragma once

namespace sallyport::bsp::imx6ul {

/// Interrupts off, then reset through the watchdog's software reset. What the console still holds is lost; the board's
/// reset() drains it first.
[[noreturn]] void reset_soc();

/// What is still to be printed when the firmware dies of an exception or an assertion: the console's transmit ring
/// holds the log lines that explain it. Runs in any state, interrupts off; must end by itself. nullptr: nothing.
void set_last_words(void (*print)(void* context), void* context);
/// Calls it, once.
void print_last_words();

}  // namespace sallyport::bsp::imx6ul
