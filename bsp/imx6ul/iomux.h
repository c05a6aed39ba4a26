// Pads of i.MX 6UltraLite (IMX6ULLRM, chapter "IOMUX Controller (IOMUXC)").
#pragma once

#include <cstdint>
#include <span>

#include "bsp/imx6ul/soc.h"
#include "hal/drivers/mmio.h"

namespace sallyport::bsp::imx6ul {

/// One row of the pin table. Offsets are from the start of IOMUXC.
struct Pad {
  std::uint16_t multiplexer;  // IOMUXC_SW_MUX_CTL_PAD_*
  std::uint16_t electrical;   // IOMUXC_SW_PAD_CTL_PAD_*
  std::uint8_t alternative;   // MUX_MODE
  bool input_on;              // SION: the input path stays on whatever the function
  std::uint16_t select;       // IOMUXC_*_SELECT_INPUT, 0: the signal has only this pad
  std::uint8_t daisy;
  std::uint32_t value;  // of the electrical register
};

inline void set_up_pads(std::span<const Pad> pads) {
  const auto at = [](std::uint16_t offset) -> hal::Register32& {
    return registers_at<hal::Register32>(iomuxc_address + offset);
  };
  for (const Pad& pad : pads) {
    at(pad.multiplexer).write(pad.alternative | (pad.input_on ? 1u << 4 : 0));
    if (pad.select != 0) at(pad.select).write(pad.daisy);
    at(pad.electrical).write(pad.value);
  }
}

}  // namespace sallyport::bsp::imx6ul
