// The names in a certificate's subjectAltName and whether they cover a domain: RFC 6120 13.7.1.2 and 13.7.2.1, RFC
// 9525 6. The common name is never looked at (RFC 9525 2; CVE-2025-59154).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace sallyport::net::tls {

enum class NameKind : std::uint8_t {
  dns,        // dNSName, may begin with a wildcard label
  xmpp_addr,  // otherName id-on-xmppAddr, RFC 6120 13.7.1.4
  srv,        // otherName id-on-dnsSRV, RFC 4985: "_xmpp-server.example.com"
  other       // anything else: identifies nobody here
};

struct PresentedName {
  NameKind kind = NameKind::other;
  std::string_view value;  // inside the certificate; may hold any byte
};

/// One entry of subjectAltName: `tag` is the GeneralName's (RFC 5280 4.2.1.6), `content` what follows tag and length.
/// Damaged or unknown content gives NameKind::other.
PresentedName parse_general_name(std::uint8_t tag, std::span<const std::uint8_t> content);

/// `domain` is the domainpart of a JID as A-labels, or as UTF-8 where an xmppAddr names it so. ASCII letters compare
/// without case. A wildcard is one whole left-most label of a dNSName with at least two labels behind it.
bool covers(const PresentedName& name, std::string_view domain);

}  // namespace sallyport::net::tls
