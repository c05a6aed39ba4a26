// ImxUart: SerialPort on a UART of i.MX 6UltraLite, 115200 8N1 (IMX6ULLRM chapter 55), interrupt-driven in both
// directions; and a polled way out for the moments in which nothing else works any more.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "hal/base/ring_buffer.h"
#include "hal/drivers/imx_uart/uart_registers.h"
#include "hal/serial_port.h"

namespace sallyport::hal {

class ImxUart final : public SerialPort {
 public:
  static constexpr std::size_t receive_bytes = 4096;
  static constexpr std::size_t transmit_bytes = 16384;
  static constexpr std::uint32_t baud_rate = 115200;

  explicit ImxUart(UartRegisters& registers) : registers_(registers) {}
  ImxUart(const ImxUart&) = delete;
  ImxUart& operator=(const ImxUart&) = delete;

  /// `reference_hz`: the clock that CCM gives the UART.
  void start(std::uint32_t reference_hz);
  void on_interrupt();
  bool has_events() const { return !received_.empty(); }

  std::size_t read(std::span<char> into) override;
  std::size_t write(std::span<const char> from) override;
  /// Bytes that came in while the receive ring or the device's FIFO was full.
  std::uint32_t overruns() const { return overruns_; }

  /// Empties the transmit ring by polling, interrupts off or on; gives up on a transmitter that does not move.
  void drain();
  /// Sends directly, behind what the transmitter already holds, past the ring. Needs nothing but the clock of the UART.
  static void write_polled(UartRegisters& registers, std::string_view text);

 private:
  void receive_pending();
  void transmit_pending();

  UartRegisters& registers_;
  RingBuffer<char, receive_bytes> received_;
  RingBuffer<char, transmit_bytes> to_send_;
  volatile std::uint32_t overruns_ = 0;
};

}  // namespace sallyport::hal
