// ServiceResolver: finds where an XMPP server of a domain listens (RFC 6120 3.2, RFC 2782).
//
// `_xmpp-server._tcp.<domain>` SRV over UDP with retry, over TCP when truncated; targets in the order of priority and, within
// one, by weighted random choice; each target's A and AAAA; with no SRV record at all, A/AAAA of the domain itself on port
// 5269; a single target "." means that the domain offers no such service.
//
// A lookup's result is small and lives in the caller's ServiceLookup; the working memory of a running resolution is a pool of
// the resolver's own, and lookups beyond it wait their turn. Each lookup has one deadline, whatever the servers do.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "hal/base/fixed_string.h"
#include "hal/base/intrusive_list.h"
#include "hal/base/task_queue.h"
#include "hal/base/time.h"
#include "net/ip_address.h"

namespace sallyport::net::dns {

inline constexpr std::size_t max_service_endpoints = 16;

enum class LookupState : std::uint8_t { idle, waiting, found, failed };

enum class LookupError : std::uint8_t {
  none,
  no_such_domain,   // NXDOMAIN, or neither SRV nor addresses
  no_service,       // SRV target "." (RFC 2782)
  no_address,       // SRV targets exist, none has an address of a family this side has
  server_failure,   // SERVFAIL, REFUSED or malformed answers from every server
  timed_out,
  no_servers        // none in the settings
};

std::string_view to_text(LookupError error);

/// One look-up, owned by who asks; must be cancelled or finished before it is destroyed. `owner` is scheduled when it ends.
class ServiceLookup : public ListNode<ServiceLookup> {
 public:
  explicit ServiceLookup(Task& owner) : owner_(owner) {}

  LookupState state() const { return state_; }
  LookupError error() const { return error_; }
  /// In the order to try; valid in state found.
  std::span<const Endpoint> endpoints() const { return {endpoints_.data(), count_}; }

 private:
  friend class ServiceResolver;
  Task& owner_;
  LookupState state_ = LookupState::idle;
  LookupError error_ = LookupError::none;
  FixedString<253> domain_;
  std::array<Endpoint, max_service_endpoints> endpoints_{};
  std::size_t count_ = 0;
};
