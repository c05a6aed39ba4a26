#include "net/dns/name.h"

#include <algorithm>

namespace sallyport::net::dns {

namespace {

constexpr char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

constexpr bool is_host_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

}  // namespace

std::optional<Name> Name::from_text(std::string_view text) {
  if (text.ends_with('.')) text.remove_suffix(1);
  Name name;
  while (true) {
    const std::size_t dot = text.find('.');
    const std::string_view label = text.substr(0, dot);
    if (label.empty() || !std::ranges::all_of(label, is_host_character)) return std::nullopt;
    if (!name.append_label(std::as_bytes(std::span(label)))) return std::nullopt;
    if (dot == std::string_view::npos) return name;
    text.remove_prefix(dot + 1);
  }
}

bool Name::append_label(std::span<const std::byte> label) {
  if (label.empty() || label.size() > max_label_bytes || size_ + 1 + label.size() > max_name_bytes) return false;
  std::size_t end = size_ - 1U;  // over the root's zero
  wire_[end++] = static_cast<std::byte>(label.size());
  for (const std::byte byte : label) wire_[end++] = static_cast<std::byte>(lower(static_cast<char>(byte)));
  wire_[end++] = std::byte{0};
  size_ = static_cast<std::uint8_t>(end);
  return true;
}

FixedString<max_name_text> Name::text() const {
  FixedString<max_name_text> text;
  if (is_root()) text = FixedString<max_name_text>(".");
  for (std::size_t at = 0; wire_[at] != std::byte{0};) {
    const auto length = static_cast<std::size_t>(wire_[at++]);
    if (!text.empty()) static_cast<void>(text.append("."));
    for (const std::byte byte : std::span(wire_).subspan(at, length)) {
      const char shown = is_host_character(static_cast<char>(byte)) ? static_cast<char>(byte) : '?';
      static_cast<void>(text.append({&shown, 1}));
    }
    at += length;
  }
  return text;
}

bool operator==(const Name& left, const Name& right) { return std::ranges::equal(left.wire(), right.wire()); }

}  // namespace sallyport::net::dns
