// The board i.MX 6UltraLite EVK (and QEMU's mcimx6ul-evk): every object of it, and how they are connected (wiring.h).

#include "bsp/board.h"

#include "boards/imx6ul-evk/pins.h"
#include "boards/imx6ul-evk/wiring.h"
#include "bsp/imx6ul/clocks.h"
#include "bsp/imx6ul/entropy.h"
#include "bsp/imx6ul/generic_timer.h"
#include "bsp/imx6ul/gic.h"
#include "bsp/imx6ul/power.h"
#include "hal/drivers/imx_enet/imx_enet.h"
#include "hal/drivers/imx_snvs/imx_snvs.h"
#include "hal/drivers/imx_uart/imx_uart.h"
#include "hal/drivers/imx_wdog/imx_wdog.h"
#include "hal/drivers/usdhc/usdhc.h"

namespace sallyport::boards::imx6ul_evk {
namespace {

// The sides share nothing: two controllers, two memories, two books.
using ExternalMemory = hal::EnetMemory<external_receive_buffers, receive_ring, transmit_ring>;
using InternalMemory = hal::EnetMemory<internal_receive_buffers, receive_ring, transmit_ring>;
[[gnu::section(".dma")]] ExternalMemory external_memory;
[[gnu::section(".dma")]] InternalMemory internal_memory;
hal::EnetBookkeeping<external_receive_buffers, receive_ring> external_bookkeeping;
hal::EnetBookkeeping<internal_receive_buffers, receive_ring> internal_bookkeeping;

class Imx6ulEvk final : public bsp::Board {
 public:
  Imx6ulEvk() {
    soc::Gic::start();
    clock_.start();
    soc::start_clocks();
    soc::set_up_pads(pins::all);
    start_console();
    entropy_.start();
    // A board without a card is the firmware's to report.
    static_cast<void>(card_.start());
    start_ethernet();
  }

  std::string_view name() const override { return "imx6ul-evk"; }
  hal::EthernetMac& external_mac() override { return external_mac_; }
  hal::EthernetMac& internal_mac() override { return internal_mac_; }
  hal::BlockDevice& storage() override { return card_; }
  hal::SerialPort& console() override { return console_; }
  hal::MonotonicClock& clock() override { return clock_; }
  hal::RealTimeClock& real_time_clock() override { return real_time_clock_; }
  hal::EntropySource& entropy() override { return entropy_; }
  hal::Watchdog& watchdog() override { return watchdog_; }

  void wait_for_event(Instant deadline) override {
    // WFI wakes at a pending interrupt even when it is masked, so nothing is lost between the last look and the sleep.
    asm volatile("cpsid i" ::: "memory");
    if (!external_mac_.has_events() && !internal_mac_.has_events() && !console_.has_events() &&
        deadline > clock_.now()) {
      clock_.wake_at(deadline);
      asm volatile("dsb\n wfi" ::: "memory");
    }
    asm volatile("cpsie i\n isb" ::: "memory");
  }

  [[noreturn]] void reset() override {
    console_.drain();
    soc::reset_soc();
  }

 private:
  void start_console() {
    console_.start(soc::uart_clock_hz());
    soc::Gic::attach(soc::uart1_interrupt, console_);
    soc::Gic::attach(soc::virtual_timer_interrupt, clock_);
    soc::set_last_words([](void* console) { static_cast<hal::ImxUart*>(console)->drain(); }, &console_);
  }

  void start_ethernet() {
    const auto external_address = soc::mac_address(external_enet(), external_port);
    const auto internal_address = soc::mac_address(internal_enet(), internal_port);
    external_mac_.start(external_address);
    internal_mac_.start(internal_address);
    external_phy_.probe();
    internal_phy_.probe();
    soc::Gic::attach(external_interrupt, external_mac_);
    soc::Gic::attach(internal_interrupt, internal_mac_);
  }

  soc::GenericTimer clock_;
  hal::ImxUart console_{soc::uart1()};
  hal::ImxWdog watchdog_{soc::wdog1()};
  hal::ImxSnvs real_time_clock_{soc::snvs()};
  soc::Imx6ulEntropy entropy_{clock_};
  hal::Usdhc card_{soc::usdhc1(), clock_, soc::usdhc1_clock_hz()};

  // The EVK has both PHYs on ENET2's management bus; QEMU before 10 has each on its own controller's.
  hal::ImxMdioBus enet1_bus_{soc::enet1(), clock_};
  hal::ImxMdioBus enet2_bus_{soc::enet2(), clock_};
  hal::ImxMdioBus* const buses_[2] = {&enet2_bus_, &enet1_bus_};
  hal::EthernetPhy external_phy_{buses_, external_phy_address};
  hal::EthernetPhy internal_phy_{buses_, internal_phy_address};

  hal::ImxEnet external_mac_{external_enet(), {external_memory, external_bookkeeping}, external_phy_};
  hal::ImxEnet internal_mac_{internal_enet(), {internal_memory, internal_bookkeeping}, internal_phy_};
};

}  // namespace
}  // namespace sallyport::boards::imx6ul_evk

namespace sallyport::bsp {

Board& board() {
  static boards::imx6ul_evk::Imx6ulEvk the_board;
  return the_board;
}

}  // namespace sallyport::bsp
