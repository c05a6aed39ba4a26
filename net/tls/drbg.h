// Drbg: the one random generator, HMAC_DRBG with SHA-256 (NIST SP 800-90A 10.1.2).
//
// Its secret comes from the card's stored seed (renewed at each boot, before anything random is used) and from a
// hardware generator where the board has one; timing jitter is stirred in but not counted, so two boots of a cloned
// card differ although nobody vouches for how much. With neither seed nor hardware it stays unseeded, and fill() stops
// the board.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "hal/base/arena.h"
#include "hal/base/result.h"
#include "hal/entropy.h"
#include "hal/random.h"
#include "mbedtls/hmac_drbg.h"

namespace sallyport::net::tls {

enum class EntropyError : std::uint8_t {
  no_source,  // no hardware generator, and no stored seed or one that is not random (too short, blank)
  library,    // the generator could not be set up: our bug or a failed self-test
};

std::string_view to_text(EntropyError error);  // a sentence for the console

inline constexpr std::size_t stored_seed_bytes = 64;  // 256 bits of strength twice: entropy input and nonce

class Drbg final : public hal::Random {
 public:
  Drbg();
  ~Drbg();
  Drbg(const Drbg&) = delete;
  Drbg& operator=(const Drbg&) = delete;

  /// `stored_seed` may be empty. On success call next_seed() and write it to the card before anything else draws from
  /// the generator: a seed must never serve two boots.
  Result<void, EntropyError> seed(std::span<const std::byte> stored_seed, hal::EntropySource& source);
  /// The seed of the next boot. Reveals nothing about what this boot draws (SP 800-90A backtracking resistance).
  void next_seed(std::span<std::byte, stored_seed_bytes> seed) { fill(seed); }
  /// Adds fresh jitter and hardware randomness; call now and then (each minute, each new connection).
  void stir(hal::EntropySource& source);

  /// Asserts that seed() has succeeded.
  void fill(std::span<std::byte> into) override;

  bool seeded() const { return seeded_; }

 private:
  mbedtls_hmac_drbg_context context_;
  bool seeded_ = false;
  alignas(8) std::array<std::byte, 768> memory_{};  // the hash context, which the library allocates
  Arena arena_;
};

}  // namespace sallyport::net::tls
