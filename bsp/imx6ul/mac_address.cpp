#include "bsp/imx6ul/mac_address.h"

#include <cstddef>

#include "bsp/imx6ul/soc.h"

namespace sallyport::bsp::imx6ul {
namespace {

/// On-chip OTP controller, shadow registers of the fuses (IMX6ULLRM 37.5, "On-Chip OTP Controller").
struct Ocotp {
  std::uint32_t reserved_000[260];
  hal::Register32 unique_id_low;  // 0x410 OCOTP_CFG0
  std::uint32_t reserved_414[3];
  hal::Register32 unique_id_high;  // 0x420 OCOTP_CFG1
  std::uint32_t reserved_424[127];
  hal::Register32 mac0;  // 0x620: bytes 2 to 5 of port 1's
  std::uint32_t reserved_624[3];
  hal::Register32 mac1;  // 0x630: bytes 0 and 1 of port 1's in the lower half, bytes 4 and 5 of port 2's in the upper
  std::uint32_t reserved_634[3];
  hal::Register32 mac2;  // 0x640: bytes 0 to 3 of port 2's
};
static_assert(offsetof(Ocotp, unique_id_low) == 0x410 && offsetof(Ocotp, unique_id_high) == 0x420);
static_assert(offsetof(Ocotp, mac0) == 0x620 && offsetof(Ocotp, mac2) == 0x640);

constexpr hal::MacAddress from_words(std::uint32_t first_four, std::uint32_t last_two) {
  return {static_cast<std::uint8_t>(first_four >> 24), static_cast<std::uint8_t>(first_four >> 16),
          static_cast<std::uint8_t>(first_four >> 8),  static_cast<std::uint8_t>(first_four),
          static_cast<std::uint8_t>(last_two >> 8),    static_cast<std::uint8_t>(last_two)};
}

bool usable(const hal::MacAddress& address) { return address != hal::MacAddress{} && (address[0] & 1) == 0; }

hal::MacAddress from_fuses(const Ocotp& fuses, MacPort port) {
  const std::uint32_t middle = fuses.mac1.read();
  if (port == MacPort::enet1) {
    const std::uint32_t low = fuses.mac0.read();
    return from_words(middle << 16 | low >> 16, low & 0xFFFF);
  }
  return from_words(fuses.mac2.read(), middle >> 16);
}

// IEEE 802c: bit 1 of the first octet. Two appliances on one wire differ by the unique id, the two ports by the last
// bit.
hal::MacAddress made_up(const Ocotp& fuses, MacPort port) {
  const std::uint32_t id = fuses.unique_id_low.read() ^ fuses.unique_id_high.read() * 0x9E37'79B1u;
  return from_words(0x0253'0000u | id >> 16, (id << 1 & 0xFFFE) | static_cast<std::uint32_t>(port));
}

}  // namespace

hal::MacAddress mac_address(const hal::EnetRegisters& registers, MacPort port) {
  const hal::MacAddress preset = from_words(registers.palr.read(), registers.paur.read() >> 16);
  if (usable(preset)) return preset;
  const auto& fuses = registers_at<Ocotp>(ocotp_address);
  const hal::MacAddress fused = from_fuses(fuses, port);
  return usable(fused) ? fused : made_up(fuses, port);
}

}  // namespace sallyport::bsp::imx6ul
