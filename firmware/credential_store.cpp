#include "firmware/credential_store.h"

#include <algorithm>

#include "hal/base/log.h"

namespace sallyport::firmware {

namespace {

void add_mistake(MistakeList& mistakes, const FileReference& file, const net::tls::CredentialsError& error) {
  if (error.line == 0) {
    mistakes.add(file.line, "%.*s: %s", SALLYPORT_SV(file.name), error.explanation.c_str());
  } else {
    mistakes.add(file.line, "%.*s, line %zu: %s", SALLYPORT_SV(file.name), error.line, error.explanation.c_str());
  }
}

bool about_key(net::tls::CredentialsFault fault) {
  using net::tls::CredentialsFault;
  return fault == CredentialsFault::private_key || fault == CredentialsFault::encrypted_key ||
         fault == CredentialsFault::unsuitable_key || fault == CredentialsFault::does_not_belong;
}

}  // namespace

void CredentialStore::load(const Settings& settings, MistakeList& mistakes) {
  load_own(external_, settings.external, mistakes);
  load_own(internal_, settings.internal, mistakes);
  load_anchors(gateways_, settings.internal.trust.view(), mistakes);

  for (std::size_t i = 0; i < settings.partners.size(); ++i) {
    const Partner& partner = settings.partners[i];
    TrustSet* set = find_set(partner.trust.view());
    if (set == nullptr) {
      set = sets_.acquire(arena_, partner.trust.view());
      if (set == nullptr) {
        mistakes.add(partner.line, "more than %zu different sets of trust files: let partners share files",
                     limits::trust_sets);
        return;
      }
      load_anchors(set->anchors, partner.trust.view(), mistakes);
    }
    partner_anchors_[i] = &set->anchors;
  }
}

void CredentialStore::load_own(net::tls::Credentials& into, const SideSettings& side, MistakeList& mistakes) {
  const auto loaded = into.load(side.certificate.pem, side.key.pem);
  if (!loaded) add_mistake(mistakes, about_key(loaded.error().fault) ? side.key : side.certificate, loaded.error());
}

void CredentialStore::load_anchors(net::tls::TrustAnchors& into, std::span<const FileReference> files,
                                   MistakeList& mistakes) {
  for (const FileReference& file : files) {
    const auto loaded = into.load(file.pem);
    if (!loaded) add_mistake(mistakes, file, loaded.error());
  }
}

CredentialStore::TrustSet* CredentialStore::find_set(std::span<const FileReference> files) {
  TrustSet* found = nullptr;
  sets_.for_each([&](TrustSet& set) {
    if (std::ranges::equal(set.files, files, {}, &FileReference::name, &FileReference::name)) found = &set;
  });
  return found;
}

}  // namespace sallyport::firmware
