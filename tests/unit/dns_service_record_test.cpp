#include "net/dns/service_record.h"

#include <gtest/gtest.h>

#include <map>
#include <vector>

#include "tests/unit/dns_test_support.h"

namespace sallyport::net::dns {
namespace {

ServiceRecord service(unsigned priority, unsigned weight, unsigned port) {
  return {.priority = static_cast<std::uint16_t>(priority),
          .weight = static_cast<std::uint16_t>(weight),
          .port = static_cast<std::uint16_t>(port),
          .target = name("xmpp.example")};
}

/// How often each port comes first, of `rounds` orderings.
std::map<unsigned, int> firsts(const std::vector<ServiceRecord>& records, int rounds) {
  TestRandom random;
  std::map<unsigned, int> count;
  for (int i = 0; i < rounds; ++i) {
    std::vector<ServiceRecord> copy = records;
    order_services(copy, random);
    ++count[copy.front().port];
  }
  return count;
}

TEST(OrderServices, PutsLowerPrioritiesFirst_Rfc2782) {
  std::vector<ServiceRecord> records = {service(30, 9, 3), service(10, 0, 1), service(20, 65535, 2),
                                        service(65535, 1, 4)};
  TestRandom random;
  order_services(records, random);
  for (unsigned i = 0; i < 4; ++i) EXPECT_EQ(records[i].port, i + 1);
}

TEST(OrderServices, LosesAndInventsNone) {
  std::vector<ServiceRecord> records;
  for (unsigned i = 0; i < 16; ++i) records.push_back(service(i % 3, i % 5 * 100, i));
  TestRandom random;
  order_services(records, random);
  std::array<int, 16> seen{};
  for (const auto& record : records) ++seen[record.port];
  EXPECT_TRUE(std::ranges::all_of(seen, [](int count) { return count == 1; }));
  EXPECT_TRUE(std::ranges::is_sorted(records, {}, &ServiceRecord::priority));
}

TEST(OrderServices, DrawsTheFirstByWeight_Rfc2782) {
  constexpr int rounds = 20'000;
  auto count = firsts({service(5, 100, 1), service(5, 300, 2), service(5, 600, 3)}, rounds);
  // Standard deviation of a count is at most sqrt(20000 / 4) = 71; five of them.
  EXPECT_NEAR(count[1], rounds * 0.1, 355);
  EXPECT_NEAR(count[2], rounds * 0.3, 355);
  EXPECT_NEAR(count[3], rounds * 0.6, 355);
}

TEST(OrderServices, DrawsTheSecondByWeightAmongThoseLeft_Rfc2782) {
  TestRandom random;
  int rounds = 0, light_second = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::vector<ServiceRecord> records = {service(5, 100, 1), service(5, 300, 2), service(5, 600, 3)};
    order_services(records, random);
    if (records[0].port != 3) continue;
    ++rounds;
    light_second += records[1].port == 1;
  }
  EXPECT_GT(rounds, 10'000);
  EXPECT_NEAR(light_second, rounds * 0.25, 5 * 55);
}

TEST(OrderServices, WeightZeroIsRarelyFirstAmongOthers_Rfc2782) {
  constexpr int rounds = 20'000;
  auto count = firsts({service(5, 0, 1), service(5, 50, 2), service(5, 49, 3)}, rounds);
  EXPECT_NEAR(count[1], rounds * 0.01, 80);
  EXPECT_GT(count[1], 0);
}

TEST(OrderServices, SpreadsRecordsThatAllHaveWeightZero) {
  constexpr int rounds = 20'000;
  auto count = firsts({service(5, 0, 1), service(5, 0, 2), service(5, 0, 3), service(5, 0, 4)}, rounds);
  for (unsigned port = 1; port <= 4; ++port) EXPECT_NEAR(count[port], rounds * 0.25, 310);
}

TEST(OrderServices, TakesTheLargestWeights) {
  std::vector<ServiceRecord> records(16, service(1, 65535, 1));
  TestRandom random;
  order_services(records, random);
  EXPECT_EQ(records.size(), 16U);
  order_services({}, random);
}

Result<ServiceRecord, Malformed> parse_data(const Bytes& data) {
  MessageBuilder builder(1);
  builder.question({name("a.example"), RecordType::srv}).record("a.example", RecordType::srv, data);
  const auto response = Response::parse(builder.bytes());
  std::size_t at = response->records_at();
  const auto record = response->read_record(at);
  return ServiceRecord::parse(*response, *record);
}

TEST(ServiceRecord, IsReadAsRfc2782Says) {
  const auto read = parse_data(service_data(0x1234, 0x5678, 5269, "xmpp.example"));
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->priority, 0x1234);
  EXPECT_EQ(read->weight, 0x5678);
  EXPECT_EQ(read->port, 5269);
  EXPECT_EQ(read->target, name("xmpp.example"));
}

TEST(ServiceRecord, RefusesDataThatIsTooShortOrTooLong) {
  const Bytes good = service_data(1, 2, 3, "xmpp.example");
  for (std::size_t length = 0; length < good.size(); ++length) {
    EXPECT_FALSE(parse_data({good.begin(), good.begin() + static_cast<std::ptrdiff_t>(length)}).has_value()) << length;
  }
  Bytes longer = good;
  longer.push_back(std::byte{0});
  EXPECT_FALSE(parse_data(longer).has_value());
}

}  // namespace
}  // namespace sallyport::net::dns
