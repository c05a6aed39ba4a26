// CredentialStore: the certificates and keys that the settings name, parsed once and shared by all streams. Partners
// that name the same trust files share one set of anchors.
//
// Owner: firmware/border.h, static storage. The Settings and the SettingsImage must outlive it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "firmware/config/limits.h"
#include "firmware/config/mistakes.h"
#include "firmware/config/settings.h"
#include "hal/base/arena.h"
#include "hal/base/pool.h"
#include "net/tls/credentials.h"

namespace sallyport::firmware {

class CredentialStore {
 public:
  CredentialStore() = default;
  CredentialStore(const CredentialStore&) = delete;
  CredentialStore& operator=(const CredentialStore&) = delete;

  /// Parses everything. Each thing that does not parse, fit or belong is added to `mistakes` with its settings line and
  /// its line in the PEM file. Only once per object.
  void load(const Settings& settings, MistakeList& mistakes);

  const net::tls::Credentials& external() const { return external_; }
  const net::tls::Credentials& internal() const { return internal_; }
  /// The CAs that sign gateways' certificates.
  const net::tls::TrustAnchors& gateways() const { return gateways_; }
  /// `index` as in Settings::partners.
  const net::tls::TrustAnchors& partner(std::size_t index) const { return *partner_anchors_[index]; }

  const Arena& arena() const { return arena_; }
  std::size_t trust_sets() const { return sets_.in_use(); }

 private:
  struct TrustSet {
    explicit TrustSet(Arena& arena, std::span<const FileReference> named) : files(named), anchors(arena) {}
    std::span<const FileReference> files;
    net::tls::TrustAnchors anchors;
  };

  void load_own(net::tls::Credentials& into, const SideSettings& side, MistakeList& mistakes);
  void load_anchors(net::tls::TrustAnchors& into, std::span<const FileReference> files, MistakeList& mistakes);
  TrustSet* find_set(std::span<const FileReference> files);

  alignas(8) std::array<std::byte, limits::credential_arena_bytes> memory_;
  Arena arena_{memory_};
  net::tls::Credentials external_{arena_};
  net::tls::Credentials internal_{arena_};
  net::tls::TrustAnchors gateways_{arena_};
  Pool<TrustSet, limits::trust_sets> sets_;
  std::array<const net::tls::TrustAnchors*, limits::partners> partner_anchors_{};
};

}  // namespace sallyport::firmware
