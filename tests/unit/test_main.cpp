// main() of every unit test, and the board's part of SALLYPORT_ASSERT: a death test sees the message on stderr.
#include <gmock/gmock.h>

#include <cstdio>
#include <cstdlib>

#include "hal/base/assert.h"

namespace sallyport {

void assertion_failed(const char* expression, const char* file, int line) {
  std::fprintf(stderr, "assertion failed: %s (%s:%d)\n", expression, file, line);
  std::abort();
}

}  // namespace sallyport

int main(int argc, char** argv) {
  testing::InitGoogleMock(&argc, argv);
  testing::GTEST_FLAG(death_test_style) = "threadsafe";
  return RUN_ALL_TESTS();
}
