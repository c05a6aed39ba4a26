#include "hal/drivers/imx_snvs/imx_snvs.h"

namespace sallyport::hal {
namespace {

constexpr std::uint32_t srtc_enable = 1u << 0;  // LPCR SRTC_ENV
constexpr unsigned ticks_per_second_shift = 15;
// The low-power domain takes up to three 32 kHz cycles for a change: about 100 us, or this many slow reads.
constexpr int domain_polls = 100'000;
constexpr int counter_reads = 10;

}  // namespace

std::optional<UnixTime> ImxSnvs::read() {
  const auto ticks = counter();
  if (!ticks) return std::nullopt;
  const UnixTime time{std::chrono::seconds{static_cast<std::int64_t>(*ticks >> ticks_per_second_shift)}};
  if (time < earliest_plausible) return std::nullopt;
  return time;
}

bool ImxSnvs::set(UnixTime time) {
  if (time < earliest_plausible) return false;
  const std::uint64_t ticks = static_cast<std::uint64_t>(time.time_since_epoch().count()) << ticks_per_second_shift;
  // The counter can only be written while it stands still.
  enable_counter(false);
  registers_.lpsrtcmr.write(static_cast<std::uint32_t>(ticks >> 32));
  registers_.lpsrtclr.write(static_cast<std::uint32_t>(ticks));
  enable_counter(true);
  const auto now = read();
  return now && *now >= time && *now <= time + std::chrono::seconds{2};
}

// The two halves tick in another clock domain: two equal readings in a row are one true one.
std::optional<std::uint64_t> ImxSnvs::counter() const {
  std::uint64_t before = ~std::uint64_t{0};
  for (int i = 0; i < counter_reads; ++i) {
    const std::uint64_t high = registers_.lpsrtcmr.read();
    const std::uint64_t now = high << 32 | registers_.lpsrtclr.read();
    if (now >> ticks_per_second_shift == before >> ticks_per_second_shift) return now;
    before = now;
  }
  return std::nullopt;
}

bool ImxSnvs::enable_counter(bool on) {
  if (on)
    registers_.lpcr.set(srtc_enable);
  else
    registers_.lpcr.clear(srtc_enable);
  for (int i = 0; i < domain_polls; ++i)
    if (registers_.lpcr.any(srtc_enable) == on) return true;
  return false;
}

}  // namespace sallyport::hal
