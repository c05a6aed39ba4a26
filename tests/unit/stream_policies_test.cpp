// What the settings answer to a negotiating stream, and what the operator hears of certificates that are of no use.
#include "firmware/stream_policies.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "firmware/config/settings_image.h"
#include "firmware/config/settings_parser.h"
#include "firmware/credential_store.h"
#include "hal/base/task_queue.h"
#include "hal/wall_clock.h"
#include "net/tls/engine.h"
#include "tests/fakes/manual_clock.h"
#include "tests/fakes/seeded_random.h"

namespace sallyport::firmware {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using xmpp::StreamErrorCondition;

constexpr char text[] =
    "set system name edge.corp.example\n"          // 1
    "set external address 203.0.113.10/24\n"       // 2
    "set external gateway 203.0.113.1\n"           // 3
    "set external dns 203.0.113.53\n"              // 4
    "set external certificate edge.pem\n"          // 5
    "set external key edge.key\n"                  // 6
    "set internal address 10.20.0.10/24\n"         // 7
    "set internal certificate edge.pem\n"          // 8
    "set internal key edge.key\n"                  // 9
    "set internal trust ca.pem\n"                  // 10
    "set internal admit xmpp.corp.example\n"       // 11
    "set internal admit corp.example\n"            // 12
    "set local-domain corp.example\n"              // 13
    "set partner partner.example trust ca.pem\n"   // 14
    "set partner other.example trust ca.pem\n"     // 15
    "set partner third.example trust ca.pem\n"     // 16
    "set partner third.example trust edge.pem\n";  // 17

constexpr char damaged_certificate[] = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
constexpr char damaged_key[] = "-----BEGIN EC PRIVATE KEY-----\nMIIB\n-----END EC PRIVATE KEY-----\n";

class StreamPoliciesTest : public testing::Test {
 protected:
  StreamPoliciesTest() {
    const std::vector<NamedFile> files{
        {"ca.pem", damaged_certificate}, {"edge.key", damaged_key}, {"edge.pem", damaged_certificate}};
    EXPECT_TRUE(image->build(text, files).has_value());
    EXPECT_TRUE(parse_settings(*image, *settings, mistakes));
    external = std::make_unique<ExternalStreamPolicy>(directory, *credentials);
    internal = std::make_unique<InternalStreamPolicy>(*settings, directory, *credentials);
  }

  std::unique_ptr<SettingsImage> image = std::make_unique<SettingsImage>();
  std::unique_ptr<Settings> settings = std::make_unique<Settings>();
  MistakeList mistakes;
  SettingsDirectory directory{*settings};
  fakes::SeededRandom random;
  fakes::ManualClock clock;
  hal::WallClock wall_clock{clock};
  TaskQueue tasks;
  net::tls::Engine engine{random, wall_clock, tasks};
  std::unique_ptr<CredentialStore> credentials = std::make_unique<CredentialStore>();
  std::unique_ptr<ExternalStreamPolicy> external;
  std::unique_ptr<InternalStreamPolicy> internal;
};

TEST_F(StreamPoliciesTest, OutsideServesPartnersForLocalDomainsOnly) {
  const auto admitted = external->admit("partner.example", "corp.example");
  ASSERT_TRUE(admitted.has_value());
  EXPECT_EQ(directory.name(admitted->local), "corp.example");
  EXPECT_EQ(directory.name(admitted->remote), "partner.example");
  EXPECT_TRUE(external->admit("PARTNER.Example", "corp.example").has_value());

  EXPECT_EQ(external->admit("stranger.example", "corp.example").error().condition,
            StreamErrorCondition::policy_violation);
  EXPECT_EQ(external->admit("corp.example", "corp.example").error().condition, StreamErrorCondition::policy_violation);
  for (const char* to : {"partner.example", "edge.corp.example", "stranger.example", ""})
    EXPECT_EQ(external->admit("partner.example", to).error().condition, StreamErrorCondition::host_unknown) << to;
}

TEST_F(StreamPoliciesTest, FromMayBeAbsentBeforeTls_Rfc6120_4_7_1) {
  const auto outside = external->admit("", "corp.example");
  ASSERT_TRUE(outside.has_value());
  EXPECT_FALSE(outside->remote.valid());
  EXPECT_TRUE(internal->admit("", "partner.example").has_value());
}

TEST_F(StreamPoliciesTest, InsideServesLocalDomainsForPartnersAndTheEdge) {
  EXPECT_TRUE(internal->admit("corp.example", "partner.example").has_value());
  const auto trunk = internal->admit("corp.example", "edge.corp.example");
  ASSERT_TRUE(trunk.has_value());
  EXPECT_TRUE(internal->trunk(*trunk));
  EXPECT_FALSE(internal->trunk(*internal->admit("corp.example", "partner.example")));

  EXPECT_EQ(internal->admit("corp.example", "stranger.example").error().condition, StreamErrorCondition::host_unknown);
  EXPECT_EQ(internal->admit("corp.example", "corp.example").error().condition, StreamErrorCondition::host_unknown);
  EXPECT_EQ(internal->admit("partner.example", "edge.corp.example").error().condition,
            StreamErrorCondition::not_authorized);
}

TEST_F(StreamPoliciesTest, InsideDemandsAnAdmittedCertificateInTheHandshake) {
  const net::TlsParameters tls = internal->receiving_tls(std::nullopt);
  EXPECT_EQ(tls.role, net::TlsRole::server);
  EXPECT_EQ(tls.anchors, &credentials->gateways());
  EXPECT_THAT(tls.required_names, testing::ElementsAre("xmpp.corp.example", "corp.example"));
}

TEST_F(StreamPoliciesTest, BadCertificatesAreNamedByLineAndFile) {
  credentials->load(*settings, mistakes);
  std::vector<std::string> said;
  for (const Mistake& mistake : mistakes.kept())
    said.push_back(std::to_string(mistake.line) + ": " + std::string(mistake.text.view()));
  EXPECT_THAT(said, testing::Contains(AllOf(HasSubstr("5: edge.pem, line 1"))));
  EXPECT_THAT(said, testing::Contains(AllOf(HasSubstr("8: edge.pem, line 1"))));
  EXPECT_THAT(said, testing::Contains(AllOf(HasSubstr("10: ca.pem, line 1"))));
  EXPECT_THAT(said, testing::Contains(AllOf(HasSubstr("14: ca.pem, line 1"))));
}

TEST_F(StreamPoliciesTest, PartnersThatNameTheSameFilesShareTheirAnchors) {
  credentials->load(*settings, mistakes);
  EXPECT_EQ(credentials->trust_sets(), 2U);
  EXPECT_EQ(&credentials->partner(0), &credentials->partner(1));
  EXPECT_NE(&credentials->partner(0), &credentials->partner(2));
}

}  // namespace
}  // namespace sallyport::firmware
