// The language of the settings: what is taken and into which type, and for each slip the line, the word, why, and what
// is allowed.
#include <gmock/gmock.h>

#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "firmware/config/settings.h"
#include "firmware/config/settings_directory.h"
#include "firmware/config/settings_image.h"
#include "firmware/config/settings_parser.h"
#include "firmware/config/suggestion.h"
#include "hal/base/log.h"

namespace sallyport::firmware {
namespace {

using net::IpAddress;
using net::IpFamily;
using net::IpPrefix;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing::StartsWith;
using xmpp::DomainKind;

const std::string certificate = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
const std::string key = "-----BEGIN EC PRIVATE KEY-----\nMIIB\n-----END EC PRIVATE KEY-----\n";
const std::string encrypted_key = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n";

const std::string complete =
    "set system name edge.corp.example\n"           // 1
    "set external address 203.0.113.10/24\n"        // 2
    "set external gateway 203.0.113.1\n"            // 3
    "set external dns 203.0.113.53\n"               // 4
    "set external certificate edge.pem\n"           // 5
    "set external key edge.key\n"                   // 6
    "set internal address 10.20.0.10/24\n"          // 7
    "set internal certificate inside.pem\n"         // 8
    "set internal key inside.key\n"                 // 9
    "set internal trust ca.pem\n"                   // 10
    "set internal admit corp.example\n"             // 11
    "set local-domain corp.example\n"               // 12
    "set partner partner.example trust cas.pem\n";  // 13

class SettingsTest : public testing::Test {
 protected:
  SettingsTest() {
    for (const char* name :
         {"edge.pem", "inside.pem", "ca.pem", "cas.pem", "cas2.pem", "cas3.pem", "cas4.pem", "cas5.pem"})
      files_[name] = certificate;
    for (const char* name : {"edge.key", "inside.key"}) files_[name] = key;
    files_["encrypted.key"] = encrypted_key;
    files_["both.pem"] = certificate + key;
  }

  bool parse(const std::string& text) {
    std::vector<NamedFile> files;
    for (const auto& [name, content] : files_) files.push_back({name, content});
    EXPECT_TRUE(image_->build(text, files));
    mistakes_.clear();
    return parse_settings(*image_, *settings_, mistakes_);
  }

  /// "line: text" of each mistake.
  std::vector<std::string> mistakes_of(const std::string& text) {
    const bool taken = parse(text);
    EXPECT_EQ(taken, mistakes_.empty());
    std::vector<std::string> all;
    for (const Mistake& mistake : mistakes_.kept())
      all.push_back(std::to_string(mistake.line) + ": " + std::string(mistake.text.view()));
    return all;
  }
  /// Mistakes of the complete settings with one more line, number 14.
  std::vector<std::string> added(const std::string& line) { return mistakes_of(complete + line + "\n"); }
  /// Mistakes of the complete settings with line `number` in place of its own.
  std::vector<std::string> replaced(std::size_t number, const std::string& line) {
    std::string text, rest = complete;
    for (std::size_t i = 1; !rest.empty(); ++i) {
      const std::size_t end = rest.find('\n') + 1;
      text += i == number ? line + "\n" : rest.substr(0, end);
      rest.erase(0, end);
    }
    return mistakes_of(text);
  }

  std::map<std::string, std::string> files_;
  std::unique_ptr<SettingsImage> image_ = std::make_unique<SettingsImage>();
  std::unique_ptr<Settings> settings_ = std::make_unique<Settings>();
  MistakeList mistakes_;
};

TEST_F(SettingsTest, TakesCompleteSettingsIntoTypes) {
  ASSERT_THAT(mistakes_of(complete), IsEmpty());
  const Settings& s = *settings_;
  EXPECT_EQ(s.system_name.value, "edge.corp.example");
  EXPECT_EQ(s.external.address[0].value, *IpPrefix::parse("203.0.113.10/24"));
  EXPECT_FALSE(s.external.address[1].is_set());
  EXPECT_EQ(s.external.gateway[0].value, *IpAddress::parse("203.0.113.1"));
  ASSERT_THAT(s.external.dns, SizeIs(1));
  EXPECT_EQ(s.external.certificate.pem, certificate);
  EXPECT_EQ(s.external.certificate.pem.data()[certificate.size()], '\0');
  EXPECT_EQ(s.external.key.pem, key);
  EXPECT_EQ(s.external.key.line, 6U);
  EXPECT_EQ(s.internal.address[0].line, 7U);
  EXPECT_EQ(s.internal.trust[0].name, "ca.pem");
  EXPECT_EQ(s.internal.admit[0].value, "corp.example");
  EXPECT_EQ(s.local_domains[0].value, "corp.example");
  ASSERT_THAT(s.partners, SizeIs(1));
  EXPECT_EQ(s.partners[0].domain, "partner.example");
  EXPECT_EQ(s.partners[0].trust[0].name, "cas.pem");
  EXPECT_EQ(s.gateway_wait.value, 30s);
  EXPECT_EQ(s.log_level.value, LogLevel::info);
}

TEST_F(SettingsTest, TakesEverySettingOfTheTable) {
  ASSERT_THAT(
      added("set external address 2001:db8:1::10/64\n"
            "set external gateway fe80::1\n"
            "set external dns 2001:db8:1::53\n"
            "set internal address 2001:db8:2::10/64\n"
            "set internal gateway 10.20.0.1\n"
            "set internal dns 10.99.0.53\n"
            "set partner partner.example description \"Our friends # since 2019, M\xc3\xbcnchen\"   # a comment\n"
            "\tset\tpartner  other.example \r\n"
            "set partner other.example trust cas.pem\n"
            "set relay gateway-wait 5\n"
            "set log level debug\n"
            "\n   # nothing but a comment with \"quotes and ' signs\n"),
      IsEmpty());
  const Settings& s = *settings_;
  EXPECT_EQ(s.external.address[index_of(IpFamily::v6)].value.length, 64);
  EXPECT_EQ(s.external.gateway[1].value, *IpAddress::parse("fe80::1"));
  EXPECT_EQ(s.internal.dns[0].value, *IpAddress::parse("10.99.0.53"));
  EXPECT_EQ(s.partners[0].description.value, "Our friends # since 2019, M\xc3\xbcnchen");
  EXPECT_EQ(s.partners[1].line, 21U);
  EXPECT_EQ(s.gateway_wait.value, 5s);
  EXPECT_EQ(s.gateway_wait.line, 23U);
  EXPECT_EQ(s.log_level.value, LogLevel::debug);
}

TEST_F(SettingsTest, SaysEverythingThatIsMissing) {
  const auto all = mistakes_of("");
  ASSERT_THAT(all, SizeIs(10));
  EXPECT_THAT(all[0], StartsWith("0: \"set system name DOMAIN\" is missing: The appliance's own name"));
  EXPECT_THAT(all[1], StartsWith("0: \"set external address ADDRESS/LENGTH\" is missing: "));
  EXPECT_EQ(mistakes_.total(), 11U);
}

TEST_F(SettingsTest, DoesNotCallMissingWhatWasSetWrongly) {
  EXPECT_THAT(replaced(2, "set external address 203.0.113.300/24"), SizeIs(1));
  EXPECT_THAT(replaced(13, "set partner partner.example trust absent.pem"), SizeIs(1));
  EXPECT_THAT(replaced(6, "set external key"), SizeIs(1));
}

TEST_F(SettingsTest, NamesTheWordTheReasonAndWhatIsAllowed) {
  EXPECT_THAT(
      added("set external adress 1.2.3.4/24"),
      ElementsAre("14: \"adress\": not known here; did you mean \"address\"? Allowed after \"external\": address, "
                  "gateway, dns, certificate, key"));
  EXPECT_THAT(added("set externel address 1.2.3.4/24"),
              ElementsAre(HasSubstr("did you mean \"external\"? Allowed after \"set\": "
                                    "system, external, internal, local-domain, partner, "
                                    "relay, log")));
  EXPECT_THAT(added("set banana"),
              ElementsAre(StartsWith("14: \"banana\": not known here; allowed after \"set\": system")));
  EXPECT_THAT(added("set"), ElementsAre(StartsWith("14: something is missing after \"set\"; allowed: system, ")));
  EXPECT_THAT(added("set external"),
              ElementsAre("14: something is missing after \"external\"; allowed: address, gateway, dns, "
                          "certificate, key"));
  EXPECT_THAT(added("set partner"), ElementsAre("14: something is missing after \"partner\"; allowed: DOMAIN"));
  EXPECT_THAT(
      added("set partner a.example trusts cas.pem"),
      ElementsAre(HasSubstr(
          "\"trusts\": not known here; did you mean \"trust\"? Allowed after \"a.example\": trust, description")));
  EXPECT_THAT(added("set external dns"),
              ElementsAre("14: a value is missing after \"dns\"; allowed: an IPv4 or IPv6 address, such as "
                          "203.0.113.1 or 2001:db8::1"));
  EXPECT_THAT(added("set log level info please"),
              ElementsAre("14: \"please\": one word too many; allowed: error, warning, notice, "
                          "info or debug"));
  EXPECT_THAT(added("delete partner x.example"),
              ElementsAre(StartsWith("14: \"delete\": not known here; every line begins with \"set\"")));
  EXPECT_THAT(added("set log level loud"), ElementsAre(StartsWith("14: \"loud\": not a level; allowed: error,")));
}

TEST_F(SettingsTest, RefusesLinesThatCannotBeSplit) {
  EXPECT_THAT(added("set partner a.example description \"no end"),
              ElementsAre("14: \"no end\": the closing quote is missing"));
  EXPECT_THAT(added("set partner a.example description \"a\"b"),
              ElementsAre(HasSubstr("text follows the closing quote")));
  EXPECT_THAT(added("set partner a.example description a\"b"), ElementsAre(HasSubstr("has a quote inside")));
  EXPECT_THAT(added("set partner a.example description M\xc3\xbcller"), ElementsAre(HasSubstr("non-ASCII")));
  EXPECT_THAT(added("set partner a.example description \"a\x1b[2J\""), ElementsAre(HasSubstr("control character")));
  EXPECT_THAT(added(std::string("set log level \0info", 19)), ElementsAre(HasSubstr("control character")));
  EXPECT_THAT(added("set a b c d e f g h i"),
              ElementsAre("14: \"h\": is one word too many; quote text that has blanks"));
  EXPECT_THAT(added("# " + std::string(1100, 'x')), ElementsAre("14: the line has 1102 bytes; 1024 are allowed"));
  EXPECT_THAT(added("set log level " + std::string(300, 'x')),
              ElementsAre(StartsWith("14: \"" + std::string(48, 'x') + "...\": not a level")));
}

TEST_F(SettingsTest, RefusesAddressesThatNoHostHas) {
  const std::string allowed =
      "; allowed: an address with its prefix length, such as 203.0.113.10/24 or 2001:db8::10/64";
  EXPECT_THAT(replaced(2, "set external address 203.0.113.10"),
              ElementsAre("2: \"203.0.113.10\": not an address with a prefix length" + allowed));
  for (const char* word : {"203.0.113.010/24", "203.0.113.10/33", "203.0.113.10/-1", "203.0.113.10/", "/24",
                           "2001:db8::g/64", "2001:db8::1/129", "fe80::1%eth0/64", "edge.example/24"})
    EXPECT_THAT(replaced(2, std::string("set external address ") + word),
                ElementsAre(HasSubstr("not an address with a prefix length")))
        << word;
  const std::map<std::string, std::string> reasons{
      {"203.0.113.0/24", "broadcast"},      {"203.0.113.255/24", "broadcast"}, {"0.0.0.0/8", "unspecified"},
      {"127.0.0.1/8", "loopback"},          {"224.0.0.5/24", "multicast"},     {"169.254.1.1/16", "link-local"},
      {"203.0.113.10/0", "whole internet"}, {"::/64", "unspecified"},          {"::1/128", "loopback"},
      {"ff02::1/64", "multicast"},          {"fe80::1/64", "link-local"}};
  for (const auto& [word, reason] : reasons) {
    const auto all = replaced(2, "set external address " + word);
    ASSERT_FALSE(all.empty()) << word;
    EXPECT_THAT(all[0], AllOf(StartsWith("2: \"" + word + "\": "), HasSubstr(reason), HasSubstr(allowed)));
  }
  EXPECT_THAT(mistakes_of("set external address 203.0.113.0/31\nset internal address 10.0.0.255/32\n"),
              testing::Not(testing::Contains(HasSubstr("broadcast"))))
      << "RFC 3021: both addresses of a /31 are hosts'";
  EXPECT_THAT(added("set external dns 0.1.2.3"), ElementsAre(HasSubstr("0.0.0.0/8")));
  EXPECT_THAT(added("set external dns 255.255.255.255"), ElementsAre(HasSubstr("from 240.0.0.0 up")));
  EXPECT_THAT(added("set external dns ::ffff:203.0.113.9"), ElementsAre(HasSubstr("in the form of IPv6")));
  EXPECT_THAT(added("set external dns 224.0.0.251"), ElementsAre(HasSubstr("multicast")));
  EXPECT_THAT(added("set external dns ns.example"),
              ElementsAre(StartsWith("14: \"ns.example\": not an address; allowed: an IPv4 or IPv6")));
}

TEST_F(SettingsTest, HoldsGatewaysAgainstTheirNetwork) {
  EXPECT_THAT(
      replaced(3, "set external gateway 203.0.114.1"),
      ElementsAre("3: \"203.0.114.1\": outside the network 203.0.113.10/24 of line 2; a gateway is a neighbour"));
  EXPECT_THAT(replaced(3, "set external gateway 203.0.113.10"),
              ElementsAre(HasSubstr("the appliance's own address of line 2")));
  EXPECT_THAT(replaced(3, "set external gateway 203.0.113.255"), ElementsAre(HasSubstr("or its broadcast, no host's")));
  EXPECT_THAT(replaced(3, "set external gateway 203.0.113.0"), ElementsAre(HasSubstr("or its broadcast, no host's")));
  EXPECT_THAT(added("set external gateway 2001:db8::1"),
              ElementsAre("14: \"2001:db8::1\": the external side has no IPv6 address; set one "
                          "(set external address ADDRESS/LENGTH)"));
}

TEST_F(SettingsTest, HoldsDnsServersAgainstWhatTheirSideReaches) {
  EXPECT_THAT(added("set external dns 9.9.9.9"), IsEmpty()) << "behind the gateway";
  EXPECT_THAT(added("set external dns 2001:db8::53"),
              ElementsAre(HasSubstr("the external side has no IPv6 address to ask it from")));
  EXPECT_THAT(added("set external dns 10.20.0.53"),
              ElementsAre("14: \"10.20.0.53\": lies in the internal network (line 7), which the "
                          "external side never reaches"));
  EXPECT_THAT(added("set internal dns 10.30.0.53"),
              ElementsAre(HasSubstr("outside the internal network, and there is no gateway")));
  EXPECT_THAT(added("set internal dns 203.0.113.53"), ElementsAre(HasSubstr("lies in the external network (line 2)")));
}

TEST_F(SettingsTest, KeepsTheTwoSidesNetworksApart) {
  EXPECT_THAT(
      replaced(7, "set internal address 203.0.113.20/25"),
      testing::Contains("7: \"203.0.113.20/25\": overlaps the other side's network of line 2; the two must be apart"));
  EXPECT_THAT(replaced(7, "set internal address 203.0.0.1/8"), testing::Contains(HasSubstr("overlaps")));
  EXPECT_THAT(added("set internal address 2001:db8:1::1/48\nset external address 2001:db8:1:5::1/64"),
              ElementsAre(HasSubstr("15: \"2001:db8:1:5::1/64\": overlaps")));
}

TEST_F(SettingsTest, RefusesWhatIsSetTwiceOrTooOften) {
  EXPECT_THAT(added("set system name other.example"),
              ElementsAre("14: \"other.example\": already set in line 1; remove one of the two"));
  EXPECT_THAT(added("set external address 203.0.113.11/24"), ElementsAre(HasSubstr("already set in line 2")));
  EXPECT_THAT(added("set external dns 203.0.113.53"), ElementsAre(HasSubstr("already set in line 4")));
  EXPECT_THAT(added("set external certificate edge.pem"), ElementsAre(HasSubstr("already set in line 5")));
  EXPECT_THAT(added("set internal trust ca.pem"), ElementsAre(HasSubstr("already set in line 10")));
  EXPECT_THAT(added("set internal admit CORP.example."), ElementsAre(HasSubstr("already set in line 11")));
  EXPECT_THAT(added("set partner partner.example trust cas.pem"), ElementsAre(HasSubstr("already set in line 13")));
  EXPECT_THAT(added("set external dns 203.0.113.54\nset external dns 203.0.113.55\nset external dns 203.0.113.56"),
              ElementsAre("16: \"203.0.113.56\": too many; 3 are allowed"));
  EXPECT_THAT(added("set partner partner.example trust cas2.pem\nset partner partner.example trust cas3.pem\n"
                    "set partner partner.example trust cas4.pem\nset partner partner.example trust cas5.pem"),
              ElementsAre("17: \"cas5.pem\": too many; 4 are allowed"));
  EXPECT_THAT(added("set relay gateway-wait 3\nset relay gateway-wait 4"),
              ElementsAre(HasSubstr("already set in line 14")));
}

TEST_F(SettingsTest, GivesADomainOnePartOnly) {
  EXPECT_THAT(added("set partner corp.example trust cas.pem"),
              ElementsAre("14: \"corp.example\": is already a local domain (line 12); a domain "
                          "has one part only"));
  EXPECT_THAT(added("set partner Edge.Corp.Example trust cas.pem"),
              ElementsAre(HasSubstr("is already the system name (line 1)")));
  EXPECT_THAT(added("set local-domain PARTNER.example"), ElementsAre(HasSubstr("is already a partner (line 13)")));
  EXPECT_THAT(added("set local-domain corp.example."), ElementsAre(HasSubstr("is already a local domain (line 12)")));
}

TEST_F(SettingsTest, RefusesNamesThatAreNoDomain) {
  for (const char* word :
       {"203.0.113.1", "[2001:db8::1]", "a..b", ".example", "a_b@c", "*.example", "user@corp.example"})
    EXPECT_THAT(added(std::string("set local-domain ") + word),
                ElementsAre(StartsWith(std::string("14: \"") + word + "\": not a domain name; allowed: ")))
        << word;
  EXPECT_THAT(added("set partner a..b trust cas.pem"), ElementsAre(StartsWith("14: \"a..b\": not a domain name")));
  EXPECT_THAT(added("set local-domain " + std::string(64, 'a') + ".example"), SizeIs(1))
      << "a label has at most 63 bytes";
}

TEST_F(SettingsTest, AsksForTrustOfEachPartner) {
  EXPECT_THAT(added("set partner lonely.example"),
              ElementsAre("14: \"lonely.example\": nothing says which CAs to trust for this partner; set "
                          "partner lonely.example trust FILE.pem"));
}

TEST_F(SettingsTest, ChecksThatFilesHoldWhatTheyShould) {
  EXPECT_THAT(replaced(5, "set external certificate absent.pem"),
              ElementsAre(StartsWith("5: \"absent.pem\": no such file on the card; allowed: ")));
  EXPECT_THAT(replaced(5, "set external certificate edge.key"),
              ElementsAre(HasSubstr("there is no certificate in the file")));
  EXPECT_THAT(replaced(6, "set external key edge.pem"), ElementsAre(HasSubstr("there is no private key in the file")));
  EXPECT_THAT(replaced(6, "set external key encrypted.key"), ElementsAre(HasSubstr("the key is encrypted")));
  EXPECT_THAT(replaced(6, "set external key both.pem"), IsEmpty());
  EXPECT_THAT(replaced(5, "set external certificate ../edge.pem"), ElementsAre(HasSubstr("no such file")));
}

TEST_F(SettingsTest, BoundsNumbersAndTexts) {
  for (const char* word : {"0", "601", "99999999999", "-1", "1.5", "30s", "0x10", "\"\""})
    EXPECT_THAT(added(std::string("set relay gateway-wait ") + word), SizeIs(1)) << word;
  EXPECT_THAT(added("set relay gateway-wait 601"),
              ElementsAre("14: \"601\": out of range; allowed: a whole number from 1 to 600"));
  EXPECT_THAT(added("set relay gateway-wait 600"), IsEmpty());
  EXPECT_THAT(added("set partner partner.example description \"" + std::string(120, 'x') + "\""), IsEmpty());
  EXPECT_THAT(added("set partner partner.example description \"" + std::string(121, 'x') + "\""),
              ElementsAre(HasSubstr("too long")));
  EXPECT_THAT(added("set partner partner.example description \"\""), IsEmpty());
}

TEST_F(SettingsTest, ReportsTheFirstTenMistakesInOrderAndCountsTheRest) {
  std::string lines;
  for (int i = 0; i < 25; ++i) lines += "set nonsense" + std::to_string(i) + "\n";
  const auto all = mistakes_of(complete + lines);
  ASSERT_THAT(all, SizeIs(10));
  EXPECT_THAT(all.front(), StartsWith("14: \"nonsense0\""));
  EXPECT_THAT(all.back(), StartsWith("23: \"nonsense9\""));
  EXPECT_EQ(mistakes_.total(), 25U);

  mistakes_.clear();
  mistakes_.add(0, "whole");
  mistakes_.add(9, "late");
  mistakes_.add(3, "early");
  EXPECT_EQ(mistakes_.kept()[0].line, 3U);
  EXPECT_EQ(mistakes_.kept()[1].line, 9U);
  EXPECT_EQ(mistakes_.kept()[2].line, 0U);
}

TEST_F(SettingsTest, LogsEachMistakeWithItsLine) {
  class Lines final : public LogSink {
   public:
    void write(LogLevel level, std::string_view module, std::string_view message) override {
      EXPECT_EQ(level, LogLevel::error);
      EXPECT_EQ(module, "settings");
      text += std::string(message) + "\n";
    }
    std::string text;
  } lines;
  set_log_sink(&lines);
  mistakes_.add(0, "whole");
  for (std::uint32_t line = 1; line <= 12; ++line) mistakes_.add(line, "wrong %u", line);
  mistakes_.report();
  set_log_sink(nullptr);
  EXPECT_THAT(lines.text, StartsWith("line 1: wrong 1\n"));
  EXPECT_THAT(lines.text, testing::EndsWith("line 9: wrong 9\nwhole\nand 3 more mistakes\n"));
}

TEST_F(SettingsTest, FindsEveryDomainInAnyLetterCase) {
  ASSERT_TRUE(parse(complete + "set partner MiXed.Example. trust cas.pem\n"));
  const SettingsDirectory directory(*settings_);
  const auto id = directory.find("mixed.example");
  ASSERT_TRUE(id.valid());
  EXPECT_EQ(directory.find("MIXED.example."), id);
  EXPECT_EQ(directory.name(id), "mixed.example");
  EXPECT_EQ(directory.kind(id), DomainKind::partner);
  EXPECT_EQ(directory.partner(id)->domain, "mixed.example");
  EXPECT_EQ(directory.kind(directory.find("edge.corp.example")), DomainKind::edge);
  EXPECT_EQ(directory.kind(directory.find("corp.example")), DomainKind::local);
  EXPECT_EQ(directory.partner(directory.find("corp.example")), nullptr);
  for (const char* stranger : {"", ".", "example", "mixed.example..", "ixed.example", "sub.corp.example"})
    EXPECT_FALSE(directory.find(stranger).valid()) << stranger;
}

// Issue 4: "A configuration of 1,000 partners with 200 KB of certificates fits".
TEST_F(SettingsTest, HoldsAThousandPartnersWithTwoHundredKilobytesOfCertificatesAndNoMore) {
  std::string text = complete.substr(0, complete.find("set partner"));
  for (std::size_t i = 1; i < limits::local_domains; ++i)
    text += "set local-domain d" + std::to_string(i) + ".example\n";
  const std::string body(160, 'M');
  std::size_t certificate_bytes = 0;
  for (std::size_t i = 0; i < limits::partners; ++i) {
    const std::string number = std::to_string(i);
    std::string& file = files_["ca" + number + ".pem"];
    file = "-----BEGIN CERTIFICATE-----\n" + body + "\n-----END CERTIFICATE-----\n";
    certificate_bytes += file.size();
    text += "set partner partner" + number + ".example trust ca" + number + ".pem\n";
    text += "set partner partner" + number + ".example description \"Partner number " + number + "\"\n";
  }
  ASSERT_THAT(mistakes_of(text), IsEmpty());
  EXPECT_LT(image_->payload().size(), limits::settings_bytes);
  EXPECT_GT(certificate_bytes, 200U * 1024);
  EXPECT_EQ(settings_->partners.size(), limits::partners);
  EXPECT_EQ(settings_->domains.size(), DomainTable::capacity);
  const SettingsDirectory directory(*settings_);
  for (std::size_t i = 0; i < limits::partners; ++i) {
    const Partner* partner = directory.partner(directory.find("partner" + std::to_string(i) + ".example"));
    ASSERT_NE(partner, nullptr);
    EXPECT_EQ(partner->trust[0].name, "ca" + std::to_string(i) + ".pem");
    EXPECT_EQ(partner->description.value, "Partner number " + std::to_string(i));
  }
  EXPECT_THAT(mistakes_of(text + "set partner one.too.many trust cas.pem\n"),
              ElementsAre(HasSubstr("too many partners; 1000 are allowed")));
  EXPECT_THAT(mistakes_of(text + "set local-domain one.too.many\n"),
              ElementsAre(HasSubstr("too many; 16 are allowed")));
}

TEST_F(SettingsTest, ForgetsTheSettingsBefore) {
  ASSERT_TRUE(parse(complete + "set relay gateway-wait 5\nset log level debug\n"));
  ASSERT_TRUE(parse(complete));
  EXPECT_EQ(settings_->partners.size(), 1U);
  EXPECT_EQ(settings_->domains.size(), 3U);
  EXPECT_EQ(settings_->gateway_wait.value, default_gateway_wait);
  EXPECT_EQ(settings_->log_level.value, default_log_level);
}

// Whatever the bytes, nothing is read or written out of bounds (run under ASan), and what is refused is explained.
TEST_F(SettingsTest, SurvivesAnyMutationOfTheText) {
  std::mt19937 random(42);
  unsigned taken = 0;
  for (int round = 0; round < 4000; ++round) {
    std::string text = complete;
    for (auto mutations = 1 + random() % 6; mutations > 0; --mutations) {
      const std::size_t at = random() % text.size();
      switch (random() % 4) {
        case 0: text[at] = static_cast<char>(random()); break;
        case 1: text.erase(at, random() % 20); break;
        case 2: text.insert(at, text.substr(random() % text.size(), random() % 40)); break;
        default: text[at] = "\" #\n./:-"[random() % 8]; break;
      }
    }
    if (parse(text)) {
      ++taken;
    } else {
      for (const Mistake& mistake : mistakes_.kept()) EXPECT_FALSE(mistake.text.empty());
    }
  }
  EXPECT_GT(taken, 10U);
}

TEST(SettingTable, SaysTheBoundsThatAreInForce) {
  const auto times_of = [](std::string_view path) {
    for (const SettingEntry& entry : setting_table())
      if (entry.path == path) return std::string(entry.times);
    return std::string("no such entry");
  };
  EXPECT_THAT(times_of("external dns"), HasSubstr(std::to_string(max_dns_servers)));
  EXPECT_THAT(times_of("internal dns"), HasSubstr(std::to_string(max_dns_servers)));
  EXPECT_THAT(times_of("internal trust"), HasSubstr(std::to_string(max_internal_trust_files)));
  EXPECT_THAT(times_of("internal admit"), HasSubstr(std::to_string(max_admitted_names)));
  EXPECT_THAT(times_of("local-domain"), HasSubstr(std::to_string(limits::local_domains)));
  EXPECT_THAT(times_of("partner <domain>"), HasSubstr(std::to_string(limits::partners)));
  EXPECT_THAT(times_of("partner <domain> trust"), HasSubstr(std::to_string(max_partner_trust_files)));
  for (const SettingEntry& entry : setting_table()) {
    EXPECT_FALSE(entry.help.empty()) << entry.path;
    if (entry.path == "relay gateway-wait") {
      EXPECT_EQ(entry.fallback, std::to_string(default_gateway_wait.count()));
    }
  }
  EXPECT_THAT(std::string(describe(ValueKind::seconds).allowed),
              HasSubstr(std::to_string(min_gateway_wait.count()) + " to " + std::to_string(max_gateway_wait.count())));
  EXPECT_THAT(std::string(describe(ValueKind::text).allowed), HasSubstr(std::to_string(max_description_bytes)));
}

TEST(EditDistance, CountsInsertionsDeletionsReplacementsAndSwaps) {
  EXPECT_EQ(edit_distance("address", "address"), 0U);
  EXPECT_EQ(edit_distance("adress", "address"), 1U);
  EXPECT_EQ(edit_distance("addresss", "address"), 1U);
  EXPECT_EQ(edit_distance("addrass", "address"), 1U);
  EXPECT_EQ(edit_distance("shwo", "show"), 1U);
  EXPECT_EQ(edit_distance("", "show"), 4U);
  EXPECT_EQ(edit_distance(std::string(100, 'x'), "show"), 100U);
  EXPECT_TRUE(is_likely_slip("addr", "address"));
  EXPECT_FALSE(is_likely_slip("banana", "address"));
}

}  // namespace
}  // namespace sallyport::firmware
