// Namespace names of RFC 6120 (section 14) and of the XEPs that a server-to-server stream here speaks.
#pragma once

#include <string_view>

namespace sallyport::xmpp::ns {

inline constexpr std::string_view stream = "http://etherx.jabber.org/streams";
inline constexpr std::string_view server = "jabber:server";
inline constexpr std::string_view client = "jabber:client";
inline constexpr std::string_view stream_errors = "urn:ietf:params:xml:ns:xmpp-streams";
inline constexpr std::string_view stanza_errors = "urn:ietf:params:xml:ns:xmpp-stanzas";
inline constexpr std::string_view tls = "urn:ietf:params:xml:ns:xmpp-tls";
inline constexpr std::string_view sasl = "urn:ietf:params:xml:ns:xmpp-sasl";
inline constexpr std::string_view bidi = "urn:xmpp:bidi";                   // XEP-0288
inline constexpr std::string_view bidi_feature = "urn:xmpp:features:bidi";  // XEP-0288
inline constexpr std::string_view dialback = "jabber:server:dialback";      // XEP-0220
inline constexpr std::string_view xml = "http://www.w3.org/XML/1998/namespace";

}  // namespace sallyport::xmpp::ns
