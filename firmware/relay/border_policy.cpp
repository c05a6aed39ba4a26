#include "firmware/relay/border_policy.h"

namespace sallyport::firmware {

using xmpp::DomainKind;
using xmpp::StanzaError;
using xmpp::StanzaErrorCondition;

namespace {

bool is(const xmpp::DomainDirectory& directory, xmpp::DomainId id, DomainKind kind) {
  return id.valid() && directory.kind(id) == kind;
}

}  // namespace

Result<BorderPolicy::InternalStanza, StanzaError> BorderPolicy::admit(ExternalStanza& stanza) const {
  if (!is(directory_, stanza.from(), DomainKind::partner))
    return unexpected(StanzaError(StanzaErrorCondition::forbidden, "This domain is not a federated partner"));
  if (!is(directory_, stanza.to(), DomainKind::local))
    return unexpected(StanzaError(StanzaErrorCondition::item_not_found, "This domain is not served here"));
  return InternalStanza(stanza.release());
}

Result<BorderPolicy::ExternalStanza, StanzaError> BorderPolicy::release(InternalStanza& stanza) const {
  if (!is(directory_, stanza.from(), DomainKind::local))
    return unexpected(StanzaError(StanzaErrorCondition::not_allowed, "The sender's domain is not one of ours"));
  if (!is(directory_, stanza.to(), DomainKind::partner))
    return unexpected(StanzaError(StanzaErrorCondition::remote_server_not_found,
                                  "The domain is not among the federated partners of this edge"));
  return ExternalStanza(stanza.release());
}

}  // namespace sallyport::firmware
