// The host board: the firmware as a Linux process. Which TAP device is external and which internal is said on the
// command line and arrives here; nothing else of the firmware knows.
#pragma once

#include <array>

#include "boards/host/control.h"
#include "bsp/board.h"
#include "hal/drivers/linux_console/console_port.h"
#include "hal/drivers/linux_file/file_block_device.h"
#include "hal/drivers/linux_system/linux_system.h"
#include "hal/drivers/linux_tap/tap_mac.h"

namespace sallyport::boards::host {

// Locally administered (IEEE 802c, bit 1 of the first octet), "SAY" and the port's number. The kernel makes up the
// address of its own end of the TAP device at random, so both ends differ.
inline constexpr hal::MacAddress external_address = {0x02, 0x53, 0x41, 0x59, 0x00, 0x01};
inline constexpr hal::MacAddress internal_address = {0x02, 0x53, 0x41, 0x59, 0x00, 0x02};

// Receive buffers per side, as on a real board with DMA: outside 1,024 (a burst of 1.5 MB, 12 ms at 1 Gbit/s, and what
// 1,000 streams may leave unread a segment each), inside 512.
inline constexpr std::size_t external_receive_buffers = 1024;
inline constexpr std::size_t internal_receive_buffers = 512;

class HostBoard final : public bsp::Board {
 public:
  HostBoard();

  // The parts, for main_host.cpp to connect before the firmware runs.
  hal::TapMac& external_tap() { return external_mac_; }
  hal::TapMac& internal_tap() { return internal_mac_; }
  hal::FileBlockDevice& card() { return storage_; }
  hal::ConsolePort& console_port() { return console_; }
  Control& control() { return control_; }
  hal::LinuxRealTimeClock& rtc() { return real_time_clock_; }
  hal::LinuxEntropySource& random_generator() { return entropy_; }

  /// From now on SIGINT and SIGTERM end the process at the next wait_for_event(), and reset() starts it again with
  /// these arguments.
  void power_on(int argument_count, char** arguments);

  std::string_view name() const override { return "host"; }
  hal::EthernetMac& external_mac() override { return external_mac_; }
  hal::EthernetMac& internal_mac() override { return internal_mac_; }
  hal::BlockDevice& storage() override { return storage_; }
  hal::SerialPort& console() override { return console_; }
  hal::MonotonicClock& clock() override { return clock_; }
  hal::RealTimeClock& real_time_clock() override { return real_time_clock_; }
  hal::EntropySource& entropy() override { return entropy_; }
  hal::Watchdog& watchdog() override { return watchdog_; }
  void wait_for_event(Instant deadline) override;
  [[noreturn]] void reset() override;

 private:
  static constexpr std::size_t max_arguments = 32;

  hal::LinuxMonotonicClock clock_;
  hal::LinuxRealTimeClock real_time_clock_;
  hal::LinuxEntropySource entropy_;
  hal::LinuxWatchdog watchdog_;
  hal::FileBlockDevice storage_;
  hal::ConsolePort console_;
  hal::TapReceivePool<external_receive_buffers> external_pool_;
  hal::TapReceivePool<internal_receive_buffers> internal_pool_;
  hal::TapMac external_mac_;
  hal::TapMac internal_mac_;
  Control control_;
  std::array<char*, max_arguments + 2> arguments_{};
  std::size_t argument_count_ = 0;
};

HostBoard& host_board();

/// The command line's option that hands the console on to the process after a reset.
inline constexpr std::string_view resume_console_option = "--resume-console=";

}  // namespace sallyport::boards::host
