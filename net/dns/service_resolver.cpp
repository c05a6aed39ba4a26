#include "net/dns/service_resolver.h"

#include <algorithm>
#include <optional>

namespace sallyport::net::dns {

namespace {

constexpr std::string_view service_prefix = "_xmpp-server._tcp.";  // RFC 6120 14.8

/// The name of the domain's service; nullopt when the domain is so long that it cannot have one.
std::optional<Name> service_name(std::string_view domain) {
  FixedString<service_prefix.size() + max_name_text> text(service_prefix);
  static_cast<void>(text.append(domain));
  return Name::from_text(text);
}

/// RFC 6120 2.1 through RFC 7622 3.2: a domainpart may be an IPv4 address or a bracketed IPv6 address.
std::optional<IpAddress> parse_literal(std::string_view domain) {
  if (domain.starts_with('[') && domain.ends_with(']')) domain = domain.substr(1, domain.size() - 2);
  return IpAddress::parse(domain);
}

}  // namespace

std::string_view to_text(LookupError error) {
  switch (error) {
    case LookupError::none: return "no error";
    case LookupError::no_such_domain: return "the domain does not exist or has no server";
    case LookupError::no_service: return "the domain says that it offers no XMPP service";
    case LookupError::no_address: return "its servers have no address that can be reached from here";
    case LookupError::server_failure: return "the DNS servers could not answer";
    case LookupError::timed_out: return "the DNS servers did not answer in time";
    case LookupError::no_servers: return "no DNS server is set";
  }
  return "unknown";
}

void ServiceResolver::configure(const ResolverSettings& settings) {
  std::array<ServiceLookup*, max_running_resolutions> interrupted{};
  std::size_t count = 0;
  resolutions_.for_each([&](Resolution& resolution) {
    interrupted[count++] = &resolution.lookup;
    abandon(resolution);
  });
  client_.set_servers(settings.servers);
  v4_ = settings.v4;
  v6_ = settings.v6;
  if (client_.server_count() > 0 && (v4_ || v6_)) {
    for (ServiceLookup* lookup : std::span(interrupted).first(count)) begin(*resolutions_.acquire(*lookup));
    return start_waiting();
  }
  const LookupError error = client_.server_count() == 0 ? LookupError::no_servers : LookupError::no_address;
  for (ServiceLookup* lookup : std::span(interrupted).first(count)) end(*lookup, error);
  while (ServiceLookup* lookup = waiting_.pop_front()) end(*lookup, error);
}

Result<void, LookupError> ServiceResolver::start(ServiceLookup& lookup, std::string_view domain) {
  return enqueue(lookup, domain, fallback_port, true);
}

Result<void, LookupError> ServiceResolver::start_host(ServiceLookup& lookup, std::string_view host,
                                                      std::uint16_t port) {
  return enqueue(lookup, host, port, false);
}

void ServiceResolver::cancel(ServiceLookup& lookup) {
  if (lookup.state_ == LookupState::waiting) {
    if (lookup.linked()) {
      waiting_.remove(lookup);
    } else {
      resolutions_.for_each([&](Resolution& resolution) {
        if (&resolution.lookup == &lookup) abandon(resolution);
      });
    }
  }
  lookup.state_ = LookupState::idle;
  lookup.error_ = LookupError::none;
  lookup.count_ = 0;
  start_waiting();
}

void ServiceResolver::run() {
  client_.receive();
  advance_all();
}

void ServiceResolver::poll() {
  drop_expired();
  client_.poll();
  advance_all();
}

Instant ServiceResolver::next_deadline() {
  Instant earliest = client_.next_deadline();
  if (const ServiceLookup* lookup = waiting_.front()) earliest = std::min(earliest, lookup->deadline_);
  resolutions_.for_each([&](Resolution& resolution) {
    earliest = std::min({earliest, resolution.lookup.deadline_, resolution.give_up_straggler});
  });
  return earliest;
}

Result<void, LookupError> ServiceResolver::enqueue(ServiceLookup& lookup, std::string_view domain, std::uint16_t port,
                                                   bool by_service) {
  SALLYPORT_ASSERT(lookup.state_ != LookupState::waiting);
  lookup.state_ = LookupState::idle;
  lookup.error_ = LookupError::none;
  lookup.count_ = 0;
  if (const auto literal = parse_literal(domain)) {
    if (literal->family() == IpFamily::v4 ? !v4_ : !v6_) return unexpected(LookupError::no_address);
    lookup.endpoints_[lookup.count_++] = {*literal, port};
    end(lookup, LookupError::none);
    return {};
  }
  if (client_.server_count() == 0) return unexpected(LookupError::no_servers);
  if (!Name::from_text(domain)) return unexpected(LookupError::no_such_domain);
  if (!v4_ && !v6_) return unexpected(LookupError::no_address);

  if (domain.ends_with('.')) domain.remove_suffix(1);
  static_cast<void>(lookup.domain_.assign(domain));  // fits: it is a Name
  lookup.port_ = port;
  lookup.by_service_ = by_service;
  lookup.deadline_ = clock_.now() + lookup_time;
  lookup.state_ = LookupState::waiting;
  waiting_.push_back(lookup);
  start_waiting();
  return {};
}

void ServiceResolver::start_waiting() {
  while (ServiceLookup* lookup = waiting_.front()) {
    Resolution* resolution = resolutions_.acquire(*lookup);
    if (resolution == nullptr) return;
    waiting_.remove(*lookup);
    begin(*resolution);
  }
}

void ServiceResolver::begin(Resolution& resolution) {
  resolution.lookup.count_ = 0;
  if (resolution.lookup.by_service_) {
    if (const auto name = service_name(resolution.lookup.domain_)) {
      resolution.asks_service = true;
      return client_.ask(resolution.service_query, *name, RecordType::srv);
    }
    resolution.fallback = true;
  }
  ask_addresses_of_domain(resolution);
}

void ServiceResolver::advance_all() {
  resolutions_.for_each([this](Resolution& resolution) { advance(resolution); });
  start_waiting();
}

/// Goes on as far as the answers that are there allow. The resolution may be gone afterwards.
void ServiceResolver::advance(Resolution& resolution) {
  if (resolution.asks_service) {
    if (!resolution.service_query.running()) take_services(resolution);
  } else if (!addresses_pending(resolution)) {
    take_addresses(resolution);
  }
}

void ServiceResolver::take_services(Resolution& resolution) {
  resolution.asks_service = false;
  if (resolution.service_query.outcome() != Outcome::answered) {
    note(resolution, resolution.service_query.outcome());
    resolution.fallback = true;
    return ask_addresses_of_domain(resolution);
  }
  const auto services = resolution.service_query.services();
  order_services(services, random_);
  bool offered = false;
  for (const ServiceRecord& service : services) {
    offered |= !service.target.is_root();
    if (service.target.is_root() || service.port == 0 || resolution.target_count == max_targets) continue;
    resolution.targets[resolution.target_count++] = {&service.target, service.port};
  }
  if (!offered) {
    ServiceLookup& lookup = resolution.lookup;
    abandon(resolution);
    return end(lookup, LookupError::no_service);
  }
  if (resolution.target_count == 0) return finish(resolution);
  ask_addresses(resolution);
}

void ServiceResolver::ask_addresses_of_domain(Resolution& resolution) {
  resolution.domain = *Name::from_text(resolution.lookup.domain_);
  resolution.targets[0] = {&resolution.domain, resolution.lookup.port_};
  resolution.target_count = 1;
  ask_addresses(resolution);
}

void ServiceResolver::ask_addresses(Resolution& resolution) {
  const Name& name = *resolution.targets[resolution.target].name;
  resolution.give_up_straggler = never;
  if (v6_) client_.ask(resolution.address_queries[0], name, RecordType::aaaa);
  if (v4_) client_.ask(resolution.address_queries[1], name, RecordType::a);
}

bool ServiceResolver::addresses_pending(Resolution& resolution) {
  auto& queries = resolution.address_queries;
  const bool pending = queries[0].running() || queries[1].running();
  const auto delivered = [](const AddressQuery& query) {
    return query.outcome() == Outcome::answered && !query.addresses().empty();
  };
  const bool some = delivered(queries[0]) || delivered(queries[1]);
  if (!pending || !some) return pending;
  if (resolution.give_up_straggler == never) resolution.give_up_straggler = clock_.now() + straggler_time;
  return clock_.now() < resolution.give_up_straggler;
}

void ServiceResolver::take_addresses(Resolution& resolution) {
  ServiceLookup& lookup = resolution.lookup;
  const std::size_t room = max_service_endpoints - lookup.count_;
  // An even share, so that the first target's many addresses do not push the others out.
  const std::size_t share = std::max<std::size_t>(room / (resolution.target_count - resolution.target), 1);
  const std::size_t end_of_share = lookup.count_ + std::min(share, room);
  const std::uint16_t port = resolution.targets[resolution.target].port;
  auto& queries = resolution.address_queries;
  for (std::size_t i = 0; i < AddressQuery::max_addresses; ++i) {
    for (const AddressQuery& query : queries) {
      if (query.outcome() != Outcome::answered || i >= query.addresses().size()) continue;
      const Endpoint endpoint{query.addresses()[i], port};
      const bool known = std::ranges::find(lookup.endpoints(), endpoint) != lookup.endpoints().end();
      if (!known && lookup.count_ < end_of_share) lookup.endpoints_[lookup.count_++] = endpoint;
    }
  }
  for (AddressQuery& query : queries) {
    note(resolution, query.running() ? Outcome::timed_out : query.outcome());
    client_.abandon(query);
  }
  if (++resolution.target == resolution.target_count || lookup.count_ == max_service_endpoints) {
    return finish(resolution);
  }
  ask_addresses(resolution);
}

void ServiceResolver::note(Resolution& resolution, Outcome outcome) {
  resolution.heard_no_name |= outcome == Outcome::no_name;
  resolution.heard_failure |= outcome == Outcome::server_failure;
  resolution.heard_nothing |= outcome == Outcome::timed_out;
}

void ServiceResolver::finish(Resolution& resolution) {
  ServiceLookup& lookup = resolution.lookup;
  const LookupError error = lookup.count_ > 0 ? LookupError::none : why_nothing(resolution);
  abandon(resolution);
  end(lookup, error);
}

LookupError ServiceResolver::why_nothing(const Resolution& resolution) const {
  if (resolution.heard_nothing) return LookupError::timed_out;
  if (resolution.heard_failure) return LookupError::server_failure;
  if (resolution.fallback) return LookupError::no_such_domain;
  const bool just_a_host = !resolution.lookup.by_service_;
  return just_a_host && resolution.heard_no_name ? LookupError::no_such_domain : LookupError::no_address;
}

void ServiceResolver::end(ServiceLookup& lookup, LookupError error) {
  lookup.state_ = error == LookupError::none ? LookupState::found : LookupState::failed;
  lookup.error_ = error;
  tasks_.schedule(lookup.owner_);
}

/// Gives the working memory back; the lookup's state is the caller's business.
void ServiceResolver::abandon(Resolution& resolution) {
  client_.abandon(resolution.service_query);
  for (AddressQuery& query : resolution.address_queries) client_.abandon(query);
  resolutions_.release(resolution);
}

void ServiceResolver::drop_expired() {
  const Instant now = clock_.now();
  resolutions_.for_each([&](Resolution& resolution) {
    ServiceLookup& lookup = resolution.lookup;
    if (lookup.deadline_ > now) return;
    abandon(resolution);
    // What the targets asked so far have is better than nothing.
    end(lookup, lookup.count_ > 0 ? LookupError::none : LookupError::timed_out);
  });
  while (ServiceLookup* lookup = waiting_.front()) {
    if (lookup->deadline_ > now) break;
    waiting_.remove(*lookup);
    end(*lookup, LookupError::timed_out);
  }
}

}  // namespace sallyport::net::dns
