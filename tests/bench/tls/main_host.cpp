// The bench as a program: the clock is the process' CPU time, which other programs on the machine change little.
#include <cstdio>
#include <cstdlib>
#include <ctime>

#include "hal/base/assert.h"
#include "tests/bench/tls/tls_bench.h"

namespace sallyport {

void assertion_failed(const char* expression, const char* file, int line) {
  std::fprintf(stderr, "assertion failed: %s (%s:%d)\n", expression, file, line);
  std::abort();
}

namespace {

class CpuClock final : public hal::MonotonicClock {
 public:
  Instant now() const override {
    timespec time{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return Instant(std::chrono::seconds(time.tv_sec) + std::chrono::microseconds(time.tv_nsec / 1000));
  }
};

class NoGenerator final : public hal::EntropySource {
 public:
  std::size_t read(std::span<std::byte>) override { return 0; }
  std::uint32_t cycle_counter() override { return ++counter_; }

 private:
  std::uint32_t counter_ = 0;
};

}  // namespace
}  // namespace sallyport

int main() {
  using namespace sallyport;
  CpuClock clock;
  NoGenerator entropy;
  bench::run_tls_bench(clock, entropy, [](const char* line) { std::puts(line); });
}
