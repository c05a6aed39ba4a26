#include "xmpp/stanza.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <concepts>
#include <string>
#include <vector>

#include "net/side.h"
#include "tests/fakes/stream_under_test.h"
#include "xmpp/escape.h"
#include "xmpp/stanza_assembler.h"
#include "xmpp/stanza_error.h"

namespace sallyport::xmpp {
namespace {

using fakes::text_of;

class StanzaMemory : public testing::Test {
 protected:
  /// A record with this text; addresses as slices of it where they are found.
  StanzaRecord* make(std::string_view text) {
    StanzaAssembler assembler(pool_);
    EXPECT_TRUE(assembler.reserve(text.size()));
    assembler.append(text);
    StanzaRecord* record = assembler.finish();
    const auto slice = [text](std::string_view name) {
      RawSlice found;
      const std::size_t at = text.find(" " + std::string(name) + "=");
      if (at == std::string_view::npos) return found;
      found.offset = static_cast<std::uint32_t>(at + name.size() + 3);
      found.quote = text[found.offset - 1];
      found.length = static_cast<std::uint16_t>(text.find(found.quote, found.offset) - found.offset);
      return found;
    };
    record->from_attribute = slice("from");
    record->to_attribute = slice("to");
    record->id_attribute = slice("id");
    record->answerable = true;
    record->from = DomainId{1};
    record->to = DomainId{2};
    return record;
  }

  std::vector<Chunk> chunks_ = std::vector<Chunk>(40);
  ChunkPool pool_{chunks_};
};

using StanzaAssembly = StanzaMemory;
using RecordQueueTest = StanzaMemory;
using ErrorReply = StanzaMemory;

TEST_F(StanzaAssembly, TakesOneChunkForAStanzaOf200Bytes) {
  StanzaRecord* record = make(std::string(200, 'x'));
  EXPECT_EQ(record->chunks, 1U);
  EXPECT_EQ(record->bytes, 200U);
  EXPECT_EQ(pool_.available(), 39U);
  record->discard();
  EXPECT_EQ(pool_.available(), 40U);
}

TEST_F(StanzaAssembly, GivesBackWhatWasReservedInVain) {
  StanzaAssembler assembler(pool_);
  ASSERT_TRUE(assembler.reserve(5'000));
  assembler.append("<a/>");
  StanzaRecord* record = assembler.finish();
  EXPECT_EQ(record->chunks, 1U);
  EXPECT_EQ(pool_.available(), 39U);
  record->discard();
}

TEST_F(StanzaAssembly, KeepsWhatItReservedUntilTheRestIsThere) {
  StanzaAssembler assembler(pool_);
  EXPECT_FALSE(assembler.reserve(40 * chunk_bytes));
  EXPECT_EQ(pool_.available(), 0U);
  assembler.discard();
  EXPECT_EQ(pool_.available(), 40U);
}

TEST_F(StanzaAssembly, InsertsAtEveryOffset) {
  const std::string text = [] {
    std::string letters;
    for (int i = 0; i < 1'500; ++i) letters.push_back(static_cast<char>('a' + i % 26));
    return letters;
  }();
  for (std::uint32_t offset = 0; offset <= text.size(); offset += 13) {
    StanzaAssembler assembler(pool_);
    ASSERT_TRUE(assembler.reserve(text.size()));
    assembler.append(text);
    const std::string insertion(offset % 3 == 0 ? 3 : 600, '#');
    ASSERT_TRUE(assembler.insert(offset, std::as_bytes(std::span(insertion))));
    // It goes on behind the insertion as before.
    ASSERT_TRUE(assembler.reserve(3));
    assembler.append("end");
    StanzaRecord* record = assembler.finish();
    EXPECT_EQ(text_of(*record), text.substr(0, offset) + insertion + text.substr(offset) + "end");
    EXPECT_EQ(record->bytes, text.size() + insertion.size() + 3);
    std::uint32_t chunks = 0;
    for (const Chunk* chunk = record->first; chunk != nullptr; chunk = chunk->next) ++chunks;
    EXPECT_EQ(record->chunks, chunks);
    record->discard();
    ASSERT_EQ(pool_.available(), pool_.capacity()) << offset;
  }
}

TEST_F(StanzaAssembly, LeavesTheStanzaAloneWhenAnInsertionFindsNoChunk) {
  StanzaAssembler assembler(pool_);
  ASSERT_TRUE(assembler.reserve(300));
  assembler.append(std::string(300, 'x'));
  std::vector<Chunk*> taken;
  while (Chunk* chunk = pool_.acquire()) taken.push_back(chunk);
  EXPECT_FALSE(assembler.insert(5, std::as_bytes(std::span("yyy", 3))));
  for (Chunk* chunk : taken) pool_.release(*chunk);
  StanzaRecord* record = assembler.finish();
  EXPECT_EQ(text_of(*record), std::string(300, 'x'));
  record->discard();
}

TEST_F(RecordQueueTest, KeepsOrderAndCountsChunks) {
  RecordQueue queue;
  queue.push(make("<a/>"));
  queue.push(make(std::string(1'000, 'b')));
  EXPECT_EQ(queue.size(), 2U);
  EXPECT_EQ(queue.bytes(), 4 * chunk_bytes);
  StanzaRecord* first = queue.pop();
  EXPECT_EQ(text_of(*first), "<a/>");
  first->discard();
  EXPECT_EQ(queue.bytes(), 3 * chunk_bytes);
  queue.clear();
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.bytes(), 0U);
  EXPECT_EQ(pool_.available(), pool_.capacity());
}

TEST_F(RecordQueueTest, TakesAllOfAnotherBehindItsOwn) {
  RecordQueue queue, other, empty;
  other.push(make("1"));
  queue.splice_back(other);
  EXPECT_TRUE(other.empty());
  other.push(make("2"));
  other.push(make("3"));
  queue.splice_back(other);
  queue.splice_back(empty);
  queue.push(make("4"));
  std::string order;
  while (!queue.empty()) {
    StanzaRecord* record = queue.pop();
    order += text_of(*record);
    record->discard();
  }
  EXPECT_EQ(order, "1234");
}

TEST(Stanza, IsMadeByItsOwnSideOnly) {
  static_assert(!std::constructible_from<Stanza<net::External>, StanzaRecord*>);
  static_assert(!std::constructible_from<Stanza<net::Internal>, Stanza<net::External>>);
  static_assert(!std::copy_constructible<Stanza<net::External>>);
}

std::string reply_to(const StanzaRecord& stanza, const StanzaError& error, ChunkPool& pool) {
  StanzaRecord* reply = make_error_record(stanza, error, pool);
  if (reply == nullptr) return "(none)";
  std::string text = text_of(*reply);
  EXPECT_FALSE(reply->answerable) << "an error never answers an error";
  EXPECT_EQ(reply->from, stanza.to);
  EXPECT_EQ(reply->to, stanza.from);
  const auto slice = [&text](const RawSlice& raw) { return text.substr(raw.offset, raw.length); };
  const std::string original = text_of(stanza);
  EXPECT_EQ(slice(reply->from_attribute), original.substr(stanza.to_attribute.offset, stanza.to_attribute.length));
  EXPECT_EQ(slice(reply->to_attribute), original.substr(stanza.from_attribute.offset, stanza.from_attribute.length));
  if (stanza.id_attribute.present()) {
    EXPECT_EQ(slice(reply->id_attribute), original.substr(stanza.id_attribute.offset, stanza.id_attribute.length));
  }
  reply->discard();
  return text;
}

TEST_F(ErrorReply, ExchangesTheAddressesAndKeepsTheId_Rfc6120_8_3_1) {
  StanzaRecord* stanza = make("<iq type='get' from=\"a@p.example/&quot;r'\" to='b@c.example' id='x&amp;1'><q/></iq>");
  stanza->kind = StanzaKind::iq;
  EXPECT_EQ(
      reply_to(*stanza, StanzaError(StanzaErrorCondition::remote_server_not_found, "no <such> server"), pool_),
      "<iq type='error' from='b@c.example' to=\"a@p.example/&quot;r'\" id='x&amp;1'><error type='cancel'>"
      "<remote-server-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>"
      "<text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas' xml:lang='en'>no &lt;such&gt; server</text></error></iq>");
  stanza->discard();
}

TEST_F(ErrorReply, NeedsNoIdAndNoText) {
  StanzaRecord* stanza = make("<message from='a@p.example' to='b@c.example'/>");
  EXPECT_EQ(reply_to(*stanza, StanzaError(StanzaErrorCondition::remote_server_timeout), pool_),
            "<message type='error' from='b@c.example' to='a@p.example'><error type='wait'><remote-server-timeout "
            "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>");
  stanza->discard();
}

TEST_F(ErrorReply, CopiesAddressesThatCrossChunks) {
  const std::string resource(900, 'r');
  StanzaRecord* stanza = make("<presence from='a@p.example/" + resource + "' to='b@c.example'/>");
  stanza->kind = StanzaKind::presence;
  EXPECT_THAT(reply_to(*stanza, StanzaError(StanzaErrorCondition::forbidden), pool_),
              testing::StartsWith("<presence type='error' from='b@c.example' to='a@p.example/" + resource +
                                  "'><error type='auth'>"));
  stanza->discard();
}

TEST_F(ErrorReply, IsNotMadeForWhatMayNotBeAnswered_Rfc6120_8_3_1) {
  StanzaRecord* stanza = make("<message from='a@p.example' to='b@c.example' type='error'/>");
  stanza->answerable = false;
  EXPECT_EQ(reply_to(*stanza, StanzaError(StanzaErrorCondition::forbidden), pool_), "(none)");
  stanza->discard();
}

TEST_F(ErrorReply, IsNotMadeWithoutMemoryAndLeaksNone) {
  StanzaRecord* stanza = make("<message from='a@p.example/" + std::string(800, 'r') + "' to='b@c.example'/>");
  std::vector<Chunk*> taken;
  while (pool_.available() > 1) taken.push_back(pool_.acquire());
  EXPECT_EQ(reply_to(*stanza, StanzaError(StanzaErrorCondition::forbidden), pool_), "(none)");
  EXPECT_EQ(pool_.available(), 1U);
  for (Chunk* chunk : taken) pool_.release(*chunk);
  stanza->discard();
  EXPECT_EQ(pool_.available(), pool_.capacity());
}

TEST(StanzaErrors, HaveTheTypesOfTheRfc_Rfc6120_8_3_3) {
  EXPECT_EQ(to_text(StanzaErrorCondition::bad_request), "bad-request");
  EXPECT_EQ(to_text(StanzaErrorCondition::unexpected_request), "unexpected-request");
  EXPECT_EQ(to_text(StanzaErrorCondition::remote_server_not_found), "remote-server-not-found");
  EXPECT_EQ(stanza_error_type(StanzaErrorCondition::remote_server_not_found), "cancel");
  EXPECT_EQ(stanza_error_type(StanzaErrorCondition::remote_server_timeout), "wait");
  EXPECT_EQ(stanza_error_type(StanzaErrorCondition::resource_constraint), "wait");
  EXPECT_EQ(stanza_error_type(StanzaErrorCondition::jid_malformed), "modify");
  EXPECT_EQ(stanza_error_type(StanzaErrorCondition::forbidden), "auth");
}

TEST(StreamErrors, HaveTheNamesOfTheRfc_Rfc6120_4_9_3) {
  for (int i = 0; i <= static_cast<int>(StreamErrorCondition::unsupported_version); ++i) {
    const auto condition = static_cast<StreamErrorCondition>(i);
    EXPECT_EQ(parse_stream_error_condition(to_text(condition)), condition);
  }
  EXPECT_EQ(to_text(StreamErrorCondition::bad_format), "bad-format");
  EXPECT_EQ(to_text(StreamErrorCondition::unsupported_version), "unsupported-version");
  EXPECT_EQ(to_text(StreamErrorCondition::remote_connection_failed), "remote-connection-failed");
  EXPECT_EQ(to_text(StreamErrorCondition::not_well_formed), "not-well-formed");
  EXPECT_EQ(parse_stream_error_condition("no-such"), std::nullopt);
}

TEST(Escape, ReplacesMarkupCharacters) {
  std::string out;
  escape("a<b>&'\"c", [&out](std::string_view piece) { out += piece; });
  EXPECT_EQ(out, "a&lt;b&gt;&amp;&apos;&quot;c");
}

}  // namespace
}  // namespace sallyport::xmpp
