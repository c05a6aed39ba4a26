// DomainTable: every domain of the settings with its kind and the line that brought it, found by hash in constant time
// however many partners there are. Names are views into the settings' text. Ids count from 0 in the order of insertion.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "firmware/config/bounded_list.h"
#include "firmware/config/limits.h"
#include "xmpp/domain_directory.h"

namespace sallyport::firmware {

struct DomainEntry {
  std::string_view name;  // comparable form (xmpp::Domain)
  xmpp::DomainKind kind = xmpp::DomainKind::partner;
  std::uint16_t index = 0;  // within its kind: Settings::partners, Settings::local_domains
  std::uint32_t line = 0;
};

class DomainTable {
 public:
  static constexpr std::size_t capacity = limits::partners + limits::local_domains + 1;  // and the edge's own name

  DomainTable() { clear(); }
  void clear();
  /// The name must not be in the table yet. Invalid id: the table is full.
  xmpp::DomainId insert(const DomainEntry& entry);
  /// In any letter case, with or without the trailing dot; invalid id when it is not in the table.
  xmpp::DomainId find(std::string_view name) const;
  /// nullptr for an id that this table did not give.
  const DomainEntry* entry(xmpp::DomainId id) const;
  std::size_t size() const { return entries_.size(); }

 private:
  /// A power of two, at most half full: a look-up visits few buckets.
  static constexpr std::size_t buckets = 2048;
  static_assert((buckets & (buckets - 1)) == 0 && buckets >= 2 * capacity);

  std::array<std::uint16_t, buckets> table_;  // index into entries_, or no_entry
  BoundedList<DomainEntry, capacity> entries_;
};

}  // namespace sallyport::firmware
