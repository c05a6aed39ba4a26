// ScriptedPeer: the other end of a StreamUnderTest, one element at a time. Each function returns what the stream
// answered.
#pragma once

#include <string>
#include <string_view>

#include "tests/fakes/stream_under_test.h"

namespace sallyport::fakes {

inline constexpr std::string_view starttls_element = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";
inline constexpr std::string_view proceed_element = "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";
inline constexpr std::string_view success_element = "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>";
inline constexpr std::string_view auth_empty =
    "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='EXTERNAL'>=</auth>";
inline constexpr std::string_view bidi_element = "<bidi xmlns='urn:xmpp:bidi'/>";
inline constexpr std::string_view end_element = "</stream:stream>";
inline constexpr std::string_view features_starttls =
    "<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls></stream:features>";
inline constexpr std::string_view features_external =
    "<stream:features><mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>EXTERNAL</mechanism></mechanisms>"
    "<bidi xmlns='urn:xmpp:features:bidi'/></stream:features>";

inline std::string stream_header(std::string_view from, std::string_view to, std::string_view more = "version='1.0'") {
  std::string header =
      "<?xml version='1.0'?><stream:stream xmlns='jabber:server' "
      "xmlns:stream='http://etherx.jabber.org/streams' ";
  if (!from.empty()) header.append("from='").append(from).append("' ");
  if (!to.empty()) header.append("to='").append(to).append("' ");
  return header.append(more).append(">");
}

template <net::Side S>
class ScriptedPeer {
 public:
  explicit ScriptedPeer(StreamUnderTest<S>& under_test) : test_(under_test) {}

  /// Sends `bytes` and lets the stream work.
  std::string say(std::string_view bytes) {
    test_.transport.arrive(bytes);
    return answer();
  }
  std::string answer() {
    test_.world.settle();
    return test_.transport.sent();
  }
  FakeCertificate certificate(std::vector<std::string> names) const {
    return {.names = std::move(names), .issuer = &test_.policy.authority.anchors()};
  }

  // As the initiating entity, towards a stream that was accepted.

  /// Up to and with the TLS handshake.
  void secure(std::string_view from, std::string_view to, FakeCertificate certificate) {
    say(stream_header(from, to));
    say(starttls_element);
    test_.transport.finish_handshake(std::move(certificate));
    test_.world.settle();
  }
  /// Up to the established stream.
  void establish(std::string_view from, std::string_view to, bool bidi = false) {
    secure(from, to, certificate({std::string(from)}));
    say(stream_header(from, to));
    if (bidi) say(bidi_element);
    say(auth_empty);
    say(stream_header(from, to));
  }

  // As the receiving entity, towards a stream that initiates.

  /// Up to and with the TLS handshake.
  void accept_secured(std::string_view name, std::string_view peer, FakeCertificate certificate) {
    answer();
    say(stream_header(name, peer, "id='1' version='1.0'"));
    say(features_starttls);
    say(proceed_element);
    test_.transport.finish_handshake(std::move(certificate));
    test_.world.settle();
  }
  void accept_established(std::string_view name, std::string_view peer) {
    accept_secured(name, peer, certificate({std::string(name)}));
    say(stream_header(name, peer, "id='2' version='1.0'"));
    say(features_external);
    say(success_element);
    say(stream_header(name, peer, "id='3' version='1.0'"));
    say("<stream:features/>");
  }

 private:
  StreamUnderTest<S>& test_;
};

}  // namespace sallyport::fakes
