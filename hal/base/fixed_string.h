// FixedString<N>: text of at most N bytes, stored in place, always NUL-terminated for C libraries. No heap.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace sallyport {

template <std::size_t N>
class FixedString {
 public:
  constexpr FixedString() = default;
  /// Keeps the first N bytes of `text`. Use assign() where truncation must be noticed.
  constexpr explicit FixedString(std::string_view text) { static_cast<void>(assign(text)); }

  /// False when `text` was longer than N bytes; then the first N bytes are kept.
  constexpr bool assign(std::string_view text) {
    size_ = 0;
    return append(text);
  }

  /// False when not all of `text` fitted.
  constexpr bool append(std::string_view text) {
    const std::size_t count = std::min(text.size(), N - size_);
    std::copy_n(text.begin(), count, bytes_.begin() + static_cast<std::ptrdiff_t>(size_));
    size_ = static_cast<std::uint16_t>(size_ + count);
    bytes_[size_] = '\0';
    return count == text.size();
  }

  constexpr void clear() { size_ = 0, bytes_[0] = '\0'; }
  constexpr std::string_view view() const { return {bytes_.data(), size_}; }
  constexpr operator std::string_view() const { return view(); }  // NOLINT(google-explicit-constructor): it is a text
  constexpr const char* c_str() const { return bytes_.data(); }
  constexpr std::size_t size() const { return size_; }
  constexpr bool empty() const { return size_ == 0; }
  static constexpr std::size_t capacity() { return N; }

  friend constexpr bool operator==(const FixedString& left, std::string_view right) { return left.view() == right; }

 private:
  static_assert(N <= 0xFFFF);
  std::array<char, N + 1> bytes_{};
  std::uint16_t size_ = 0;
};

}  // namespace sallyport
