#include "net/tls/engine.h"

#include <chrono>
#include <cstdint>
#include <ctime>
#include <limits>

#include "hal/base/arena.h"
#include "hal/base/assert.h"
#include "mbedtls/platform_util.h"
#include "net/tls/mbedtls_platform.h"
#include "psa/crypto.h"
#include "psa/crypto_extra.h"

namespace sallyport::net::tls {
namespace {

// Mbed TLS and PSA call plain functions without a context: these are their only way to what the Engine was given.
hal::Random* library_random = nullptr;
const hal::WallClock* library_clock = nullptr;

}  // namespace

Engine::Engine(hal::Random& random, const hal::WallClock& clock, TaskQueue& tasks) : clock_(clock), tasks_(tasks) {
  SALLYPORT_ASSERT(library_random == nullptr);
  library_random = &random;
  library_clock = &clock;
  SALLYPORT_ASSERT(psa_crypto_init() == PSA_SUCCESS);
}

Engine::~Engine() {
  mbedtls_psa_crypto_free();
  library_random = nullptr;
  library_clock = nullptr;
}

int Engine::random(void*, unsigned char* output, std::size_t length) {
  SALLYPORT_ASSERT(library_random != nullptr);
  library_random->fill({reinterpret_cast<std::byte*>(output), length});
  return 0;
}

std::size_t psa_key_slots_in_use() {
  mbedtls_psa_stats_t stats;
  mbedtls_psa_get_stats(&stats);
  return stats.MBEDTLS_PRIVATE(volatile_slots);
}

}  // namespace sallyport::net::tls

using sallyport::Arena;
using sallyport::net::tls::Engine;

extern "C" {

void* sallyport_tls_calloc(std::size_t count, std::size_t size) {
  SALLYPORT_ASSERT(Arena::current() != nullptr);
  if (size != 0 && count > std::numeric_limits<std::size_t>::max() / size) return nullptr;
  return Arena::current()->allocate(count * size, true);
}

void sallyport_tls_free(void* pointer) {
  if (pointer == nullptr) return;
  SALLYPORT_ASSERT(Arena::current() != nullptr);
  Arena::current()->release(pointer);
}

long long sallyport_tls_time(long long* time) {
  // Certificates are not judged while the clock is unknown; 1970 makes every one of them "not yet valid" all the same.
  const auto now = sallyport::net::tls::library_clock->now().value_or(sallyport::UnixTime{});
  const long long seconds = now.time_since_epoch().count();
  if (time != nullptr) *time = seconds;
  return seconds;
}

// TLS 1.3 stamps sessions for tickets, which this build has none of.
mbedtls_ms_time_t mbedtls_ms_time(void) { return sallyport_tls_time(nullptr) * 1000; }

struct tm* mbedtls_platform_gmtime_r(const mbedtls_time_t* time, struct tm* broken_down) {
  using namespace std::chrono;
  const sys_seconds moment{seconds(*time)};
  const auto day = floor<days>(moment);
  const year_month_day date(day);
  const hh_mm_ss clock(moment - day);
  *broken_down = {};
  broken_down->tm_year = static_cast<int>(date.year()) - 1900;
  broken_down->tm_mon = static_cast<int>(static_cast<unsigned>(date.month())) - 1;
  broken_down->tm_mday = static_cast<int>(static_cast<unsigned>(date.day()));
  broken_down->tm_hour = static_cast<int>(clock.hours().count());
  broken_down->tm_min = static_cast<int>(clock.minutes().count());
  broken_down->tm_sec = static_cast<int>(clock.seconds().count());
  return broken_down;
}

psa_status_t mbedtls_psa_external_get_random(mbedtls_psa_external_random_context_t*, std::uint8_t* output,
                                             std::size_t output_size, std::size_t* output_length) {
  Engine::random(nullptr, output, output_size);
  *output_length = output_size;
  return PSA_SUCCESS;
}

}  // extern "C"
