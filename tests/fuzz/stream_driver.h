// drive_stream(): one input of a fuzzer against a receiving stream, and what must hold whatever the input is.
//
// The input's first byte says how many bytes a read gives (its low four bits; 0: all that is there), the rest is what
// the peer sends. A TLS handshake succeeds as soon as the stream waits for it, with the partner's certificate.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "hal/base/assert.h"
#include "net/side.h"
#include "tests/fakes/stream_under_test.h"
#include "xmpp/s2s_stream.h"
#include "xmpp/stream_reader.h"

namespace sallyport::fuzz {

struct Driven {
  bool established = false;
  std::size_t stanzas = 0;
};

/// A stanza that was handed up says the same on its own under our stream header: nobody can make the two sides of the
/// border read it differently.
inline void expect_same_meaning(const xmpp::StanzaRecord& stanza, fakes::StreamUnderTest<net::External>& test) {
  using Event = xmpp::StreamReader::Event;
  const std::string text = fakes::text_of(stanza);
  SALLYPORT_ASSERT(text.size() == stanza.bytes);
  fakes::FakeTransport transport(test.world.tasks);
  transport.arrive(
      "<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>" + text +
      "</stream:stream>");
  alignas(8) static std::array<std::byte, 65'536> memory;
  Arena arena(memory);
  xmpp::StreamReader reader(arena, nullptr, test.world.random, test.pool, test.policy);
  const auto next = [&] {
    Event event = Event::more;
    while (event == Event::more) event = reader.read(transport, Instant{});
    return event;
  };
  SALLYPORT_ASSERT(next() == Event::header);
  reader.accept_stanzas(true);
  SALLYPORT_ASSERT(next() == Event::stanza);
  xmpp::StanzaRecord* again = reader.take_stanza();
  SALLYPORT_ASSERT(fakes::text_of(*again) == text);
  SALLYPORT_ASSERT(again->from == stanza.from && again->to == stanza.to && again->kind == stanza.kind);
  SALLYPORT_ASSERT(again->answerable == stanza.answerable);
  again->discard();
  SALLYPORT_ASSERT(next() == Event::end);
}

inline Driven drive_stream(std::span<const std::uint8_t> input) {
  if (input.empty()) return {};
  fakes::StreamWorld world;
  const auto test = std::make_unique<fakes::StreamUnderTest<net::External>>(world);
  test->policy.offers_bidi = true;
  test->accept();
  const std::size_t segment = input[0] & 0x0F;
  test->transport.largest_read = segment == 0 ? SIZE_MAX : segment;

  // Pieces, so that what is sent behind <starttls/> in one go is refused and the rest still gets its turn.
  std::string_view rest(reinterpret_cast<const char*>(input.data()) + 1, input.size() - 1);
  while (!rest.empty()) {
    const std::size_t cut = std::min(rest.find('\0'), rest.size());
    test->transport.arrive(rest.substr(0, cut));
    world.settle();
    if (test->transport.waits_for_handshake())
      test->transport.finish_handshake({.names = {"partner.example"}, .issuer = &test->policy.authority.anchors()});
    world.settle();
    rest.remove_prefix(std::min(cut + 1, rest.size()));
  }
  const xmpp::AuthenticatedDomain* peer = test->stream->authenticated();
  SALLYPORT_ASSERT(peer == nullptr || (test->transport.secured() && peer->domain() == test->policy.partner));

  Driven driven{.established = test->handler.established == 1, .stanzas = test->handler.received.size()};
  SALLYPORT_ASSERT(driven.established || driven.stanzas == 0);
  while (!test->handler.received.empty()) {
    const xmpp::StanzaRecord& stanza = test->handler.received.front();
    SALLYPORT_ASSERT(stanza.from == test->policy.partner && stanza.to == test->policy.corp);
    expect_same_meaning(stanza, *test);
    if (xmpp::StanzaRecord* reply = xmpp::make_error_record(
            stanza, xmpp::StanzaError(xmpp::StanzaErrorCondition::remote_server_timeout), test->pool)) {
      const std::string text = fakes::text_of(*reply);
      SALLYPORT_ASSERT(text.size() == reply->bytes);
      reply->discard();
    }
    test->handler.received.pop();
  }
  test->stream.reset();
  SALLYPORT_ASSERT(test->arena.in_use() == 0);
  SALLYPORT_ASSERT(test->pool.available() == test->pool.capacity());
  return driven;
}

}  // namespace sallyport::fuzz
