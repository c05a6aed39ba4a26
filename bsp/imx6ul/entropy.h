// Imx6ulEntropy: EntropySource on the true random number generator in the CAAM (the TRNG's entropy registers, as Linux'
// drivers/crypto/caam names them; NXP describes them in the Security Reference Manual) and the core's cycle counter.
//
// QEMU has no CAAM (it reads as zero): read() then gives 0 bytes, which is what the firmware has to know.
#pragma once

#include "hal/clock.h"
#include "hal/entropy.h"

namespace sallyport::bsp::imx6ul {

class Imx6ulEntropy final : public hal::EntropySource {
 public:
  /// 512 bits take about 60 ms with the delay set in entropy.cpp.
  static constexpr Duration generation_timeout = 250ms;

  explicit Imx6ulEntropy(const hal::MonotonicClock& clock) : clock_(clock) {}
  Imx6ulEntropy(const Imx6ulEntropy&) = delete;
  Imx6ulEntropy& operator=(const Imx6ulEntropy&) = delete;

  /// Starts the cycle counter, and the generator where there is one.
  void start();
  std::size_t read(std::span<std::byte> into) override;
  std::uint32_t cycle_counter() override;

 private:
  bool wait_for_entropy();

  const hal::MonotonicClock& clock_;
  bool present_ = false;
};

}  // namespace sallyport::bsp::imx6ul
