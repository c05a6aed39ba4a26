#include "firmware/border.h"

#include <algorithm>

#include "hal/base/log.h"

namespace sallyport::firmware {

using net::External;
using net::Internal;

namespace {

template <class T>
std::optional<T> value_of(const Located<T>& located) {
  return located.is_set() ? std::optional(located.value) : std::nullopt;
}

net::InterfaceSettings interface_settings(const SideSettings& side) {
  const std::size_t v4 = index_of(net::IpFamily::v4), v6 = index_of(net::IpFamily::v6);
  return {.v4 = value_of(side.address[v4]),
          .v6 = value_of(side.address[v6]),
          .gateway_v4 = value_of(side.gateway[v4]),
          .gateway_v6 = value_of(side.gateway[v6])};
}

}  // namespace

net::ByteStream* DnsDialer::dial(const net::Endpoint& to, Task& owner) {
  Connection* connection = pool_.acquire(interface_, tasks_, owner);
  if (connection == nullptr) return nullptr;
  if (!connection->connect(to)) {
    pool_.release(*connection);
    return nullptr;
  }
  return connection;
}

void DnsDialer::hang_up(net::ByteStream& stream) { pool_.release(static_cast<Connection&>(stream)); }

Border::Border(const Services& services)
    : clock_(services.board.clock()),
      settings_(services.settings),
      stack_(services.board.clock(), services.random, services.tasks),
      external_(stack_, services.board.external_mac()),
      internal_(stack_, services.board.internal_mac()),
      dns_socket_(external_, services.tasks, resolver_),
      dns_dialer_(external_, services.tasks),
      resolver_(services.tasks, services.board.clock(), services.random, dns_socket_, dns_dialer_),
      external_policy_(services.directory, services.credentials),
      internal_policy_(services.settings, services.directory, services.credentials),
      external_streams_{services.tasks,   services.board.clock(), services.random,
                        external_chunks_, external_policy_,       limits::stream_output_queue_bytes,
                        &external_spare_},
      internal_streams_{services.tasks,   services.board.clock(), services.random,
                        internal_chunks_, internal_policy_,       limits::stream_output_queue_bytes,
                        &internal_spare_},
      external_sessions_({external_, services.tasks, services.tls, relay_, external_streams_}),
      internal_sessions_({internal_, services.tasks, services.tls, relay_, internal_streams_}),
      relay_({services.tasks, services.board.clock(), services.directory, resolver_, external_sessions_,
              internal_sessions_, external_answers_, internal_answers_, services.settings.gateway_wait.value}),
      s2s_listener_(external_, external_sessions_),
      gateway_listener_(internal_, internal_sessions_) {}

bool Border::open() {
  stack_.init();
  external_.bring_up(interface_settings(settings_.external));
  internal_.bring_up(interface_settings(settings_.internal));

  std::array<net::IpAddress, max_dns_servers> servers;
  std::size_t count = 0;
  for (const auto& server : settings_.external.dns) servers[count++] = server.value;
  resolver_.configure({.servers = std::span(servers).first(count),
                       .v4 = settings_.external.address[index_of(net::IpFamily::v4)].is_set(),
                       .v6 = settings_.external.address[index_of(net::IpFamily::v6)].is_set()});

  return s2s_listener_.open() && gateway_listener_.open();
}

bool Border::poll_network() {
  stack_.poll(clock_.now());
  const bool more_external = external_.poll(limits::frames_per_turn);
  const bool more_internal = internal_.poll(limits::frames_per_turn);
  return more_external || more_internal;
}

void Border::tick() {
  external_sessions_.poll();
  internal_sessions_.poll();
  resolver_.poll();
  relay_.poll();
}

Instant Border::next_deadline() { return std::min(stack_.next_deadline(), resolver_.next_deadline()); }

}  // namespace sallyport::firmware
