// Names in certificates: RFC 6120 13.7, RFC 9525, and DER that tries to be something else.
#include "net/tls/identity.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace sallyport::net::tls {
namespace {

using namespace std::literals;
using Bytes = std::vector<std::uint8_t>;

bool dns_covers(std::string_view pattern, std::string_view domain) { return covers({NameKind::dns, pattern}, domain); }

TEST(DnsName, MatchesWithoutCase_Rfc9525_6_3) {
  EXPECT_TRUE(dns_covers("partner.example", "partner.example"));
  EXPECT_TRUE(dns_covers("Partner.EXAMPLE", "partner.example"));
  EXPECT_TRUE(dns_covers("xn--tst-qla.example", "XN--TST-QLA.example"));
  EXPECT_FALSE(dns_covers("partner.example", "partner.example.net"));
  EXPECT_FALSE(dns_covers("partner.example", "sub.partner.example"));
  EXPECT_FALSE(dns_covers("partner.example", ""));
  EXPECT_FALSE(dns_covers("", ""));
}

TEST(DnsName, WildcardIsOneWholeLeftmostLabel_Rfc9525_6_3) {
  EXPECT_TRUE(dns_covers("*.partner.example", "chat.partner.example"));
  EXPECT_TRUE(dns_covers("*.partner.example", "CHAT.Partner.Example"));
  EXPECT_FALSE(dns_covers("*.partner.example", "partner.example"));
  EXPECT_FALSE(dns_covers("*.partner.example", "a.b.partner.example"));
  EXPECT_FALSE(dns_covers("*.partner.example", ".partner.example"));
  EXPECT_FALSE(dns_covers("*.partner.example", "chatpartner.example"));
}

TEST(DnsName, RefusesEveryOtherWildcard_Rfc9525_6_3) {
  EXPECT_FALSE(dns_covers("*", "partner"));
  EXPECT_FALSE(dns_covers("*", "partner.example"));
  EXPECT_FALSE(dns_covers("*.", "partner."));
  EXPECT_FALSE(dns_covers("*.example", "partner.example"));
  EXPECT_FALSE(dns_covers("c*.partner.example", "chat.partner.example"));
  EXPECT_FALSE(dns_covers("*at.partner.example", "chat.partner.example"));
  EXPECT_FALSE(dns_covers("chat.*.example", "chat.partner.example"));
  EXPECT_FALSE(dns_covers("*.*.example", "chat.partner.example"));
  EXPECT_FALSE(dns_covers("**.partner.example", "chat.partner.example"));
}

TEST(DnsName, EmbeddedNulDoesNotEndIt) {
  EXPECT_FALSE(dns_covers("partner.example\0.evil.example"sv, "partner.example"));
  EXPECT_FALSE(dns_covers("partner.example\0"sv, "partner.example"));
}

TEST(XmppAddr, IsAWholeDomain_Rfc6120_13_7_1_4) {
  const PresentedName name{NameKind::xmpp_addr, "partner.example"};
  EXPECT_TRUE(covers(name, "partner.example"));
  EXPECT_TRUE(covers(name, "PARTNER.example"));
  EXPECT_FALSE(covers(name, "chat.partner.example"));
  EXPECT_FALSE(covers({NameKind::xmpp_addr, "juliet@partner.example"}, "partner.example"));
  EXPECT_FALSE(covers({NameKind::xmpp_addr, "*.partner.example"}, "chat.partner.example"));
  EXPECT_TRUE(covers({NameKind::xmpp_addr, "tést.example"}, "tést.example"));
  EXPECT_FALSE(covers({NameKind::xmpp_addr, "tÉst.example"}, "tést.example")) << "only ASCII letters fold";
}

TEST(SrvName, NamesTheServerService_Rfc6120_13_7_1_2) {
  EXPECT_TRUE(covers({NameKind::srv, "_xmpp-server.partner.example"}, "partner.example"));
  EXPECT_TRUE(covers({NameKind::srv, "_XMPP-Server.Partner.example"}, "partner.example"));
  EXPECT_FALSE(covers({NameKind::srv, "_xmpp-client.partner.example"}, "partner.example"));
  EXPECT_FALSE(covers({NameKind::srv, "_xmpp-server.*.example"}, "partner.example"));
  EXPECT_FALSE(covers({NameKind::srv, "_xmpp-server.*.partner.example"}, "a.partner.example"));
  EXPECT_FALSE(covers({NameKind::srv, "partner.example"}, "partner.example"));
  EXPECT_FALSE(covers({NameKind::srv, "_xmpp-server."}, ""));
}

// DER of general names ----------------------------------------------------------------------------------------------

constexpr std::uint8_t tag_dns = 0x82, tag_other_name = 0xA0;
const Bytes xmpp_addr_oid = {0x06, 8, 0x2B, 6, 1, 5, 5, 7, 8, 5};
const Bytes dns_srv_oid = {0x06, 8, 0x2B, 6, 1, 5, 5, 7, 8, 7};

Bytes element(std::uint8_t tag, const Bytes& content) {
  Bytes der{tag};
  if (content.size() >= 128) der.push_back(0x81);
  der.push_back(static_cast<std::uint8_t>(content.size()));
  der.insert(der.end(), content.begin(), content.end());
  return der;
}
Bytes text(std::string_view characters) { return {characters.begin(), characters.end()}; }
Bytes operator+(Bytes left, const Bytes& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}
Bytes xmpp_addr(std::string_view name) { return xmpp_addr_oid + element(0xA0, element(0x0C, text(name))); }

TEST(GeneralName, ReadsTheThreeKinds) {
  const Bytes dns = text("partner.example");
  EXPECT_EQ(parse_general_name(tag_dns, dns).kind, NameKind::dns);
  EXPECT_EQ(parse_general_name(tag_dns, dns).value, "partner.example");
  const Bytes addr = xmpp_addr("partner.example");
  EXPECT_EQ(parse_general_name(tag_other_name, addr).kind, NameKind::xmpp_addr);
  EXPECT_EQ(parse_general_name(tag_other_name, addr).value, "partner.example");
  const Bytes srv = dns_srv_oid + element(0xA0, element(0x16, text("_xmpp-server.partner.example")));
  EXPECT_EQ(parse_general_name(tag_other_name, srv).kind, NameKind::srv);
  const Bytes long_name = xmpp_addr(std::string(150, 'a'));
  EXPECT_EQ(parse_general_name(tag_other_name, long_name).value.size(), 150U);
}

TEST(GeneralName, TakesNothingElseForAName) {
  const Bytes utf8 = element(0x0C, text("partner.example")), ia5 = element(0x16, text("_xmpp-server.partner.example"));
  const Bytes wrong[] = {
      {},
      xmpp_addr_oid,
      xmpp_addr_oid + utf8,                              // the explicit tag is missing
      xmpp_addr_oid + element(0xA0, ia5),                // IA5String for id-on-xmppAddr
      dns_srv_oid + element(0xA0, utf8),                 // UTF8String for id-on-dnsSRV
      xmpp_addr_oid + element(0xA0, utf8) + utf8,        // something behind the value
      xmpp_addr_oid + element(0xA0, utf8 + utf8),        // something behind the string
      Bytes{0x06, 3, 0x55, 4, 3} + element(0xA0, utf8),  // the common name's OID
      Bytes{0x06, 7, 0x2B, 6, 1, 5, 5, 7, 8} + element(0xA0, utf8),
      xmpp_addr_oid + Bytes{0xA0, 0x80} + utf8,      // indefinite length
      xmpp_addr_oid + Bytes{0xA0, 0x81, 17} + utf8,  // not the shortest form
      xmpp_addr_oid + Bytes{0xA0, 0x82, 0, 17} + utf8,
      xmpp_addr_oid + Bytes{0xA0, 18} + utf8,  // longer than there is
      xmpp_addr_oid + Bytes{0xA0, 0x84, 0xFF, 0xFF, 0xFF, 0xFF} + utf8,
  };
  for (const Bytes& content : wrong) EXPECT_EQ(parse_general_name(tag_other_name, content).kind, NameKind::other);
  const Bytes name = text("partner.example");
  for (const int tag : {0x81, 0x84, 0x86, 0x87, 0x88, 0x02, 0x0C})
    EXPECT_EQ(parse_general_name(static_cast<std::uint8_t>(tag), name).kind, NameKind::other);
}

TEST(GeneralName, StaysInsideEveryTruncationAndMutation) {
  std::mt19937 generator(1);
  const Bytes good = xmpp_addr("partner.example");
  for (std::size_t length = 0; length < good.size(); ++length) {
    // A copy of exactly this length, so that AddressSanitizer sees a step too far.
    const Bytes cut(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(length));
    EXPECT_EQ(parse_general_name(tag_other_name, cut).kind, NameKind::other) << length;
  }
  for (int round = 0; round < 100000; ++round) {
    Bytes mutated = good;
    for (int change = 0; change < 3; ++change)
      mutated[generator() % mutated.size()] = static_cast<std::uint8_t>(generator());
    mutated.resize(generator() % (mutated.size() + 1));
    mutated.shrink_to_fit();
    const PresentedName name = parse_general_name(tag_other_name, mutated);
    if (name.kind == NameKind::other) continue;
    const auto* begin = reinterpret_cast<const char*>(mutated.data());
    ASSERT_GE(name.value.data(), begin);
    ASSERT_LE(name.value.data() + name.value.size(), begin + mutated.size());
  }
}

}  // namespace
}  // namespace sallyport::net::tls
