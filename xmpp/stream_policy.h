// StreamPolicy: what a stream asks of the firmware while it negotiates. One object per side, no state per stream; the
// settings answer. StreamLimits: every bound of a stream, by name.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "hal/base/result.h"
#include "hal/base/time.h"
#include "net/transport.h"
#include "xmpp/domain_directory.h"
#include "xmpp/stream_error.h"

namespace sallyport::xmpp {

struct StreamLimits {
  std::size_t stanza_bytes = 131'072;      // RFC 6120 13.12 asks for at least 10,000
  std::size_t negotiation_bytes = 16'384;  // all bytes of a stream before it is authenticated
  std::size_t token_bytes = 10'240;        // one tag (text is none); RFC 6120 13.12 allows no stanza bound below 10,000
  std::uint16_t depth = 64;                // elements below <stream/>
  std::uint16_t attributes = 64;           // per element
  std::size_t header_namespace_bytes = 512;           // declarations of the peer's stream header, prefixes and names
  Duration tls = std::chrono::seconds(15);            // handshake
  Duration header = std::chrono::seconds(10);         // until the stream header is complete
  Duration establishment = std::chrono::seconds(60);  // connect to authenticated; Lync's StreamEstablishmentTimeout
  Duration stanza = std::chrono::seconds(30);         // first byte to last
  Duration inactivity = std::chrono::seconds(600);    // no stanza for this long: close; Lync's StreamInactivityTimeout
  Duration close = std::chrono::seconds(5);           // our </stream> to the peer's
};

struct StreamAddresses {
  DomainId local;   // the domain we speak for
  DomainId remote;  // the domain the peer speaks for; invalid when the header had no `from`
};

class StreamPolicy {
 public:
  virtual const DomainDirectory& directory() const = 0;
  virtual const StreamLimits& limits() const = 0;

  /// Receiving entity: may this pair talk on this side? `from` is empty when the header had none. On the external side
  /// `to` must be a local domain (else host-unknown) and `from` a partner in the settings (else policy-violation, with
  /// a text); on the internal side `to` is a partner's domain or the edge's own name, `from` a local domain.
  virtual Result<StreamAddresses, StreamError> admit(std::string_view from, std::string_view to) const = 0;
  /// Receiving entity's TLS. `addresses` is what the header said before STARTTLS; nothing for direct TLS.
  virtual net::TlsParameters receiving_tls(const std::optional<StreamAddresses>& addresses) const = 0;
  /// Initiating entity's TLS towards `addresses.remote`.
  virtual net::TlsParameters initiating_tls(const StreamAddresses& addresses) const = 0;
  /// The CAs under which a certificate for `remote` is accepted; nullptr: none (no EXTERNAL for it).
  virtual const net::tls::TrustAnchors* anchors(DomainId remote) const = 0;

  /// The first byte may be a TLS record (23456).
  virtual bool accepts_direct_tls() const = 0;
  /// Offers (receiving) or asks for (initiating) XEP-0288.
  virtual bool bidi() const = 0;
  /// May `from` appear on this stream, which authenticated `addresses.remote` and was opened to `addresses.local`? For
  /// a stream of one pair: only equal pairs. For a trunk (addresses.local is the edge's own name): every local domain
  /// that the peer's certificate carries, to every partner; then the stream asks transport.certify() once per domain.
  virtual bool trunk(const StreamAddresses& addresses) const = 0;

 protected:
  ~StreamPolicy() = default;
};

}  // namespace sallyport::xmpp
