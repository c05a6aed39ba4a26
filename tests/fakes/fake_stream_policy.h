// FakeDirectory and FakeStreamPolicy: settings of a small organisation, for tests of streams.
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/fakes/fake_transport.h"
#include "xmpp/stream_policy.h"

namespace sallyport::fakes {

class FakeDirectory final : public xmpp::DomainDirectory {
 public:
  xmpp::DomainId add(std::string_view name, xmpp::DomainKind kind) {
    entries_.push_back({std::string(name), kind});
    return {static_cast<std::uint16_t>(entries_.size() - 1)};
  }

  xmpp::DomainId find(std::string_view domain) const override {
    for (std::size_t i = 0; i < entries_.size(); ++i)
      if (entries_[i].name == domain) return {static_cast<std::uint16_t>(i)};
    return {};
  }
  std::string_view name(xmpp::DomainId id) const override { return entries_.at(id.value).name; }
  xmpp::DomainKind kind(xmpp::DomainId id) const override { return entries_.at(id.value).kind; }

 private:
  struct Entry {
    std::string name;
    xmpp::DomainKind kind;
  };
  std::vector<Entry> entries_;
};

/// corp.example and branch.example are local, partner.example and other.example are partners, edge.example is the edge.
class FakeStreamPolicy final : public xmpp::StreamPolicy {
 public:
  /// `side_of_peer`: what the peers' domains are: partner on the external side, local on the internal side.
  explicit FakeStreamPolicy(xmpp::DomainKind side_of_peer) : peer_kind_(side_of_peer) {}

  FakeDirectory domains;
  const xmpp::DomainId corp = domains.add("corp.example", xmpp::DomainKind::local);
  const xmpp::DomainId branch = domains.add("branch.example", xmpp::DomainKind::local);
  const xmpp::DomainId partner = domains.add("partner.example", xmpp::DomainKind::partner);
  const xmpp::DomainId other = domains.add("other.example", xmpp::DomainKind::partner);
  const xmpp::DomainId edge = domains.add("edge.example", xmpp::DomainKind::edge);
  FakeAuthority authority;
  xmpp::StreamLimits bounds;
  bool offers_bidi = false;
  bool direct_tls = false;

  const xmpp::DomainDirectory& directory() const override { return domains; }
  const xmpp::StreamLimits& limits() const override { return bounds; }

  Result<xmpp::StreamAddresses, xmpp::StreamError> admit(std::string_view from, std::string_view to) const override {
    using Condition = xmpp::StreamErrorCondition;
    xmpp::StreamAddresses addresses{.local = domains.find(to), .remote = domains.find(from)};
    const bool served = addresses.local.valid() && domains.kind(addresses.local) != peer_kind_;
    if (!served) return unexpected(xmpp::StreamError(Condition::host_unknown, "not served here"));
    const bool known = addresses.remote.valid() && domains.kind(addresses.remote) == peer_kind_;
    if (!known && !from.empty()) return unexpected(xmpp::StreamError(Condition::policy_violation, "no such partner"));
    return addresses;
  }
  net::TlsParameters receiving_tls(const std::optional<xmpp::StreamAddresses>&) const override {
    return {.role = net::TlsRole::server};
  }
  net::TlsParameters initiating_tls(const xmpp::StreamAddresses& addresses) const override {
    return {
        .role = net::TlsRole::client, .anchors = &authority.anchors(), .server_name = domains.name(addresses.remote)};
  }
  const net::tls::TrustAnchors* anchors(xmpp::DomainId) const override { return &authority.anchors(); }
  bool accepts_direct_tls() const override { return direct_tls; }
  bool bidi() const override { return offers_bidi; }
  bool trunk(const xmpp::StreamAddresses& addresses) const override { return addresses.local == edge; }

 private:
  xmpp::DomainKind peer_kind_;
};

}  // namespace sallyport::fakes
