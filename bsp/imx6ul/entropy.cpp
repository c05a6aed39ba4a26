#include "bsp/imx6ul/entropy.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "bsp/imx6ul/soc.h"
#include "hal/drivers/mmio.h"

namespace sallyport::bsp::imx6ul {
namespace {

constexpr std::uintptr_t trng_offset = 0x600;
constexpr std::uintptr_t version_offset = 0xFF8;  // CAAMVID_MS: never zero on silicon

struct Trng {
  hal::Register32 rtmctl;    // 0x600 miscellaneous control
  hal::Register32 rtscmisc;  // 0x604
  hal::Register32 rtpkrrng;  // 0x608
  hal::Register32 rtpkrmax;  // 0x60c
  hal::Register32 rtsdctl;   // 0x610 seed control
  hal::Register32 rtsblim;   // 0x614
  hal::Register32 rtfrqmin;  // 0x618
  hal::Register32 rtfrqmax;  // 0x61c
  std::uint32_t reserved_620[8];
  hal::Register32 rtent[16];  // 0x640 entropy; reading the last word starts the next generation
};
static_assert(offsetof(Trng, rtent) == 0x40);

constexpr std::uint32_t program_mode = 1u << 16;
constexpr std::uint32_t error = 1u << 12;
constexpr std::uint32_t entropy_valid = 1u << 10;
constexpr std::uint32_t reset_to_defaults = 1u << 6;
constexpr std::uint32_t trng_access = 1u << 5;

// Oscillator cycles a sample, and samples a generation: the values with which the statistical tests of the generator
// pass over voltage and temperature (Linux' caam driver found 3200 too low on this SoC).
constexpr std::uint32_t sample_delay = 12'000;
constexpr std::uint32_t sample_count = 2'500;
constexpr std::uint32_t frequency_max_off = 1u << 20;

Trng& trng() { return registers_at<Trng>(caam_address + trng_offset); }

}  // namespace

void Imx6ulEntropy::start() {
  asm volatile("mcr p15, 0, %0, c9, c12, 0" ::"r"(1u << 2 | 1u));  // PMCR: C, E
  asm volatile("mcr p15, 0, %0, c9, c12, 1" ::"r"(1u << 31));      // PMCNTENSET: the cycle counter
  present_ = registers_at<hal::Register32>(caam_address + version_offset).read() != 0;
  if (!present_) return;
  trng().rtmctl.write(program_mode | reset_to_defaults);
  trng().rtsdctl.write(sample_delay << 16 | sample_count);
  trng().rtfrqmin.write(sample_delay / 4);
  trng().rtfrqmax.write(frequency_max_off);
  trng().rtmctl.write(trng_access);
}

std::size_t Imx6ulEntropy::read(std::span<std::byte> into) {
  std::size_t count = 0;
  while (present_ && count < into.size()) {
    if (!wait_for_entropy()) return 0;
    std::array<std::uint32_t, 16> words{};
    for (std::size_t i = 0; i < words.size(); ++i) words[i] = trng().rtent[i].read();
    const std::size_t taken = std::min(sizeof words, into.size() - count);
    std::memcpy(into.data() + count, words.data(), taken);
    count += taken;
  }
  return count;
}

std::uint32_t Imx6ulEntropy::cycle_counter() {
  std::uint32_t cycles = 0;
  asm volatile("mrc p15, 0, %0, c9, c13, 0" : "=r"(cycles)::"memory");  // PMCCNTR
  return cycles;
}

// The generator tests its own output; one that has failed stays silent until it is programmed anew.
bool Imx6ulEntropy::wait_for_entropy() {
  const Instant deadline = clock_.now() + generation_timeout;
  for (;;) {
    const std::uint32_t status = trng().rtmctl.read();
    if ((status & error) != 0) {
      present_ = false;
      return false;
    }
    if ((status & entropy_valid) != 0) return true;
    if (clock_.now() >= deadline) return false;
  }
}

}  // namespace sallyport::bsp::imx6ul
