#include "xmpp/jid.h"

#include <gtest/gtest.h>

#include <string>

namespace sallyport::xmpp {
namespace {

std::string parsed(std::string_view text) {
  const auto domain = Domain::parse(text);
  return domain ? std::string(domain->view()) : "(none)";
}

TEST(Domain, IsComparedInLowerCaseWithoutTrailingDot_Rfc7622_3_2) {
  EXPECT_EQ(parsed("Partner.EXAMPLE."), "partner.example");
  EXPECT_EQ(Domain::parse("IM.Example.com"), Domain::parse("im.example.COM"));
}

TEST(Domain, TakesAddressLiterals_Rfc7622_3_2) {
  EXPECT_EQ(parsed("192.0.2.1"), "192.0.2.1");
  EXPECT_EQ(parsed("[2001:DB8::1]"), "[2001:db8::1]");
}

TEST(Domain, KeepsTheBytesOfAULabel_Rfc7622_3_2) {
  EXPECT_EQ(parsed("b\xC3\xBC"
                   "cher.example"),
            "b\xC3\xBC"
            "cher.example");
}

TEST(Domain, RefusesWhatNoNameHas) {
  for (const char* text : {"", ".", "..", "a..b", ".a", "a b", "a/b", "a@b", "-a.example", "a-.example", "a.example-",
                           "[::1", "[]", "[zz::]", "a\tb", "<a>", "a'b"})
    EXPECT_EQ(parsed(text), "(none)") << text;
}

TEST(Domain, HoldsItsLengths_Rfc1035_2_3_4) {
  EXPECT_EQ(parsed(std::string(63, 'a') + ".example").size(), 71U);
  EXPECT_EQ(parsed(std::string(64, 'a') + ".example"), "(none)");
  std::string longest;
  while (longest.size() + 8 <= max_domain_bytes) longest += "abcdefg.";
  longest += std::string(max_domain_bytes - longest.size(), 'a');
  EXPECT_EQ(parsed(longest), longest);
  EXPECT_EQ(parsed(longest + "a"), "(none)");
}

TEST(Jid, SplitsAtTheFirstSlashAndThenTheFirstAt_Rfc7622_3_1) {
  const auto jid = Jid::parse("juliet@example.com/foo@bar/baz");
  ASSERT_TRUE(jid);
  EXPECT_EQ(jid->local, "juliet");
  EXPECT_EQ(jid->domain, "example.com");
  EXPECT_EQ(jid->resource, "foo@bar/baz");
}

TEST(Jid, MayBeADomainOnly_Rfc7622_3_1) {
  const auto jid = Jid::parse("example.com");
  ASSERT_TRUE(jid);
  EXPECT_TRUE(jid->local.empty());
  EXPECT_EQ(jid->domain, "example.com");
  EXPECT_TRUE(jid->resource.empty());
}

TEST(Jid, RefusesEmptyParts_Rfc7622_3_5) {
  for (const char* text : {"", "@example.com", "juliet@", "juliet@example.com/", "/resource", "juliet@/x"})
    EXPECT_FALSE(Jid::parse(text)) << text;
}

TEST(Jid, RefusesTheCharactersThatALocalpartExcludes_Rfc7622_3_3_1) {
  for (const char* text : {"a\"b@x", "a&b@x", "a'b@x", "a:b@x", "a<b@x", "a>b@x", "a b@x",
                           "a\x01"
                           "b@x"})
    EXPECT_FALSE(Jid::parse(text)) << text;
  EXPECT_TRUE(Jid::parse("d\\27artagnan@x"));
}

TEST(Jid, LimitsEachPartTo1023Bytes_Rfc7622_3) {
  const std::string longest(max_jid_part_bytes, 'a');
  EXPECT_TRUE(Jid::parse(longest + "@example.com/" + longest));
  EXPECT_FALSE(Jid::parse(longest + "a@example.com"));
  EXPECT_FALSE(Jid::parse("a@example.com/" + longest + "a"));
  EXPECT_FALSE(Jid::parse("a@" + longest + "a"));
}

}  // namespace
}  // namespace sallyport::xmpp
