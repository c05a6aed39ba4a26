#include "net/tls/drbg.h"

#include <algorithm>

#include "hal/base/assert.h"
#include "mbedtls/platform_util.h"
#include "mbedtls/sha256.h"

namespace sallyport::net::tls {
namespace {

constexpr std::size_t digest_bytes = 32;
constexpr std::size_t hardware_bytes = 48;  // 256 bits of entropy and a 128-bit nonce (SP 800-90A table 2)
constexpr std::size_t jitter_samples = 512;

std::uint8_t* octets(std::byte* bytes) { return reinterpret_cast<std::uint8_t*>(bytes); }

/// A blank card gives 00 or FF, an interrupted write too little.
bool plausible_seed(std::span<const std::byte> seed) {
  return seed.size() >= digest_bytes && std::ranges::any_of(seed, [&](std::byte byte) { return byte != seed.front(); });
}

/// Hashes the counter around memory accesses whose duration depends on caches, refresh and interrupts.
void collect_jitter(hal::EntropySource& source, std::span<std::byte, digest_bytes> digest) {
  static std::array<volatile std::uint8_t, 4096> playground;
  mbedtls_sha256_context hash;
  mbedtls_sha256_init(&hash);
  bool ok = mbedtls_sha256_starts(&hash, 0) == 0;
  std::uint32_t position = source.cycle_counter();
  for (std::size_t sample = 0; sample < jitter_samples; ++sample) {
    for (int access = 0; access < 8; ++access) {
      position = position * 1664525U + 1013904223U;
      std::uint8_t old = playground[position % playground.size()];
      playground[position % playground.size()] = static_cast<std::uint8_t>(old + 1);
    }
    const std::uint32_t counter = source.cycle_counter();
    position ^= counter;
    ok = ok && mbedtls_sha256_update(&hash, reinterpret_cast<const std::uint8_t*>(&counter), sizeof counter) == 0;
  }
  ok = ok && mbedtls_sha256_finish(&hash, octets(digest.data())) == 0;
  mbedtls_sha256_free(&hash);
  SALLYPORT_ASSERT(ok);
}

}  // namespace

std::string_view to_text(EntropyError error) {
  switch (error) {
    case EntropyError::no_source:
      return "no random seed on the card and no hardware random generator: without either, keys could be guessed";
    case EntropyError::library: return "the random generator could not be set up";
  }
  return "unknown entropy error";
}

Drbg::Drbg() : arena_(memory_) { mbedtls_hmac_drbg_init(&context_); }

Drbg::~Drbg() {
  ArenaScope scope(arena_);
  mbedtls_hmac_drbg_free(&context_);
}

Result<void, EntropyError> Drbg::seed(std::span<const std::byte> stored_seed, hal::EntropySource& source) {
  SALLYPORT_ASSERT(!seeded_);
  std::array<std::byte, stored_seed_bytes + hardware_bytes + digest_bytes> material{};
  const auto stored = std::span(material).first<stored_seed_bytes>();
  const auto hardware = std::span(material).subspan<stored_seed_bytes, hardware_bytes>();
  const bool have_stored = plausible_seed(stored_seed);
  if (have_stored) std::ranges::copy(stored_seed.first(std::min(stored_seed.size(), stored.size())), stored.begin());
  const bool have_hardware = source.read(hardware) == hardware.size();
  if (!have_stored && !have_hardware) return unexpected(EntropyError::no_source);
  collect_jitter(source, std::span(material).last<digest_bytes>());

  ArenaScope scope(arena_);
  const int status = mbedtls_hmac_drbg_seed_buf(&context_, mbedtls_md_info_from_type(MBEDTLS_MD_SHA256),
                                                octets(material.data()), material.size());
  mbedtls_platform_zeroize(material.data(), material.size());
  if (status != 0) return unexpected(EntropyError::library);
  seeded_ = true;
  return {};
}

void Drbg::stir(hal::EntropySource& source) {
  SALLYPORT_ASSERT(seeded_);
  std::array<std::byte, digest_bytes + digest_bytes> material{};
  collect_jitter(source, std::span(material).first<digest_bytes>());
  static_cast<void>(source.read(std::span(material).last<digest_bytes>()));
  ArenaScope scope(arena_);
  SALLYPORT_ASSERT(mbedtls_hmac_drbg_update(&context_, octets(material.data()), material.size()) == 0);
  mbedtls_platform_zeroize(material.data(), material.size());
}

void Drbg::fill(std::span<std::byte> into) {
  SALLYPORT_ASSERT(seeded_);
  ArenaScope scope(arena_);
  while (!into.empty()) {
    const std::size_t count = std::min<std::size_t>(into.size(), MBEDTLS_HMAC_DRBG_MAX_REQUEST);
    SALLYPORT_ASSERT(mbedtls_hmac_drbg_random(&context_, octets(into.data()), count) == 0);
    into = into.subspan(count);
  }
}

}  // namespace sallyport::net::tls
