// ServiceResolver: finds where an XMPP server of a domain listens (RFC 6120 3.2, RFC 2782).
//
// `_xmpp-server._tcp.<domain>` SRV over UDP with retry, over TCP when truncated; targets in the order of priority and,
// within one, by weighted random choice; each target's A and AAAA; with no SRV record at all, or no answer to that
// question (RFC 6120 3.2.1, 10), A/AAAA of the domain itself on port 5269; a single target "." means that the domain
// offers no such service. Addresses of one target alternate between the families, IPv6 first (RFC 8305 4).
//
// A lookup's result is small and lives in the caller's ServiceLookup; the working memory of a running resolution is a
// pool of the resolver's own, and lookups beyond it wait their turn. Each lookup has one deadline, whatever the servers
// do.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "hal/base/assert.h"
#include "hal/base/fixed_string.h"
#include "hal/base/intrusive_list.h"
#include "hal/base/pool.h"
#include "hal/base/result.h"
#include "hal/base/task_queue.h"
#include "hal/base/time.h"
#include "net/dns/client.h"
#include "net/ip_address.h"

namespace sallyport::net::dns {

inline constexpr std::size_t max_service_endpoints = 16;
inline constexpr std::size_t max_targets = 8;  // SRV targets of a domain whose addresses are asked for
inline constexpr std::size_t max_running_resolutions = 16;
inline constexpr std::uint16_t fallback_port = 5269;  // RFC 6120 3.2.2
inline constexpr Duration lookup_time = 20s;          // from start() to the end, waiting for a turn included
/// Once one family has delivered addresses, how long the other may keep everybody waiting.
inline constexpr Duration straggler_time = 2s;

enum class LookupState : std::uint8_t { idle, waiting, found, failed };

enum class LookupError : std::uint8_t {
  none,
  no_such_domain,  // NXDOMAIN, or neither SRV nor addresses; or no name that DNS could hold
  no_service,      // SRV target "." (RFC 2782)
  no_address,      // SRV targets exist, none has an address of a family this side has
  server_failure,  // SERVFAIL, REFUSED or malformed answers from every server
  timed_out,
  no_servers  // none in the settings
};

std::string_view to_text(LookupError error);  // a clause for operators: "the domain does not exist"

/// One look-up, owned by who asks; must be cancelled or finished before it is destroyed. `owner` is scheduled when it
/// ends.
class ServiceLookup : public ListNode<ServiceLookup> {
 public:
  explicit ServiceLookup(Task& owner) : owner_(owner) {}
  ~ServiceLookup() { SALLYPORT_ASSERT(state_ != LookupState::waiting); }

  LookupState state() const { return state_; }
  LookupError error() const { return error_; }
  /// In the order to try; valid in state found.
  std::span<const Endpoint> endpoints() const { return {endpoints_.data(), count_}; }

 private:
  friend class ServiceResolver;
  Task& owner_;
  LookupState state_ = LookupState::idle;
  LookupError error_ = LookupError::none;
  bool by_service_ = true;  // SRV first; else just this host
  std::uint16_t port_ = fallback_port;
  Instant deadline_ = never;
  FixedString<max_name_text> domain_;
  std::array<Endpoint, max_service_endpoints> endpoints_{};
  std::size_t count_ = 0;
};

struct ResolverSettings {
  std::span<const IpAddress> servers;  // up to max_servers, the first is preferred; copied
  bool v4 = false;                     // families that this side has an address of
  bool v6 = false;
};

/// Owner: firmware/main.cpp, static storage. It is the Task that the socket and the dialled streams schedule.
class ServiceResolver final : public Task {
 public:
  ServiceResolver(TaskQueue& tasks, const hal::MonotonicClock& clock, hal::Random& random, DatagramSocket& socket,
                  StreamDialer& dialer)
      : tasks_(tasks), clock_(clock), random_(random), client_(clock, random, socket, dialer, *this) {}
  ServiceResolver(const ServiceResolver&) = delete;
  ServiceResolver& operator=(const ServiceResolver&) = delete;

  /// At any time; lookups that run begin anew, within the deadline they have.
  void configure(const ResolverSettings& settings);

  /// Looks up the XMPP server-to-server service of `domain` (A-labels). An address literal, IPv6 in brackets or not, is
  /// found at once (RFC 6120 3.2). The error is known at once (no_servers, no_such_domain, no_address) and leaves
  /// `lookup` idle. `lookup` must not be waiting.
  Result<void, LookupError> start(ServiceLookup& lookup, std::string_view domain);
  /// Only A/AAAA of `host`, whatever SRV records there are.
  Result<void, LookupError> start_host(ServiceLookup& lookup, std::string_view host, std::uint16_t port);
  /// Idle afterwards, whatever its state was. The owner is not scheduled.
  void cancel(ServiceLookup& lookup);

  /// Takes what has been received.
  void run() override;
  /// Time-outs: call it every 250 ms, or when next_deadline() has come.
  void poll();
  /// `never` when nothing runs.
  Instant next_deadline();

  std::size_t running() const { return resolutions_.in_use(); }
  std::size_t waiting() const { return waiting_.size(); }
  const ClientCounters& counters() const { return client_.counters(); }

 private:
  struct Target {
    const Name* name = nullptr;  // in the resolution itself
    std::uint16_t port = 0;
  };
  /// The working memory of a lookup that runs.
  struct Resolution {
    explicit Resolution(ServiceLookup& for_whom) : lookup(for_whom) {}
    ServiceLookup& lookup;
    Name domain;
    ServiceQuery service_query;
    std::array<AddressQuery, 2> address_queries;  // AAAA, A
    std::array<Target, max_targets> targets;
    std::size_t target_count = 0;
    std::size_t target = 0;     // whose addresses are being asked for
    bool asks_service = false;  // else addresses
    bool fallback = false;      // the only target is the domain itself, for want of SRV records
    bool heard_no_name = false;
    bool heard_failure = false;  // of any question: "no address" would not be the whole truth
    bool heard_nothing = false;
    Instant give_up_straggler = never;
  };

  Result<void, LookupError> enqueue(ServiceLookup& lookup, std::string_view domain, std::uint16_t port,
                                    bool by_service);
  void start_waiting();
  void begin(Resolution& resolution);
  void advance_all();
  void advance(Resolution& resolution);

  void take_services(Resolution& resolution);
  void ask_addresses_of_domain(Resolution& resolution);
  void ask_addresses(Resolution& resolution);
  bool addresses_pending(Resolution& resolution);
  void take_addresses(Resolution& resolution);

  void note(Resolution& resolution, Outcome outcome);
  void finish(Resolution& resolution);
  LookupError why_nothing(const Resolution& resolution) const;
  void end(ServiceLookup& lookup, LookupError error);
  void abandon(Resolution& resolution);
  void drop_expired();

  TaskQueue& tasks_;
  const hal::MonotonicClock& clock_;
  hal::Random& random_;
  Client client_;
  bool v4_ = false;
  bool v6_ = false;
  IntrusiveList<ServiceLookup> waiting_;
  Pool<Resolution, max_running_resolutions> resolutions_;
};

}  // namespace sallyport::net::dns
