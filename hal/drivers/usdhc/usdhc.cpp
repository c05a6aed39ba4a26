#include "hal/drivers/usdhc/usdhc.h"

#include <cstring>

namespace sallyport::hal {
namespace {

// SD 4.7.4: the commands this driver uses.
constexpr unsigned go_idle_state = 0;
constexpr unsigned all_send_cid = 2;
constexpr unsigned send_relative_addr = 3;
constexpr unsigned set_bus_width = 6;  // ACMD
constexpr unsigned select_card_command = 7;
constexpr unsigned send_if_cond = 8;
constexpr unsigned send_csd = 9;
constexpr unsigned send_status = 13;
constexpr unsigned set_blocklen = 16;
constexpr unsigned read_single_block = 17;
constexpr unsigned write_block = 24;
constexpr unsigned sd_send_op_cond = 41;  // ACMD
constexpr unsigned app_cmd = 55;

constexpr std::uint32_t interface_condition = 0x1AA;   // SD 4.3.13: 2.7 to 3.6 V, check pattern AA
constexpr std::uint32_t voltage_window = 0x0030'0000;  // SD 5.1: 3.2 to 3.4 V
constexpr std::uint32_t ocr_powered_up = 1u << 31;
constexpr std::uint32_t ocr_high_capacity = 1u << 30;  // HCS asked, CCS answered
constexpr std::uint32_t relative_address_mask = 0xFFFF'0000;
constexpr std::uint32_t bus_width_4 = 2;

// Card status (SD 4.10.1)
constexpr std::uint32_t status_out_of_range = 1u << 31;
constexpr std::uint32_t status_write_protect = 1u << 26;
constexpr std::uint32_t status_errors = 0xFDF8'0008;
constexpr std::uint32_t status_ready = 1u << 8;
constexpr std::uint32_t status_state_mask = 0xF << 9;
constexpr std::uint32_t status_state_transfer = 4u << 9;

constexpr std::uint32_t identification_hz = 400'000;
constexpr std::uint32_t transfer_hz = 25'000'000;

// 58.8.18: the buffer is offered in portions of this many words.
constexpr std::size_t watermark_words = 64;
constexpr std::uint32_t watermarks = watermark_words << 16 | watermark_words;

constexpr std::uint32_t used_status = usdhc::command_complete | usdhc::transfer_complete | usdhc::write_ready |
                                      usdhc::read_ready | usdhc::command_errors | usdhc::data_errors;

// The response registers hold the CSD without its last byte (CRC): bit 0 of the first one is bit 8 of the CSD.
std::uint32_t csd_bits(const std::array<std::uint32_t, 4>& response, unsigned high, unsigned low) {
  std::uint32_t value = 0;
  for (unsigned bit = high + 1; bit-- > low;) value = value << 1 | (response[(bit - 8) / 32] >> (bit - 8) % 32 & 1u);
  return value;
}

std::uint64_t csd_blocks(const std::array<std::uint32_t, 4>& response) {
  if (csd_bits(response, 127, 126) == 1)  // SD 5.3.3, CSD version 2.0
    return (std::uint64_t{csd_bits(response, 69, 48)} + 1) * 1024;
  const unsigned block_length_log2 = csd_bits(response, 83, 80);  // SD 5.3.2, version 1.0
  if (block_length_log2 < 9 || block_length_log2 > 11) return 0;
  const std::uint64_t multiplier = std::uint64_t{1} << (csd_bits(response, 49, 47) + 2);
  return (std::uint64_t{csd_bits(response, 73, 62)} + 1) * multiplier << (block_length_log2 - 9);
}

}  // namespace

Result<void, BlockError> Usdhc::start() {
  blocks_ = 0;
  if (!registers_.pres_state.any(usdhc::card_inserted)) return unexpected(BlockError::no_medium);
  if (auto status = reset_controller(); !status) return status;
  if (auto status = identify_card(); !status) return status;
  if (auto status = read_capacity(); !status) return status;
  return select_card();
}

Result<void, BlockError> Usdhc::read(std::uint64_t block, std::span<std::byte, block_bytes> into) {
  if (auto status = ready_for(block); !status) return status;
  const auto sent =
      command(read_single_block, card_address(block), Response::r1, usdhc::data_present | usdhc::transfer_read);
  if (!sent) return unexpected(failed(sent.error()));
  if (auto status = transfer_in(into); !status) return unexpected(failed(status.error()));
  return {};
}

Result<void, BlockError> Usdhc::write(std::uint64_t block, std::span<const std::byte, block_bytes> from) {
  if (auto status = ready_for(block); !status) return status;
  if (write_protected_) return unexpected(BlockError::read_only);
  const auto sent = command(write_block, card_address(block), Response::r1, usdhc::data_present);
  if (!sent) return unexpected(failed(sent.error()));
  if (auto status = transfer_out(from); !status) return unexpected(failed(status.error()));
  if (auto status = wait_until_programmed(); !status) return unexpected(failed(status.error()));
  return {};
}

Usdhc::Status Usdhc::reset_controller() {
  registers_.sys_ctrl.write(usdhc::reset_all);
  if (!wait_clear(registers_.sys_ctrl, usdhc::reset_all, command_timeout)) return unexpected(BlockError::timeout);
  registers_.vend_spec.write(usdhc::vendor_initial);
  registers_.mix_ctrl.clear(usdhc::transfer_mode_mask);
  registers_.prot_ctrl.write(usdhc::little_endian);
  registers_.wtmk_lvl.write(watermarks);
  registers_.int_signal_en.write(0);
  registers_.int_status_en.write(used_status);
  set_card_clock(identification_hz);
  // SD 6.4.1.1: 74 clocks before the first command; the controller counts 80.
  registers_.sys_ctrl.set(usdhc::initialisation_active);
  wait_clear(registers_.sys_ctrl, usdhc::initialisation_active, command_timeout);
  return {};
}

// SD 4.2.3, figure 4-2: from idle to standby.
Usdhc::Status Usdhc::identify_card() {
  if (auto reply = command(go_idle_state, 0, Response::none); !reply) return unexpected(reply.error());
  const auto condition = command(send_if_cond, interface_condition, Response::r7);
  if (condition && (*condition & 0xFFF) != interface_condition) return unexpected(BlockError::io);
  const auto ocr = negotiate_voltage(condition.has_value());
  if (!ocr) return unexpected(ocr.error());
  block_addressed_ = (*ocr & ocr_high_capacity) != 0;
  if (auto reply = command(all_send_cid, 0, Response::r2); !reply) return unexpected(reply.error());
  const auto address = command(send_relative_addr, 0, Response::r6);
  if (!address) return unexpected(address.error());
  relative_address_ = *address & relative_address_mask;
  return {};
}

Usdhc::Reply Usdhc::negotiate_voltage(bool version_2) {
  relative_address_ = 0;
  const std::uint32_t argument = voltage_window | (version_2 ? ocr_high_capacity : 0);
  const Instant deadline = clock_.now() + power_up_timeout;
  do {
    const auto ocr = application_command(sd_send_op_cond, argument, Response::r3);
    if (!ocr) return ocr;
    if ((*ocr & ocr_powered_up) != 0) return ocr;
  } while (clock_.now() < deadline);
  return unexpected(BlockError::timeout);
}

Usdhc::Status Usdhc::read_capacity() {
  if (auto reply = command(send_csd, relative_address_, Response::r2); !reply) return unexpected(reply.error());
  std::array<std::uint32_t, 4> csd{};
  for (std::size_t i = 0; i < csd.size(); ++i) csd[i] = registers_.cmd_rsp[i].read();
  const std::uint64_t blocks = csd_blocks(csd);
  if (blocks == 0) return unexpected(BlockError::io);
  write_protected_ = csd_bits(csd, 13, 12) != 0;
  blocks_ = blocks;
  return {};
}

Usdhc::Status Usdhc::select_card() {
  const auto set_up = [this]() -> Reply {
    if (auto reply = command(select_card_command, relative_address_, Response::r1_busy); !reply) return reply;
    if (auto reply = command(set_blocklen, block_bytes, Response::r1); !reply) return reply;
    return application_command(set_bus_width, bus_width_4, Response::r1);
  };
  if (auto reply = set_up(); !reply) {
    blocks_ = 0;
    return unexpected(reply.error());
  }
  registers_.prot_ctrl.set(usdhc::width_4_bits);
  set_card_clock(transfer_hz);
  return {};
}

// 58.8.12: card clock = source / (2 * prescaler) / (divisor + 1), prescaler a power of two, 0 standing for 1.
void Usdhc::set_card_clock(std::uint32_t hz) {
  std::uint32_t prescaler = 1;
  while (prescaler < 256 && source_hz_ / (prescaler * 16) > hz) prescaler *= 2;
  std::uint32_t divisor = 1;
  while (divisor < 16 && source_hz_ / (prescaler * divisor) > hz) ++divisor;
  registers_.vend_spec.clear(usdhc::card_clock_enable);
  registers_.sys_ctrl.write(usdhc::clocks_reserved_ones | (divisor - 1) << usdhc::divisor_shift |
                            (prescaler / 2) << usdhc::prescaler_shift | usdhc::data_timeout_longest |
                            usdhc::not_card_reset);
  // Not an error when it does not come: models leave the bit out, and a dead clock shows as a command time-out.
  const Instant deadline = clock_.now() + 1ms;
  while (!registers_.pres_state.any(usdhc::clock_stable) && clock_.now() < deadline) {
  }
  registers_.vend_spec.set(usdhc::card_clock_enable);
}

Usdhc::Status Usdhc::ready_for(std::uint64_t block) {
  if (!registers_.pres_state.any(usdhc::card_inserted)) {
    blocks_ = 0;
    return unexpected(BlockError::no_medium);
  }
  if (blocks_ == 0)
    if (auto status = start(); !status) return status;
  if (block >= blocks_) return unexpected(BlockError::out_of_range);
  return {};
}

Usdhc::Reply Usdhc::command(unsigned index, std::uint32_t argument, Response response, std::uint32_t transfer) {
  using namespace usdhc;
  static constexpr std::uint32_t response_bits[] = {
      response_none,
      response_48 | check_crc | check_index,       // R1
      response_48_busy | check_crc | check_index,  // R1b
      response_136 | check_crc,                    // R2
      response_48,                                 // R3
      response_48 | check_crc | check_index,       // R6
      response_48 | check_crc | check_index,       // R7
  };
  if (!wait_clear(registers_.pres_state, command_inhibit | data_inhibit, command_timeout)) {
    recover_lines();
    return unexpected(BlockError::timeout);
  }
  registers_.int_status.write(all_status);
  registers_.blk_att.write(1u << 16 | block_bytes);
  registers_.cmd_arg.write(argument);
  registers_.mix_ctrl.write((registers_.mix_ctrl.read() & ~transfer_mode_mask) | (transfer & transfer_read));
  registers_.cmd_xfr_typ.write(index << command_index_shift | response_bits[static_cast<unsigned>(response)] |
                               (transfer & data_present));
  const Instant deadline = clock_.now() + Usdhc::command_timeout;
  std::uint32_t status = registers_.int_status.read();
  while ((status & (command_complete | command_errors)) == 0) {
    if (clock_.now() >= deadline) {
      recover_lines();
      return unexpected(BlockError::timeout);
    }
    status = registers_.int_status.read();
  }
  if ((status & command_errors) != 0) {
    recover_lines();
    return unexpected((status & usdhc::command_timeout) != 0 ? BlockError::timeout : BlockError::io);
  }
  registers_.int_status.write(command_complete);
  const std::uint32_t reply = registers_.cmd_rsp[0].read();
  if ((response == Response::r1 || response == Response::r1_busy) && (reply & status_errors) != 0) {
    if ((reply & status_out_of_range) != 0) return unexpected(BlockError::out_of_range);
    if ((reply & status_write_protect) != 0) return unexpected(BlockError::read_only);
    return unexpected(BlockError::io);
  }
  return reply;
}

Usdhc::Reply Usdhc::application_command(unsigned index, std::uint32_t argument, Response response) {
  if (auto reply = command(app_cmd, relative_address_, Response::r1); !reply) return reply;
  return command(index, argument, response);
}

Usdhc::Status Usdhc::transfer_in(std::span<std::byte, block_bytes> into) {
  const Instant deadline = clock_.now() + read_timeout;
  for (std::size_t offset = 0; offset < block_bytes; offset += 4) {
    if (offset % (watermark_words * 4) == 0)
      if (auto status = wait_for_buffer(usdhc::buffer_read_enable, deadline); !status) return status;
    const std::uint32_t word = registers_.data_buff.read();
    std::memcpy(into.data() + offset, &word, sizeof word);
  }
  return wait_for_transfer(deadline);
}

Usdhc::Status Usdhc::transfer_out(std::span<const std::byte, block_bytes> from) {
  const Instant deadline = clock_.now() + write_timeout;
  for (std::size_t offset = 0; offset < block_bytes; offset += 4) {
    if (offset % (watermark_words * 4) == 0)
      if (auto status = wait_for_buffer(usdhc::buffer_write_enable, deadline); !status) return status;
    std::uint32_t word = 0;
    std::memcpy(&word, from.data() + offset, sizeof word);
    registers_.data_buff.write(word);
  }
  return wait_for_transfer(deadline);
}

Usdhc::Status Usdhc::wait_for_buffer(std::uint32_t state_bit, Instant deadline) {
  while (!registers_.pres_state.any(state_bit)) {
    if (registers_.int_status.any(usdhc::data_errors)) return unexpected(BlockError::io);
    if (clock_.now() >= deadline) return unexpected(BlockError::timeout);
  }
  return {};
}

Usdhc::Status Usdhc::wait_for_transfer(Instant deadline) {
  for (;;) {
    const std::uint32_t status = registers_.int_status.read();
    if ((status & usdhc::data_timeout) != 0) return unexpected(BlockError::timeout);
    if ((status & usdhc::data_errors) != 0) return unexpected(BlockError::io);
    if ((status & usdhc::transfer_complete) != 0) return {};
    if (clock_.now() >= deadline) return unexpected(BlockError::timeout);
  }
}

// SD 4.3.4: the card holds DAT0 low while it programs, and only CMD13 tells whether that went well.
Usdhc::Status Usdhc::wait_until_programmed() {
  const Instant deadline = clock_.now() + write_timeout;
  for (;;) {
    if (registers_.pres_state.any(usdhc::data0_high)) {
      const auto status = command(send_status, relative_address_, Response::r1);
      if (!status) return unexpected(status.error());
      if ((*status & status_ready) != 0 && (*status & status_state_mask) == status_state_transfer) return {};
    }
    if (clock_.now() >= deadline) return unexpected(BlockError::timeout);
  }
}

// After a time-out or a broken transfer nobody knows what the card is doing: the next call identifies it anew.
BlockError Usdhc::failed(BlockError error) {
  if (error == BlockError::timeout || error == BlockError::io) {
    recover_lines();
    blocks_ = 0;
  }
  return error;
}

// 58.8.12: a command that failed leaves the state machines of both lines where they were.
void Usdhc::recover_lines() {
  registers_.sys_ctrl.set(usdhc::reset_command);
  wait_clear(registers_.sys_ctrl, usdhc::reset_command, command_timeout);
  registers_.sys_ctrl.set(usdhc::reset_data);
  wait_clear(registers_.sys_ctrl, usdhc::reset_data, command_timeout);
}

bool Usdhc::wait_clear(Register32& reg, std::uint32_t bits, Duration timeout) {
  const Instant deadline = clock_.now() + timeout;
  while (reg.any(bits))
    if (clock_.now() >= deadline) return false;
  return true;
}

std::uint32_t Usdhc::card_address(std::uint64_t block) const {
  return static_cast<std::uint32_t>(block_addressed_ ? block : block * block_bytes);
}

}  // namespace sallyport::hal
