// RingBuffer<T, N>: a bounded FIFO in place. N is a power of two. Safe between one producer in an interrupt handler and
// one consumer in the loop on a single core (indices are only written by their owner).
#pragma once

#include <array>
#include <cstddef>
#include <optional>

namespace sallyport {

template <class T, std::size_t N>
class RingBuffer {
 public:
  /// False when full; nothing is overwritten.
  bool push(const T& item) {
    if (full()) return false;
    items_[head_ % N] = item;
    head_ = head_ + 1;
    return true;
  }

  std::optional<T> pop() {
    if (empty()) return std::nullopt;
    T item = items_[tail_ % N];
    tail_ = tail_ + 1;
    return item;
  }

  bool empty() const { return head_ == tail_; }
  bool full() const { return head_ - tail_ == N; }
  std::size_t size() const { return head_ - tail_; }
  static constexpr std::size_t capacity() { return N; }

 private:
  static_assert(N > 0 && (N & (N - 1)) == 0);
  std::array<T, N> items_{};
  volatile std::size_t head_ = 0;
  volatile std::size_t tail_ = 0;
};

}  // namespace sallyport
