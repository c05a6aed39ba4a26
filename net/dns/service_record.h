// ServiceRecord: a SRV record's data, and the order in which RFC 2782 wants the targets of a service to be tried.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "hal/random.h"
#include "net/dns/message.h"
#include "net/dns/name.h"

namespace sallyport::net::dns {

struct ServiceRecord {
  std::uint16_t priority = 0;
  std::uint16_t weight = 0;
  std::uint16_t port = 0;
  Name target;

  /// From the data of a record of type SRV. A compressed target is read too: RFC 2782 forbids it, some servers do it.
  static Result<ServiceRecord, Malformed> parse(const Response& response, const Record& record);
};

/// Sorts in place: lower priorities first; within one priority each next one is drawn at random with the odds of its
/// weight among those left, a weight of 0 nearly never before others.
void order_services(std::span<ServiceRecord> records, hal::Random& random);

}  // namespace sallyport::net::dns
