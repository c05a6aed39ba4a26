// Gic: the interrupt controller of i.MX 6UltraLite (ARM Generic Interrupt Controller v2, IHI 0048B; one core, secure
// state, everything in group 0 and signalled as IRQ, all at one priority: handlers do not nest).
#pragma once

#include <cstdint>

namespace sallyport::bsp::imx6ul {

class Gic {
 public:
  using Handler = void (*)(void* context);

  /// 128 shared peripheral interrupts behind the 32 of the core.
  static constexpr unsigned interrupt_count = 160;

  /// All off, then the controller on. Once, before enable().
  static void start();
  /// From now on `handler(context)` is called at each interrupt `id`, with interrupts off. Shared interrupts are taken
  /// as level-sensitive.
  static void enable(unsigned id, Handler handler, void* context);

  /// enable() for a driver with a member on_interrupt().
  template <class Driver>
  static void attach(unsigned id, Driver& driver) {
    enable(
        id, [](void* context) { static_cast<Driver*>(context)->on_interrupt(); }, &driver);
  }
};

}  // namespace sallyport::bsp::imx6ul
