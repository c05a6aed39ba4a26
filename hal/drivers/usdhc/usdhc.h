// Usdhc: BlockDevice on an SD memory card behind a uSDHC of i.MX 6UltraLite (IMX6ULLRM chapter 58), by programmed I/O,
// one block a command. Card protocol: SD Specifications Part 1, Physical Layer Simplified Specification 6.00 (cited as
// SD).
//
// Settings and seeds are all that lies on the card, so no DMA, no high-speed mode, no UHS. A read takes about 0.2 ms on
// silicon; every wait is bounded (below), and a card that does not answer is reset at the next call.
#pragma once

#include <cstdint>
#include <optional>

#include "hal/base/time.h"
#include "hal/block_device.h"
#include "hal/clock.h"
#include "hal/drivers/usdhc/usdhc_registers.h"

namespace sallyport::hal {

class Usdhc final : public BlockDevice {
 public:
  static constexpr Duration command_timeout = 100ms;
  static constexpr Duration power_up_timeout = 1s;  // SD 4.2.3: ACMD41 for at most one second
  static constexpr Duration read_timeout = 100ms;   // SD 4.6.2.1
  static constexpr Duration write_timeout = 500ms;  // SD 4.6.2.2

  /// `source_hz`: the clock that CCM gives the controller. Touches no register.
  Usdhc(UsdhcRegisters& registers, const MonotonicClock& clock, std::uint32_t source_hz)
      : registers_(registers), clock_(clock), source_hz_(source_hz) {}
  Usdhc(const Usdhc&) = delete;
  Usdhc& operator=(const Usdhc&) = delete;

  /// Resets controller and card and reads the card's size. Called by read() and write() when there is no card yet.
  Result<void, BlockError> start();

  std::uint64_t block_count() const override { return blocks_; }
  Result<void, BlockError> read(std::uint64_t block, std::span<std::byte, block_bytes> into) override;
  Result<void, BlockError> write(std::uint64_t block, std::span<const std::byte, block_bytes> from) override;

 private:
  enum class Response : std::uint8_t { none, r1, r1_busy, r2, r3, r6, r7 };
  using Status = Result<void, BlockError>;
  using Reply = Result<std::uint32_t, BlockError>;

  Status reset_controller();
  Status identify_card();
  Reply negotiate_voltage(bool version_2);
  Status read_capacity();
  Status select_card();
  void set_card_clock(std::uint32_t hz);
  Status ready_for(std::uint64_t block);
  Reply command(unsigned index, std::uint32_t argument, Response response, std::uint32_t transfer = 0);
  Reply application_command(unsigned index, std::uint32_t argument, Response response);
  Status transfer_out(std::span<const std::byte, block_bytes> from);
  Status transfer_in(std::span<std::byte, block_bytes> into);
  Status wait_for_buffer(std::uint32_t state_bit, Instant deadline);
  Status wait_for_transfer(Instant deadline);
  Status wait_until_programmed();
  BlockError failed(BlockError error);
  void recover_lines();
  bool wait_clear(Register32& reg, std::uint32_t bits, Duration timeout);
  std::uint32_t card_address(std::uint64_t block) const;

  UsdhcRegisters& registers_;
  const MonotonicClock& clock_;
  const std::uint32_t source_hz_;
  std::uint64_t blocks_ = 0;
  std::uint32_t relative_address_ = 0;  // RCA in the upper half, as commands take it
  bool block_addressed_ = false;        // SDHC and SDXC; SDSC counts in bytes
  bool write_protected_ = false;
};

}  // namespace sallyport::hal
