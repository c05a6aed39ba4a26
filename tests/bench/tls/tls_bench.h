// What TLS costs: public-key operations, handshakes and records, measured with a given clock.
#pragma once

#include "hal/clock.h"
#include "hal/entropy.h"

namespace sallyport::bench {

/// Prints a line of the report.
using Say = void (*)(const char* line);

void run_tls_bench(const hal::MonotonicClock& clock, hal::EntropySource& entropy, Say say);

}  // namespace sallyport::bench
