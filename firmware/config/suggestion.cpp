#include "firmware/config/suggestion.h"

#include <algorithm>
#include <array>
#include <utility>

namespace sallyport::firmware {

std::size_t edit_distance(std::string_view left, std::string_view right) {
  constexpr std::size_t max_word = 31;
  using Row = std::array<std::size_t, max_word + 1>;
  if (left.size() > max_word || right.size() > max_word) return std::max(left.size(), right.size());

  Row before_last{}, last{}, row{};
  for (std::size_t j = 0; j <= right.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= left.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= right.size(); ++j) {
      const std::size_t replaced = last[j - 1] + (left[i - 1] == right[j - 1] ? 0 : 1);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, replaced});
      if (i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1])
        row[j] = std::min(row[j], before_last[j - 2] + 1);
    }
    before_last = std::exchange(last, row);
  }
  return last[right.size()];
}

bool is_likely_slip(std::string_view typed, std::string_view known) {
  if (typed.empty()) return false;
  return known.starts_with(typed) || edit_distance(typed, known) * 3 <= std::max(typed.size(), known.size());
}

}  // namespace sallyport::firmware
