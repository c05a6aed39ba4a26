#include "net/tls/identity.h"

#include <algorithm>
#include <array>
#include <optional>

namespace sallyport::net::tls {
namespace {

using Octets = std::span<const std::uint8_t>;

constexpr std::uint8_t tag_oid = 0x06, tag_utf8_string = 0x0C, tag_ia5_string = 0x16;
constexpr std::uint8_t tag_explicit_0 = 0xA0;
constexpr std::uint8_t general_name_dns = 0x82, general_name_other = 0xA0;

constexpr std::array<std::uint8_t, 8> oid_xmpp_addr = {0x2B, 6, 1, 5, 5, 7, 8, 5};  // 1.3.6.1.5.5.7.8.5
constexpr std::array<std::uint8_t, 8> oid_dns_srv = {0x2B, 6, 1, 5, 5, 7, 8, 7};    // 1.3.6.1.5.5.7.8.7

constexpr std::string_view srv_service = "_xmpp-server.";

/// Takes one element with this tag off the front of `input`; DER, so a length has its shortest form.
std::optional<Octets> take(Octets& input, std::uint8_t tag) {
  if (input.size() < 2 || input[0] != tag) return std::nullopt;
  std::size_t length = input[1], header = 2;
  if (length >= 0x80) {
    const std::size_t count = length & 0x7F;
    if (count == 0 || count > 2 || input.size() < 2 + count || input[2] == 0) return std::nullopt;
    length = 0;
    for (std::size_t index = 0; index < count; ++index) length = length << 8 | input[2 + index];
    if (length < 0x80) return std::nullopt;
    header += count;
  }
  if (length > input.size() - header) return std::nullopt;
  const Octets content = input.subspan(header, length);
  input = input.subspan(header + length);
  return content;
}

std::string_view text(Octets octets) { return {reinterpret_cast<const char*>(octets.data()), octets.size()}; }

char lower(char letter) { return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter; }

bool equal_without_case(std::string_view left, std::string_view right) {
  return std::ranges::equal(left, right, {}, lower, lower);
}

bool dns_name_covers(std::string_view pattern, std::string_view domain) {
  if (!pattern.starts_with("*.")) return equal_without_case(pattern, domain);
  const std::string_view parent = pattern.substr(1);  // ".example.com"
  const std::size_t label = domain.find('.');
  return parent.find('.', 1) != parent.npos && label != domain.npos && label > 0 &&
         equal_without_case(parent, domain.substr(label));
}

}  // namespace

PresentedName parse_general_name(std::uint8_t tag, Octets content) {
  if (tag == general_name_dns) return {NameKind::dns, text(content)};
  if (tag != general_name_other) return {};
  // OtherName ::= SEQUENCE { type-id OBJECT IDENTIFIER, value [0] EXPLICIT ANY }, its own tag replaced by ours.
  const auto type = take(content, tag_oid);
  auto value = type ? take(content, tag_explicit_0) : std::nullopt;
  if (!value || !content.empty()) return {};
  const bool xmpp_addr = std::ranges::equal(*type, oid_xmpp_addr), srv = std::ranges::equal(*type, oid_dns_srv);
  if (!xmpp_addr && !srv) return {};
  const auto name = take(*value, xmpp_addr ? tag_utf8_string : tag_ia5_string);
  if (!name || !value->empty()) return {};
  return {xmpp_addr ? NameKind::xmpp_addr : NameKind::srv, text(*name)};
}

bool covers(const PresentedName& name, std::string_view domain) {
  if (domain.empty()) return false;
  switch (name.kind) {
    case NameKind::dns: return dns_name_covers(name.value, domain);
    case NameKind::xmpp_addr: return equal_without_case(name.value, domain);
    case NameKind::srv:
      return name.value.size() > srv_service.size() &&
             equal_without_case(name.value.substr(0, srv_service.size()), srv_service) &&
             equal_without_case(name.value.substr(srv_service.size()), domain);
    case NameKind::other: break;
  }
  return false;
}

}  // namespace sallyport::net::tls
