#include "xmpp/jid.h"

namespace sallyport::xmpp {

namespace {

constexpr std::size_t max_label_bytes = 63;  // RFC 1035 2.3.4

char to_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Letters, digits, hyphen; underscore, which names in the DNS do have; and bytes of UTF-8, which a U-label is made of
// (RFC 7622 3.2). The XML parser has checked that these are UTF-8.
bool is_label_character(char c) {
  return (c >= 'a' && c <= 'z') || is_digit(c) || c == '-' || c == '_' || static_cast<unsigned char>(c) >= 0x80;
}

bool is_ipv6_literal(std::string_view text) {
  if (text.size() < 4 || text.front() != '[' || text.back() != ']') return false;
  bool colon = false;
  for (const char c : text.substr(1, text.size() - 2)) {
    if (c == ':') colon = true;
    if (!is_digit(c) && !(c >= 'a' && c <= 'f') && c != ':' && c != '.') return false;
  }
  return colon;
}

bool is_name(std::string_view text) {
  std::size_t label = 0;
  char previous = '.';
  for (const char c : text) {
    if (c == '.') {
      if (label == 0 || previous == '-') return false;
      label = 0;
    } else {
      if (!is_label_character(c) || (label == 0 && c == '-') || ++label > max_label_bytes) return false;
    }
    previous = c;
  }
  return label > 0 && previous != '-';
}

// RFC 7622 3.3.1: what a localpart may not hold although UsernameCaseMapped would allow it; and no control characters.
bool is_localpart_character(char c) {
  static constexpr std::string_view excluded = "\"&'/:<>@ \x7F";
  return static_cast<unsigned char>(c) >= 0x20 && excluded.find(c) == std::string_view::npos;
}

}  // namespace

std::optional<Domain> Domain::parse(std::string_view text) {
  if (!text.empty() && text.back() == '.') text.remove_suffix(1);
  if (text.empty() || text.size() > max_domain_bytes) return std::nullopt;
  Domain domain;
  for (const char c : text) {
    const char lower = to_lower(c);
    static_cast<void>(domain.text_.append({&lower, 1}));
  }
  if (!is_name(domain.view()) && !is_ipv6_literal(domain.view())) return std::nullopt;
  return domain;
}

std::optional<Jid> Jid::parse(std::string_view text) {
  Jid jid;
  if (const std::size_t slash = text.find('/'); slash != std::string_view::npos) {
    jid.resource = text.substr(slash + 1);
    if (jid.resource.empty() || jid.resource.size() > max_jid_part_bytes) return std::nullopt;
    text = text.substr(0, slash);
  }
  if (const std::size_t at = text.find('@'); at != std::string_view::npos) {
    jid.local = text.substr(0, at);
    if (jid.local.empty() || jid.local.size() > max_jid_part_bytes) return std::nullopt;
    for (const char c : jid.local)
      if (!is_localpart_character(c)) return std::nullopt;
    text = text.substr(at + 1);
  }
  if (text.empty() || text.size() > max_jid_part_bytes) return std::nullopt;
  jid.domain = text;
  return jid;
}

}  // namespace sallyport::xmpp
