#include "net/dns/service_resolver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <set>

#include "tests/unit/dns_test_support.h"

namespace sallyport::net::dns {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;
using testing::UnorderedElementsAre;

constexpr std::string_view service_of_partner = "_xmpp-server._tcp.partner.example";

/// Who asks: counts how often it was woken.
struct Asker final : Task {
  void run() override { ++woken; }
  int woken = 0;
};

/// A DNS server: its zone, whether it recurses, and its habits.
struct Server {
  enum class Habit { answers, silent, fails, refuses, refers, breaks, dislikes_edns, drops_edns };

  void add(std::string_view owner, RecordType type, const Bytes& data) {
    records[{std::string(owner), type}].push_back(data);
    names.insert(std::string(owner));
  }
  void a(std::string_view owner, std::string_view address) { add(owner, RecordType::a, address_data(address)); }
  void aaaa(std::string_view owner, std::string_view address) { add(owner, RecordType::aaaa, address_data(address)); }
  void srv(std::string_view owner, unsigned priority, unsigned weight, unsigned port, std::string_view target) {
    add(owner, RecordType::srv, service_data(priority, weight, port, target));
  }
  void cname(std::string_view owner, std::string_view target) { add(owner, RecordType::cname, wire_of(target)); }

  std::optional<Bytes> answer(const SeenQuery& query, bool stream) {
    asked.push_back(query);
    const auto error = [&](unsigned code) {
      return MessageBuilder(query.id, MessageBuilder::response | code).question(query.question).bytes();
    };
    if (silent_types.contains(query.question.type)) return std::nullopt;
    switch (habit) {
      case Habit::silent: return std::nullopt;
      case Habit::fails: return error(2);
      case Habit::refuses: return error(5);
      case Habit::refers:
        return MessageBuilder(query.id, 0x8000)
            .question(query.question)
            .record("example", RecordType::ns, wire_of("a.gtld.example"), 4)
            .bytes();
      case Habit::breaks: return MessageBuilder(query.id).question(query.question).count(3, 5).bytes();
      case Habit::dislikes_edns:
        if (query.edns) return error(1);
        break;
      case Habit::drops_edns:
        if (query.edns) return std::nullopt;
        break;
      case Habit::answers: break;
    }
    return from_zone(query, stream);
  }

  Bytes from_zone(const SeenQuery& query, bool stream) {
    std::string owner(query.question.name.text().view());
    const unsigned flags = recursive ? MessageBuilder::response : 0x8100U | MessageBuilder::authoritative;
    if (!names.contains(owner)) {
      return MessageBuilder(query.id, flags | 3)
          .question(query.question)
          .record("example", RecordType::soa, Bytes(22), 4)
          .bytes();
    }
    MessageBuilder reply(query.id, flags);
    reply.question(query.question);
    bool alias = false;
    while (const auto target = alias_of(owner)) {
      reply.record(owner, RecordType::cname, wire_of(*target));
      owner = *target;
      alias = true;
      if (!recursive) break;
    }
    const auto found = records.find({owner, query.question.type});
    if (found != records.end() && (recursive || !alias)) {
      for (const auto& data : found->second) reply.record(owner, query.question.type, data);
    } else if (!alias) {
      reply.record("example", RecordType::soa, Bytes(22), 4);
    }
    if (!stream && reply.size() > (query.edns ? 1232U : 512U)) {
      return MessageBuilder(query.id, flags | MessageBuilder::truncated).question(query.question).bytes();
    }
    return reply.bytes();
  }

  std::optional<std::string> alias_of(const std::string& owner) const {
    const auto found = records.find({owner, RecordType::cname});
    if (found == records.end()) return std::nullopt;
    Name target;
    const Bytes& wire = found->second.front();
    for (std::size_t at = 0; wire[at] != std::byte{0}; at += 1 + static_cast<std::size_t>(wire[at])) {
      EXPECT_TRUE(target.append_label(std::span(wire).subspan(at + 1, static_cast<std::size_t>(wire[at]))));
    }
    return std::string(target.text().view());
  }

  std::size_t times_asked(RecordType type) const {
    return static_cast<std::size_t>(
        std::ranges::count_if(asked, [type](const SeenQuery& query) { return query.question.type == type; }));
  }

  Habit habit = Habit::answers;
  bool recursive = true;
  std::set<RecordType> silent_types;
  std::map<std::pair<std::string, RecordType>, std::vector<Bytes>> records;
  std::set<std::string> names;
  std::vector<SeenQuery> asked;
};

class ServiceResolverTest : public testing::Test {
 protected:
  static constexpr std::array<std::string_view, 3> addresses = {"192.0.2.53", "2001:db8::53", "192.0.2.54"};

  ServiceResolverTest() {
    socket.set_task(resolver);
    use_servers(1);
    zone().names = {"example", "partner.example"};
  }
  ~ServiceResolverTest() override {
    resolver.cancel(lookup);
    tasks.cancel(asker);
    tasks.cancel(resolver);
  }

  void use_servers(std::size_t count, bool v4 = true, bool v6 = true) {
    servers.resize(std::max(servers.size(), count));
    std::vector<IpAddress> list;
    for (std::size_t i = 0; i < count; ++i) list.push_back(ip(addresses[i]));
    resolver.configure({.servers = list, .v4 = v4, .v6 = v6});
  }
  Server& zone() { return servers[0]; }

  Server* server_at(const Endpoint& to) {
    for (std::size_t i = 0; i < servers.size(); ++i) {
      if (to == Endpoint{ip(addresses[i]), 53}) return &servers[i];
    }
    ADD_FAILURE() << "asked " << to.text().view();
    return nullptr;
  }

  /// Lets everything happen that happens without time passing.
  void settle() {
    while (!tasks.empty() || !socket.sent.empty()) {
      tasks.run_ready();
      while (!socket.sent.empty()) {
        const auto datagram = socket.sent.front();
        socket.sent.pop_front();
        Server* server = server_at(datagram.peer);
        if (server == nullptr) continue;
        if (const auto reply = server->answer(SeenQuery::parse(datagram.payload), false))
          socket.deliver(datagram.peer, *reply);
      }
      for (std::size_t i = 0; i < dialer.calls.size(); ++i) serve(dialer.calls[i]);
    }
  }

  void serve(TestDialer::Call& call) {
    if (call.hung_up || call.far->unread() <= 2) return;
    Bytes request;
    for (auto piece = call.far->peek(); !piece.empty(); piece = call.far->peek()) {
      request.insert(request.end(), piece.begin(), piece.end());
      call.far->consume(piece.size());
    }
    const SeenQuery query = SeenQuery::parse(std::span(request).subspan(2));
    EXPECT_EQ(request.size() - 2, static_cast<std::size_t>(request[0]) << 8 | static_cast<std::size_t>(request[1]));
    Bytes reply = server_at(call.to)->answer(query, true).value_or(Bytes());
    if (edit_stream_reply) edit_stream_reply(reply);
    if (reply.empty()) return;
    Bytes framed = {static_cast<std::byte>(reply.size() >> 8), static_cast<std::byte>(reply.size() & 0xFF)};
    framed.insert(framed.end(), reply.begin(), reply.end());
    const std::size_t at_once = stream_bytes_at_once == 0 ? framed.size() : stream_bytes_at_once;
    for (std::size_t at = 0; at < framed.size() && !call.hung_up; at += at_once) {
      const std::size_t count = std::min(at_once, framed.size() - at);
      call.far->write(std::span(framed).subspan(at, count));
      call.far->flush();
      tasks.run_ready();
    }
  }

  void pass(Duration time) {
    for (const Instant end = clock.time + time; clock.time < end;) {
      clock.time += 250ms;
      resolver.poll();
      settle();
    }
  }

  std::vector<std::string> endpoints(const ServiceLookup& result) {
    std::vector<std::string> texts;
    for (const auto& endpoint : result.endpoints()) texts.emplace_back(endpoint.text().view());
    return texts;
  }

  /// Starts, and lets time pass until there is a result. Seconds that took.
  double resolve(std::string_view domain = "partner.example") {
    EXPECT_TRUE(resolver.start(lookup, domain).has_value());
    return wait();
  }
  double wait() {
    const Instant start = clock.time;
    settle();
    while (lookup.state() == LookupState::waiting && clock.time - start < 60s) pass(250ms);
    EXPECT_NE(lookup.state(), LookupState::waiting);
    return std::chrono::duration<double>(clock.time - start).count();
  }
  LookupError error_of(std::string_view domain = "partner.example") {
    resolve(domain);
    EXPECT_EQ(lookup.state(), LookupState::failed);
    EXPECT_EQ(resolver.running(), 0U);
    EXPECT_EQ(resolver.next_deadline(), never);
    EXPECT_EQ(dialer.open(), 0U);
    return lookup.error();
  }

  TestClock clock;
  TestRandom random;
  TaskQueue tasks;
  fakes::FakeDatagramSocket socket{tasks};
  TestDialer dialer{tasks};
  ServiceResolver resolver{tasks, clock, random, socket, dialer};
  std::vector<Server> servers;
  Asker asker;
  ServiceLookup lookup{asker};
  std::function<void(Bytes&)> edit_stream_reply;
  std::size_t stream_bytes_at_once = 0;  // 0: all
};

// ---- The order of what is found

TEST_F(ServiceResolverTest, FindsTargetsByPriorityAndTheirAddresses_Rfc6120_3_2_1) {
  zone().srv(service_of_partner, 20, 0, 5270, "second.example");
  zone().srv(service_of_partner, 10, 0, 5269, "first.example");
  zone().a("first.example", "203.0.113.1");
  zone().a("second.example", "203.0.113.2");
  zone().aaaa("second.example", "2001:db8::2");
  resolve();
  EXPECT_EQ(lookup.state(), LookupState::found);
  EXPECT_THAT(endpoints(lookup), ElementsAre("203.0.113.1:5269", "[2001:db8::2]:5270", "203.0.113.2:5270"));
  EXPECT_EQ(asker.woken, 1);
  EXPECT_EQ(resolver.running(), 0U);
}

TEST_F(ServiceResolverTest, AlternatesTheFamiliesOfATarget_Rfc8305_4) {
  zone().srv(service_of_partner, 1, 1, 5269, "x.example");
  for (const char* address : {"203.0.113.1", "203.0.113.2", "203.0.113.3"}) zone().a("x.example", address);
  zone().aaaa("x.example", "2001:db8::1");
  resolve();
  EXPECT_THAT(endpoints(lookup),
              ElementsAre("[2001:db8::1]:5269", "203.0.113.1:5269", "203.0.113.2:5269", "203.0.113.3:5269"));
}

TEST_F(ServiceResolverTest, AsksOnlyForFamiliesThisSideHas) {
  use_servers(1, true, false);
  zone().srv(service_of_partner, 1, 1, 5269, "x.example");
  zone().a("x.example", "203.0.113.1");
  zone().aaaa("x.example", "2001:db8::1");
  resolve();
  EXPECT_THAT(endpoints(lookup), ElementsAre("203.0.113.1:5269"));
  EXPECT_EQ(zone().times_asked(RecordType::aaaa), 0U);

  use_servers(1, false, true);
  resolve();
  EXPECT_THAT(endpoints(lookup), ElementsAre("[2001:db8::1]:5269"));
}

TEST_F(ServiceResolverTest, ListsAnEndpointOnce) {
  zone().srv(service_of_partner, 1, 1, 5269, "x.example");
  zone().srv(service_of_partner, 2, 1, 5269, "y.example");
  zone().srv(service_of_partner, 3, 1, 5270, "y.example");
  zone().a("x.example", "203.0.113.1");
  zone().a("y.example", "203.0.113.1");
  resolve();
  EXPECT_THAT(endpoints(lookup), ElementsAre("203.0.113.1:5269", "203.0.113.1:5270"));
}

TEST_F(ServiceResolverTest, GivesEachTargetAShareOfTheRoom) {
  for (unsigned target = 0; target < 12; ++target) {
    const std::string host = "t" + std::to_string(target) + ".example";
    zone().srv(service_of_partner, target, 0, 5000 + target, host);
    for (unsigned i = 1; i < 20; ++i) zone().a(host, "203.0.113." + std::to_string(10 * target + i));
  }
  resolve();
  ASSERT_EQ(lookup.endpoints().size(), max_service_endpoints);
  std::set<unsigned> ports;
  for (const auto& endpoint : lookup.endpoints()) ports.insert(endpoint.port);
  EXPECT_EQ(ports.size(), max_targets);
  EXPECT_EQ(*ports.begin(), 5000U);
}

TEST_F(ServiceResolverTest, KeepsTheBestPrioritiesOfTooManyRecords) {
  for (unsigned i = 0; i < 30; ++i) zone().srv(service_of_partner, 100 - i, 0, 5000 + i, "x.example");
  zone().a("x.example", "203.0.113.1");
  resolve();
  ASSERT_EQ(lookup.endpoints().size(), max_targets);
  EXPECT_EQ(lookup.endpoints().front().port, 5029);
}

TEST_F(ServiceResolverTest, SkipsTargetsWithoutAddress) {
  zone().srv(service_of_partner, 1, 0, 5269, "gone.example");
  zone().srv(service_of_partner, 2, 0, 5269, "x.example");
  zone().a("x.example", "203.0.113.1");
  resolve();
  EXPECT_THAT(endpoints(lookup), ElementsAre("203.0.113.1:5269"));
}

TEST_F(ServiceResolverTest, LeavesOutAddressesNoPartnerCanHave) {
  zone().srv(service_of_partner, 1, 0, 5269, "x.example");
  for (const char* address : {"0.0.0.0", "127.0.0.1", "224.0.0.1", "169.254.1.1"}) zone().a("x.example", address);
  for (const char* address : {"::", "::1", "ff02::1", "fe80::1"}) zone().aaaa("x.example", address);
  EXPECT_EQ(error_of(), LookupError::no_address);
}

// ---- Fall-back and what it is called when there is nothing

TEST_F(ServiceResolverTest, WithoutServiceRecordsAsksForTheDomainItself_Rfc6120_3_2_2) {
  zone().a("partner.example", "203.0.113.1");
  zone().aaaa("partner.example", "2001:db8::1");
  resolve();
  EXPECT_THAT(endpoints(lookup), ElementsAre("[2001:db8::1]:5269", "203.0.113.1:5269"));

  zone().names.insert(std::string(service_of_partner));  // NODATA in place of NXDOMAIN
  resolve();
  EXPECT_THAT(lookup.endpoints(), SizeIs(2));
}

TEST_F(ServiceResolverTest, WithoutAnswerForServiceRecordsAsksForTheDomainItself_Rfc6120_3_2_1_10) {
  zone().silent_types = {RecordType::srv};
  zone().a("partner.example", "203.0.113.1");
  EXPECT_GE(resolve(), 3.0);
  EXPECT_THAT(endpoints(lookup), ElementsAre("203.0.113.1:5269"));
}

TEST_F(ServiceResolverTest, TellsTheReasonsApart) {
  EXPECT_EQ(error_of("nowhere.example"), LookupError::no_such_domain);
  EXPECT_EQ(error_of("partner.example"), LookupError::no_such_domain);  // exists, has nothing

  zone().srv(service_of_partner, 1, 0, 5269, "gone.example");
  EXPECT_EQ(error_of(), LookupError::no_address);

  zone().habit = Server::Habit::fails;
  EXPECT_EQ(error_of(), LookupError::server_failure);
  zone().habit = Server::Habit::refuses;
  EXPECT_EQ(error_of(), LookupError::server_failure);
  zone().habit = Server::Habit::refers;
  EXPECT_EQ(error_of(), LookupError::server_failure);
  zone().habit = Server::Habit::breaks;
  EXPECT_EQ(error_of(), LookupError::server_failure);
  zone().habit = Server::Habit::silent;
  EXPECT_EQ(error_of(), LookupError::timed_out);
}

TEST_F(ServiceResolverTest, TargetOfARootMeansNoService_Rfc2782) {
  zone().srv(service_of_partner, 0, 0, 5269, ".");
  zone().a("partner.example", "203.0.113.1");
  EXPECT_EQ(error_of(), LookupError::no_service);
  EXPECT_EQ(zone().times_asked(RecordType::a), 0U);
}

TEST_F(ServiceResolverTest, PortZeroIsNoTarget) {
  zone().srv(service_of_partner, 0, 0, 0, "x.example");
  zone().a("x.example", "203.0.113.1");
  EXPECT_EQ(error_of(), LookupError::no_address);
}

TEST_F(ServiceResolverTest, FindsAnAddressLiteralAtOnce_Rfc6120_3_2) {
  use_servers(0);
  resolve("203.0.113.7");
  EXPECT_THAT(endpoints(lookup), ElementsAre("203.0.113.7:5269"));
  resolve("[2001:db8::7]");
  EXPECT_THAT(endpoints(lookup), ElementsAre("[2001:db8::7]:5269"));
  EXPECT_EQ(asker.woken, 2);
  EXPECT_THAT(zone().asked, IsEmpty());
}

TEST_F(ServiceResolverTest, SaysAtOnceWhatCannotBeAsked) {
  EXPECT_EQ(resolver.start(lookup, "not a domain").error(), LookupError::no_such_domain);
  EXPECT_EQ(resolver.start(lookup, "").error(), LookupError::no_such_domain);
  use_servers(0);
  EXPECT_EQ(resolver.start(lookup, "partner.example").error(), LookupError::no_servers);
  use_servers(1, false, false);
  EXPECT_EQ(resolver.start(lookup, "partner.example").error(), LookupError::no_address);
  EXPECT_EQ(resolver.start(lookup, "192.0.2.1").error(), LookupError::no_address);
  EXPECT_EQ(lookup.state(), LookupState::idle);
}

TEST_F(ServiceResolverTest, DomainTooLongForAServiceNameIsAskedForItself) {
  const std::string label(63, 'd');
  const std::string domain = label + "." + label + "." + label + "." + std::string(53, 'e');
  zone().a(domain, "203.0.113.1");
  resolve(domain);
  EXPECT_THAT(endpoints(lookup), ElementsAre("203.0.113.1:5269"));
  EXPECT_EQ(zone().times_asked(RecordType::srv), 0U);
}

TEST_F(ServiceResolverTest, HostLookupIgnoresServiceRecords) {
  zone().srv(service_of_partner, 1, 0, 5269, "x.example");
  zone().a("partner.example", "203.0.113.9");
  ASSERT_TRUE(resolver.start_host(lookup, "partner.example", 443).has_value());
  wait();
  EXPECT_THAT(endpoints(lookup), ElementsAre("203.0.113.9:443"));
  EXPECT_EQ(zone().times_asked(RecordType::srv), 0U);

  ASSERT_TRUE(resolver.start_host(lookup, "nowhere.example", 443).has_value());
  wait();
  EXPECT_EQ(lookup.error(), LookupError::no_such_domain);
  ASSERT_TRUE(resolver.start_host(lookup, "example", 443).has_value());
  wait();
  EXPECT_EQ(lookup.error(), LookupError::no_address);
}

// ---- Aliases

TEST_F(ServiceResolverTest, FollowsAliasesInARecursiveAnswer_Rfc1034_3_6_2) {
  zone().cname(service_of_partner, "srv.hoster.example");
  zone().srv("srv.hoster.example", 1, 0, 5269, "x.example");
  zone().cname("x.example", "y.example");
  zone().cname("y.example", "z.example");
  zone().a("z.example", "203.0.113.1");
  resolve();
  EXPECT_THAT(endpoints(lookup), ElementsAre("203.0.113.1:5269"));
}

TEST_F(ServiceResolverTest, FollowsAliasesItselfWithAnAuthoritativeServer) {
  zone().recursive = false;
  zone().cname(service_of_partner, "srv.hoster.example");
  zone().srv("srv.hoster.example", 1, 0, 5269, "x.example");
  zone().cname("x.example", "y.example");
  zone().a("y.example", "203.0.113.1");
  resolve();
  EXPECT_THAT(endpoints(lookup), ElementsAre("203.0.113.1:5269"));
  EXPECT_EQ(zone().times_asked(RecordType::srv), 2U);
}

TEST_F(ServiceResolverTest, AsksEveryServerForAnAliasAgain) {
  use_servers(2);
  servers[0].habit = Server::Habit::fails;
  servers[1].recursive = false;
  servers[1].cname("host.example", "alias.example");
  ASSERT_TRUE(resolver.start_host(lookup, "host.example", 5269).has_value());
  // The second server knows the alias and then fails; the first has recovered by then.
  for (std::size_t exchanges = 0; exchanges < 4; ++exchanges) {
    tasks.run_ready();
    const auto datagram = socket.sent.front();
    socket.sent.pop_front();
    socket.deliver(datagram.peer, *server_at(datagram.peer)->answer(SeenQuery::parse(datagram.payload), false));
  }
  servers[1].habit = Server::Habit::fails;
  servers[0].habit = Server::Habit::answers;
  servers[0].a("alias.example", "203.0.113.1");
  wait();
  EXPECT_THAT(endpoints(lookup), ElementsAre("203.0.113.1:5269"));
}

TEST_F(ServiceResolverTest, GivesUpOnAliasLoops) {
  zone().recursive = false;
  zone().cname(service_of_partner, "a.example");
  zone().cname("a.example", "b.example");
  zone().cname("b.example", "a.example");
  zone().cname("partner.example", "partner.example");
  EXPECT_EQ(error_of(), LookupError::server_failure);
  EXPECT_LE(zone().times_asked(RecordType::srv), max_aliases + 1);
}

TEST_F(ServiceResolverTest, ReadsAliasesInAnyOrder) {
  ASSERT_TRUE(resolver.start_host(lookup, "a.example", 5269).has_value());
  for (const auto& datagram : std::exchange(socket.sent, {})) {
    const SeenQuery query = SeenQuery::parse(datagram.payload);
    MessageBuilder reply(query.id);
    reply.question(query.question);
    if (query.question.type == RecordType::a) reply.record("c.example", RecordType::a, address_data("203.0.113.1"));
    reply.record("stranger.example", RecordType::a, address_data("198.51.100.66"));
    reply.record("b.example", RecordType::cname, wire_of("c.example"));
    reply.record("a.example", RecordType::cname, wire_of("b.example"));
    if (query.question.type == RecordType::aaaa) reply.record("example", RecordType::soa, Bytes(22), 4);
    socket.deliver(datagram.peer, reply.bytes());
  }
  wait();
  EXPECT_THAT(endpoints(lookup), ElementsAre("203.0.113.1:5269"));
}

// ---- Servers and time

TEST_F(ServiceResolverTest, AsksWithRecursionAndEdns_Rfc6891) {
  zone().a("partner.example", "203.0.113.1");
  resolve();
  for (const auto& query : zone().asked) {
    EXPECT_EQ(query.flags, 0x0100U);
    EXPECT_TRUE(query.edns);
    EXPECT_EQ(query.datagram_size, 1232U);
  }
}

TEST_F(ServiceResolverTest, AsksASilentServerTwiceThenTheNext) {
  use_servers(3);
  servers[2] = servers[0];
  servers[2].a("partner.example", "203.0.113.1");
  servers[0].habit = servers[1].habit = Server::Habit::silent;
  ASSERT_TRUE(resolver.start(lookup, "partner.example").has_value());
  EXPECT_EQ(resolver.next_deadline(), clock.time + 1500ms);
  settle();
  EXPECT_THAT(servers[0].asked, SizeIs(1));
  pass(1500ms);
  EXPECT_THAT(servers[0].asked, SizeIs(2));
  EXPECT_THAT(servers[1].asked, IsEmpty());
  pass(1500ms);
  EXPECT_THAT(servers[1].asked, SizeIs(1));
  pass(3000ms);
  EXPECT_EQ(lookup.state(), LookupState::found);
  EXPECT_EQ(resolver.counters().silences, 4U);
}

TEST_F(ServiceResolverTest, PrefersTheServerThatAnswersFromThenOn) {
  use_servers(2);
  servers[1] = servers[0];
  servers[1].a("partner.example", "203.0.113.1");
  servers[0].habit = Server::Habit::silent;
  EXPECT_DOUBLE_EQ(resolve(), 3.0);
  servers[0].asked.clear();
  EXPECT_DOUBLE_EQ(resolve(), 0.0);
  EXPECT_THAT(servers[0].asked, IsEmpty());
  servers[1].habit = Server::Habit::silent;
  servers[0].habit = Server::Habit::answers;
  servers[0].a("partner.example", "203.0.113.2");
  EXPECT_DOUBLE_EQ(resolve(), 3.0);
  EXPECT_THAT(endpoints(lookup), ElementsAre("203.0.113.2:5269"));
}

TEST_F(ServiceResolverTest, TurnsToTheNextServerAtOnceOnFailure) {
  use_servers(2);
  servers[1] = servers[0];
  servers[1].a("partner.example", "203.0.113.1");
  for (const auto habit :
       {Server::Habit::fails, Server::Habit::refuses, Server::Habit::refers, Server::Habit::breaks}) {
    servers[0].habit = habit;
    EXPECT_DOUBLE_EQ(resolve(), 0.0);
    EXPECT_EQ(lookup.state(), LookupState::found);
  }
}

TEST_F(ServiceResolverTest, AsksAgainWithoutEdnsWhenAServerDislikesIt_Rfc6891_6_2_2) {
  zone().a("partner.example", "203.0.113.1");
  zone().habit = Server::Habit::dislikes_edns;
  EXPECT_DOUBLE_EQ(resolve(), 0.0);
  EXPECT_EQ(lookup.state(), LookupState::found);

  zone().habit = Server::Habit::drops_edns;
  EXPECT_DOUBLE_EQ(resolve(), 3.0);  // SRV, then A and AAAA side by side: one lost try each
  EXPECT_EQ(lookup.state(), LookupState::found);
}

TEST_F(ServiceResolverTest, EndsAtItsDeadlineWhateverTheServersDo) {
  use_servers(3);
  for (auto& server : servers) server.habit = Server::Habit::silent;
  EXPECT_LE(resolve(), 20.0);
  EXPECT_EQ(lookup.error(), LookupError::timed_out);
  EXPECT_EQ(asker.woken, 1);
}

TEST_F(ServiceResolverTest, AtItsDeadlineReturnsWhatItHas) {
  use_servers(3);
  for (unsigned i = 0; i < 8; ++i) {
    const std::string host = "t" + std::to_string(i) + ".example";
    zone().srv(service_of_partner, i, 0, 5269, host);
    if (i == 0) zone().a(host, "203.0.113.1");
  }
  servers[1] = servers[2] = servers[0];
  ASSERT_TRUE(resolver.start(lookup, "partner.example").has_value());
  // From the second target on nobody answers any more: eight seconds and more for each.
  while (zone().times_asked(RecordType::a) < 1) {
    tasks.run_ready();
    const auto datagram = socket.sent.front();
    socket.sent.pop_front();
    socket.deliver(datagram.peer, *server_at(datagram.peer)->answer(SeenQuery::parse(datagram.payload), false));
  }
  for (auto& server : servers) server.habit = Server::Habit::silent;
  EXPECT_LE(wait(), 20.0);
  EXPECT_EQ(lookup.state(), LookupState::found);
  EXPECT_THAT(endpoints(lookup), ElementsAre("203.0.113.1:5269"));
}

TEST_F(ServiceResolverTest, WaitsOnlyBrieflyForTheOtherFamily) {
  zone().srv(service_of_partner, 1, 0, 5269, "x.example");
  zone().a("x.example", "203.0.113.1");
  zone().silent_types = {RecordType::aaaa};
  EXPECT_DOUBLE_EQ(resolve(), 2.0);
  EXPECT_THAT(endpoints(lookup), ElementsAre("203.0.113.1:5269"));
}

TEST_F(ServiceResolverTest, NoRouteIsALoss) {
  zone().a("partner.example", "203.0.113.1");
  socket.routed = false;
  ASSERT_TRUE(resolver.start(lookup, "partner.example").has_value());
  pass(1250ms);
  socket.routed = true;
  wait();
  EXPECT_EQ(lookup.state(), LookupState::found);
}

// ---- Forgery, RFC 5452

TEST_F(ServiceResolverTest, IgnoresResponsesThatAreNotItsOwn_Rfc5452_9_1) {
  ASSERT_TRUE(resolver.start_host(lookup, "host.example", 5269).has_value());
  ASSERT_EQ(socket.sent.size(), 2U);
  const auto datagram = socket.sent.back();
  socket.sent.clear();
  const SeenQuery query = SeenQuery::parse(datagram.payload);
  ASSERT_EQ(query.question.type, RecordType::a);
  const auto forged = [&](unsigned id, const Question& question) {
    return MessageBuilder(id)
        .question(question)
        .record("host.example", RecordType::a, address_data("198.51.100.66"))
        .bytes();
  };
  socket.deliver(datagram.peer, forged(query.id + 1, query.question));
  socket.deliver({ip("192.0.2.99"), 53}, forged(query.id, query.question));
  socket.deliver({datagram.peer.address, 54}, forged(query.id, query.question));
  socket.deliver(datagram.peer, forged(query.id, {name("host.example"), RecordType::srv}));
  socket.deliver(datagram.peer, forged(query.id, {name("other.example"), RecordType::a}));
  socket.deliver(datagram.peer, MessageBuilder(query.id).bytes());
  socket.deliver(datagram.peer, {});
  settle();
  EXPECT_EQ(resolver.counters().strays, 7U);
  EXPECT_EQ(resolver.counters().responses, 0U);
  EXPECT_EQ(lookup.state(), LookupState::waiting);

  socket.deliver(datagram.peer, forged(query.id, {name("HOST.Example"), RecordType::a}));
  settle();
  pass(2s);
  EXPECT_THAT(endpoints(lookup), ElementsAre("198.51.100.66:5269"));
}

TEST_F(ServiceResolverTest, EachTryHasAnIdOfItsOwn_Rfc5452_9_2) {
  zone().habit = Server::Habit::silent;
  std::set<unsigned> ids;
  for (int i = 0; i < 20; ++i) resolve();
  for (const auto& query : zone().asked) ids.insert(query.id);
  EXPECT_GT(ids.size(), zone().asked.size() * 95 / 100);
}

TEST_F(ServiceResolverTest, SurvivesRandomlyDamagedAnswers) {
  zone().srv(service_of_partner, 1, 5, 5269, "x.example");
  zone().srv(service_of_partner, 1, 5, 5270, "y.example");
  zone().cname("x.example", "y.example");
  zone().a("y.example", "203.0.113.1");
  zone().aaaa("y.example", "2001:db8::1");
  std::mt19937 generator(99);
  int found = 0;
  for (int round = 0; round < 500; ++round) {
    ASSERT_TRUE(resolver.start(lookup, "partner.example").has_value());
    while (lookup.state() == LookupState::waiting) {
      tasks.run_ready();
      for (const auto& datagram : std::exchange(socket.sent, {})) {
        Bytes reply = *zone().answer(SeenQuery::parse(datagram.payload), false);
        // Behind the question, or all of it would be strays.
        const std::size_t from = header_bytes + 25;
        for (unsigned changes = generator() % 4; changes > 0; --changes) {
          reply[from + generator() % (reply.size() - from)] = static_cast<std::byte>(generator() & 0xFF);
        }
        socket.deliver(datagram.peer, reply);
      }
      if (tasks.empty()) clock.time += 500ms, resolver.poll();
    }
    found += lookup.state() == LookupState::found;
    dialer.calls.clear();
    ASSERT_EQ(resolver.running(), 0U);
  }
  EXPECT_GT(found, 100);
}

// ---- TCP, RFC 7766

class ServiceResolverStreamTest : public ServiceResolverTest {
 protected:
  /// More SRV records than a datagram holds.
  ServiceResolverStreamTest() {
    for (unsigned i = 0; i < 16; ++i) {
      zone().srv(service_of_partner, i, 0, 5269 + i,
                 "a-rather-long-name-for-a-host-" + std::to_string(i) + ".hoster.example");
    }
    zone().a("a-rather-long-name-for-a-host-0.hoster.example", "203.0.113.1");
  }
};

TEST_F(ServiceResolverStreamTest, AsksOverTcpWhenTruncated) {
  resolve();
  EXPECT_THAT(endpoints(lookup), ElementsAre("203.0.113.1:5269"));
  ASSERT_EQ(dialer.calls.size(), 1U);
  EXPECT_EQ(dialer.calls[0].to.text().view(), "192.0.2.53:53");
  EXPECT_TRUE(dialer.calls[0].hung_up);
  EXPECT_EQ(resolver.counters().stream_exchanges, 1U);
}

TEST_F(ServiceResolverStreamTest, TakesTheResponseByteByByte) {
  stream_bytes_at_once = 1;
  resolve();
  EXPECT_EQ(lookup.state(), LookupState::found);
}

TEST_F(ServiceResolverStreamTest, StreamThatFailsIsAServerThatFails) {
  use_servers(2);
  servers[1] = servers[0];
  const auto attempt = [&](auto trouble) {
    int times = 0;
    edit_stream_reply = [&, trouble](Bytes& reply) {
      if (times++ == 0) trouble(reply);
    };
    resolve();
    EXPECT_EQ(lookup.state(), LookupState::found);
    EXPECT_EQ(times, 2);
    EXPECT_EQ(dialer.open(), 0U);
    EXPECT_EQ(dialer.calls.back().to.text().view(), "[2001:db8::53]:53");
  };
  attempt([&](Bytes& reply) {
    dialer.calls.back().far->abort();
    reply.clear();
  });
  attempt([&](Bytes& reply) {
    dialer.calls.back().far->close();
    reply.clear();
  });
  attempt([&](Bytes& reply) { reply[0] ^= std::byte{1}; });                  // id
  attempt([&](Bytes& reply) { reply[header_bytes + 1] = std::byte{'X'}; });  // question
  attempt([&](Bytes& reply) { reply[2] |= std::byte{2}; });                  // truncated again
  attempt([&](Bytes& reply) { reply.resize(60'000, std::byte{0xEE}); });     // too long by far
  attempt([&](Bytes& reply) { reply.resize(max_stream_message_bytes + 1); });
  attempt([&](Bytes& reply) { reply.resize(5); });  // no message
}

TEST_F(ServiceResolverStreamTest, MessageOfNoLengthIsAFailure) {
  edit_stream_reply = [&](Bytes& reply) {
    const std::array<std::byte, 2> nothing{};
    dialer.calls.back().far->write(nothing);
    dialer.calls.back().far->flush();
    reply.clear();
  };
  ASSERT_TRUE(resolver.start(lookup, "partner.example").has_value());
  settle();
  EXPECT_EQ(dialer.open(), 0U);
  EXPECT_EQ(resolver.counters().server_failures, 1U);
  resolver.cancel(lookup);
}

TEST_F(ServiceResolverStreamTest, StreamThatNeverOpensIsGivenUp) {
  dialer.connects = false;
  EXPECT_GE(resolve(), 5.0);
  EXPECT_EQ(lookup.error(), LookupError::server_failure);
  EXPECT_EQ(dialer.open(), 0U);
}

TEST_F(ServiceResolverStreamTest, WithoutStreamsTheServerFails) {
  dialer.refuse = true;
  EXPECT_EQ(error_of(), LookupError::server_failure);
}

TEST_F(ServiceResolverStreamTest, QueriesTakeTurnsWithTheStreams) {
  std::vector<std::unique_ptr<ServiceLookup>> lookups;
  for (int i = 0; i < 10; ++i) {
    lookups.push_back(std::make_unique<ServiceLookup>(asker));
    ASSERT_TRUE(resolver.start(*lookups.back(), "partner.example").has_value());
  }
  std::size_t most = 0;
  edit_stream_reply = [&](Bytes&) { most = std::max(most, dialer.open()); };
  settle();
  for (const auto& each : lookups) EXPECT_EQ(each->state(), LookupState::found);
  EXPECT_EQ(most, max_streams);
  EXPECT_EQ(dialer.calls.size(), 10U);
}

// ---- Many, and changing one's mind

TEST_F(ServiceResolverTest, LookupsBeyondThePoolWaitTheirTurn) {
  constexpr int many = 100;
  zone().a("partner.example", "203.0.113.1");
  std::vector<std::unique_ptr<ServiceLookup>> lookups;
  for (int i = 0; i < many; ++i) {
    lookups.push_back(std::make_unique<ServiceLookup>(asker));
    ASSERT_TRUE(resolver.start(*lookups.back(), "partner.example").has_value());
  }
  EXPECT_EQ(resolver.running(), max_running_resolutions);
  EXPECT_EQ(resolver.waiting(), many - max_running_resolutions);
  settle();
  for (const auto& each : lookups) EXPECT_EQ(each->state(), LookupState::found);
  EXPECT_EQ(resolver.running(), 0U);
}

TEST_F(ServiceResolverTest, WaitingForATurnCountsAgainstTheDeadline) {
  zone().habit = Server::Habit::silent;
  std::vector<std::unique_ptr<ServiceLookup>> lookups;
  for (int i = 0; i < 100; ++i) {
    lookups.push_back(std::make_unique<ServiceLookup>(asker));
    ASSERT_TRUE(resolver.start(*lookups.back(), "partner.example").has_value());
  }
  pass(20s);
  for (const auto& each : lookups) EXPECT_EQ(each->error(), LookupError::timed_out);
  EXPECT_EQ(resolver.next_deadline(), never);
}

TEST_F(ServiceResolverTest, CanBeCancelledInAnyState) {
  for (unsigned i = 0; i < 16; ++i) {
    zone().srv(service_of_partner, i, 0, 5269 + i,
               "a-rather-long-name-for-a-host-" + std::to_string(i) + ".hoster.example");
  }
  zone().a("a-rather-long-name-for-a-host-3.hoster.example", "203.0.113.1");
  resolver.cancel(lookup);  // idle
  // Step by step: one more exchange between resolver and servers before each cancel.
  for (int steps = 0; steps < 60; ++steps) {
    ASSERT_TRUE(resolver.start(lookup, "partner.example").has_value());
    asker.woken = 0;
    for (int step = 0; step < steps; ++step) {
      if (!tasks.empty()) {
        tasks.run_ready();
      } else if (!socket.sent.empty()) {
        const auto datagram = socket.sent.front();
        socket.sent.pop_front();
        socket.deliver(datagram.peer, *zone().answer(SeenQuery::parse(datagram.payload), false));
      } else {
        for (std::size_t i = 0; i < dialer.calls.size(); ++i) serve(dialer.calls[i]);
      }
    }
    const bool ended = lookup.state() != LookupState::waiting;
    resolver.cancel(lookup);
    EXPECT_EQ(lookup.state(), LookupState::idle);
    EXPECT_THAT(lookup.endpoints(), IsEmpty());
    EXPECT_EQ(resolver.running(), 0U);
    EXPECT_EQ(resolver.next_deadline(), never);
    EXPECT_EQ(dialer.open(), 0U);
    settle();
    EXPECT_EQ(asker.woken, ended ? 1 : 0);
  }
}

TEST_F(ServiceResolverTest, CancellingGivesItsTurnToTheNext) {
  zone().habit = Server::Habit::silent;
  std::vector<std::unique_ptr<ServiceLookup>> lookups;
  for (std::size_t i = 0; i < max_running_resolutions + 2; ++i) {
    lookups.push_back(std::make_unique<ServiceLookup>(asker));
    ASSERT_TRUE(resolver.start(*lookups.back(), "partner.example").has_value());
  }
  resolver.cancel(*lookups.back());  // waiting
  EXPECT_EQ(resolver.waiting(), 1U);
  resolver.cancel(*lookups.front());  // running
  EXPECT_EQ(resolver.waiting(), 0U);
  EXPECT_EQ(resolver.running(), max_running_resolutions);
  for (const auto& each : lookups) resolver.cancel(*each);
  EXPECT_EQ(resolver.running(), 0U);
}

TEST_F(ServiceResolverTest, NewServersAreAskedFromTheBeginning) {
  zone().habit = Server::Habit::silent;
  ASSERT_TRUE(resolver.start(lookup, "partner.example").has_value());
  settle();
  zone().habit = Server::Habit::answers;
  zone().a("partner.example", "203.0.113.1");
  use_servers(1);
  EXPECT_DOUBLE_EQ(wait(), 0.0);
  EXPECT_EQ(lookup.state(), LookupState::found);
}

TEST_F(ServiceResolverTest, NewServersMakeOldFindingsVoid) {
  zone().srv(service_of_partner, 1, 0, 5269, "old.example");
  zone().srv(service_of_partner, 2, 0, 5269, "second.example");
  zone().a("old.example", "203.0.113.1");
  ASSERT_TRUE(resolver.start(lookup, "partner.example").has_value());
  while (zone().times_asked(RecordType::a) + zone().times_asked(RecordType::aaaa) < 2) {
    tasks.run_ready();
    const auto datagram = socket.sent.front();
    socket.sent.pop_front();
    socket.deliver(datagram.peer, *zone().answer(SeenQuery::parse(datagram.payload), false));
  }
  tasks.run_ready();
  ASSERT_THAT(lookup.endpoints(), SizeIs(1));

  socket.sent.clear();
  zone() = Server();
  zone().a("partner.example", "203.0.113.2");
  use_servers(1);
  wait();
  EXPECT_THAT(endpoints(lookup), ElementsAre("203.0.113.2:5269"));
}

TEST_F(ServiceResolverTest, WithoutServersAnyMoreEveryLookupFails) {
  std::vector<std::unique_ptr<ServiceLookup>> lookups;
  for (std::size_t i = 0; i < max_running_resolutions + 2; ++i) {
    lookups.push_back(std::make_unique<ServiceLookup>(asker));
    ASSERT_TRUE(resolver.start(*lookups.back(), "partner.example").has_value());
  }
  socket.sent.clear();
  use_servers(0);
  for (const auto& each : lookups) EXPECT_EQ(each->error(), LookupError::no_servers);
}

TEST_F(ServiceResolverTest, DestroyingARunningLookupIsOurBug) {
  EXPECT_DEATH(
      {
        ServiceLookup brief(asker);
        static_cast<void>(resolver.start(brief, "partner.example").has_value());
      },
      "assertion failed");
}

}  // namespace
}  // namespace sallyport::net::dns
