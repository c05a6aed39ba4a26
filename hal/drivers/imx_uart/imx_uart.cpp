#include "hal/drivers/imx_uart/imx_uart.h"

namespace sallyport::hal {
namespace {

constexpr std::uint32_t control_1 = uart::uart_enable | uart::receive_ready_interrupt;
constexpr std::uint32_t control_2 =
    uart::ignore_rts | uart::word_8_bits | uart::transmitter_enable | uart::receiver_enable | uart::not_software_reset;

// One byte takes 87 us; this many reads of a status register take longer, on every clock this SoC can run at.
constexpr int byte_polls = 1'000'000;
// 4 us of reset (55.15.4, SRST) and then some.
constexpr int reset_polls = 10'000;

bool wait_for_room(UartRegisters& registers) {
  for (int i = 0; i < byte_polls; ++i)
    if (!registers.uts.any(uart::transmit_fifo_full)) return true;
  return false;
}

}  // namespace

void ImxUart::start(std::uint32_t reference_hz) {
  registers_.ucr1.write(0);
  registers_.ucr2.write(0);  // software reset
  for (int i = 0; i < reset_polls && !registers_.ucr2.any(uart::not_software_reset); ++i) {
  }
  registers_.ucr3.write(uart::control_3);
  registers_.ucr4.write(0);
  registers_.ufcr.write(uart::fifo_control);
  // 55.5: baud = reference / (16 * (UBMR + 1) / (UBIR + 1)); UBIR is written first.
  registers_.ubir.write(0xF);
  registers_.ubmr.write(reference_hz / baud_rate - 1);
  registers_.ucr2.write(control_2);
  registers_.ucr1.write(control_1);
}

void ImxUart::on_interrupt() {
  receive_pending();
  transmit_pending();
}

std::size_t ImxUart::read(std::span<char> into) {
  std::size_t count = 0;
  while (count < into.size()) {
    const auto byte = received_.pop();
    if (!byte) break;
    into[count++] = *byte;
  }
  return count;
}

std::size_t ImxUart::write(std::span<const char> from) {
  std::size_t count = 0;
  while (count < from.size() && to_send_.push(from[count])) ++count;
  // Not a read-modify-write: the handler may have switched the interrupt off in between, and an interrupt with nothing
  // to send only switches it off again.
  if (!to_send_.empty()) registers_.ucr1.write(control_1 | uart::transmit_ready_interrupt);
  return count;
}

void ImxUart::drain() {
  registers_.ucr1.write(control_1);  // the handler must not pop beside us
  while (const auto byte = to_send_.pop()) {
    if (!wait_for_room(registers_)) return;
    registers_.utxd.write(static_cast<unsigned char>(*byte));
  }
  for (int i = 0; i < byte_polls && !registers_.usr2.any(uart::transmit_complete); ++i) {
  }
}

void ImxUart::write_polled(UartRegisters& registers, std::string_view text) {
  for (const char c : text) {
    if (!wait_for_room(registers)) return;
    registers.utxd.write(static_cast<unsigned char>(c));
  }
  for (int i = 0; i < byte_polls && !registers.usr2.any(uart::transmit_complete); ++i) {
  }
}

void ImxUart::receive_pending() {
  // Bounded by the ring: a device that is ready for ever must not hold us here.
  for (std::size_t i = 0; i < receive_bytes && registers_.usr2.any(uart::receive_data_ready); ++i) {
    const std::uint32_t word = registers_.urxd.read();
    if ((word & uart::receive_overrun) != 0) overruns_ = overruns_ + 1;
    // A byte with a framing or parity error, and a break, are not what the operator typed.
    if ((word & uart::receive_error) != 0 && (word & uart::receive_overrun) == 0) continue;
    if (!received_.push(static_cast<char>(word & uart::receive_byte))) overruns_ = overruns_ + 1;
  }
  if (registers_.usr2.any(uart::overrun)) registers_.usr2.write(uart::overrun);
}

void ImxUart::transmit_pending() {
  while (!to_send_.empty() && !registers_.uts.any(uart::transmit_fifo_full))
    registers_.utxd.write(static_cast<unsigned char>(*to_send_.pop()));
  if (to_send_.empty()) registers_.ucr1.write(control_1);
}

}  // namespace sallyport::hal
