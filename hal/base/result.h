// Result: a value or a typed reason why there is none. Input leads to a Result; our own bug leads to SALLYPORT_ASSERT.
//
// It is std::expected with [[nodiscard]] on the type, so that ignoring an error does not compile
// (tests/compile_fail/ignored_result.cpp).
#pragma once

#include <expected>

namespace sallyport {

template <class T, class E>
class [[nodiscard]] Result : public std::expected<T, E> {
 public:
  using std::expected<T, E>::expected;
};

using std::unexpected;

}  // namespace sallyport
