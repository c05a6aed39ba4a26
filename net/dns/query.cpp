#include "net/dns/query.h"

#include <algorithm>

namespace sallyport::net::dns {

namespace {

template <std::size_t N>
std::array<std::uint8_t, N> octets(const Response& response, const Record& record) {
  std::array<std::uint8_t, N> octets;
  std::ranges::transform(response.bytes().subspan(record.data_at, N), octets.begin(),
                         [](std::byte byte) { return static_cast<std::uint8_t>(byte); });
  return octets;
}

}  // namespace

Result<void, Malformed> AddressQuery::keep(const Response& response, const Record& record) {
  const std::size_t length = record.is(RecordType::a) ? 4 : 16;
  if (record.data_bytes != length) return unexpected(Malformed{});
  const IpAddress address =
      length == 4 ? IpAddress::v4(octets<4>(response, record)) : IpAddress::v6(octets<16>(response, record));
  const bool reachable =
      !address.is_unspecified() && !address.is_loopback() && !address.is_multicast() && !address.is_link_local();
  if (reachable && count_ < max_addresses) addresses_[count_++] = address;
  return {};
}

Result<void, Malformed> ServiceQuery::keep(const Response& response, const Record& record) {
  const auto service = ServiceRecord::parse(response, record);
  if (!service) return unexpected(service.error());
  if (count_ < max_services) {
    services_[count_++] = *service;
    return {};
  }
  auto& worst = *std::ranges::max_element(services_, {}, &ServiceRecord::priority);
  if (service->priority < worst.priority) worst = *service;
  return {};
}

}  // namespace sallyport::net::dns
