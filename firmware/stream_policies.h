// ExternalStreamPolicy and InternalStreamPolicy: the settings' answers to a negotiating stream's questions, one for
// each side.
#pragma once

#include <array>
#include <optional>
#include <string_view>

#include "firmware/config/settings.h"
#include "firmware/config/settings_directory.h"
#include "firmware/credential_store.h"
#include "xmpp/stream_policy.h"

namespace sallyport::firmware {

/// Port 5269: partners of the settings with local domains, STARTTLS, no bidi yet.
class ExternalStreamPolicy final : public xmpp::StreamPolicy {
 public:
  ExternalStreamPolicy(const SettingsDirectory& directory, const CredentialStore& credentials);

  const xmpp::DomainDirectory& directory() const override { return directory_; }
  const xmpp::StreamLimits& limits() const override { return limits_; }
  Result<xmpp::StreamAddresses, xmpp::StreamError> admit(std::string_view from, std::string_view to) const override;
  net::TlsParameters receiving_tls(const std::optional<xmpp::StreamAddresses>& addresses) const override;
  net::TlsParameters initiating_tls(const xmpp::StreamAddresses& addresses) const override;
  const net::tls::TrustAnchors* anchors(xmpp::DomainId remote) const override;
  bool accepts_direct_tls() const override { return false; }
  bool bidi() const override { return false; }
  bool trunk(const xmpp::StreamAddresses&) const override { return false; }

 private:
  const SettingsDirectory& directory_;
  const CredentialStore& credentials_;
  xmpp::StreamLimits limits_;
};

/// Port 23456: admitted gateways with their local domains; TLS from the first byte or STARTTLS, bidi; a stream to the
/// edge's own name is a trunk.
class InternalStreamPolicy final : public xmpp::StreamPolicy {
 public:
  InternalStreamPolicy(const Settings& settings, const SettingsDirectory& directory,
                       const CredentialStore& credentials);

  const xmpp::DomainDirectory& directory() const override { return directory_; }
  const xmpp::StreamLimits& limits() const override { return limits_; }
  Result<xmpp::StreamAddresses, xmpp::StreamError> admit(std::string_view from, std::string_view to) const override;
  net::TlsParameters receiving_tls(const std::optional<xmpp::StreamAddresses>& addresses) const override;
  /// Never: the edge opens no stream inwards.
  net::TlsParameters initiating_tls(const xmpp::StreamAddresses& addresses) const override;
  const net::tls::TrustAnchors* anchors(xmpp::DomainId remote) const override;
  bool accepts_direct_tls() const override { return true; }
  bool bidi() const override { return true; }
  bool trunk(const xmpp::StreamAddresses& addresses) const override;

 private:
  const SettingsDirectory& directory_;
  const CredentialStore& credentials_;
  xmpp::StreamLimits limits_;
  BoundedList<std::string_view, max_admitted_names> admitted_;
};

}  // namespace sallyport::firmware
