// BoundedList<T, N>: up to N values in place, in the order they were added. No heap.
#pragma once

#include <array>
#include <cstddef>
#include <span>

namespace sallyport::firmware {

template <class T, std::size_t N>
class BoundedList {
 public:
  /// False when full; nothing changes then.
  constexpr bool push(const T& item) {
    if (full()) return false;
    items_[count_++] = item;
    return true;
  }
  constexpr void clear() { count_ = 0; }

  constexpr std::span<const T> view() const { return {items_.data(), count_}; }
  constexpr std::span<T> view() { return {items_.data(), count_}; }
  constexpr auto begin() const { return view().begin(); }
  constexpr auto end() const { return view().end(); }
  constexpr const T& operator[](std::size_t index) const { return view()[index]; }
  constexpr T& operator[](std::size_t index) { return view()[index]; }

  constexpr std::size_t size() const { return count_; }
  constexpr bool empty() const { return count_ == 0; }
  constexpr bool full() const { return count_ == N; }
  static constexpr std::size_t capacity() { return N; }

 private:
  std::array<T, N> items_{};
  std::size_t count_ = 0;
};

}  // namespace sallyport::firmware
