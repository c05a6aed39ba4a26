// Text for a terminal: whatever a peer, a card or a typing operator put into it, it cannot move the cursor, ring, or
// hide.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>

#include "hal/base/fixed_string.h"

namespace sallyport::firmware {

/// Appends `text` with each byte that is not printable ASCII as \xNN. Bytes of UTF-8 as well: its bidirectional
/// controls can make a line read as another. A text that does not fit ends in "...".
template <std::size_t N>
void append_printable(FixedString<N>& to, std::string_view text) {
  constexpr std::string_view digits = "0123456789abcdef";
  constexpr std::string_view cut = "...";
  static_assert(N > cut.size());
  std::size_t whole = std::min(to.size(), N - cut.size());  // behind the last piece that leaves room for the mark
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const std::array<char, 4> escaped{'\\', 'x', digits[byte >> 4], digits[byte & 15U]};
    const bool plain = byte >= 0x20 && byte < 0x7F;
    const std::string_view piece = plain ? std::string_view(&c, 1) : std::string_view(escaped.data(), escaped.size());
    if (to.size() + piece.size() > N) {
      const FixedString<N> kept(to.view().substr(0, whole));
      to = kept;
      static_cast<void>(to.append(cut));
      return;
    }
    static_cast<void>(to.append(piece));
    if (to.size() <= N - cut.size()) whole = to.size();
  }
}

}  // namespace sallyport::firmware
