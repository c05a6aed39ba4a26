#include "xmpp/stream_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "tests/fakes/stream_under_test.h"

namespace sallyport::xmpp {
namespace {

using fakes::text_of;
using Event = StreamReader::Event;
using testing::HasSubstr;

constexpr const char* plain_header =
    "<?xml version='1.0'?><stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' "
    "from='partner.example' to='corp.example' version='1.0'>";

const std::string message_head = "<message from='a@partner.example' to='b@corp.example'>";

// What a reader made of an input.
struct Outcome {
  std::vector<Event> events;  // header, element, stanza, end, failed
  std::vector<std::string> stanzas;
  std::optional<StreamErrorCondition> error;
  friend bool operator==(const Outcome&, const Outcome&) = default;
};

class ReaderUnderTest {
 public:
  explicit ReaderUnderTest(std::size_t chunk_count = 400, Arena* spare = nullptr, std::size_t arena_bytes = 65'536)
      : chunks_(chunk_count), pool(chunks_), arena(std::span(memory_).first(arena_bytes)) {
    reader.emplace(arena, spare, random_, pool, policy);
  }

  /// Reads until there is nothing more, with stanzas accepted from the header on.
  Outcome feed(std::string_view input) {
    transport.arrive(input);
    Outcome outcome;
    for (;;) {
      const Event event = reader->read(transport, Instant{});
      if (event == Event::need_input || event == Event::need_chunks) return outcome;
      if (event == Event::more) continue;
      outcome.events.push_back(event);
      if (event == Event::header) reader->accept_stanzas(false);
      if (event == Event::stanza) {
        StanzaRecord* stanza = reader->take_stanza();
        outcome.stanzas.push_back(text_of(*stanza));
        kept.push(stanza);
      }
      if (event != Event::failed) continue;
      outcome.error = reader->error().condition;
      return outcome;
    }
  }

  TaskQueue tasks;
  fakes::FakeStreamPolicy policy{DomainKind::partner};

 private:
  std::vector<Chunk> chunks_;
  alignas(8) std::array<std::byte, 65'536> memory_;
  fakes::SeededRandom random_;

 public:
  ChunkPool pool;
  Arena arena;
  fakes::FakeTransport transport{tasks};
  RecordQueue kept;
  std::optional<StreamReader> reader;
};

Outcome read_all(std::string_view input) { return ReaderUnderTest().feed(input); }

std::optional<StreamErrorCondition> error_of(std::string_view input) { return read_all(input).error; }

// Headers -------------------------------------------------------------------------------------------------------------

TEST(StreamReader, ReadsAStreamHeader_Rfc6120_4_7) {
  ReaderUnderTest test;
  EXPECT_THAT(test.feed(plain_header).events, testing::ElementsAre(Event::header));
  // Of the variant's members this one is alive until the next element.
  EXPECT_EQ(test.reader->header().from.view(), "partner.example");
  EXPECT_EQ(test.reader->header().to.view(), "corp.example");
  EXPECT_EQ(test.reader->header().major_version, 1U);
}

TEST(StreamReader, TakesAHeaderWithoutVersionAsOlderThan1_0_Rfc6120_4_7_5) {
  ReaderUnderTest test;
  test.feed("<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' to='corp.example'>");
  EXPECT_EQ(test.reader->header().major_version, 0U);
  EXPECT_TRUE(test.reader->header().from.view().empty());
}

TEST(StreamReader, RefusesARootOutsideTheStreamNamespace_Rfc6120_4_8_1) {
  EXPECT_EQ(error_of("<s:stream xmlns:s='urn:other' xmlns='jabber:server' version='1.0'>"),
            StreamErrorCondition::invalid_namespace);
}

TEST(StreamReader, RefusesAStreamWithoutItsPrefix_Rfc6120_4_9_3_2) {
  EXPECT_EQ(error_of("<stream xmlns='jabber:server' version='1.0'>"), StreamErrorCondition::bad_namespace_prefix);
}

TEST(StreamReader, RefusesAnotherRootOfTheStreamNamespace_Rfc6120_4_9_3_1) {
  EXPECT_EQ(error_of("<s:features xmlns:s='http://etherx.jabber.org/streams'>"), StreamErrorCondition::bad_format);
}

TEST(StreamReader, RefusesAContentNamespaceOtherThanServer_Rfc6120_4_9_3_10) {
  EXPECT_EQ(
      error_of("<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>"),
      StreamErrorCondition::invalid_namespace);
}

TEST(StreamReader, RefusesAddressesThatAreNoDomains_Rfc6120_4_9_3_7) {
  EXPECT_EQ(error_of("<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' to='a b'>"),
            StreamErrorCondition::improper_addressing);
  EXPECT_EQ(
      error_of("<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' from='a@b'>"),
      StreamErrorCondition::improper_addressing);
}

TEST(StreamReader, TakesUtf8DeclaredInAnyCase_Rfc6120_11_6) {
  EXPECT_EQ(error_of("<?xml version='1.0' encoding='utf-8'?>" + std::string(plain_header).substr(21)), std::nullopt);
}

TEST(StreamReader, RefusesAnotherEncoding_Rfc6120_11_6) {
  const std::string header = std::string(plain_header).substr(21);
  EXPECT_EQ(error_of("<?xml version='1.0' encoding='iso-8859-1'?>" + header),
            StreamErrorCondition::unsupported_encoding);
  EXPECT_EQ(error_of("<?xml version='1.0' encoding='UTF-16'?>" + header), StreamErrorCondition::unsupported_encoding);
}

TEST(StreamReader, RefusesUtf16HoweverItIsMarked_Rfc6120_11_6) {
  using namespace std::string_literals;
  EXPECT_EQ(error_of("\xFF\xFE<\0s\0"s), StreamErrorCondition::unsupported_encoding);
  EXPECT_EQ(error_of("\xFE\xFF\0<\0s"s), StreamErrorCondition::unsupported_encoding);
  EXPECT_EQ(error_of("<\0?\0x\0"s), StreamErrorCondition::unsupported_encoding);
  EXPECT_EQ(error_of("\0<\0?"s), StreamErrorCondition::unsupported_encoding);
  EXPECT_EQ(error_of("\xEF\xBB\xBF<stream>"s), StreamErrorCondition::unsupported_encoding);
}

TEST(StreamReader, TellsAnotherProtocolFromAnotherEncoding_Rfc6120_4_9_3_13) {
  for (const char* greeting : {"GET / HTTP/1.1\r\n\r\n", "EHLO edge\r\n", "stream"})
    EXPECT_EQ(error_of(greeting), StreamErrorCondition::not_well_formed) << greeting;
}

TEST(StreamReader, RefusesBytesThatAreNotUtf8_Rfc6120_4_9_3_22) {
  for (const char* body : {"\xFF", "\xC0\x80", "\xED\xA0\x80", "a\xC3(", "\xF5\x80\x80\x80"})
    EXPECT_EQ(error_of(plain_header + message_head + "<body>" + body + "</body></message>"),
              StreamErrorCondition::unsupported_encoding)
        << body;
}

// Restricted XML --------------------------------------------------------------------------------------------------------

TEST(StreamReader, RejectsProcessingInstruction_Rfc6120_11_1) {
  EXPECT_EQ(error_of(plain_header + std::string("<?php echo?>")), StreamErrorCondition::restricted_xml);
  EXPECT_EQ(error_of(plain_header + message_head + "<?x y?>"), StreamErrorCondition::restricted_xml);
}

TEST(StreamReader, RejectsComment_Rfc6120_11_1) {
  EXPECT_EQ(error_of(plain_header + std::string("<!-- -->")), StreamErrorCondition::restricted_xml);
  EXPECT_EQ(error_of(plain_header + message_head + "<!-- -->"), StreamErrorCondition::restricted_xml);
}

TEST(StreamReader, RejectsDoctypeBeforeAnyEntityExists_Rfc6120_11_1_Cve2011_2205) {
  EXPECT_EQ(error_of("<!DOCTYPE s [<!ENTITY a 'aaaaaaaa'><!ENTITY b '&a;&a;&a;'>]><s>&b;</s>"),
            StreamErrorCondition::restricted_xml);
  EXPECT_EQ(error_of("<!DOCTYPE s SYSTEM 'http://evil.example/x'>"), StreamErrorCondition::restricted_xml);
}

TEST(StreamReader, RejectsEntityThatIsNotPredefined_Rfc6120_11_1) {
  EXPECT_EQ(error_of(plain_header + message_head + "<body>&nbsp;</body></message>"),
            StreamErrorCondition::restricted_xml);
  EXPECT_EQ(error_of(plain_header + message_head + "<body a='&x;'/></message>"), StreamErrorCondition::restricted_xml);
}

TEST(StreamReader, RejectsWhatIsNotWellFormed_Rfc6120_11_3) {
  for (const char* text :
       {"<message><body></message>", "<a b=c/>", "<a b='1' b='2'/>", "<p:a/>", "<a>&#0;</a>", "<a>\x01</a>",
        "<a xmlns:p=''/>", "<a xmlns:p='u' xmlns:q='u' p:x='1' q:x='2'/>", "</a>", "<a b='<'/>", "<a>]]></a>"})
    EXPECT_EQ(error_of(plain_header + message_head + text), StreamErrorCondition::not_well_formed) << text;
}

TEST(StreamReader, RejectsANamespaceNameThatHoldsTheSeparator) {
  EXPECT_EQ(error_of(plain_header + message_head + "<a xmlns='urn:a&#10;b'/>"), StreamErrorCondition::not_well_formed);
}

TEST(StreamReader, RejectsTextBetweenStanzas_Rfc6120_4_9_3_1) {
  EXPECT_EQ(error_of(plain_header + std::string(" \r\n\t ")), std::nullopt);
  EXPECT_EQ(error_of(plain_header + std::string(" x ")), StreamErrorCondition::bad_format);
}

// Elements ----------------------------------------------------------------------------------------------------------------

const StreamElement& first_element(ReaderUnderTest& test, std::string_view element) {
  test.feed(plain_header);
  EXPECT_THAT(test.feed(element).events, testing::Contains(Event::element)) << element;
  return test.reader->element();
}

TEST(StreamReader, ReadsFeatures_Rfc6120_4_3_2) {
  ReaderUnderTest test;
  const auto& element = first_element(
      test,
      "<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls><mechanisms "
      "xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>PLAIN</mechanism><mechanism>EXTERNAL</mechanism></"
      "mechanisms>"
      "<bidi xmlns='urn:xmpp:features:bidi'/><dialback xmlns='urn:xmpp:features:dialback'/></stream:features>");
  EXPECT_EQ(element.kind, StreamElementKind::features);
  EXPECT_TRUE(element.starttls && element.external && element.bidi);
}

TEST(StreamReader, TakesAMechanismForExternalOnlyByItsWholeName) {
  ReaderUnderTest test;
  const auto& element = first_element(test,
                                      "<stream:features><mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>"
                                      "<mechanism>EXTERNALX</mechanism><mechanism>EXTER</mechanism></mechanisms>"
                                      "<starttls xmlns='urn:other'/></stream:features>");
  EXPECT_FALSE(element.external || element.starttls);
}

TEST(StreamReader, ReadsAStreamErrorWithItsText_Rfc6120_4_9_2) {
  ReaderUnderTest test;
  const auto& element =
      first_element(test,
                    "<stream:error><host-unknown xmlns='urn:ietf:params:xml:ns:xmpp-streams'/><text "
                    "xmlns='urn:ietf:params:xml:ns:xmpp-streams'>no &lt;such&gt; host</text></stream:error>");
  EXPECT_EQ(element.kind, StreamElementKind::error);
  EXPECT_EQ(element.name, "host-unknown");
  EXPECT_EQ(element.text, "no <such> host");
}

TEST(StreamReader, ReadsSaslElements_Rfc6120_6_4) {
  ReaderUnderTest test;
  const auto& element =
      first_element(test, "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='EXTERNAL'>Zm9v</auth>");
  EXPECT_EQ(element.kind, StreamElementKind::auth);
  EXPECT_EQ(element.name, "EXTERNAL");
  EXPECT_EQ(element.text, "Zm9v");
  EXPECT_FALSE(element.text_cut);
}

TEST(StreamReader, NoticesThatATextWasLongerThanItKeeps) {
  ReaderUnderTest test;
  const auto& element = first_element(
      test, "<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>" + std::string(400, 'A') + "</response>");
  EXPECT_EQ(element.kind, StreamElementKind::response);
  EXPECT_TRUE(element.text_cut);
}

TEST(StreamReader, ReportsAnUnknownElementAtItsStartTag) {
  ReaderUnderTest test;
  EXPECT_EQ(first_element(test, "<db:result xmlns:db='jabber:server:dialback' from='x'>").kind,
            StreamElementKind::unknown);
  EXPECT_TRUE(test.reader->element().dialback);
}

TEST(StreamReader, ReportsTheEndOfTheStream_Rfc6120_4_4) {
  EXPECT_THAT(read_all(plain_header + std::string("</stream:stream>")).events,
              testing::ElementsAre(Event::header, Event::end));
}

// Stanzas: the bytes ------------------------------------------------------------------------------------------------------

TEST(StreamReader, ForwardsAStanzasBytesUnchanged) {
  const std::string stanza =
      "<message   from=\"a@partner.example/r&amp;&#x41;\"\n to='b@corp.example' id='x\"y' type='chat'\t><body>a &lt; b "
      "&#955; "
      "\xCE\xBB <![CDATA[<raw> & ]]]]>&gt;</body><x  xmlns = 'urn:x'><y a='&#10;'/></x ></message >";
  const Outcome outcome = read_all(plain_header + stanza + "\n ");
  ASSERT_EQ(outcome.error, std::nullopt);
  EXPECT_THAT(outcome.stanzas, testing::ElementsAre(stanza));
}

TEST(StreamReader, SeparatesStanzasThatArriveTogether) {
  const std::string iq = "<iq from='partner.example' to='corp.example' id='1' type='get'/>";
  const std::string presence = "<presence from='a@partner.example' to='b@corp.example'/>";
  const std::string message = message_head + "<body/></message>";
  EXPECT_THAT(read_all(plain_header + iq + "  " + presence + message + presence).stanzas,
              testing::ElementsAre(iq, presence, message, presence));
}

TEST(StreamReader, GivesTheSameForEverySegmentation) {
  const std::string input =
      "<?xml version='1.0'?><stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' "
      "xmlns:x='urn:x' xml:lang='de' from='partner.example' to='corp.example' version='1.0'>" +
      message_head + "<body>" + std::string(3000, 'b') + "</body><x:y x:a='1'>\xE2\x82\xAC]]&gt;</x:y></message> \n" +
      "<iq from='partner.example' to='corp.example' type='set' id='" + std::string(2000, 'i') +
      "'><q xmlns='urn:q'/></iq>" +
      "<presence to='b@corp.example' from='partner.example' xml:lang='fr'/></stream:stream>";
  const Outcome whole = read_all(input);
  ASSERT_EQ(whole.events.size(), 5U);
  for (const std::size_t size : {1U, 2U, 3U, 7U, 100U, 511U, 512U, 1000U, 1023U, 1025U}) {
    ReaderUnderTest test;
    test.transport.largest_read = size;
    EXPECT_EQ(test.feed(input), whole) << size;
  }
}

TEST(StreamReader, SlicesAddressesAndIdAsReceived) {
  ReaderUnderTest test;
  test.feed(plain_header);
  test.feed("<iq type='get' id=\"a&amp;'b\" to='b@corp.example' from = 'a@partner.example/&#x72;'/>");
  const StanzaRecord& stanza = *test.kept.front();
  const std::string text = text_of(stanza);
  const auto slice = [&text](const RawSlice& raw) { return text.substr(raw.offset, raw.length); };
  EXPECT_EQ(slice(stanza.from_attribute), "a@partner.example/&#x72;");
  EXPECT_EQ(slice(stanza.to_attribute), "b@corp.example");
  EXPECT_EQ(slice(stanza.id_attribute), "a&amp;'b");
  EXPECT_EQ(stanza.id_attribute.quote, '"');
  EXPECT_EQ(stanza.from, test.policy.partner);
  EXPECT_EQ(stanza.to, test.policy.corp);
  EXPECT_EQ(stanza.kind, StanzaKind::iq);
  EXPECT_TRUE(stanza.answerable);
  EXPECT_EQ(stanza.bytes, text.size());
}

TEST(StreamReader, ReadsAddressesByTheirValueNotTheirSpelling) {
  ReaderUnderTest test;
  test.feed(plain_header);
  test.feed("<message from='a@PARTNER&#46;example' to='&#x62;@Corp.Example.'/>");
  ASSERT_FALSE(test.kept.empty());
  EXPECT_EQ(test.kept.front()->from, test.policy.partner);
  EXPECT_EQ(test.kept.front()->to, test.policy.corp);
}

TEST(StreamReader, KnowsWhatMayBeAnsweredWithAnError_Rfc6120_8_3_1) {
  const auto answerable = [](const std::string& head) {
    ReaderUnderTest test;
    test.feed(plain_header);
    test.feed("<" + head + " from='partner.example' to='corp.example'/>");
    return !test.kept.empty() && test.kept.front()->answerable;
  };
  EXPECT_TRUE(answerable("message"));
  EXPECT_TRUE(answerable("presence type='unavailable'"));
  EXPECT_TRUE(answerable("iq type='set'"));
  EXPECT_FALSE(answerable("message type='error'"));
  EXPECT_FALSE(answerable("presence type='error'"));
  EXPECT_FALSE(answerable("iq type='result'"));
  EXPECT_FALSE(answerable("iq type='error'"));
  EXPECT_FALSE(answerable("iq"));
}

// Stanzas: what they inherit ------------------------------------------------------------------------------------------------

// The stanza as it comes out under a header with these declarations.
std::string under(const std::string& declarations, const std::string& stanza) {
  const Outcome outcome = read_all("<stream:stream xmlns:stream='http://etherx.jabber.org/streams' to='corp.example' " +
                                   declarations + " version='1.0'>" + stanza);
  if (outcome.stanzas.empty()) return outcome.error ? std::string(to_text(*outcome.error)) : "(nothing)";
  return outcome.stanzas.front();
}

const std::string addresses = "from='a@partner.example' to='b@corp.example'";

TEST(InheritedDeclarations, AreCarriedWhereAnInnerElementUsesThem) {
  EXPECT_EQ(
      under("xmlns='jabber:server' xmlns:x='urn:x' xmlns:y='urn:y'", "<message " + addresses + "><x:a/></message>"),
      "<message xmlns:x='urn:x' " + addresses + "><x:a/></message>");
}

TEST(InheritedDeclarations, AreCarriedWhereAnAttributeUsesThem) {
  EXPECT_EQ(under("xmlns='jabber:server' xmlns:x=\"urn:&lt;'x\"", "<message " + addresses + " x:a='1'/>"),
            "<message xmlns:x=\"urn:&lt;'x\" " + addresses + " x:a='1'/>");
  EXPECT_EQ(under("xmlns='jabber:server' xmlns:x='urn:x'", "<message " + addresses + "><body x:a='1'/></message>"),
            "<message xmlns:x='urn:x' " + addresses + "><body x:a='1'/></message>");
}

TEST(InheritedDeclarations, AreLeftOutWhereNothingUsesThem) {
  const std::string stanza = "<message " + addresses + "><body>x:a</body></message>";
  EXPECT_EQ(under("xmlns='jabber:server' xmlns:db='jabber:server:dialback' xmlns:x='urn:x'", stanza), stanza);
}

TEST(InheritedDeclarations, GiveWayToTheStanzasOwn) {
  const std::string own = "<message " + addresses + " xmlns:x='urn:mine'><x:a/></message>";
  EXPECT_EQ(under("xmlns='jabber:server' xmlns:x='urn:x'", own), own);
  const std::string inner = "<message " + addresses + "><x:a xmlns:x='urn:mine'><x:b/></x:a></message>";
  EXPECT_EQ(under("xmlns='jabber:server' xmlns:x='urn:x'", inner), inner);
}

TEST(InheritedDeclarations, AreCarriedBesideAnInnerRedeclaration) {
  EXPECT_EQ(under("xmlns='jabber:server' xmlns:x='urn:x'",
                  "<message " + addresses + "><x:a xmlns:x='urn:mine'/><x:b/></message>"),
            "<message xmlns:x='urn:x' " + addresses + "><x:a xmlns:x='urn:mine'/><x:b/></message>");
}

TEST(InheritedDeclarations, CarryAPrefixForTheContentNamespace_Rfc6120_4_8_2) {
  EXPECT_EQ(under("xmlns:s='jabber:server'", "<s:message " + addresses + "><s:body/></s:message>"),
            "<s:message xmlns:s='jabber:server' " + addresses + "><s:body/></s:message>");
}

TEST(InheritedDeclarations, CarryADefaultNamespaceThatIsNotOurs) {
  EXPECT_EQ(under("xmlns='urn:d' xmlns:s='jabber:server'", "<s:message " + addresses + "><body/></s:message>"),
            "<s:message xmlns:s='jabber:server' xmlns='urn:d' " + addresses + "><body/></s:message>");
}

TEST(InheritedDeclarations, CarryTheAbsenceOfADefaultNamespace) {
  EXPECT_EQ(under("xmlns:s='jabber:server'", "<s:message " + addresses + "><body/></s:message>"),
            "<s:message xmlns:s='jabber:server' xmlns='' " + addresses + "><body/></s:message>");
}

TEST(InheritedDeclarations, AreNotNeededForAStanzaThatDeclaresItsOwnNamespace_Rfc6120_4_8_2) {
  const std::string stanza = "<message xmlns='jabber:server' " + addresses + "><body/></message>";
  EXPECT_EQ(under("", stanza), stanza);
}

TEST(InheritedDeclarations, CarryAnotherMeaningOfOurPrefix) {
  const Outcome outcome = read_all(
      "<s:stream xmlns:s='http://etherx.jabber.org/streams' xmlns:stream='urn:other' xmlns='jabber:server' "
      "version='1.0'>"
      "<message " +
      addresses + "><stream:x/><s:y/></message>");
  ASSERT_EQ(outcome.stanzas.size(), 1U);
  EXPECT_EQ(outcome.stanzas[0].find("<message xmlns:"), 0U);
  EXPECT_THAT(outcome.stanzas[0], HasSubstr(" xmlns:stream='urn:other' "));
  EXPECT_THAT(outcome.stanzas[0], HasSubstr(" xmlns:s='http://etherx.jabber.org/streams' "));
}

TEST(InheritedDeclarations, CarryTheStreamsLanguage_Rfc6120_4_7_4) {
  EXPECT_EQ(under("xmlns='jabber:server' xml:lang='de'", "<message " + addresses + "><body>Tach</body></message>"),
            "<message xml:lang='de' " + addresses + "><body>Tach</body></message>");
  const std::string own = "<message " + addresses + " xml:lang='en'/>";
  EXPECT_EQ(under("xmlns='jabber:server' xml:lang='de'", own), own);
}

TEST(InheritedDeclarations, MoveTheSlicesOfTheAddresses) {
  for (const std::size_t segment : {SIZE_MAX, std::size_t{5}}) {
    ReaderUnderTest test;
    test.transport.largest_read = segment;
    test.feed(
        "<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' xmlns:x='urn:x' "
        "xml:lang='de' version='1.0'>");
    // Long enough that the use of x comes after the name was copied.
    test.feed("<message " + addresses + "><body>" + std::string(2500, 'b') + "</body><x:a/></message>");
    ASSERT_FALSE(test.kept.empty());
    const StanzaRecord& stanza = *test.kept.front();
    const std::string text = text_of(stanza);
    EXPECT_EQ(text.substr(stanza.from_attribute.offset, stanza.from_attribute.length), "a@partner.example");
    EXPECT_EQ(text.substr(stanza.to_attribute.offset, stanza.to_attribute.length), "b@corp.example");
    EXPECT_EQ(text.find("<message xml:lang='de' xmlns:x='urn:x' from="), 0U) << text.substr(0, 80);
    EXPECT_EQ(stanza.bytes, text.size());
  }
}

TEST(InheritedDeclarations, AreBounded) {
  const std::string many = "xmlns='jabber:server' xmlns:x='urn:" + std::string(600, 'x') + "'";
  EXPECT_EQ(under(many, "<message " + addresses + "/>"), "policy-violation");
}

// Stanzas: what is refused ----------------------------------------------------------------------------------------------------

TEST(StreamReader, RefusesAStanzaWithoutAddresses_Rfc6120_8_1_1_2) {
  EXPECT_EQ(error_of(plain_header + std::string("<message to='b@corp.example'/>")),
            StreamErrorCondition::improper_addressing);
  EXPECT_EQ(error_of(plain_header + std::string("<message from='a@partner.example'/>")),
            StreamErrorCondition::improper_addressing);
  EXPECT_EQ(error_of(plain_header + std::string("<message from='a@@' to='b@corp.example'/>")),
            StreamErrorCondition::improper_addressing);
  EXPECT_EQ(error_of(plain_header + std::string("<message from='a@partner.example' to='b@'/>")),
            StreamErrorCondition::improper_addressing);
}

TEST(StreamReader, TellsAForeignElementFromAStanza_Rfc6120_4_9_3_24) {
  for (const char* element : {"<query/>", "<message xmlns='jabber:client'/>", "<message xmlns=''/>",
                              "<stream:message/>", "<stream:stream>", "<Message/>"}) {
    ReaderUnderTest test;
    EXPECT_EQ(first_element(test, element).kind, StreamElementKind::unknown) << element;
  }
}

// Limits ------------------------------------------------------------------------------------------------------------------------

TEST(StreamReaderLimits, RefuseAStanzaThatIsTooLarge_Rfc6120_13_12) {
  const auto with_bytes = [](std::size_t bytes) {
    ReaderUnderTest test;
    test.policy.bounds.stanza_bytes = 20'000;
    test.feed(plain_header);
    const std::string head = message_head + "<body>";
    const std::string tail = "</body></message>";
    return test.feed(head + std::string(bytes - head.size() - tail.size(), 'b') + tail);
  };
  EXPECT_EQ(with_bytes(20'000).stanzas.size(), 1U);
  EXPECT_EQ(with_bytes(20'001).error, StreamErrorCondition::policy_violation);
}

TEST(StreamReaderLimits, RefuseElementsNestedTooDeeply) {
  const auto with_depth = [](std::size_t depth) {
    ReaderUnderTest test;
    test.policy.bounds.depth = 20;
    std::string stanza = message_head;
    for (std::size_t i = 1; i < depth; ++i) stanza += "<a>";
    for (std::size_t i = 1; i < depth; ++i) stanza += "</a>";
    return test.feed(plain_header + stanza + "</message>");
  };
  EXPECT_EQ(with_depth(20).stanzas.size(), 1U);
  EXPECT_EQ(with_depth(21).error, StreamErrorCondition::policy_violation);
}

TEST(StreamReaderLimits, RefuseTooManyAttributes) {
  const auto with_attributes = [](std::size_t count) {
    ReaderUnderTest test;
    test.policy.bounds.attributes = 30;
    std::string stanza = message_head + "<a";
    for (std::size_t i = 0; i < count; ++i) stanza += " a" + std::to_string(i) + "=''";
    return test.feed(plain_header + stanza + "/></message>");
  };
  EXPECT_EQ(with_attributes(30).stanzas.size(), 1U);
  EXPECT_EQ(with_attributes(31).error, StreamErrorCondition::policy_violation);
}

TEST(StreamReaderLimits, CountDeclarationsOfNamespacesAsAttributes) {
  ReaderUnderTest test;
  test.policy.bounds.attributes = 30;
  std::string stanza = message_head + "<a";
  for (int i = 0; i < 31; ++i) stanza += " xmlns:a" + std::to_string(i) + "='u'";
  EXPECT_EQ(test.feed(plain_header + stanza + "/></message>").error, StreamErrorCondition::policy_violation);
}

TEST(StreamReaderLimits, RefuseATagThatIsTooLong_Cve2023_52425) {
  for (const std::size_t segment : {std::size_t{1}, SIZE_MAX}) {
    ReaderUnderTest test;
    test.transport.largest_read = segment;
    test.feed(plain_header);
    const Outcome outcome = test.feed(message_head + "<a b='" + std::string(100'000, 'b'));
    EXPECT_EQ(outcome.error, StreamErrorCondition::policy_violation);
    // The rest was not even read.
    EXPECT_GT(test.transport.unread(), 80'000U);
  }
}

TEST(StreamReaderLimits, RefuseAStreamHeaderThatIsTooLong) {
  EXPECT_EQ(error_of("<stream:stream xmlns:stream='http://etherx.jabber.org/streams' a='" + std::string(20'000, 'a')),
            StreamErrorCondition::policy_violation);
}

TEST(StreamReaderLimits, TakeATextOfAnyLengthWithinTheStanzasBound) {
  ReaderUnderTest test;
  const std::string stanza = message_head + "<body>" + std::string(65'536, 'b') + "</body></message>";
  test.feed(plain_header);
  EXPECT_THAT(test.feed(stanza).stanzas, testing::ElementsAre(stanza));
}

TEST(StreamReaderLimits, EndWithResourceConstraintWhenTheArenaIsFull) {
  ReaderUnderTest test;
  test.feed(plain_header);
  std::vector<void*> hoard;
  for (std::size_t bytes = 32'768; bytes >= 8; bytes /= 2)
    while (void* memory = test.arena.allocate(bytes)) hoard.push_back(memory);
  EXPECT_EQ(test.feed(message_head + "<a b='" + std::string(7000, 'b') + "'/></message>").error,
            StreamErrorCondition::resource_constraint);
  for (void* memory : hoard) test.arena.release(memory);
}

TEST(StreamReader, GivesAllMemoryBack) {
  ReaderUnderTest test;
  test.feed(
      "<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' xmlns:x='urn:x' "
      "version='1.0'>" +
      message_head + "<x:a/></message>" + message_head + "<body>unfinished");
  test.kept.clear();
  EXPECT_GT(test.arena.in_use(), 0U);
  test.reader->close();
  EXPECT_EQ(test.arena.in_use(), 0U);
  EXPECT_EQ(test.pool.available(), test.pool.capacity());
}

// expat keeps every name that it meets --------------------------------------------------------------------------------------

TEST(StreamReader, HoldsItsMemoryThoughTheNamesNeverRepeat) {
  for (const std::size_t segment : {std::size_t{1}, std::size_t{37}, SIZE_MAX}) {
    ReaderUnderTest test(1'000);
    test.transport.largest_read = segment;
    // A root with another prefix, and inherited declarations, which must outlive the renewals.
    test.feed(
        "<?xml version='1.0'?><s:stream xmlns='jabber:server' xmlns:s='http://etherx.jabber.org/streams' "
        "xmlns:x='urn:x' xml:lang='de' version='1.0'>");
    const std::size_t fresh = test.arena.in_use();
    std::string input;
    std::vector<std::string> expected;
    for (int i = 0; i < 300; ++i) {
      const std::string n = std::to_string(i);
      const std::string rest = " from='a@partner.example' to='b@corp.example'><x:e" + n + " a" + n +
                               "='' xmlns='urn:" + n + "'/><s:t>" + std::string(static_cast<std::size_t>(i % 50), 't') +
                               "</s:t></message>";
      input += "<message" + rest + (i % 7 == 0 ? "  \n" : "");
      expected.push_back("<message xml:lang='de' xmlns:s='http://etherx.jabber.org/streams' xmlns:x='urn:x'" + rest);
    }
    const Outcome outcome = test.feed(input + "</s:stream>");
    EXPECT_EQ(outcome.error, std::nullopt);
    EXPECT_TRUE(outcome.stanzas == expected) << outcome.stanzas.size();
    EXPECT_EQ(outcome.events.back(), Event::end);
    EXPECT_LE(test.arena.high_water(), fresh + 5'000);
  }
}

TEST(StreamReader, GivesBackTheBufferOfALongTag) {
  ReaderUnderTest test;
  test.feed(plain_header);
  const std::size_t fresh = test.arena.in_use();
  test.feed("<message from='a@partner.example' to='b@corp.example' id='" + std::string(6'000, 'i') + "'/>");
  EXPECT_GT(test.arena.high_water(), fresh + 8'000);
  test.feed("<message from='a@partner.example' to='b@corp.example'/>");
  EXPECT_LE(test.arena.in_use(), fresh + 2'048);
}

class SpareArena : public testing::Test {
 protected:
  static constexpr std::size_t session_bytes = 12'000;  // room for a parser, and for no long tag
  static std::string tag_of(std::size_t bytes) {
    return "<message from='a@partner.example' to='b@corp.example' id='" + std::string(bytes, 'i') + "'";
  }

  alignas(8) std::array<std::byte, 65'536> memory_;
  Arena spare_{memory_};
};

TEST_F(SpareArena, TakesATagThatTheSessionHasNoRoomFor_Rfc6120_13_12) {
  for (const std::size_t segment : {std::size_t{1}, std::size_t{300}, SIZE_MAX}) {
    ReaderUnderTest test(400, &spare_, session_bytes);
    test.transport.largest_read = segment;
    test.feed(plain_header);
    const std::string stanza = tag_of(9'900) + "/>";
    EXPECT_THAT(test.feed(stanza + stanza).stanzas, testing::ElementsAre(stanza, stanza));
    EXPECT_GT(spare_.high_water(), 9'900U);
    EXPECT_EQ(spare_.in_use(), 0U) << "it is given back with the stanza";
  }
}

TEST_F(SpareArena, IsGivenBackWhenAStreamEndsInATag) {
  ReaderUnderTest test(400, &spare_, session_bytes);
  test.feed(plain_header);
  test.feed(tag_of(9'000));
  EXPECT_GT(spare_.in_use(), 0U);
  test.reader->close();
  EXPECT_EQ(spare_.in_use(), 0U);
  EXPECT_EQ(test.arena.in_use(), 0U);
}

TEST_F(SpareArena, IsNotForPeersThatAreNotAuthenticated) {
  ReaderUnderTest test(400, &spare_, session_bytes);
  EXPECT_EQ(
      test.feed("<stream:stream xmlns:stream='http://etherx.jabber.org/streams' a='" + std::string(9'900, 'a')).error,
      StreamErrorCondition::resource_constraint);
  EXPECT_EQ(spare_.high_water(), 0U);
}

TEST_F(SpareArena, EndsAStreamWhenOthersHaveTakenItAndShortTagsGoOn) {
  void* taken = spare_.allocate(60'000);
  ReaderUnderTest unlucky(400, &spare_, session_bytes);
  ReaderUnderTest other(400, &spare_, session_bytes);
  unlucky.feed(plain_header);
  other.feed(plain_header);
  EXPECT_EQ(unlucky.feed(tag_of(9'900)).error, StreamErrorCondition::resource_constraint);
  EXPECT_EQ(other.feed(tag_of(400) + "/>").stanzas.size(), 1U);
  spare_.release(taken);
}

// The pool --------------------------------------------------------------------------------------------------------------------

TEST(StreamReader, GoesOnWhereItStoppedWhenChunksComeFree) {
  const std::string stanza = message_head + "<body>" + std::string(5'000, 'b') + "</body></message>";
  ReaderUnderTest test(12);
  test.feed(plain_header);
  std::vector<Chunk*> taken;
  while (test.pool.available() > 4) taken.push_back(test.pool.acquire());
  EXPECT_TRUE(test.feed(stanza).stanzas.empty());
  EXPECT_EQ(test.pool.available(), 0U);
  for (Chunk* chunk : taken) {
    EXPECT_EQ(test.pool.available(), 0U);
    test.pool.release(*chunk);
    test.feed("");
    if (!test.kept.empty()) break;
  }
  ASSERT_FALSE(test.kept.empty());
  EXPECT_EQ(text_of(*test.kept.front()), stanza);
}

TEST(StreamReader, SplicesLateWhenAChunkComesFree) {
  const std::string body = "<body>" + std::string(2'000, 'b') + "</body><x:a/></message>";
  ReaderUnderTest test(6);
  test.feed(
      "<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' xmlns:x='urn:x' "
      "version='1.0'>");
  Chunk* taken = test.pool.acquire();
  // Five chunks are just enough for the bytes, and the declaration needs one more.
  EXPECT_TRUE(test.feed("<message from='a@partner.example' to='b@corp.example'>" + body).stanzas.empty());
  EXPECT_EQ(test.pool.available(), 0U);
  test.pool.release(*taken);
  test.feed("");
  ASSERT_FALSE(test.kept.empty());
  EXPECT_EQ(text_of(*test.kept.front()),
            "<message xmlns:x='urn:x' from='a@partner.example' to='b@corp.example'>" + body);
}

}  // namespace
}  // namespace sallyport::xmpp
