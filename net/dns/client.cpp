#include "net/dns/client.h"

#include <algorithm>

#include "hal/base/assert.h"
#include "hal/base/log.h"

namespace sallyport::net::dns {

namespace {

constexpr char module[] = "net/dns";

/// Datagrams that one receive() looks at; a flood of forged ones shall not hold the loop.
constexpr int max_datagrams_per_run = 32;

}  // namespace

void Client::set_servers(std::span<const IpAddress> servers) {
  SALLYPORT_ASSERT(running_.empty() && servers.size() <= servers_.size());
  std::ranges::copy(servers, servers_.begin());
  server_count_ = servers.size();
  preferred_ = 0;
}

void Client::ask(Query& query, const Name& name, RecordType type) {
  SALLYPORT_ASSERT(!query.running() && server_count_ > 0);
  query.keeper_.clear();
  query.question_ = {.name = name, .type = type};
  query.outcome_ = Outcome::none;
  query.server_ = preferred_;
  query.tries_ = query.servers_tried_ = query.aliases_ = 0;
  query.edns_ = true;
  query.heard_ = false;
  running_.push_back(query);
  send(query);
}

void Client::abandon(Query& query) {
  if (query.running()) finish(query, Outcome::none);
  query.state_ = QueryState::idle;
}

void Client::receive() {
  for (int count = 0;; ++count) {
    if (count == max_datagrams_per_run) break;
    const auto received = socket_.receive(datagram_);
    if (!received) break;
    handle_datagram(received->from, std::span(datagram_).first(received->length));
  }
  for (auto& exchange : exchanges_) {
    if (exchange.stream != nullptr) serve_stream(exchange);
  }
  give_streams();
}

void Client::poll() {
  const Instant now = clock_.now();
  for (Query* query = running_.front(); query != nullptr;) {
    Query* next = running_.after(*query);
    if (query->deadline_ <= now) {
      ++counters_.silences;
      if (query->state_ == QueryState::asked) {
        try_again(*query);
      } else {
        try_next_server(*query);
      }
    }
    query = next;
  }
  give_streams();
}

Instant Client::next_deadline() {
  Instant earliest = never;
  for (Query* query = running_.front(); query != nullptr; query = running_.after(*query)) {
    earliest = std::min(earliest, query->deadline_);
  }
  return earliest;
}

void Client::send(Query& query) {
  query.id_ = static_cast<std::uint16_t>(random_.next_u32());
  query.state_ = QueryState::asked;
  query.deadline_ = clock_.now() + try_time;
  ++query.tries_;
  ++counters_.queries_sent;
  std::array<std::byte, max_query_bytes> message;
  const std::size_t length = write_query(message, query.id_, query.question_, query.edns_);
  // Without a route or a buffer the datagram is as good as lost, and the next try comes as after any loss.
  static_cast<void>(socket_.send({servers_[query.server_], server_port}, std::span(message).first(length)));
}

void Client::try_again(Query& query) {
  if (query.tries_ < tries_per_server) {
    // There are servers, and boxes in front of them, that drop what has an OPT record (RFC 6891 6.2.6).
    query.edns_ = false;
    return send(query);
  }
  if (query.server_ == preferred_ && server_count_ > 1) {
    preferred_ = static_cast<std::uint8_t>((preferred_ + 1) % server_count_);
    log(LogLevel::warning, module, "DNS server %s does not answer, %s is asked first now",
        servers_[query.server_].text().c_str(), servers_[preferred_].text().c_str());
  }
  try_next_server(query);
}

void Client::try_next_server(Query& query) {
  if (Exchange* exchange = exchange_of(query)) close_stream(*exchange);
  if (++query.servers_tried_ >= server_count_) {
    return finish(query, query.heard_ ? Outcome::server_failure : Outcome::timed_out);
  }
  query.server_ = static_cast<std::uint8_t>((query.server_ + 1) % server_count_);
  query.tries_ = 0;
  query.edns_ = true;
  send(query);
}

void Client::finish(Query& query, Outcome outcome) {
  if (Exchange* exchange = exchange_of(query)) close_stream(*exchange);
  running_.remove(query);
  query.state_ = QueryState::done;
  query.outcome_ = outcome;
  query.deadline_ = never;
}

void Client::handle_datagram(const Endpoint& from, std::span<const std::byte> message) {
  if (const auto response = Response::parse(message)) {
    for (Query* query = running_.front(); query != nullptr; query = running_.after(*query)) {
      if (query->state_ == QueryState::asked && query->id_ == response->id() &&
          from == Endpoint{servers_[query->server_], server_port} && query->question_ == response->question()) {
        return handle_response(*query, *response);
      }
    }
  }
  ++counters_.strays;
}

void Client::handle_response(Query& query, const Response& response) {
  ++counters_.responses;
  query.heard_ = true;
  if (response.truncated() && query.state_ == QueryState::asked) {
    query.state_ = QueryState::wants_stream;
    query.deadline_ = clock_.now() + stream_time;
    return;
  }
  const bool no_edns = response.code() == ResponseCode::form_error || response.code() == ResponseCode::not_implemented;
  if (no_edns && query.edns_) {
    if (Exchange* exchange = exchange_of(query)) close_stream(*exchange);
    query.edns_ = false;
    return send(query);
  }
  switch (judge(query, response)) {
    case Verdict::answered: return finish(query, Outcome::answered);
    case Verdict::no_data: return finish(query, Outcome::no_data);
    case Verdict::no_name: return finish(query, Outcome::no_name);
    case Verdict::alias:
      if (Exchange* exchange = exchange_of(query)) close_stream(*exchange);
      query.tries_ = query.servers_tried_ = 0;
      return send(query);
    case Verdict::failed: ++counters_.server_failures; return try_next_server(query);
  }
}

/// What the response says of the query. Keeps the records of the type asked for that belong to the name, or to the name
/// at the end of its CNAME records (RFC 1034 3.6.2), which may stand in any order.
Client::Verdict Client::judge(Query& query, const Response& response) {
  if (response.truncated()) return Verdict::failed;
  if (response.code() == ResponseCode::name_error) return Verdict::no_name;
  if (response.code() != ResponseCode::no_error) return Verdict::failed;

  Name name = query.question_.name;
  unsigned aliases = query.aliases_;
  std::size_t end = 0;
  while (true) {
    query.keeper_.clear();
    bool found = false;
    std::optional<std::size_t> alias_at;
    end = response.records_at();
    for (std::size_t i = 0; i < response.answer_count(); ++i) {
      const auto record = response.read_record(end);
      if (!record) return Verdict::failed;
      if (record->owner != name) continue;
      if (record->is(query.question_.type)) {
        if (!query.keeper_.keep(response, *record)) return Verdict::failed;
        found = true;
      } else if (record->is(RecordType::cname)) {
        alias_at = record->data_at;
      }
    }
    if (found) return Verdict::answered;
    if (!alias_at) break;
    if (++aliases > max_aliases) return Verdict::failed;
    const auto target = response.read_name(*alias_at);
    if (!target) return Verdict::failed;
    name = *target;
  }
  const bool aliased = name != query.question_.name;
  query.question_.name = name;
  query.aliases_ = static_cast<std::uint8_t>(aliases);
  return judge_empty(response, end, aliased);
}

/// No record of the type: RFC 2308 2.2 tells "there is none" (SOA, or nothing, in the authority section) from a
/// referral (NS), which is no answer from a server that was asked to recurse.
Client::Verdict Client::judge_empty(const Response& response, std::size_t authority_at, bool aliased) const {
  bool start_of_authority = false, name_server = false;
  for (std::size_t i = 0; i < response.authority_count(); ++i) {
    const auto record = response.read_record(authority_at);
    if (!record) return Verdict::failed;
    start_of_authority |= record->is(RecordType::soa);
    name_server |= record->is(RecordType::ns);
  }
  if (start_of_authority) return Verdict::no_data;
  if (aliased) return Verdict::alias;
  const bool referral = name_server && !response.authoritative();
  return referral ? Verdict::failed : Verdict::no_data;
}

void Client::give_streams() {
  for (Query* query = running_.front(); query != nullptr;) {
    Query* next = running_.after(*query);
    if (query->state_ == QueryState::wants_stream) {
      const auto free = std::ranges::find(exchanges_, nullptr, &Exchange::stream);
      if (free == exchanges_.end()) return;
      open_stream(*free, *query);
    }
    query = next;
  }
}

void Client::open_stream(Exchange& exchange, Query& query) {
  ByteStream* stream = dialer_.dial({servers_[query.server_], server_port}, owner_);
  if (stream == nullptr) return try_next_server(query);
  ++counters_.stream_exchanges;
  query.state_ = QueryState::on_stream;
  query.deadline_ = clock_.now() + stream_time;
  exchange.stream = stream;
  exchange.query = &query;
  exchange.sent = false;
  exchange.received = 0;
}

void Client::serve_stream(Exchange& exchange) {
  ByteStream& stream = *exchange.stream;
  Query& query = *exchange.query;
  if (stream.state() == ByteStreamState::connecting) return;
  if (!exchange.sent && stream.state() == ByteStreamState::open) send_on_stream(exchange);

  for (auto bytes = stream.peek(); !bytes.empty() && exchange.received < exchange.expected(); bytes = stream.peek()) {
    const std::size_t count = std::min(bytes.size(), exchange.expected() - exchange.received);
    std::ranges::copy(bytes.first(count), exchange.bytes.begin() + static_cast<std::ptrdiff_t>(exchange.received));
    exchange.received += count;
    stream.consume(count);
    if (exchange.expected() > exchange.bytes.size()) break;
  }
  const bool too_long = exchange.expected() > exchange.bytes.size();
  const bool whole = exchange.sent && exchange.received >= 2 && exchange.received == exchange.expected();
  if (whole) {
    const auto response = Response::parse(std::span(exchange.bytes).first(exchange.received).subspan(2));
    if (response && response->id() == query.id_ && response->question() == query.question_) {
      return handle_response(query, *response);
    }
  }
  if (too_long || whole || stream.end_of_stream() || stream.state() == ByteStreamState::closed) {
    ++counters_.server_failures;
    query.heard_ = true;
    try_next_server(query);
  }
}

void Client::send_on_stream(Exchange& exchange) {
  Query& query = *exchange.query;
  std::array<std::byte, 2 + max_query_bytes> message;
  if (exchange.stream->write_room() < message.size()) return;
  query.id_ = static_cast<std::uint16_t>(random_.next_u32());
  const std::size_t length = write_query(std::span(message).subspan<2>(), query.id_, query.question_, query.edns_);
  message[0] = static_cast<std::byte>(length >> 8);
  message[1] = static_cast<std::byte>(length & 0xFF);
  exchange.sent = exchange.stream->write(std::span(message).first(2 + length)) == 2 + length;
  exchange.stream->flush();
  ++counters_.queries_sent;
}

void Client::close_stream(Exchange& exchange) {
  dialer_.hang_up(*exchange.stream);
  exchange.stream = nullptr;
  exchange.query = nullptr;
}

Client::Exchange* Client::exchange_of(const Query& query) {
  const auto found = std::ranges::find(exchanges_, &query, &Exchange::query);
  return found == exchanges_.end() ? nullptr : &*found;
}

/// Bytes of the whole message with its length; 2 while that is not known.
std::size_t Client::Exchange::expected() const {
  if (received < 2) return 2;
  return 2 + (static_cast<std::size_t>(bytes[0]) << 8 | static_cast<std::size_t>(bytes[1]));
}

}  // namespace sallyport::net::dns
