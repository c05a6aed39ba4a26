// Board: the contract that every board fulfils, and the only thing firmware/main.cpp knows of hardware.
//
// board() brings the hardware up on its first call (clocks, MMU, caches, interrupts are already on) and returns
// references to objects with static storage. Which controller is external and which internal is decided in
// boards/<board>/ and nowhere else.
#pragma once

#include <string_view>

#include "hal/block_device.h"
#include "hal/clock.h"
#include "hal/entropy.h"
#include "hal/ethernet_mac.h"
#include "hal/serial_port.h"
#include "hal/watchdog.h"

namespace sallyport::bsp {

class Board {
 public:
  virtual std::string_view name() const = 0;
  virtual hal::EthernetMac& external_mac() = 0;
  virtual hal::EthernetMac& internal_mac() = 0;
  virtual hal::BlockDevice& storage() = 0;
  virtual hal::SerialPort& console() = 0;
  virtual hal::MonotonicClock& clock() = 0;
  virtual hal::RealTimeClock& real_time_clock() = 0;
  virtual hal::EntropySource& entropy() = 0;
  virtual hal::Watchdog& watchdog() = 0;

  /// Sleeps until an interrupt is pending or `deadline` has come. Returns at once when a driver has unread events, so
  /// no wake-up is lost between the last poll and the sleep.
  virtual void wait_for_event(Instant deadline) = 0;
  /// Console output is drained first.
  [[noreturn]] virtual void reset() = 0;

 protected:
  ~Board() = default;
};

Board& board();

}  // namespace sallyport::bsp
