#include "net/dns/service_record.h"

#include <algorithm>
#include <utility>

namespace sallyport::net::dns {

namespace {

constexpr std::size_t fixed_bytes = 6;  // priority, weight, port

/// Evenly distributed in [0, last]. The few highest values of next_u32() would favour small results: they are drawn
/// again.
std::uint32_t draw(std::uint32_t last, hal::Random& random) {
  const std::uint64_t choices = std::uint64_t{last} + 1;
  const std::uint64_t usable = (std::uint64_t{1} << 32) / choices * choices;
  while (true) {
    const std::uint32_t value = random.next_u32();
    if (value < usable) return static_cast<std::uint32_t>(value % choices);
  }
}

/// Any order among equals is as likely as any other: many zones give all their records the weight 0.
void shuffle(std::span<ServiceRecord> records, hal::Random& random) {
  for (std::size_t left = records.size(); left > 1; --left) {
    std::swap(records[left - 1], records[draw(static_cast<std::uint32_t>(left - 1), random)]);
  }
}

/// Priorities ascending, and within one the weights of 0 first, where RFC 2782 wants them. Insertion: std::stable_sort
/// takes memory from the heap.
void sort(std::span<ServiceRecord> records) {
  const auto before = [](const ServiceRecord& left, const ServiceRecord& right) {
    if (left.priority != right.priority) return left.priority < right.priority;
    return left.weight == 0 && right.weight != 0;
  };
  for (auto next = records.begin(); next != records.end(); ++next) {
    std::rotate(std::upper_bound(records.begin(), next, *next, before), next, next + 1);
  }
}

void draw_by_weight(std::span<ServiceRecord> group, hal::Random& random) {
  for (; group.size() > 1; group = group.subspan(1)) {
    std::uint32_t sum = 0;
    for (const auto& record : group) sum += record.weight;
    const std::uint32_t drawn = draw(sum, random);
    std::uint32_t running = 0;
    const auto chosen = std::ranges::find_if(group, [&](const ServiceRecord& record) {
      running += record.weight;
      return running >= drawn;
    });
    // To the front; the others keep their order, so those of weight 0 stay first.
    std::rotate(group.begin(), chosen, chosen + 1);
  }
}

}  // namespace

Result<ServiceRecord, Malformed> ServiceRecord::parse(const Response& response, const Record& record) {
  if (record.data_bytes <= fixed_bytes) return unexpected(Malformed{});
  const auto data = response.bytes().subspan(record.data_at, record.data_bytes);
  const auto word = [&](std::size_t at) {
    return static_cast<std::uint16_t>(static_cast<unsigned>(data[at]) << 8 | static_cast<unsigned>(data[at + 1]));
  };
  std::size_t at = record.data_at + fixed_bytes;
  const auto target = response.read_name(at);
  if (!target || at != record.data_at + record.data_bytes) return unexpected(Malformed{});
  return ServiceRecord{.priority = word(0), .weight = word(2), .port = word(4), .target = *target};
}

void order_services(std::span<ServiceRecord> records, hal::Random& random) {
  shuffle(records, random);
  sort(records);
  while (!records.empty()) {
    const auto end = std::ranges::find_if(
        records, [&](const ServiceRecord& record) { return record.priority != records.front().priority; });
    const auto group = records.first(static_cast<std::size_t>(end - records.begin()));
    draw_by_weight(group, random);
    records = records.subspan(group.size());
  }
}

}  // namespace sallyport::net::dns
