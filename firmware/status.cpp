#include "firmware/status.h"

#include <cinttypes>

#include "firmware/version.h"
#include "hal/base/log.h"

namespace sallyport::firmware {

namespace {

using TimeText = FixedString<47>;

/// "3d 04:05:06", as uptimes are read.
TimeText uptime_text(Duration duration) {
  const std::chrono::hh_mm_ss time(std::chrono::floor<std::chrono::seconds>(duration % std::chrono::days(1)));
  char text[48];
  std::snprintf(text, sizeof text, "%dd %02d:%02d:%02d", static_cast<int>(duration / std::chrono::days(1)),
                static_cast<int>(time.hours().count()), static_cast<int>(time.minutes().count()),
                static_cast<int>(time.seconds().count()));
  return TimeText(std::string_view(text));
}

TimeText civil_text(UnixTime moment) {
  const auto day = std::chrono::floor<std::chrono::days>(moment);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss time(moment - day);
  char text[48];
  std::snprintf(text, sizeof text, "%04d-%02u-%02u %02d:%02d:%02dZ", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                static_cast<int>(time.hours().count()), static_cast<int>(time.minutes().count()),
                static_cast<int>(time.seconds().count()));
  return TimeText(std::string_view(text));
}

std::string_view explain(hal::WallClock::Source source) {
  switch (source) {
    case hal::WallClock::Source::unknown: return "unknown: no certificate can be checked";
    case hal::WallClock::Source::floor: return "from the card: may be late";
    case hal::WallClock::Source::set: return "real-time clock";
  }
  return "";
}

void write_interface(Printer& to, net::InterfaceBody& interface, std::uint16_t port) {
  const hal::EthernetCounters& mac = interface.mac().counters();
  const net::FilterCounters& filter = interface.counters();
  const net::TcpCounters tcp = interface.tcp_counters();
  to.line("%-9.*s link %-5s TCP %-5u %zu connections, %zu half-open", SALLYPORT_SV(interface.name()),
          interface.link_up() ? "up" : "DOWN", port, tcp.connections, tcp.half_open);
  to.line("          frames received %" PRIu64 ", sent %" PRIu64 ", refused by the filter %" PRIu64
          ", ICMP over its rate %" PRIu64,
          mac.received_frames, mac.transmitted_frames, filter.refused, filter.rate_limited);
}

template <net::Side S>
void write_session(Printer& to, const SettingsDirectory& directory, Session<S>& session) {
  const xmpp::StreamBody& stream = session.stream;
  const xmpp::StreamAddresses& addresses = stream.addresses();
  const auto name = [&](xmpp::DomainId id) { return id.valid() ? directory.name(id) : std::string_view("?"); };
  const net::EndpointText remote = session.transport.remote().text();
  const xmpp::StreamCounters& counters = stream.counters();
  const std::string_view stage = xmpp::to_text(stream.stage());
  to.line("%.*s  %.*s %s %.*s  %s", SALLYPORT_SV(S::name), SALLYPORT_SV(name(addresses.local)),
          stream.bidi()                                   ? "<->"
          : stream.role() == xmpp::StreamRole::initiating ? "-->"
                                                          : "<--",
          SALLYPORT_SV(name(addresses.remote)), remote.c_str());
  to.line("          %.*s%s, stanzas in %" PRIu32 ", out %" PRIu32 ", %.*s, arena %zu/%zu", SALLYPORT_SV(stage),
          stream.trunk() ? " trunk" : "", counters.stanzas_received, counters.stanzas_sent,
          SALLYPORT_SV(session.transport.tls_description()), session.arena().high_water(), session.arena().capacity());
}

}  // namespace

bool Status::write_status(std::size_t& cursor, Printer& to) {
  switch (cursor++) {
    case 0: write_system(to); return true;
    case 1: write_network(to); return true;
    case 2: write_streams(to); return true;
    case 3: write_memory(to); return true;
    default: return false;
  }
}

void Status::write_system(Printer& to) {
  const Duration uptime = board_.clock().now().time_since_epoch();
  const auto up = uptime_text(uptime);
  to.line("Sallyport %s on %.*s, up %s", version, SALLYPORT_SV(board_.name()), up.c_str());
  to.line("name      %.*s", SALLYPORT_SV(settings_.system_name.value));
  const auto now = clock_.now();
  const auto civil = now ? civil_text(*now) : TimeText(std::string_view("-"));
  to.line("clock     %s (%.*s)", civil.c_str(), SALLYPORT_SV(explain(clock_.source())));
  to.line("loop      busy %" PRId64 " us of %" PRId64 " us", static_cast<std::int64_t>(load_.busy().count()),
          static_cast<std::int64_t>(uptime.count()));
}

void Status::write_network(Printer& to) {
  if (!border_) {
    to.line("The ports are CLOSED: `show log` says why.");
    return;
  }
  write_interface(to, border_->external(), net::External::listen_port);
  write_interface(to, border_->internal(), net::Internal::listen_port);
}

void Status::write_streams(Printer& to) {
  if (!border_) return;
  const RelayCounters& relay = border_->relay().counters();
  to.line("streams   external %zu of %zu (most %zu), internal %zu of %zu (most %zu)",
          border_->external_sessions().in_use(), ExternalSessions::capacity(),
          border_->external_sessions().high_water(), border_->internal_sessions().in_use(),
          InternalSessions::capacity(), border_->internal_sessions().high_water());
  to.line("stanzas   inwards %" PRIu64 ", outwards %" PRIu64, relay.inwards, relay.outwards);
  to.line("          answered with an error %" PRIu64 ", unanswerable %" PRIu64 ", sent again %" PRIu64
          ", held back %" PRIu64 " times",
          relay.answered, relay.unanswered, relay.repeated, relay.held_back);
}

void Status::write_memory(Printer& to) {
  if (!border_) return;
  const xmpp::ChunkPool& external = border_->external_chunks();
  const xmpp::ChunkPool& internal = border_->internal_chunks();
  to.line("chunks    external %zu of %zu free (least %zu), internal %zu of %zu free (least %zu)", external.available(),
          external.capacity(), external.low_water(), internal.available(), internal.capacity(), internal.low_water());
  to.line("routes    %zu of %zu", border_->relay().routes_in_use(), limits::routes);
}

bool Status::write_sessions(std::size_t& cursor, Printer& to) {
  if (!border_) {
    if (cursor++ != 0) return false;
    to.line("The ports are CLOSED: `show log` says why.");
    return true;
  }
  InternalSessions& internal = border_->internal_sessions();
  ExternalSessions& external = border_->external_sessions();
  while (cursor < internal.capacity() + external.capacity()) {
    const std::size_t index = cursor++;
    if (index < internal.capacity()) {
      if (auto* session = internal.at(index)) return write_session(to, directory_, *session), true;
    } else if (auto* session = external.at(index - internal.capacity())) {
      return write_session(to, directory_, *session), true;
    }
  }
  if (cursor++ > internal.capacity() + external.capacity()) return false;
  to.line("%zu internal, %zu external", internal.in_use(), external.in_use());
  return true;
}

}  // namespace sallyport::firmware
