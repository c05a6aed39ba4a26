// BorderPolicy: the only doorway between the two sides. A stanza changes its side's type here and nowhere else.
#pragma once

#include "hal/base/result.h"
#include "net/side.h"
#include "xmpp/domain_directory.h"
#include "xmpp/stanza.h"
#include "xmpp/stanza_error.h"

namespace sallyport::firmware {

class BorderPolicy {
 public:
  using ExternalStanza = xmpp::Stanza<net::External>;
  using InternalStanza = xmpp::Stanza<net::Internal>;

  explicit BorderPolicy(const xmpp::DomainDirectory& directory) : directory_(directory) {}

  /// Inwards: from a partner to a local domain. On an error `stanza` is left as it was.
  Result<InternalStanza, xmpp::StanzaError> admit(ExternalStanza& stanza) const;
  /// Outwards: from a local domain to a partner. On an error `stanza` is left as it was.
  Result<ExternalStanza, xmpp::StanzaError> release(InternalStanza& stanza) const;

  /// A stanza that was let through but never left: back on the side it came from, to be answered there.
  ExternalStanza recall(InternalStanza&& stanza) const { return ExternalStanza(stanza.release()); }
  InternalStanza recall(ExternalStanza&& stanza) const { return InternalStanza(stanza.release()); }

 private:
  const xmpp::DomainDirectory& directory_;
};

}  // namespace sallyport::firmware
