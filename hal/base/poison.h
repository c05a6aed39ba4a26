// poison, unpoison: tell AddressSanitizer which parts of a static pool or arena nobody may touch, so that host tests
// catch use after release there as they do on a heap. On every other build they are nothing.
#pragma once

#include <cstddef>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#endif

namespace sallyport {

#ifdef __SANITIZE_ADDRESS__
inline constexpr bool poisoning = true;
inline void poison(const void* begin, std::size_t bytes) { __asan_poison_memory_region(begin, bytes); }
inline void unpoison(const void* begin, std::size_t bytes) { __asan_unpoison_memory_region(begin, bytes); }
#else
inline constexpr bool poisoning = false;
inline void poison(const void*, std::size_t) {}
inline void unpoison(const void*, std::size_t) {}
#endif

}  // namespace sallyport
