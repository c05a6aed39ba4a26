// Random: cryptographically strong bytes. One implementation, net/tls/drbg.h (seeded at boot); tests inject their own.
// Everything that must not be guessed comes from here: TLS, TCP initial sequence numbers (RFC 6528), ephemeral ports
// (RFC 6056), DNS ids, stream ids.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace sallyport::hal {

class Random {
 public:
  /// Fills all of `into`. A generator that cannot deliver stops the board: it never returns constants.
  virtual void fill(std::span<std::byte> into) = 0;

  std::uint32_t next_u32() {
    std::uint32_t value = 0;
    fill(std::as_writable_bytes(std::span(&value, 1)));
    return value;
  }

 protected:
  ~Random() = default;
};

}  // namespace sallyport::hal
