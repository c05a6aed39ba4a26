// Query: one question that is being asked, and what came of it. The two kinds keep what they need of the answer.
//
// Owner: whoever asks; static storage or a pool. Not movable. While a query runs it is linked into its Client, which
// must abandon() it before it is destroyed.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "hal/base/intrusive_list.h"
#include "hal/base/time.h"
#include "net/dns/message.h"
#include "net/dns/service_record.h"
#include "net/ip_address.h"

namespace sallyport::net::dns {

enum class QueryState : std::uint8_t {
  idle,
  asked,         // over UDP, waiting for the response
  wants_stream,  // the response was truncated; waiting for a free stream
  on_stream,     // asked again over TCP
  done           // see outcome()
};

enum class Outcome : std::uint8_t {
  none,
  answered,        // at least one record of the type
  no_data,         // the name exists, without a record of the type
  no_name,         // NXDOMAIN
  server_failure,  // SERVFAIL, REFUSED, referral, malformed: from every server that answered
  timed_out        // no server answered
};

/// What becomes of an answer's records.
class AnswerKeeper {
 public:
  /// Forgets what was kept.
  virtual void clear() = 0;
  /// A record of the answer, of the type asked for. Malformed when its data is.
  virtual Result<void, Malformed> keep(const Response& response, const Record& record) = 0;

 protected:
  ~AnswerKeeper() = default;
};

class Query : public ListNode<Query> {
 public:
  QueryState state() const { return state_; }
  bool running() const { return state_ != QueryState::idle && state_ != QueryState::done; }
  Outcome outcome() const { return outcome_; }

 protected:
  explicit Query(AnswerKeeper& keeper) : keeper_(keeper) {}
  ~Query() = default;

 private:
  friend class Client;
  AnswerKeeper& keeper_;
  Question question_;  // the name moves on along CNAME records
  Instant deadline_ = never;
  QueryState state_ = QueryState::idle;
  Outcome outcome_ = Outcome::none;
  std::uint16_t id_ = 0;
  std::uint8_t server_ = 0;         // which one is being asked
  std::uint8_t tries_ = 0;          // of this server
  std::uint8_t servers_tried_ = 0;  // that failed
  std::uint8_t aliases_ = 0;        // CNAME records followed
  bool edns_ = true;
  bool heard_ = false;  // some server answered, if only with a failure
};

/// A or AAAA. Addresses that no partner can have (unspecified, loopback, multicast, link-local) are left out.
class AddressQuery final : public Query, private AnswerKeeper {
 public:
  AddressQuery() : Query(static_cast<AnswerKeeper&>(*this)) {}

  static constexpr std::size_t max_addresses = 8;
  std::span<const IpAddress> addresses() const { return {addresses_.data(), count_}; }

 private:
  void clear() override { count_ = 0; }
  Result<void, Malformed> keep(const Response& response, const Record& record) override;

  std::array<IpAddress, max_addresses> addresses_{};
  std::size_t count_ = 0;
};

/// SRV. Of more than `max_services` records those of the best priorities are kept.
class ServiceQuery final : public Query, private AnswerKeeper {
 public:
  ServiceQuery() : Query(static_cast<AnswerKeeper&>(*this)) {}

  static constexpr std::size_t max_services = 16;
  std::span<ServiceRecord> services() { return {services_.data(), count_}; }

 private:
  void clear() override { count_ = 0; }
  Result<void, Malformed> keep(const Response& response, const Record& record) override;

  std::array<ServiceRecord, max_services> services_{};
  std::size_t count_ = 0;
};

}  // namespace sallyport::net::dns
