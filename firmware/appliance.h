// The appliance: what runs between power-on and reset.
//
// Boot: console -> card -> settings -> random generator (seed renewed on the card before use) -> clock -> certificates
// -> Border. What fails is said on the console with what to do; then the appliance stays at its console with both ports
// closed.
#pragma once

#include "bsp/board.h"

namespace sallyport::firmware {

/// Called once by the board's start-up code.
[[noreturn]] void run(bsp::Board& board);

}  // namespace sallyport::firmware
