// ImxSnvs: RealTimeClock on the secure real-time counter (SRTC) of SNVS_LP (IMX6ULLRM, chapter "Secure
// Non-Volatile Storage (SNVS)"): 47 bits at 32,768 Hz, on the coin cell. It holds Unix time; software that boots before
// us or after us may use the same convention (Linux' rtc-snvs does).
#pragma once

#include <cstddef>
#include <cstdint>

#include "hal/clock.h"
#include "hal/drivers/mmio.h"

namespace sallyport::hal {

struct SnvsRegisters {
  std::uint32_t reserved_00[14];
  Register32 lpcr;  // 0x38 LP control
  std::uint32_t reserved_3c[5];
  Register32 lpsrtcmr;  // 0x50 SRTC, upper 15 bits
  Register32 lpsrtclr;  // 0x54 SRTC, lower 32 bits
};
static_assert(offsetof(SnvsRegisters, lpcr) == 0x38 && offsetof(SnvsRegisters, lpsrtclr) == 0x54);

class ImxSnvs final : public RealTimeClock {
 public:
  /// Before this the counter cannot have been set by anyone: it has no battery, no clock, or no model.
  static constexpr UnixTime earliest_plausible{std::chrono::sys_days{std::chrono::year{2024} / 1 / 1}};

  explicit ImxSnvs(SnvsRegisters& registers) : registers_(registers) {}
  ImxSnvs(const ImxSnvs&) = delete;
  ImxSnvs& operator=(const ImxSnvs&) = delete;

  std::optional<UnixTime> read() override;
  /// False: the counter did not take the time (no RTC on this board or model).
  bool set(UnixTime time) override;

 private:
  std::optional<std::uint64_t> counter() const;
  bool enable_counter(bool on);

  SnvsRegisters& registers_;
};

}  // namespace sallyport::hal
