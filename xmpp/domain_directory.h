// DomainDirectory: the domains the appliance knows, by small number. Streams and stanzas carry a DomainId instead of
// 255 bytes of text; the settings (firmware/config) implement it. An id stays valid until the settings are replaced.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace sallyport::xmpp {

enum class DomainKind : std::uint8_t {
  local,    // a domain of the organisation
  partner,  // a federated domain
  edge      // the appliance's own name: only the trunk's address
};

struct DomainId {
  std::uint16_t value = 0xFFFF;
  bool valid() const { return value != 0xFFFF; }
  friend bool operator==(DomainId, DomainId) = default;
};

class DomainDirectory {
 public:
  /// Invalid id when the domain is not in the settings. `domain` is compared as Domain::parse normalises it.
  virtual DomainId find(std::string_view domain) const = 0;
  virtual std::string_view name(DomainId id) const = 0;
  virtual DomainKind kind(DomainId id) const = 0;

 protected:
  ~DomainDirectory() = default;
};

}  // namespace sallyport::xmpp
