// Pool<T, N>: N objects of one type in static storage. acquire() constructs in place, release() destroys. Exhaustion is
// an ordinary state (nullptr), not an error; the caller answers with back-pressure or `resource-constraint`.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <utility>

#include "hal/base/assert.h"
#include "hal/base/poison.h"

namespace sallyport {

template <class T, std::size_t N>
class Pool {
 public:
  Pool() {
    for (std::size_t i = 0; i < N; ++i) free_[i] = static_cast<std::uint16_t>(N - 1 - i);
    poison(storage_.data(), sizeof storage_);
  }
  ~Pool() requires(poisoning) { unpoison(storage_.data(), sizeof storage_); }
  ~Pool() = default;
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  /// nullptr when all N are in use. The caller gives the object back with release().
  template <class... Args>
  T* acquire(Args&&... args) {
    if (free_count_ == 0) return nullptr;
    const std::uint16_t index = free_[--free_count_];
    if (N - free_count_ > high_water_) high_water_ = N - free_count_;
    used_[index] = true;
    unpoison(at(index), sizeof(T));
    return std::construct_at(at(index), std::forward<Args>(args)...);
  }

  void release(T& object) {
    const std::size_t index = index_of(object);
    SALLYPORT_ASSERT(used_[index]);
    std::destroy_at(&object);
    poison(&object, sizeof(T));
    used_[index] = false;
    free_[free_count_++] = static_cast<std::uint16_t>(index);
  }

  /// Calls `visit(T&)` for each object in use. `visit` may release the object it was given, and no other.
  template <class Visit>
  void for_each(Visit visit) {
    for (std::size_t i = 0; i < N; ++i)
      if (used_[i]) visit(*at(i));
  }

  std::size_t index_of(const T& object) const {
    const auto offset = reinterpret_cast<const std::byte*>(&object) - storage_.data();
    SALLYPORT_ASSERT(offset >= 0 && static_cast<std::size_t>(offset) < sizeof storage_ &&
                     static_cast<std::size_t>(offset) % sizeof(T) == 0);
    return static_cast<std::size_t>(offset) / sizeof(T);
  }

  /// The object in place `index`, or nullptr when that place is free.
  T* get(std::size_t index) { return used_[index] ? at(index) : nullptr; }
  /// The object in use that has `part` inside of it.
  T& containing(const void* part) {
    const auto offset = static_cast<std::size_t>(static_cast<const std::byte*>(part) - storage_.data());
    SALLYPORT_ASSERT(offset < sizeof storage_ && used_[offset / sizeof(T)]);
    return *at(offset / sizeof(T));
  }

  static constexpr std::size_t capacity() { return N; }
  std::size_t in_use() const { return N - free_count_; }
  std::size_t high_water() const { return high_water_; }

 private:
  static_assert(N > 0 && N <= 0xFFFF);
  T* at(std::size_t index) { return std::launder(reinterpret_cast<T*>(storage_.data() + index * sizeof(T))); }

  alignas(T) std::array<std::byte, N * sizeof(T)> storage_;
  std::array<std::uint16_t, N> free_{};
  std::array<bool, N> used_{};
  std::size_t free_count_ = N;
  std::size_t high_water_ = 0;
};

}  // namespace sallyport
