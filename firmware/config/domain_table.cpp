#include "firmware/config/domain_table.h"

#include "hal/base/assert.h"

namespace sallyport::firmware {
namespace {

constexpr std::uint16_t no_entry = 0xFFFF;

constexpr char to_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::string_view without_trailing_dot(std::string_view name) {
  if (name.ends_with('.')) name.remove_suffix(1);
  return name;
}

// FNV-1a. Peers choose what is looked up but not what is in the table, so no one can make a bucket long.
std::size_t hash(std::string_view name) {
  std::uint32_t value = 2166136261U;
  for (const char c : name) value = (value ^ static_cast<unsigned char>(to_lower(c))) * 16777619U;
  return value ^ (value >> 16);
}

bool equal_ignoring_case(std::string_view left, std::string_view right) {
  if (left.size() != right.size()) return false;
  for (std::size_t i = 0; i < left.size(); ++i)
    if (to_lower(left[i]) != to_lower(right[i])) return false;
  return true;
}

}  // namespace

void DomainTable::clear() {
  table_.fill(no_entry);
  entries_.clear();
}

xmpp::DomainId DomainTable::insert(const DomainEntry& entry) {
  SALLYPORT_ASSERT(!find(entry.name).valid());
  const auto id = static_cast<std::uint16_t>(entries_.size());
  if (!entries_.push(entry)) return {};
  std::size_t bucket = hash(entry.name) % buckets;
  while (table_[bucket] != no_entry) bucket = (bucket + 1) % buckets;
  table_[bucket] = id;
  return {id};
}

xmpp::DomainId DomainTable::find(std::string_view name) const {
  name = without_trailing_dot(name);
  // Ends at a free bucket, of which at least half are.
  for (std::size_t bucket = hash(name) % buckets; table_[bucket] != no_entry; bucket = (bucket + 1) % buckets)
    if (equal_ignoring_case(entries_[table_[bucket]].name, name)) return {table_[bucket]};
  return {};
}

const DomainEntry* DomainTable::entry(xmpp::DomainId id) const {
  return id.value < entries_.size() ? &entries_[id.value] : nullptr;
}

}  // namespace sallyport::firmware
