// libFuzzer target: the XML reader, the receiving stream and the forwarded stanzas. See tests/fuzz/README.md.
#include <cstdio>
#include <cstdlib>

#include "tests/fuzz/stream_driver.h"

namespace sallyport {

void assertion_failed(const char* expression, const char* file, int line) {
  std::fprintf(stderr, "assertion failed: %s (%s:%d)\n", expression, file, line);
  std::abort();
}

}  // namespace sallyport

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  sallyport::fuzz::drive_stream({data, size});
  return 0;
}
