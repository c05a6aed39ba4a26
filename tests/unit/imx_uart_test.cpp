// The UART driver against a UART in memory. Sections are those of the i.MX 6ULL Reference Manual (same blocks).
#include "hal/drivers/imx_uart/imx_uart.h"

#include <gtest/gtest.h>

#include <deque>
#include <string>

namespace sallyport::hal {
namespace {

/// FIFOs of 32 words in both directions; nothing leaves before shift_out().
class UartDevice final : public MmioObserver {
 public:
  static constexpr std::size_t fifo_words = 32;

  UartDevice() { mmio_observer = this; }
  ~UartDevice() { mmio_observer = nullptr; }

  UartRegisters registers{};
  std::string sent;
  bool dead = false;
  bool sends_at_once = false;
  std::uint32_t status_2_cleared = 0;

  void type(std::string_view text) {
    for (const char c : text) receive_word(static_cast<unsigned char>(c));
  }
  void receive_word(std::uint32_t word) { received_.push_back(word | uart::receive_ready); }
  void shift_out() {
    sent += fifo_;
    fifo_.clear();
  }
  bool transmit_interrupt() const { return (registers.ucr1.read() & uart::transmit_ready_interrupt) != 0; }

  std::uint32_t on_read(const volatile void* address, std::uint32_t stored) override {
    if (address == &registers.urxd) {
      if (received_.empty()) return 0;
      const std::uint32_t word = received_.front();
      received_.pop_front();
      return word;
    }
    if (address == &registers.usr2)
      return (received_.empty() ? 0 : uart::receive_data_ready) | (fifo_.empty() ? uart::transmit_complete : 0) |
             (overrun ? uart::overrun : 0);
    if (address == &registers.uts) return dead || fifo_.size() >= fifo_words ? uart::transmit_fifo_full : 0;
    return stored;
  }

  std::uint32_t on_write(const volatile void* address, std::uint32_t, std::uint32_t written) override {
    if (address == &registers.utxd) {
      EXPECT_LT(fifo_.size(), fifo_words) << "written into a full FIFO";
      fifo_.push_back(static_cast<char>(written));
      if (sends_at_once) shift_out();
    }
    if (address == &registers.usr2) status_2_cleared |= written;
    if (address == &registers.ucr2 && (written & uart::not_software_reset) == 0) {
      ++resets;
      return uart::not_software_reset;  // the bit sets itself when the reset is over
    }
    return written;
  }

  int resets = 0;
  bool overrun = false;

 private:
  std::deque<std::uint32_t> received_;
  std::string fifo_;
};

class ImxUartTest : public testing::Test {
 protected:
  ImxUartTest() { port_.start(80'000'000); }

  std::string read_all() {
    std::string text;
    std::array<char, 100> part{};
    while (const std::size_t count = port_.read(part)) text.append(part.data(), count);
    return text;
  }
  std::size_t write(std::string_view text) { return port_.write({text.data(), text.size()}); }

  UartDevice device_;
  ImxUart port_{device_.registers};
};

TEST_F(ImxUartTest, StartResetsAndSets115200Baud_55_5) {
  EXPECT_EQ(1, device_.resets);
  const double divisor = 16.0 * (device_.registers.ubmr.read() + 1) / (device_.registers.ubir.read() + 1);
  EXPECT_NEAR(115200.0, 80e6 / divisor, 115200 * 0.02);
  EXPECT_TRUE(device_.registers.ucr2.any(uart::receiver_enable));
  EXPECT_TRUE(device_.registers.ucr2.any(uart::transmitter_enable));
}

TEST_F(ImxUartTest, BytesArriveInOrderThroughTheInterrupt) {
  device_.type("show status\r");
  EXPECT_FALSE(port_.has_events());
  port_.on_interrupt();
  EXPECT_TRUE(port_.has_events());
  EXPECT_EQ("show status\r", read_all());
  EXPECT_FALSE(port_.has_events());
}

TEST_F(ImxUartTest, FullReceiveRingCountsWhatItLoses) {
  const std::string text(ImxUart::receive_bytes + 10, 'x');
  device_.type(text.substr(0, 3000));
  port_.on_interrupt();
  device_.type(text.substr(3000));
  port_.on_interrupt();
  EXPECT_EQ(ImxUart::receive_bytes, read_all().size());
  EXPECT_EQ(10u, port_.overruns());
}

TEST_F(ImxUartTest, BrokenBytesAndBreaksAreNotInput_55_15_1) {
  device_.type("a");
  device_.receive_word(uart::receive_error | 1u << 12 | 'b');  // framing error
  device_.receive_word(uart::receive_error | 1u << 11);        // break
  device_.type("c");
  port_.on_interrupt();
  EXPECT_EQ("ac", read_all());
  EXPECT_EQ(0u, port_.overruns());
}

TEST_F(ImxUartTest, OverrunOfTheFifoIsCountedAndTheByteKept_55_15_1) {
  device_.receive_word(uart::receive_error | uart::receive_overrun | 'z');
  device_.overrun = true;
  port_.on_interrupt();
  EXPECT_EQ("z", read_all());
  EXPECT_EQ(1u, port_.overruns());
  EXPECT_EQ(uart::overrun, device_.status_2_cleared) << "ORE would interrupt for ever";
}

TEST_F(ImxUartTest, WriteIsSentByInterruptsAsTheFifoHasRoom) {
  const std::string text = "0123456789abcdefghijklmnopqrstuvwxyz and more";
  EXPECT_EQ(text.size(), write(text));
  int interrupts = 0;
  while (device_.transmit_interrupt() && interrupts < 100) {
    ++interrupts;
    port_.on_interrupt();
    device_.shift_out();
  }
  EXPECT_EQ(text, device_.sent);
  EXPECT_EQ(2, interrupts);
}

TEST_F(ImxUartTest, TransmitInterruptIsOffWhenThereIsNothingToSend) {
  EXPECT_FALSE(device_.transmit_interrupt());
  write("x");
  EXPECT_TRUE(device_.transmit_interrupt());
  port_.on_interrupt();
  EXPECT_FALSE(device_.transmit_interrupt());
}

TEST_F(ImxUartTest, FullTransmitRingTakesTheRestLater) {
  const std::string text(ImxUart::transmit_bytes + 5, 'y');
  EXPECT_EQ(ImxUart::transmit_bytes, write(text));
  EXPECT_EQ(0u, write("z"));
  port_.on_interrupt();
  EXPECT_EQ(UartDevice::fifo_words, write(std::string(100, 'z')));
}

TEST_F(ImxUartTest, DrainSendsEverythingWithoutInterrupts) {
  device_.sends_at_once = true;
  write("last words");
  port_.drain();
  EXPECT_EQ("last words", device_.sent);
}

TEST_F(ImxUartTest, DeadTransmitterHoldsNobody) {
  write("nobody hears this");
  device_.dead = true;
  port_.drain();
  ImxUart::write_polled(device_.registers, "nor this");
  EXPECT_EQ("", device_.sent);
}

TEST_F(ImxUartTest, PolledWriteGoesPastTheRing) {
  device_.sends_at_once = true;
  write("ring");
  ImxUart::write_polled(device_.registers, "*** data abort");
  EXPECT_EQ("*** data abort", device_.sent);
}

}  // namespace
}  // namespace sallyport::hal
