// An error that nobody looks at (hal/base/result.h).
// expect-error: ignoring returned value of type 'sallyport::Result<int, .*Refusal>'
#include "hal/base/result.h"

namespace {

enum class Refusal { full };

sallyport::Result<int, Refusal> admit() { return sallyport::unexpected(Refusal::full); }

}  // namespace

bool use() {
#ifdef CONTROL
  return admit().has_value();
#else
  admit();
  return true;
#endif
}
