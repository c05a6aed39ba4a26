#include "firmware/stream_policies.h"

#include "hal/base/assert.h"

namespace sallyport::firmware {

using xmpp::DomainId;
using xmpp::DomainKind;
using xmpp::StreamAddresses;
using xmpp::StreamError;
using xmpp::StreamErrorCondition;

namespace {

bool is(const xmpp::DomainDirectory& directory, DomainId id, DomainKind kind) {
  return id.valid() && directory.kind(id) == kind;
}

}  // namespace

// --- External -------------------------------------------------------------------------------------------------------------

ExternalStreamPolicy::ExternalStreamPolicy(const SettingsDirectory& directory, const CredentialStore& credentials)
    : directory_(directory), credentials_(credentials) {}

Result<StreamAddresses, StreamError> ExternalStreamPolicy::admit(std::string_view from, std::string_view to) const {
  const DomainId local = directory_.find(to);
  if (!is(directory_, local, DomainKind::local))
    return unexpected(StreamError(StreamErrorCondition::host_unknown, "This domain is not served here"));
  if (from.empty()) return StreamAddresses{.local = local, .remote = {}};
  const DomainId remote = directory_.find(from);
  if (!is(directory_, remote, DomainKind::partner))
    return unexpected(StreamError(StreamErrorCondition::policy_violation,
                                  "This domain is not a federated partner; its operator may ask for federation"));
  return StreamAddresses{.local = local, .remote = remote};
}

net::TlsParameters ExternalStreamPolicy::receiving_tls(const std::optional<StreamAddresses>&) const {
  // No anchors: which partner it is, and so which CAs count, is settled by the stream header after the handshake.
  return {.role = net::TlsRole::server, .credentials = &credentials_.external()};
}

net::TlsParameters ExternalStreamPolicy::initiating_tls(const StreamAddresses& addresses) const {
  return {.role = net::TlsRole::client,
          .credentials = &credentials_.external(),
          .anchors = anchors(addresses.remote),
          .server_name = directory_.name(addresses.remote)};
}

const net::tls::TrustAnchors* ExternalStreamPolicy::anchors(DomainId remote) const {
  const Partner* partner = remote.valid() ? directory_.partner(remote) : nullptr;
  return partner == nullptr ? nullptr : &credentials_.partner(directory_.index(remote));
}

// --- Internal -------------------------------------------------------------------------------------------------------------

InternalStreamPolicy::InternalStreamPolicy(const Settings& settings, const SettingsDirectory& directory,
                                           const CredentialStore& credentials)
    : directory_(directory), credentials_(credentials) {
  for (const auto& name : settings.internal.admit) static_cast<void>(admitted_.push(name.value));
}

Result<StreamAddresses, StreamError> InternalStreamPolicy::admit(std::string_view from, std::string_view to) const {
  const DomainId local = directory_.find(to);
  if (!is(directory_, local, DomainKind::partner) && !is(directory_, local, DomainKind::edge))
    return unexpected(StreamError(StreamErrorCondition::host_unknown,
                                  "This domain is neither a federated partner nor the edge's own name"));
  if (from.empty()) return StreamAddresses{.local = local, .remote = {}};
  const DomainId remote = directory_.find(from);
  if (!is(directory_, remote, DomainKind::local))
    return unexpected(
        StreamError(StreamErrorCondition::not_authorized, "This domain is not one of the organisation's"));
  return StreamAddresses{.local = local, .remote = remote};
}

net::TlsParameters InternalStreamPolicy::receiving_tls(const std::optional<StreamAddresses>&) const {
  return {.role = net::TlsRole::server,
          .credentials = &credentials_.internal(),
          .anchors = &credentials_.gateways(),
          .required_names = admitted_.view()};
}

net::TlsParameters InternalStreamPolicy::initiating_tls(const StreamAddresses&) const {
  SALLYPORT_ASSERT(false);
  return {};
}

const net::tls::TrustAnchors* InternalStreamPolicy::anchors(DomainId remote) const {
  return is(directory_, remote, DomainKind::local) ? &credentials_.gateways() : nullptr;
}

bool InternalStreamPolicy::trunk(const StreamAddresses& addresses) const {
  return is(directory_, addresses.local, DomainKind::edge);
}

}  // namespace sallyport::firmware
