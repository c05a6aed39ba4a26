// Client: puts questions to the servers of the settings until one of them gives a definite answer.
//
// A server is asked twice over UDP, 1.5 s apart, then the next one; a truncated response is asked for again over TCP.
// Each try has a fresh random id and, by the socket, a fresh random port (RFC 5452 9.2); a response counts only when it
// comes from the server asked and repeats id and question. A server that stayed silent is asked last from then on.
// Nothing is cached. Works with recursive servers and, following CNAME records itself, with authoritative ones.
//
// Owner: ServiceResolver. It never calls back: after receive() and poll() the owner looks at its queries.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "hal/base/intrusive_list.h"
#include "hal/base/task_queue.h"
#include "hal/clock.h"
#include "hal/random.h"
#include "net/byte_stream.h"
#include "net/datagram_socket.h"
#include "net/dns/query.h"
#include "net/stream_dialer.h"

namespace sallyport::net::dns {

inline constexpr std::size_t max_servers = 3;
inline constexpr std::uint16_t server_port = 53;
inline constexpr Duration try_time = 1500ms;  // one UDP try
inline constexpr Duration stream_time = 5s;   // waiting for a stream; and one exchange over it
inline constexpr unsigned tries_per_server = 2;
inline constexpr unsigned max_aliases = 8;     // CNAME records on the way to an answer
inline constexpr std::size_t max_streams = 2;  // TCP exchanges at a time

struct ClientCounters {
  std::uint32_t queries_sent = 0;      // UDP and TCP, every try
  std::uint32_t responses = 0;         // that belonged to a query
  std::uint32_t strays = 0;            // datagrams that belonged to none: late, or forged
  std::uint32_t server_failures = 0;   // SERVFAIL, REFUSED, referrals, malformed
  std::uint32_t silences = 0;          // tries without response
  std::uint32_t stream_exchanges = 0;  // truncated responses asked for again over TCP
};

class Client {
 public:
  /// `owner` is scheduled by the socket and the streams when there is something to receive().
  Client(const hal::MonotonicClock& clock, hal::Random& random, DatagramSocket& socket, StreamDialer& dialer,
         Task& owner)
      : clock_(clock), random_(random), socket_(socket), dialer_(dialer), owner_(owner) {}
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  /// Up to max_servers, the first is preferred. Queries that run must have been abandoned.
  void set_servers(std::span<const IpAddress> servers);
  std::size_t server_count() const { return server_count_; }

  /// Needs a server. The query must not be running.
  void ask(Query& query, const Name& name, RecordType type);
  /// The query is idle afterwards, whatever its state was.
  void abandon(Query& query);

  void receive();
  void poll();
  /// When poll() is due; `never` when nothing runs.
  Instant next_deadline();
  const ClientCounters& counters() const { return counters_; }

 private:
  /// One truncated response being asked for over TCP (RFC 7766): a message has its length in two bytes in front.
  struct Exchange {
    ByteStream* stream = nullptr;  // nullptr: free
    Query* query = nullptr;
    bool sent = false;
    std::size_t received = 0;
    std::array<std::byte, 2 + max_stream_message_bytes> bytes;
    std::size_t expected() const;
  };
  enum class Verdict : std::uint8_t { answered, no_data, no_name, alias, failed };

  void send(Query& query);
  void try_again(Query& query);
  void try_next_server(Query& query);
  void finish(Query& query, Outcome outcome);

  void handle_datagram(const Endpoint& from, std::span<const std::byte> message);
  void handle_response(Query& query, const Response& response);
  Verdict judge(Query& query, const Response& response);
  Verdict judge_empty(const Response& response, std::size_t authority_at, bool aliased) const;

  void give_streams();
  void open_stream(Exchange& exchange, Query& query);
  void serve_stream(Exchange& exchange);
  void send_on_stream(Exchange& exchange);
  void close_stream(Exchange& exchange);
  Exchange* exchange_of(const Query& query);

  const hal::MonotonicClock& clock_;
  hal::Random& random_;
  DatagramSocket& socket_;
  StreamDialer& dialer_;
  Task& owner_;
  std::array<IpAddress, max_servers> servers_{};
  std::size_t server_count_ = 0;
  std::uint8_t preferred_ = 0;
  IntrusiveList<Query> running_;
  std::array<Exchange, max_streams> exchanges_{};
  std::array<std::byte, max_datagram_bytes> datagram_;
  ClientCounters counters_;
};

}  // namespace sallyport::net::dns
