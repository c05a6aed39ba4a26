// SdSlot: a uSDHC with an SD memory card in it, as far as its driver can tell: the command protocol of SD Part 1 with
// the card's states, and the controller's programmed I/O.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <map>
#include <utility>
#include <vector>

#include "hal/drivers/usdhc/usdhc.h"

namespace sallyport::fakes {

class SdSlot final : public hal::MmioObserver {
 public:
  enum class State : std::uint8_t {
    idle = 0,
    ready = 1,
    identification = 2,
    standby = 3,
    transfer = 4,
    programming = 7
  };
  using Block = std::array<std::uint8_t, 512>;

  SdSlot() { hal::mmio_observer = this; }
  ~SdSlot() { hal::mmio_observer = nullptr; }
  SdSlot(const SdSlot&) = delete;
  SdSlot& operator=(const SdSlot&) = delete;

  hal::UsdhcRegisters registers{};
  bool inserted = true;
  bool version_2 = true;  // answers CMD8
  bool high_capacity = true;
  std::array<std::uint32_t, 4> csd = csd_version_2(8191);  // bits 127 to 96 first
  int power_up_polls = 3;                                  // ACMD41 says busy this often
  bool mute = false;                                       // answers no command
  int mute_from_command = -1;                              // answers nothing from this command on
  bool data_stuck = false;                                 // no data ever, in either direction
  std::uint32_t data_error = 0;                            // INT_STATUS bits that come with the next data
  bool busy_for_ever = false;                              // DAT0 stays low after a write
  std::uint32_t write_status = 0;                          // card status bits of CMD13 after a write
  std::map<std::uint32_t, Block> blocks;                   // by number, whatever the addressing
  std::vector<unsigned> commands;
  int line_resets = 0;
  State state = State::idle;

  /// SD 5.3.3: C_SIZE in bits 69 to 48.
  static std::array<std::uint32_t, 4> csd_version_2(std::uint32_t size) {
    return {0x400E'0032, 0x5B59'0000 | size >> 16, size << 16 | 0x7F80, 0x0A40'0000};
  }
  /// SD 5.3.2: READ_BL_LEN in bits 83 to 80, C_SIZE in 73 to 62, C_SIZE_MULT in 49 to 47.
  static std::array<std::uint32_t, 4> csd_version_1(std::uint32_t length_log2, std::uint32_t size,
                                                    std::uint32_t multiplier) {
    return {0x0026'0032, 0x5F50'0000 | length_log2 << 16 | size >> 2, (size & 3) << 30 | multiplier << 15, 0x9240'0000};
  }

  std::uint32_t on_read(const volatile void* address, std::uint32_t stored) override {
    if (address == &registers.pres_state) return present_state();
    if (address == &registers.int_status) return status_;
    if (address == &registers.data_buff) return next_word();
    return stored;
  }

  std::uint32_t on_write(const volatile void* address, std::uint32_t, std::uint32_t written) override {
    using namespace hal::usdhc;
    if (address == &registers.int_status) status_ &= ~written;
    if (address == &registers.sys_ctrl) {
      if ((written & (reset_command | reset_data)) != 0) {
        ++line_resets;
        direction_ = Direction::none;
      }
      return written & ~(reset_all | reset_command | reset_data | initialisation_active);
    }
    if (address == &registers.data_buff) take_word(written);
    if (address == &registers.cmd_xfr_typ) obey(written);
    return written;
  }

 private:
  enum class Direction : std::uint8_t { none, from_card, to_card };
  // The driver's watermark: so many words are there, or fit, at a time.
  static constexpr std::size_t portion_words = 64;

  std::uint32_t present_state() {
    using namespace hal::usdhc;
    std::uint32_t value = inserted ? card_inserted : 0;
    if (!(busy_for_ever && state == State::programming)) value |= data0_high;
    if (data_stuck) return value;
    if (direction_ == Direction::from_card) value |= buffer_read_enable;
    if (direction_ == Direction::to_card) value |= buffer_write_enable;
    if (direction_ != Direction::none) portion_left_ = portion_words;
    return value;
  }

  std::uint32_t next_word() {
    EXPECT_EQ(Direction::from_card, direction_);
    EXPECT_GT(portion_left_, 0u) << "read past the watermark without asking";
    --portion_left_;
    std::uint32_t word = 0;
    std::memcpy(&word, buffer_.data() + offset_, 4);
    advance();
    return word;
  }

  void take_word(std::uint32_t word) {
    EXPECT_EQ(Direction::to_card, direction_);
    EXPECT_GT(portion_left_, 0u) << "written past the watermark without asking";
    --portion_left_;
    std::memcpy(buffer_.data() + offset_, &word, 4);
    advance();
  }

  void advance() {
    if ((offset_ += 4) < buffer_.size()) return;
    if (direction_ == Direction::to_card) {
      blocks[block_] = buffer_;
      state = State::programming;
    }
    direction_ = Direction::none;
    status_ |= data_error != 0 ? data_error : hal::usdhc::transfer_complete;
    data_error = 0;
  }

  void obey(std::uint32_t type) {
    const unsigned index = type >> hal::usdhc::command_index_shift & 0x3F;
    commands.push_back(index);
    if (static_cast<int>(index) == mute_from_command) mute = true;
    const bool application = std::exchange(application_, false);
    if (mute || !inserted || (index == 8 && !version_2)) {
      status_ |= hal::usdhc::command_timeout;
      return;
    }
    status_ |= hal::usdhc::command_complete;
    if (application)
      obey_application(index);
    else
      obey_basic(index);
  }

  void obey_application(unsigned index) {
    if (index == 41) {
      const bool up = power_up_polls-- <= 0;
      if (up) state = State::ready;
      const bool asked = (registers.cmd_arg.read() & 1u << 30) != 0;
      EXPECT_TRUE(version_2 || !asked) << "HCS is reserved for a card of version 1";
      answer((up ? 1u << 31 : 0) | (high_capacity && asked ? 1u << 30 : 0) | 0xFF'8000);
      return;
    }
    answer(status());
  }

  void obey_basic(unsigned index) {
    const std::uint32_t argument = registers.cmd_arg.read();
    switch (index) {
      case 0: state = State::idle; return;
      case 2: state = State::identification; return;
      case 3: state = State::standby; return answer(0x1234'0500);
      case 7:
        EXPECT_EQ(0x1234'0000u, argument);
        state = State::transfer;
        return answer(status());
      case 8: return answer(argument);
      case 9: return answer_csd();
      case 13:
        if (state == State::programming && !busy_for_ever) state = State::transfer;
        return answer(status() | std::exchange(write_status, 0));
      case 17:
      case 24: return start_data(index, argument);
      case 55: application_ = true; return answer(status());
      default: return answer(status());
    }
  }

  void start_data(unsigned index, std::uint32_t argument) {
    EXPECT_EQ(State::transfer, state);
    EXPECT_EQ(index == 17, registers.mix_ctrl.any(hal::usdhc::transfer_read));
    block_ = high_capacity ? argument : argument / 512;
    EXPECT_TRUE(high_capacity || argument % 512 == 0) << "SDSC counts in bytes";
    direction_ = index == 17 ? Direction::from_card : Direction::to_card;
    offset_ = portion_left_ = 0;
    if (index == 17) buffer_ = blocks[block_];
    answer(status());
  }

  void answer_csd() {
    // The controller keeps bits 127 to 8, right-aligned.
    for (std::size_t i = 0; i < 4; ++i) registers_word(i) = csd[3 - i] >> 8 | (i < 3 ? csd[2 - i] << 24 : 0);
  }

  void answer(std::uint32_t response) { registers_word(0) = response; }
  std::uint32_t& registers_word(std::size_t i) { return *reinterpret_cast<std::uint32_t*>(&registers.cmd_rsp[i]); }
  std::uint32_t status() const { return static_cast<std::uint32_t>(state) << 9 | 1u << 8; }

  std::uint32_t status_ = 0;
  bool application_ = false;
  Direction direction_ = Direction::none;
  std::uint32_t block_ = 0;
  Block buffer_{};
  std::size_t offset_ = 0, portion_left_ = 0;
};

}  // namespace sallyport::fakes
