#include "xmpp/base64.h"

#include <cstdint>

#include "hal/base/assert.h"

namespace sallyport::xmpp {

namespace {

constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

std::uint32_t byte_at(std::string_view bytes, std::size_t index) {
  return index < bytes.size() ? static_cast<unsigned char>(bytes[index]) : 0U;
}

}  // namespace

std::string_view base64_encode(std::string_view bytes, std::span<char> into) {
  SALLYPORT_ASSERT(into.size() >= base64_length(bytes.size()));
  std::size_t out = 0;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::uint32_t group = byte_at(bytes, i) << 16 | byte_at(bytes, i + 1) << 8 | byte_at(bytes, i + 2);
    into[out++] = alphabet[group >> 18];
    into[out++] = alphabet[group >> 12 & 63];
    into[out++] = i + 1 < bytes.size() ? alphabet[group >> 6 & 63] : '=';
    into[out++] = i + 2 < bytes.size() ? alphabet[group & 63] : '=';
  }
  return {into.data(), out};
}

std::optional<std::string_view> base64_decode(std::string_view text, std::span<char> into) {
  if (text.size() % 4 != 0) return std::nullopt;
  std::size_t padding = 0;
  while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=') ++padding;
  const std::size_t length = text.size() / 4 * 3 - padding;
  if (length > into.size()) return std::nullopt;

  std::size_t out = 0;
  std::uint32_t bits = 0;
  unsigned count = 0;
  for (const char c : text.substr(0, text.size() - padding)) {
    const std::size_t value = alphabet.find(c);
    if (value == std::string_view::npos) return std::nullopt;
    bits = bits << 6 | static_cast<std::uint32_t>(value);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    into[out++] = static_cast<char>(bits >> count & 0xFF);
  }
  // Bits beyond the last byte must be zero, or two texts would mean the same (RFC 4648 3.5).
  if ((bits & ((1U << count) - 1)) != 0) return std::nullopt;
  return std::string_view(into.data(), out);
}

}  // namespace sallyport::xmpp
