// The nearest known word to a mistyped one, for "did you mean".
#pragma once

#include <cstddef>
#include <string_view>

namespace sallyport::firmware {

/// Insertions, deletions, replacements and swaps of neighbours that make `left` out of `right` (optimal string
/// alignment distance). Words longer than 31 bytes are taken as entirely different.
std::size_t edit_distance(std::string_view left, std::string_view right);

/// Close enough to be a slip: one edit in three characters, or the start of the word.
bool is_likely_slip(std::string_view typed, std::string_view known);

}  // namespace sallyport::firmware
