// DNS messages (RFC 1035 4): writing a query, reading a response. Nothing in a response is believed before it was
// checked against the bytes that are there: a Response hands out records one by one and says malformed at the first
// lie.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "hal/base/result.h"
#include "net/dns/name.h"

namespace sallyport::net::dns {

enum class RecordType : std::uint16_t {
  a = 1,      // RFC 1035 3.4.1
  ns = 2,     // RFC 1035 3.3.11
  cname = 5,  // RFC 1035 3.3.1
  soa = 6,    // RFC 1035 3.3.13
  aaaa = 28,  // RFC 3596 2.1
  srv = 33,   // RFC 2782
  opt = 41    // RFC 6891
};

enum class ResponseCode : std::uint8_t {
  no_error = 0,
  form_error = 1,
  server_failure = 2,
  name_error = 3,
  not_implemented = 4,
  refused = 5
};

/// What we say in EDNS0 that we take over UDP: the size that no path fragments (DNS flag day 2020, RFC 9715).
inline constexpr std::size_t max_datagram_bytes = 1232;
/// Longest response over TCP that is looked at. Sixteen SRV records of the longest names fit.
inline constexpr std::size_t max_stream_message_bytes = 4096;
inline constexpr std::size_t header_bytes = 12;
/// Header, the longest question, and an OPT record.
inline constexpr std::size_t max_query_bytes = header_bytes + max_name_bytes + 4 + 11;

struct Question {
  Name name;
  RecordType type = RecordType::a;
  friend bool operator==(const Question&, const Question&) = default;
};

/// A query with RD set, and with an OPT record (RFC 6891) when `edns`. Bytes written.
std::size_t write_query(std::span<std::byte, max_query_bytes> into, std::uint16_t id, const Question& question,
                        bool edns);

struct Malformed {};

/// A resource record of class IN, or another class' (then `type` says nothing).
struct Record {
  Name owner;
  std::uint16_t type = 0;
  bool internet = false;    // class IN
  std::size_t data_at = 0;  // in the message
  std::size_t data_bytes = 0;
  bool is(RecordType wanted) const { return internet && type == static_cast<std::uint16_t>(wanted); }
};

/// A view of one received message; the bytes must outlive it.
class Response {
 public:
  /// nullopt: shorter than a header, a query, another opcode, or not exactly one whole question of class IN.
  static std::optional<Response> parse(std::span<const std::byte> message);

  std::uint16_t id() const;
  ResponseCode code() const;
  bool authoritative() const;
  bool truncated() const;
  bool recursion_available() const;
  const Question& question() const { return question_; }
  std::size_t answer_count() const;
  std::size_t authority_count() const;
  std::span<const std::byte> bytes() const { return message_; }

  /// Where the first record begins; read_record() moves it on.
  std::size_t records_at() const { return records_at_; }
  Result<Record, Malformed> read_record(std::size_t& at) const;
  /// The name at `at`, which moves behind it (RFC 1035 4.1.4). A pointer leads strictly towards the beginning of the
  /// message, so a loop cannot be written.
  Result<Name, Malformed> read_name(std::size_t& at) const;

 private:
  explicit Response(std::span<const std::byte> message) : message_(message) {}
  Result<std::uint16_t, Malformed> read_u16(std::size_t& at) const;
  std::uint16_t header_word(std::size_t index) const;

  std::span<const std::byte> message_;
  std::size_t records_at_ = header_bytes;
  Question question_;
};

}  // namespace sallyport::net::dns
