// JID: an XMPP address, localpart@domainpart/resourcepart (RFC 7622), as views into the caller's text.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "hal/base/fixed_string.h"

namespace sallyport::xmpp {

inline constexpr std::size_t max_jid_part_bytes = 1023;  // RFC 7622 3.2 to 3.4
inline constexpr std::size_t max_domain_bytes = 255;     // RFC 1034 name as text

/// A domainpart in comparable form: ASCII lower case, no trailing dot, checked labels.
class Domain {
 public:
  Domain() = default;
  /// nullopt: empty, too long, empty label, or characters that no domain, IPv4 or bracketed IPv6 literal has.
  static std::optional<Domain> parse(std::string_view text);

  std::string_view view() const { return text_.view(); }
  friend bool operator==(const Domain& left, const Domain& right) { return left.view() == right.view(); }

 private:
  FixedString<max_domain_bytes> text_;
};

struct Jid {
  std::string_view local;     // empty: none
  std::string_view domain;    // as written
  std::string_view resource;  // empty: none

  /// Splits as RFC 7622 3.1 says (first '/', then first '@') and checks lengths and the characters a localpart excludes
  /// (RFC 7622 3.3.1). The domain is checked by Domain::parse.
  static std::optional<Jid> parse(std::string_view text);
};

}  // namespace sallyport::xmpp
