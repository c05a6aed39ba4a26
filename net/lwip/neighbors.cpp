#include "net/lwip/neighbors.h"

#include <algorithm>
#include <utility>

namespace sallyport::net {

err_t Neighbors::send(pbuf& packet, const IpAddress& next_hop, Instant now) {
  Entry* entry = entry_of(next_hop);
  if (entry == nullptr) {
    entry = &new_entry(next_hop);
    entry->used = now;
    wait(*entry, packet);
    ask(*entry, now);
    return ERR_OK;
  }
  entry->used = now;
  if (entry->state == State::incomplete) {
    wait(*entry, packet);
    return ERR_OK;
  }
  if (entry->state == State::reachable && now - entry->changed >= reachable_time) entry->state = State::stale;
  if (entry->state == State::stale) {
    entry->state = State::probe;
    ask(*entry, now);
  }
  return link_.send_to(entry->mac, packet, next_hop.family());
}

void Neighbors::confirm(const IpAddress& address, const hal::MacAddress& mac, Instant now) {
  if (Entry* entry = entry_of(address)) settle(*entry, mac, State::reachable, now);
}

void Neighbors::hear(const IpAddress& address, const hal::MacAddress& mac, Instant now) {
  Entry* entry = entry_of(address);
  if (entry == nullptr || (entry->state != State::incomplete && entry->mac == mac)) return;
  settle(*entry, mac, State::stale, now);
}

void Neighbors::poll(Instant now) {
  for (Entry& entry : entries_) {
    if (entry.state != State::incomplete && entry.state != State::probe) continue;
    if (now - entry.changed < retransmit_time) continue;
    if (entry.solicitations >= max_solicitations) {
      forget(entry);
    } else {
      ask(entry, now);
    }
  }
}

void Neighbors::clear() {
  for (Entry& entry : entries_) forget(entry);
}

std::optional<hal::MacAddress> Neighbors::find(const IpAddress& address) const {
  for (const Entry& entry : entries_)
    if (entry.state > State::incomplete && entry.address == address) return entry.mac;
  return std::nullopt;
}

std::size_t Neighbors::size() const {
  return static_cast<std::size_t>(
      std::count_if(entries_.begin(), entries_.end(), [](const Entry& entry) { return entry.state != State::free; }));
}

Neighbors::Entry* Neighbors::entry_of(const IpAddress& address) {
  for (Entry& entry : entries_)
    if (entry.state != State::free && entry.address == address) return &entry;
  return nullptr;
}

Neighbors::Entry& Neighbors::new_entry(const IpAddress& address) {
  Entry& entry = *std::min_element(entries_.begin(), entries_.end(), [](const Entry& left, const Entry& right) {
    return (left.state == State::free ? Instant::min() : left.used) <
           (right.state == State::free ? Instant::min() : right.used);
  });
  forget(entry);
  entry.state = State::incomplete;
  entry.address = address;
  return entry;
}

void Neighbors::ask(Entry& entry, Instant now) {
  entry.changed = now;
  ++entry.solicitations;
  link_.solicit(entry.address, entry.state == State::incomplete ? std::nullopt : std::optional(entry.mac));
}

void Neighbors::wait(Entry& entry, pbuf& packet) {
  if (entry.pending_count == max_pending) {
    pbuf_free(entry.pending[0]);
    std::copy(entry.pending.begin() + 1, entry.pending.end(), entry.pending.begin());
    --entry.pending_count;
  }
  pbuf_ref(&packet);
  entry.pending[entry.pending_count++] = &packet;
}

void Neighbors::settle(Entry& entry, const hal::MacAddress& mac, State state, Instant now) {
  entry.mac = mac;
  entry.state = state;
  entry.changed = now;
  entry.solicitations = 0;
  const std::size_t count = std::exchange(entry.pending_count, std::uint8_t{0});
  for (std::size_t i = 0; i < count; ++i) {
    static_cast<void>(link_.send_to(mac, *entry.pending[i], entry.address.family()));
    pbuf_free(entry.pending[i]);
  }
}

void Neighbors::forget(Entry& entry) {
  for (std::size_t i = 0; i < entry.pending_count; ++i) pbuf_free(entry.pending[i]);
  entry = Entry{};
}

}  // namespace sallyport::net
