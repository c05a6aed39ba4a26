#include "firmware/config/settings_checks.h"

#include <algorithm>
#include <cinttypes>

#include "firmware/config/address_rules.h"

namespace sallyport::firmware {
namespace {

using net::IpAddress;
using net::IpFamily;
using net::IpPrefix;

constexpr std::array<IpFamily, 2> families{IpFamily::v4, IpFamily::v6};

const char* to_text(IpFamily family) { return family == IpFamily::v4 ? "IPv4" : "IPv6"; }

bool overlap(const IpPrefix& left, const IpPrefix& right) {
  return left.contains(right.address) || right.contains(left.address);
}

class SideCheck {
 public:
  SideCheck(const char* name, const SideSettings& side, const char* other_name, const SideSettings& other,
            MistakeList& mistakes)
      : name_(name), side_(side), other_name_(other_name), other_(other), mistakes_(mistakes) {}

  void run() {
    for (const IpFamily family : families) check_gateway(family);
    for (const auto& server : side_.dns) check_dns(server);
  }

 private:
  void check_gateway(IpFamily family) {
    const auto& gateway = side_.gateway[index_of(family)];
    const auto& address = side_.address[index_of(family)];
    if (!gateway.is_set()) return;
    const net::IpText text = gateway.value.text();
    if (!address.is_set()) {
      mistakes_.add(gateway.line, "\"%s\": the %s side has no %s address; set one (set %s address ADDRESS/LENGTH)",
                    text.c_str(), name_, to_text(family), name_);
    } else if (gateway.value == address.value.address) {
      mistakes_.add(gateway.line, "\"%s\": this is the appliance's own address of line %" PRIu32 ", not its gateway's",
                    text.c_str(), address.line);
    } else if (address.value.contains(gateway.value) &&
               is_network_or_broadcast({gateway.value, address.value.length})) {
      mistakes_.add(gateway.line,
                    "\"%s\": this is the address of the network of line %" PRIu32 " or its broadcast, no host's",
                    text.c_str(), address.line);
    } else if (!address.value.contains(gateway.value) && !is_link_local_v6(gateway.value)) {
      mistakes_.add(gateway.line, "\"%s\": outside the network %s/%u of line %" PRIu32 "; a gateway is a neighbour",
                    text.c_str(), address.value.address.text().c_str(), unsigned{address.value.length}, address.line);
    }
  }

  // IPv6 routers are often named by their link-local address (RFC 4861 6.1.2); the side says on which link.
  static bool is_link_local_v6(const IpAddress& address) {
    return address.family() == IpFamily::v6 && address.is_link_local();
  }

  void check_dns(const Located<IpAddress>& server) {
    const IpFamily family = server.value.family();
    const auto& address = side_.address[index_of(family)];
    const auto& other_address = other_.address[index_of(family)];
    const net::IpText text = server.value.text();
    if (!address.is_set()) {
      mistakes_.add(server.line, "\"%s\": the %s side has no %s address to ask it from", text.c_str(), name_,
                    to_text(family));
    } else if (other_address.is_set() && other_address.value.contains(server.value)) {
      mistakes_.add(server.line, "\"%s\": lies in the %s network (line %" PRIu32 "), which the %s side never reaches",
                    text.c_str(), other_name_, other_address.line, name_);
    } else if (!address.value.contains(server.value) && !side_.gateway[index_of(family)].is_set()) {
      mistakes_.add(server.line, "\"%s\": outside the %s network, and there is no gateway (set %s gateway ADDRESS)",
                    text.c_str(), name_, name_);
    }
  }

  const char* name_;
  const SideSettings& side_;
  const char* other_name_;
  const SideSettings& other_;
  MistakeList& mistakes_;
};

void check_sides_apart(const Settings& settings, MistakeList& mistakes) {
  for (const IpFamily family : families) {
    const auto& external = settings.external.address[index_of(family)];
    const auto& internal = settings.internal.address[index_of(family)];
    if (!external.is_set() || !internal.is_set() || !overlap(external.value, internal.value)) continue;
    const auto& earlier = external.line < internal.line ? external : internal;
    const auto& later = external.line < internal.line ? internal : external;
    mistakes.add(later.line, "\"%s/%u\": overlaps the other side's network of line %" PRIu32 "; the two must be apart",
                 later.value.address.text().c_str(), unsigned{later.value.length}, earlier.line);
  }
}

}  // namespace

void check_networks(const Settings& settings, MistakeList& mistakes) {
  SideCheck("external", settings.external, "internal", settings.internal, mistakes).run();
  SideCheck("internal", settings.internal, "external", settings.external, mistakes).run();
  check_sides_apart(settings, mistakes);
}

void check_partners(const Settings& settings, MistakeList& mistakes) {
  for (const Partner& partner : settings.partners) {
    if (!partner.trust.empty()) continue;
    mistakes.add(partner.line,
                 "\"%.*s\": nothing says which CAs to trust for this partner; set partner %.*s trust FILE.pem",
                 static_cast<int>(std::min<std::size_t>(partner.domain.size(), 60)), partner.domain.data(),
                 static_cast<int>(std::min<std::size_t>(partner.domain.size(), 60)), partner.domain.data());
  }
}

}  // namespace sallyport::firmware
