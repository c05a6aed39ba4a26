// Base 64 as SASL in XMPP wants it: RFC 4648 section 4, padded, no white space, unused bits zero (RFC 6120 13.9.1).
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

namespace sallyport::xmpp {

constexpr std::size_t base64_length(std::size_t bytes) { return (bytes + 2) / 3 * 4; }

/// Writes base64_length(bytes.size()) characters into `into`, which must have the room.
std::string_view base64_encode(std::string_view bytes, std::span<char> into);
/// nullopt: not canonical base 64, or longer than `into` holds.
std::optional<std::string_view> base64_decode(std::string_view text, std::span<char> into);

}  // namespace sallyport::xmpp
