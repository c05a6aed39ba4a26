// EmergencyConsole: text on UART1 by polling, with nothing that could be broken in between: no ring, no interrupt, no
// printf, no static object.
#pragma once

#include <cstdint>
#include <string_view>

#include "bsp/imx6ul/soc.h"
#include "hal/drivers/imx_uart/imx_uart.h"

namespace sallyport::bsp::imx6ul {

class EmergencyConsole {
 public:
  EmergencyConsole& text(std::string_view text) {
    hal::ImxUart::write_polled(uart1(), text);
    return *this;
  }

  EmergencyConsole& hex(std::uint32_t value) {
    char digits[8];
    for (int i = 7; i >= 0; --i, value >>= 4) digits[i] = "0123456789abcdef"[value & 0xF];
    return text({digits, sizeof digits});
  }

  EmergencyConsole& decimal(std::uint32_t value) {
    char digits[10];
    std::size_t at = sizeof digits;
    do digits[--at] = static_cast<char>('0' + value % 10);
    while ((value /= 10) != 0);
    return text({digits + at, sizeof digits - at});
  }
};

}  // namespace sallyport::bsp::imx6ul
