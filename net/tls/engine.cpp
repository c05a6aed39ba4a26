#include "net/tls/engine.h"

#include <chrono>
#include <cstdint>
#include <ctime>
#include <limits>

#include "hal/base/assert.h"
#include "mbedtls/platform_util.h"
#include "net/tls/mbedtls_platform.h"
#include "psa/crypto.h"
#include "psa/crypto_extra.h"

namespace sallyport::net::tls {
namespace {

// Mbed TLS and PSA call plain functions without a context: these are their only way to what the Engine was given.
Engine* library_engine = nullptr;
hal::Random* library_random = nullptr;

}  // namespace

Engine::Engine(hal::Random& random, const hal::WallClock& clock, TaskQueue& tasks) : clock_(clock), tasks_(tasks) {
  SALLYPORT_ASSERT(library_engine == nullptr);
  library_engine = this;
  library_random = &random;
  SALLYPORT_ASSERT(psa_crypto_init() == PSA_SUCCESS);
}

Engine::~Engine() {
  mbedtls_psa_crypto_free();
  library_engine = nullptr;
  library_random = nullptr;
}

Engine::HandshakeStep::HandshakeStep(Engine& engine, Arena& session)
    : engine_(engine), scope_(session), failures_before_(engine.scratch_.failures()) {
  SALLYPORT_ASSERT(!engine_.in_step_);
  engine_.in_step_ = true;
}

Engine::HandshakeStep::~HandshakeStep() {
  SALLYPORT_ASSERT(!overdrawn());
  engine_.in_step_ = false;
}

void* Engine::allocate(std::size_t bytes) {
  SALLYPORT_ASSERT(Arena::current() != nullptr);
  void* pointer = Arena::current()->allocate(bytes, true);
  if (pointer == nullptr && library_engine != nullptr && library_engine->in_step_)
    pointer = library_engine->scratch_.allocate(bytes, true);
  return pointer;
}

void Engine::release(void* pointer) {
  if (pointer == nullptr) return;
  if (library_engine != nullptr && library_engine->owns(pointer)) {
    library_engine->scratch_.release(pointer);
    return;
  }
  SALLYPORT_ASSERT(Arena::current() != nullptr);
  Arena::current()->release(pointer);
}

int Engine::random(void*, unsigned char* output, std::size_t length) {
  SALLYPORT_ASSERT(library_random != nullptr);
  library_random->fill({reinterpret_cast<std::byte*>(output), length});
  return 0;
}

long long Engine::time() {
  SALLYPORT_ASSERT(library_engine != nullptr);
  // Certificates are not judged while the clock is unknown; 1970 makes every one of them "not yet valid" all the same.
  return library_engine->clock_.now().value_or(UnixTime{}).time_since_epoch().count();
}

std::size_t psa_key_slots_in_use() {
  mbedtls_psa_stats_t stats;
  mbedtls_psa_get_stats(&stats);
  return stats.MBEDTLS_PRIVATE(volatile_slots);
}

}  // namespace sallyport::net::tls

using sallyport::net::tls::Engine;

extern "C" {

void* sallyport_tls_calloc(std::size_t count, std::size_t size) {
  if (size != 0 && count > std::numeric_limits<std::size_t>::max() / size) return nullptr;
  return Engine::allocate(count * size);
}

void sallyport_tls_free(void* pointer) { Engine::release(pointer); }

long long sallyport_tls_time(long long* time) {
  const long long seconds = Engine::time();
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
