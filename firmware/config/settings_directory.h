// SettingsDirectory: the domains of the settings, as xmpp and the relay ask for them. Ids stay valid until the settings
// are parsed anew.
#pragma once

#include "firmware/config/settings.h"
#include "hal/base/assert.h"
#include "xmpp/domain_directory.h"

namespace sallyport::firmware {

class SettingsDirectory final : public xmpp::DomainDirectory {
 public:
  explicit SettingsDirectory(const Settings& settings) : settings_(settings) {}

  xmpp::DomainId find(std::string_view domain) const override { return settings_.domains.find(domain); }
  std::string_view name(xmpp::DomainId id) const override { return entry(id).name; }
  xmpp::DomainKind kind(xmpp::DomainId id) const override { return entry(id).kind; }

  /// Within its kind, as in Settings::partners and Settings::local_domains.
  std::size_t index(xmpp::DomainId id) const { return entry(id).index; }
  /// nullptr when `id` is not a partner's.
  const Partner* partner(xmpp::DomainId id) const {
    const DomainEntry& found = entry(id);
    return found.kind == xmpp::DomainKind::partner ? &settings_.partners[found.index] : nullptr;
  }

 private:
  const DomainEntry& entry(xmpp::DomainId id) const {
    const DomainEntry* found = settings_.domains.entry(id);
    SALLYPORT_ASSERT(found != nullptr);
    return *found;
  }

  const Settings& settings_;
};

}  // namespace sallyport::firmware
