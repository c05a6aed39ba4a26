#include "net/ip_address.h"

#include <gtest/gtest.h>

#include <string>

#include "net/byte_stream.h"

namespace sallyport::net {
namespace {

std::string round_trip(std::string_view text) {
  const auto address = IpAddress::parse(text);
  return address ? std::string(address->text().view()) : "refused";
}

TEST(IpAddress, ParsesDottedQuad) {
  const auto address = IpAddress::parse("203.0.113.10");
  ASSERT_TRUE(address);
  EXPECT_EQ(address->family(), IpFamily::v4);
  ASSERT_EQ(address->bytes().size(), 4U);
  EXPECT_EQ(address->bytes()[0], 203);
  EXPECT_EQ(address->bytes()[3], 10);
  EXPECT_EQ(round_trip("0.0.0.0"), "0.0.0.0");
  EXPECT_EQ(round_trip("255.255.255.255"), "255.255.255.255");
}

TEST(IpAddress, RefusesWhatIsNoDottedQuad) {
  for (const char* text :
       {"", ".", "1.2.3", "1.2.3.4.5", "1.2.3.256", "1.2.3.-4", "1.2.3.+4", "01.2.3.4", "1.2.3.04", "1.2.3.4 ",
        " 1.2.3.4", "1..2.3", "1.2.3.", ".1.2.3", "0x1.2.3.4", "1.2.3.4/24", "a.b.c.d", "1.2.3.99999999999"})
    EXPECT_FALSE(IpAddress::parse(text)) << text;
}

TEST(IpAddress, ParsesEveryFormOfText_Rfc4291_2_2) {
  EXPECT_EQ(round_trip("ABCD:EF01:2345:6789:ABCD:EF01:2345:6789"), "abcd:ef01:2345:6789:abcd:ef01:2345:6789");
  EXPECT_EQ(round_trip("2001:DB8:0:0:8:800:200C:417A"), "2001:db8::8:800:200c:417a");
  EXPECT_EQ(round_trip("FF01:0:0:0:0:0:0:101"), "ff01::101");
  EXPECT_EQ(round_trip("::1"), "::1");
  EXPECT_EQ(round_trip("::"), "::");
  EXPECT_EQ(round_trip("2001:db8::"), "2001:db8::");
  EXPECT_EQ(round_trip("::13.1.68.3"), "::d01:4403");
  EXPECT_EQ(round_trip("::FFFF:129.144.52.38"), "::ffff:8190:3426");
  EXPECT_EQ(round_trip("1:2:3:4:5:6:1.2.3.4"), "1:2:3:4:5:6:102:304");
  EXPECT_EQ(round_trip("1:2:3:4:5:6:7::"), "1:2:3:4:5:6:7:0");
  EXPECT_EQ(round_trip("::2:3:4:5:6:7:8"), "0:2:3:4:5:6:7:8");
}

TEST(IpAddress, RefusesWhatIsNoIpv6Text) {
  for (const char* text : {":",
                           ":::",
                           "1:2:3:4:5:6:7",
                           "1:2:3:4:5:6:7:8:9",
                           "1::2::3",
                           "1:2:3:4:5:6:7:8::",
                           "::1:2:3:4:5:6:7:8",
                           "12345::",
                           "g::",
                           "1:",
                           ":1",
                           "1:2:3:4:5:6:7:",
                           ":1:2:3:4:5:6:7",
                           "fe80::1%eth0",
                           "::1.2.3",
                           "::1.2.3.4:5",
                           "1:2:3:4:5:6:7:1.2.3.4",
                           "[::1]",
                           "::1 ",
                           "::-1",
                           "1:2:3:4:5:6:7:8:"})
    EXPECT_FALSE(IpAddress::parse(text)) << text;
}

TEST(IpAddress, WritesTheLongestZeroRunShort_Rfc5952_4_2) {
  EXPECT_EQ(round_trip("2001:0db8::0001"), "2001:db8::1");
  EXPECT_EQ(round_trip("2001:db8:0:1:1:1:1:1"), "2001:db8:0:1:1:1:1:1") << "one zero group is not shortened";
  EXPECT_EQ(round_trip("2001:0:0:1:0:0:0:1"), "2001:0:0:1::1") << "the longest run";
  EXPECT_EQ(round_trip("2001:db8:0:0:1:0:0:1"), "2001:db8::1:0:0:1") << "the first of equals";
}

TEST(IpAddress, KnowsItsKind) {
  const auto parse = [](const char* text) { return IpAddress::parse(text).value(); };
  EXPECT_TRUE(parse("0.0.0.0").is_unspecified());
  EXPECT_TRUE(parse("::").is_unspecified());
  EXPECT_FALSE(parse("::1").is_unspecified());
  EXPECT_TRUE(parse("127.9.9.9").is_loopback());
  EXPECT_TRUE(parse("::1").is_loopback());
  EXPECT_FALSE(parse("1::1").is_loopback());
  EXPECT_TRUE(parse("224.0.0.1").is_multicast());
  EXPECT_TRUE(parse("239.255.255.255").is_multicast());
  EXPECT_FALSE(parse("240.0.0.1").is_multicast());
  EXPECT_TRUE(parse("ff02::1").is_multicast());
  EXPECT_TRUE(parse("169.254.1.1").is_link_local());
  EXPECT_TRUE(parse("fe80::1").is_link_local());
  EXPECT_TRUE(parse("febf::1").is_link_local());
  EXPECT_FALSE(parse("fec0::1").is_link_local());
}

TEST(IpAddress, FamiliesNeverCompareEqual) {
  EXPECT_NE(IpAddress::v4({0, 0, 0, 0}), IpAddress::v6({}));
  EXPECT_EQ(IpAddress(), IpAddress::v4({0, 0, 0, 0}));
}

TEST(IpPrefix, ContainsExactlyItsAddresses) {
  const auto prefix = IpPrefix::parse("203.0.113.10/23").value();
  EXPECT_TRUE(prefix.contains(IpAddress::parse("203.0.112.0").value()));
  EXPECT_TRUE(prefix.contains(IpAddress::parse("203.0.113.255").value()));
  EXPECT_FALSE(prefix.contains(IpAddress::parse("203.0.114.0").value()));
  EXPECT_FALSE(prefix.contains(IpAddress::parse("::ffff:203.0.113.1").value()));
  const auto v6 = IpPrefix::parse("2001:db8::1/33").value();
  EXPECT_TRUE(v6.contains(IpAddress::parse("2001:db8:7fff::").value()));
  EXPECT_FALSE(v6.contains(IpAddress::parse("2001:db8:8000::").value()));
  EXPECT_TRUE(IpPrefix::parse("0.0.0.0/0").value().contains(IpAddress::parse("198.51.100.1").value()));
  EXPECT_FALSE(IpPrefix::parse("198.51.100.1/32").value().contains(IpAddress::parse("198.51.100.0").value()));
}

TEST(IpPrefix, RefusesWhatIsNoPrefix) {
  for (const char* text :
       {"", "1.2.3.4", "1.2.3.4/", "1.2.3.4/33", "::/129", "1.2.3.4/-1", "1.2.3.4/ 8", "1.2.3.4/08", "/8", "::/a"})
    EXPECT_FALSE(IpPrefix::parse(text)) << text;
}

TEST(Endpoint, WritesIpv6InBrackets_Rfc5952_6) {
  EXPECT_EQ((Endpoint{IpAddress::parse("203.0.113.10").value(), 5269}.text()), "203.0.113.10:5269");
  EXPECT_EQ((Endpoint{IpAddress::parse("2001:db8::5").value(), 65535}.text()), "[2001:db8::5]:65535");
  const Endpoint longest{IpAddress::parse("1111:2222:3333:4444:5555:6666:7777:8888").value(), 65535};
  EXPECT_EQ(longest.text(), "[1111:2222:3333:4444:5555:6666:7777:8888]:65535");
}

TEST(ConnectError, HasAClauseForOperators) {
  EXPECT_EQ(to_text(ConnectError::refused), "the peer refused the connection");
  EXPECT_EQ(to_text(ConnectError::timed_out), "the peer did not answer in time");
}

}  // namespace
}  // namespace sallyport::net
