#include "net/lwip/neighbors.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "net/lwip/neighbor_messages.h"
#include "net/lwip/stack.h"
#include "tests/fakes/manual_clock.h"
#include "tests/fakes/seeded_random.h"
#include "tests/fakes/wire_host.h"

namespace sallyport::net {
namespace {

using fakes::address;

constexpr hal::MacAddress mac_a{2, 0, 0, 0, 0, 0xA}, mac_b{2, 0, 0, 0, 0, 0xB};

class RecordingLink final : public NeighborLink {
 public:
  void solicit(const IpAddress& target, const std::optional<hal::MacAddress>& known) override {
    asked.push_back(std::string(target.text().view()) + (known ? " alone" : ""));
  }
  err_t send_to(const hal::MacAddress& destination, pbuf& packet, IpFamily) override {
    sent.push_back({destination, packet.len});
    return ERR_OK;
  }
  std::vector<std::string> asked;
  std::vector<std::pair<hal::MacAddress, std::size_t>> sent;
};

class NeighborsTest : public testing::Test {
 protected:
  NeighborsTest() : random(1), stack(std::make_unique<Stack>(clock, random, tasks)) { stack->init(); }

  /// A packet whose length tells it from others.
  void send(const char* to, std::size_t length = 1) {
    pbuf* packet = pbuf_alloc(PBUF_IP, static_cast<u16_t>(length), PBUF_RAM);
    EXPECT_EQ(neighbors.send(*packet, address(to), clock.now()), ERR_OK);
    pbuf_free(packet);
  }
  void pass(Duration time) {
    for (const Instant end = clock.now() + time; clock.now() < end;) {
      clock.advance(250ms);
      neighbors.poll(clock.now());
    }
  }

  fakes::ManualClock clock;
  fakes::SeededRandom random;
  TaskQueue tasks;
  std::unique_ptr<Stack> stack;
  RecordingLink link;
  Neighbors neighbors{link};
};

TEST_F(NeighborsTest, AsksBeforeItSends) {
  send("10.0.0.1", 5);
  EXPECT_EQ(link.asked, std::vector<std::string>{"10.0.0.1"});
  EXPECT_TRUE(link.sent.empty());
  neighbors.confirm(address("10.0.0.1"), mac_a, clock.now());
  ASSERT_EQ(link.sent.size(), 1U);
  EXPECT_EQ(link.sent[0], (std::pair<hal::MacAddress, std::size_t>{mac_a, 5}));
  send("10.0.0.1", 6);
  EXPECT_EQ(link.sent.size(), 2U);
  EXPECT_EQ(link.asked.size(), 1U);
}

TEST_F(NeighborsTest, KeepsTheNewestPacketsWhileItAsks_Rfc1122_2_3_2_2) {
  for (std::size_t i = 1; i <= 5; ++i) send("fe80::1", i);
  neighbors.confirm(address("fe80::1"), mac_a, clock.now());
  ASSERT_EQ(link.sent.size(), Neighbors::max_pending);
  EXPECT_EQ(link.sent[0].second, 3U);
  EXPECT_EQ(link.sent[2].second, 5U);
}

TEST_F(NeighborsTest, GivesUpAfterThreeQuestions_Rfc4861_10) {
  send("10.0.0.1");
  pass(2750ms);
  EXPECT_EQ(link.asked.size(), 3U);
  EXPECT_EQ(neighbors.size(), 1U);
  pass(500ms);
  EXPECT_EQ(neighbors.size(), 0U);
  EXPECT_EQ(link.asked.size(), 3U);
  neighbors.confirm(address("10.0.0.1"), mac_a, clock.now());
  EXPECT_TRUE(link.sent.empty()) << "an answer that comes too late finds nothing";
  EXPECT_EQ(neighbors.size(), 0U);
}

TEST_F(NeighborsTest, QuestionsAnOldEntryWhileItIsUsed_Rfc4861_7_3) {
  send("10.0.0.1");
  neighbors.confirm(address("10.0.0.1"), mac_a, clock.now());
  pass(29s);
  send("10.0.0.1");
  EXPECT_EQ(link.asked.size(), 1U);
  pass(2s);
  send("10.0.0.1");
  EXPECT_EQ(link.asked.back(), "10.0.0.1 alone");
  EXPECT_EQ(link.sent.size(), 3U) << "and sends all the same";
  neighbors.confirm(address("10.0.0.1"), mac_a, clock.now());
  pass(10s);
  send("10.0.0.1");
  EXPECT_EQ(link.asked.size(), 2U);
}

TEST_F(NeighborsTest, ForgetsANeighbourThatNoLongerAnswers) {
  send("10.0.0.1");
  neighbors.confirm(address("10.0.0.1"), mac_a, clock.now());
  pass(31s);
  send("10.0.0.1");
  pass(4s);
  EXPECT_EQ(neighbors.find(address("10.0.0.1")), std::nullopt);
  send("10.0.0.1");
  EXPECT_EQ(link.asked.back(), "10.0.0.1") << "everybody is asked again";
}

TEST_F(NeighborsTest, AnIdleEntryIsNotQuestioned) {
  send("10.0.0.1");
  neighbors.confirm(address("10.0.0.1"), mac_a, clock.now());
  pass(300s);
  EXPECT_EQ(link.asked.size(), 1U);
}

TEST_F(NeighborsTest, StrangersMakeNoEntries) {
  neighbors.hear(address("10.0.0.9"), mac_a, clock.now());
  neighbors.confirm(address("10.0.0.9"), mac_a, clock.now());
  EXPECT_EQ(neighbors.size(), 0U);
}

TEST_F(NeighborsTest, ANeighbourThatMovesIsFollowedAndQuestioned) {
  send("10.0.0.1");
  neighbors.confirm(address("10.0.0.1"), mac_a, clock.now());
  neighbors.hear(address("10.0.0.1"), mac_b, clock.now());
  send("10.0.0.1");
  EXPECT_EQ(link.sent.back().first, mac_b);
  EXPECT_EQ(link.asked.back(), "10.0.0.1 alone");
}

TEST_F(NeighborsTest, HearingWhatIsKnownChangesNothing) {
  send("10.0.0.1");
  neighbors.confirm(address("10.0.0.1"), mac_a, clock.now());
  neighbors.hear(address("10.0.0.1"), mac_a, clock.now());
  send("10.0.0.1");
  EXPECT_EQ(link.asked.size(), 1U);
}

TEST_F(NeighborsTest, AFullTableForgetsTheLeastUsed) {
  send("10.0.0.1");
  neighbors.confirm(address("10.0.0.1"), mac_a, clock.now());
  for (int i = 0; i < 200; ++i) {
    clock.advance(10ms);
    send("10.0.0.1");
    clock.advance(10ms);
    send(("10.0.1." + std::to_string(i)).c_str());
  }
  EXPECT_EQ(neighbors.size(), Neighbors::capacity);
  EXPECT_EQ(neighbors.find(address("10.0.0.1")), mac_a) << "what is in use stays";
}

TEST_F(NeighborsTest, ClearingGivesAllPacketsBack) {
  for (int i = 0; i < 20; ++i) send(("10.0.1." + std::to_string(i)).c_str());
  neighbors.clear();
  EXPECT_EQ(neighbors.size(), 0U);
  EXPECT_EQ(memp_pools[MEMP_POOL_FIRST]->stats->used, 0U);
}

// ---- messages ----

template <class Made>
std::optional<NeighborMessage> parse(const Made& made) {
  return parse_neighbor_message(made.view());
}

TEST(NeighborMessages, ArpRequestAndReply_Rfc826) {
  const auto request = make_solicitation({mac_a, address("10.0.0.1")}, address("10.0.0.2"), std::nullopt);
  EXPECT_EQ(request.length, 42U);
  const auto asked = parse(request);
  EXPECT_EQ(asked->kind, NeighborMessage::Kind::solicitation);
  EXPECT_EQ(asked->sender, address("10.0.0.1"));
  EXPECT_EQ(asked->target, address("10.0.0.2"));
  EXPECT_EQ(asked->mac, mac_a);
  const auto reply = make_advertisement({mac_b, address("10.0.0.2")}, {mac_a, address("10.0.0.1")});
  EXPECT_TRUE(std::equal(mac_a.begin(), mac_a.end(), reply.bytes.begin())) << "to the asker alone";
  const auto answered = parse(reply);
  EXPECT_EQ(answered->kind, NeighborMessage::Kind::advertisement);
  EXPECT_EQ(answered->sender, address("10.0.0.2"));
  EXPECT_EQ(answered->mac, mac_b);
}

TEST(NeighborMessages, SolicitationGoesToTheGroup_Rfc4861_4_3) {
  const auto made = make_solicitation({mac_a, address("fe80::1")}, address("2001:db8::aa:bbcc"), std::nullopt);
  const std::array<std::uint8_t, 6> group{0x33, 0x33, 0xFF, 0xAA, 0xBB, 0xCC};
  EXPECT_TRUE(std::equal(group.begin(), group.end(), made.bytes.begin()));
  const auto message = parse(made);
  ASSERT_TRUE(message) << "checksum";
  EXPECT_EQ(message->target, address("2001:db8::aa:bbcc"));
  EXPECT_EQ(message->mac, mac_a);
  const auto unicast = make_solicitation({mac_a, address("fe80::1")}, address("2001:db8::aa:bbcc"), mac_b);
  EXPECT_TRUE(std::equal(mac_b.begin(), mac_b.end(), unicast.bytes.begin()));
}

TEST(NeighborMessages, AdvertisementCarriesItsFlags_Rfc4861_4_4) {
  const auto answer = parse(make_advertisement({mac_a, address("2001:db8::1")}, {mac_b, address("2001:db8::2")}));
  EXPECT_TRUE(answer->solicited);
  EXPECT_TRUE(answer->override_mac);
  const auto unasked = parse(make_announcement({mac_a, address("2001:db8::1")}));
  EXPECT_FALSE(unasked->solicited);
  EXPECT_TRUE(unasked->override_mac);
  const auto to_nobody = parse(make_advertisement({mac_a, address("2001:db8::1")}, {mac_b, address("::")}));
  EXPECT_FALSE(to_nobody->solicited) << "RFC 4861 7.2.4: an unspecified asker";
}

TEST(NeighborMessages, AWrongChecksumIsNoMessage) {
  auto made = make_announcement({mac_a, address("2001:db8::1")});
  made.bytes[made.length - 1] ^= 1;
  EXPECT_FALSE(parse(made));
}

}  // namespace
}  // namespace sallyport::net
