#include "net/dns/message.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "tests/unit/dns_test_support.h"

namespace sallyport::net::dns {
namespace {

std::string text_of(const Name& value) { return std::string(value.text().view()); }

TEST(DnsName, KeepsTextAndComparesWithoutCase_Rfc4343) {
  EXPECT_EQ(text_of(name("_XMPP-Server._tcp.Partner.Example.")), "_xmpp-server._tcp.partner.example");
  EXPECT_EQ(name("PARTNER.example"), name("partner.EXAMPLE"));
  EXPECT_NE(name("partner.example"), name("partner.example.org"));
  EXPECT_EQ(text_of(Name()), ".");
}

TEST(DnsName, RefusesWhatIsNoHostName) {
  for (const char* text :
       {"", ".", "..", "a..b", ".a", "a b", "a\nb", "a/b", "m\xC3\xBCnchen.example", "a@b", "[::1]"}) {
    EXPECT_FALSE(Name::from_text(text).has_value()) << text;
  }
}

TEST(DnsName, HoldsLabelsOf63AndNamesOf255Bytes_Rfc1035_2_3_4) {
  const std::string label(63, 'a');
  EXPECT_TRUE(Name::from_text(label).has_value());
  EXPECT_FALSE(Name::from_text(label + "a").has_value());
  const std::string longest = label + "." + label + "." + label + "." + std::string(61, 'b');
  ASSERT_EQ(longest.size(), max_name_text);
  const auto whole = Name::from_text(longest);
  ASSERT_TRUE(whole.has_value());
  EXPECT_EQ(whole->wire().size(), max_name_bytes);
  EXPECT_EQ(text_of(*whole), longest);
  EXPECT_FALSE(Name::from_text(longest + "b").has_value());
  EXPECT_FALSE(Name::from_text(longest + ".b").has_value());
}

TEST(DnsQuery, IsWrittenAsRfc1035AndRfc6891Say) {
  std::array<std::byte, max_query_bytes> message{};
  const std::size_t length = write_query(message, 0xABCD, {name("a.bc"), RecordType::srv}, true);
  const std::array<unsigned, 33> expected = {0xAB, 0xCD, 0x01, 0x00, 0,    1, 0, 0,  0, 0, 0,
                                             1,                                             // header: RD, one question
                                             1,    'a',  2,    'b',  'c',  0, 0, 33, 0, 1,  // a.bc SRV IN
                                             0,    0,    41,   0x04, 0xD0, 0, 0, 0,  0, 0, 0};  // OPT, 1232 bytes
  ASSERT_EQ(length, expected.size());
  for (std::size_t i = 0; i < length; ++i) EXPECT_EQ(static_cast<unsigned>(message[i]), expected[i]) << i;
}

TEST(DnsQuery, OfTheLongestNameFits) {
  const std::string label(63, 'a');
  const Name longest = name(label + "." + label + "." + label + "." + std::string(61, 'b'));
  std::array<std::byte, max_query_bytes> message{};
  EXPECT_EQ(write_query(message, 1, {longest, RecordType::aaaa}, true), max_query_bytes);
}

TEST(DnsResponse, RefusesWhatIsNoResponseToOneQuestion) {
  const Question asked{name("host.example"), RecordType::a};
  const Bytes good = MessageBuilder(1).question(asked).bytes();
  EXPECT_TRUE(Response::parse(good).has_value());

  EXPECT_FALSE(Response::parse(MessageBuilder(1, 0x0100).question(asked).bytes()).has_value()) << "a query";
  EXPECT_FALSE(Response::parse(MessageBuilder(1, 0xA800).question(asked).bytes()).has_value()) << "an update";
  EXPECT_FALSE(Response::parse(MessageBuilder(1).bytes()).has_value()) << "no question";
  EXPECT_FALSE(Response::parse(MessageBuilder(1).question(asked).question(asked).bytes()).has_value());
  EXPECT_FALSE(Response::parse(MessageBuilder(1).count(2).host("host.example").u16(1).u16(3).bytes()).has_value())
      << "class CHAOS";
  for (std::size_t length = 0; length < good.size(); ++length) {
    EXPECT_FALSE(Response::parse(std::span(good).first(length)).has_value()) << length;
  }
}

TEST(DnsResponse, ReadsCompressedNames_Rfc1035_4_1_4) {
  MessageBuilder builder(1);
  builder.question({name("host.example"), RecordType::a});
  const std::size_t at = builder.size();
  builder.u8(3).raw(std::as_bytes(std::span(std::string_view("www")))).pointer(header_bytes + 5);  // www + example
  const auto response = Response::parse(builder.bytes());
  ASSERT_TRUE(response.has_value());
  std::size_t position = at;
  const auto read = response->read_name(position);
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(text_of(*read), "www.example");
  EXPECT_EQ(position, builder.size());
}

/// The bytes stand where the first answer's owner would.
bool name_is_readable(const MessageBuilder& builder) {
  const auto response = Response::parse(builder.bytes());
  if (!response) return false;
  std::size_t at = response->records_at();
  return response->read_name(at).has_value();
}

MessageBuilder with_question() {
  MessageBuilder builder(1);
  builder.question({name("host.example"), RecordType::a});
  return builder;
}

TEST(DnsResponse, RefusesPointersThatDoNotLeadBack) {
  const std::size_t at = with_question().size();
  EXPECT_TRUE(name_is_readable(with_question().pointer(header_bytes)));
  EXPECT_FALSE(name_is_readable(with_question().pointer(at))) << "to itself";
  EXPECT_FALSE(name_is_readable(with_question().pointer(at + 2).pointer(at))) << "to and fro";
  EXPECT_FALSE(name_is_readable(with_question().pointer(at + 2).host("a"))) << "forwards";
  EXPECT_FALSE(name_is_readable(with_question().u8(1).u8('a').pointer(at))) << "to its own beginning";
  EXPECT_FALSE(name_is_readable(with_question().pointer(4))) << "into the header, where a zero is";
  EXPECT_FALSE(name_is_readable(with_question().pointer(0x3FFF))) << "behind the end";
  EXPECT_FALSE(name_is_readable(with_question().u8(0xC0))) << "half a pointer";
}

TEST(DnsResponse, RefusesALoopThatLiesBeforeTheName) {
  MessageBuilder builder = with_question();
  const std::size_t loop = builder.size();
  builder.pointer(loop + 2).pointer(loop).pointer(loop);
  const auto response = Response::parse(builder.bytes());
  ASSERT_TRUE(response.has_value());
  std::size_t at = loop + 4;
  EXPECT_FALSE(response->read_name(at).has_value());
}

TEST(DnsResponse, RefusesLabelTypesThatAreNone_Rfc6891_5) {
  EXPECT_FALSE(name_is_readable(with_question().u8(0x41).raw(Bytes(0x41, std::byte{'a'})).u8(0)));
  EXPECT_FALSE(name_is_readable(with_question().u8(0x80).raw(Bytes(0x80, std::byte{'a'})).u8(0)));
}

TEST(DnsResponse, RefusesNamesThatGrowBeyond255BytesThroughPointers) {
  // Each further name is a label in front of the one before: the fifth is too long.
  MessageBuilder builder = with_question();
  std::size_t previous = header_bytes;
  std::vector<std::size_t> starts;
  for (int i = 0; i < 5; ++i) {
    starts.push_back(builder.size());
    builder.u8(60).raw(Bytes(60, std::byte{'x'})).pointer(previous);
    previous = starts.back();
  }
  const auto response = Response::parse(builder.bytes());
  ASSERT_TRUE(response.has_value());
  for (std::size_t i = 0; i < starts.size(); ++i) {
    std::size_t at = starts[i];
    EXPECT_EQ(response->read_name(at).has_value(), i < 3) << i;  // 14 + 61 (i + 1)
  }
}

TEST(DnsResponse, RefusesRecordsThatAreNotAllThere) {
  const MessageBuilder whole = with_question().record("host.example", RecordType::a, address_data("192.0.2.1"));
  const auto good = Response::parse(whole.bytes());
  ASSERT_TRUE(good.has_value());
  std::size_t at = good->records_at();
  ASSERT_TRUE(good->read_record(at).has_value());
  EXPECT_EQ(at, whole.size());
  EXPECT_FALSE(good->read_record(at).has_value()) << "behind the end";

  for (std::size_t length = good->records_at(); length < whole.size(); ++length) {
    const auto cut = Response::parse(std::span(whole.bytes()).first(length));
    ASSERT_TRUE(cut.has_value());
    at = cut->records_at();
    EXPECT_FALSE(cut->read_record(at).has_value()) << length;
  }
}

/// Reads everything there is, as a client would and more.
std::size_t read_everything(std::span<const std::byte> message) {
  const auto response = Response::parse(message);
  if (!response) return 0;
  std::size_t read = 1;
  std::size_t at = response->records_at();
  for (std::size_t i = 0; i < response->answer_count() + response->authority_count(); ++i) {
    const auto record = response->read_record(at);
    if (!record) break;
    EXPECT_LE(at, message.size());
    EXPECT_LE(record->owner.wire().size(), max_name_bytes);
    std::size_t inside = record->data_at;
    static_cast<void>(response->read_name(inside).has_value());
    ++read;
  }
  return read;
}

TEST(DnsResponse, SurvivesRandomMutation) {
  MessageBuilder builder = with_question();
  builder.record("host.example", RecordType::cname, wire_of("alias.example"));
  builder.record("alias.example", RecordType::srv, service_data(1, 2, 5269, "xmpp.example"));
  builder.count(3).pointer(header_bytes).u16(1).u16(1).u16(0).u16(0).u16(4).raw(address_data("192.0.2.1"));
  builder.record("example", RecordType::soa, Bytes(22), 4);
  ASSERT_EQ(read_everything(builder.bytes()), 5U);

  std::mt19937 random(4711);
  std::size_t read = 0;
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(1);
  for (int round = 0; round % 256 != 0 || std::chrono::steady_clock::now() < end; ++round) {
    Bytes message = builder.bytes();
    for (unsigned changes = 1 + random() % 8; changes > 0; --changes) {
      message[random() % message.size()] = static_cast<std::byte>(random() & 0xFF);
    }
    if (random() % 4 == 0) message.resize(random() % (message.size() + 1));
    // A copy of its exact size, so that the address sanitizer sees a byte too many.
    const Bytes exact(message.begin(), message.end());
    read += read_everything(exact);
  }
  EXPECT_GT(read, 0U);
}

}  // namespace
}  // namespace sallyport::net::dns
