#include "firmware/config/parse_context.h"

#include <cinttypes>

#include "hal/base/assert.h"

namespace sallyport::firmware {
namespace {

void say_set_before(ParseContext& context, std::uint32_t line) {
  context.mistakes.add(context.line, "\"%s\": already set in line %" PRIu32 "; remove one of the two",
                       Quoted(context.word).c_str(), line);
}

void say_full(ParseContext& context, std::size_t capacity) {
  context.mistakes.add(context.line, "\"%s\": too many; %zu are allowed", Quoted(context.word).c_str(), capacity);
}

template <class T>
void set_once(ParseContext& context, Located<T>& place, const T& value) {
  if (place.is_set()) return say_set_before(context, place.line);
  place = {value, context.line};
}

void set_once(ParseContext& context, FileReference& place) {
  if (place.is_set()) return say_set_before(context, place.line);
  place = context.file;
}

template <class T, std::size_t N>
void add_to(ParseContext& context, BoundedList<Located<T>, N>& list, const T& value) {
  for (const auto& item : list)
    if (item.value == value) return say_set_before(context, item.line);
  if (!list.push({value, context.line})) say_full(context, N);
}

template <std::size_t N>
void add_file(ParseContext& context, BoundedList<FileReference, N>& list) {
  for (const auto& item : list)
    if (item.name == context.file.name) return say_set_before(context, item.line);
  if (!list.push(context.file)) say_full(context, N);
}

std::string_view to_text(xmpp::DomainKind kind) {
  switch (kind) {
    case xmpp::DomainKind::local: return "a local domain";
    case xmpp::DomainKind::partner: return "a partner";
    case xmpp::DomainKind::edge: return "the system name";
  }
  return "";
}

/// False when the domain already has a part to play; the mistake says which.
bool claim_domain(ParseContext& context, std::string_view name, xmpp::DomainKind kind, std::size_t index) {
  DomainTable& domains = context.settings.domains;
  if (const DomainEntry* taken = domains.entry(domains.find(name)); taken != nullptr) {
    context.mistakes.add(context.line, "\"%s\": is already %.*s (line %" PRIu32 "); a domain has one part only",
                         Quoted(name).c_str(), SALLYPORT_SV(to_text(taken->kind)), taken->line);
    return false;
  }
  // Each kind's own list has a bound, and the table has room for all of them.
  const xmpp::DomainId id = domains.insert({name, kind, static_cast<std::uint16_t>(index), context.line});
  SALLYPORT_ASSERT(id.valid());
  return true;
}

void apply_system_name(ParseContext& context) {
  auto& name = context.settings.system_name;
  if (name.is_set()) return say_set_before(context, name.line);
  if (claim_domain(context, context.text, xmpp::DomainKind::edge, 0)) name = {context.text, context.line};
}

void apply_local_domain(ParseContext& context) {
  auto& list = context.settings.local_domains;
  if (list.full()) return say_full(context, list.capacity());
  if (!claim_domain(context, context.text, xmpp::DomainKind::local, list.size())) return;
  static_cast<void>(list.push({context.text, context.line}));
}

/// The partner that the line is about, new when it is the first line about it. nullptr: the mistake is said.
Partner* subject_partner(ParseContext& context) {
  auto& partners = context.settings.partners;
  const DomainTable& domains = context.settings.domains;
  const DomainEntry* known = domains.entry(domains.find(context.subject));
  if (known != nullptr && known->kind == xmpp::DomainKind::partner) return &partners[known->index];
  if (partners.full()) {
    context.mistakes.add(context.line, "\"%s\": too many partners; %zu are allowed", Quoted(context.subject).c_str(),
                         partners.capacity());
    return nullptr;
  }
  if (!claim_domain(context, context.subject, xmpp::DomainKind::partner, partners.size())) return nullptr;
  Partner partner;
  partner.domain = context.subject;
  partner.line = context.line;
  static_cast<void>(partners.push(partner));
  return &partners[partners.size() - 1];
}

void apply_partner_trust(ParseContext& context) {
  if (Partner* partner = subject_partner(context)) add_file(context, partner->trust);
}

void apply_partner_description(ParseContext& context) {
  if (Partner* partner = subject_partner(context)) set_once(context, partner->description, context.text);
}

template <SideSettings& (*side)(Settings&)>
struct Side {
  static void address(ParseContext& context) {
    set_once(context, side(context.settings).address[index_of(context.prefix.address.family())], context.prefix);
  }
  static void gateway(ParseContext& context) {
    set_once(context, side(context.settings).gateway[index_of(context.address.family())], context.address);
  }
  static void dns(ParseContext& context) { add_to(context, side(context.settings).dns, context.address); }
  static void certificate(ParseContext& context) { set_once(context, side(context.settings).certificate); }
  static void key(ParseContext& context) { set_once(context, side(context.settings).key); }
};

SideSettings& external_side(Settings& settings) { return settings.external; }
SideSettings& internal_side(Settings& settings) { return settings.internal; }
using External = Side<external_side>;
using Internal = Side<internal_side>;

using Kind = ValueKind;

constexpr std::array setting_entries{
    SettingEntry{
        "system name", Kind::domain, "once", true, "",
        "The appliance's own name, as its certificates carry it; gateways in trunk mode open their stream to it.",
        apply_system_name},
    SettingEntry{"external address", Kind::prefix, "once per family", true, "",
                 "Address and network of the interface towards the internet; partners reach it on TCP port 5269.",
                 External::address},
    SettingEntry{"external gateway", Kind::address, "once per family", false, "",
                 "The router to the internet: a neighbour in the external network, or a link-local IPv6 address.",
                 External::gateway},
    SettingEntry{"external dns", Kind::address, "up to 3 times", true, "",
                 "DNS server that finds the partners' servers; asked in the order of the lines.", External::dns},
    SettingEntry{"external certificate", Kind::certificate_file, "once", true, "",
                 "Certificate shown to partners, then its intermediate CAs: it carries every local domain in its "
                 "subjectAltName.",
                 External::certificate},
    SettingEntry{"external key", Kind::key_file, "once", true, "", "Private key of the external certificate.",
                 External::key},
    SettingEntry{"internal address", Kind::prefix, "once per family", true, "",
                 "Address and network of the interface towards the organisation; gateways reach it on TCP port 23456.",
                 Internal::address},
    SettingEntry{"internal gateway", Kind::address, "once per family", false, "",
                 "The router towards the gateways, when they are not in the internal network itself.",
                 Internal::gateway},
    SettingEntry{"internal dns", Kind::address, "up to 3 times", false, "", "DNS server of the organisation.",
                 Internal::dns},
    SettingEntry{"internal certificate", Kind::certificate_file, "once", true, "",
                 "Certificate shown to gateways, then its intermediate CAs: it carries the system name.",
                 Internal::certificate},
    SettingEntry{"internal key", Kind::key_file, "once", true, "", "Private key of the internal certificate.",
                 Internal::key},
    SettingEntry{"internal trust", Kind::certificate_file, "up to 4 times", true, "",
                 "CA certificates that a gateway's certificate must lead to.",
                 [](ParseContext& context) { add_file(context, context.settings.internal.trust); }},
    SettingEntry{"internal admit", Kind::domain, "up to 16 times", true, "",
                 "A name that a gateway's certificate must carry to be let in; one of them is enough.",
                 [](ParseContext& context) { add_to(context, context.settings.internal.admit, context.text); }},
    SettingEntry{"local-domain", Kind::domain, "up to 16 times", true, "",
                 "An XMPP domain of the organisation: what partners write to.", apply_local_domain},
    SettingEntry{"partner <domain>", Kind::none, "up to 1000 partners", false, "",
                 "A domain to federate with. Partners that are not named are refused.",
                 [](ParseContext& context) { static_cast<void>(subject_partner(context)); }},
    SettingEntry{"partner <domain> trust", Kind::certificate_file, "up to 4 times per partner", true, "",
                 "CA certificates that this partner's certificate must lead to.", apply_partner_trust},
    SettingEntry{"partner <domain> description", Kind::text, "once per partner", false, "",
                 "A note for people; the appliance only shows it.", apply_partner_description},
    SettingEntry{"relay gateway-wait", Kind::seconds, "once", false, "30",
                 "How long a stanza from a partner waits for a gateway's stream before it is answered with an error.",
                 [](ParseContext& context) {
                   set_once(context, context.settings.gateway_wait, std::chrono::seconds(context.number));
                 }},
    SettingEntry{"log level", Kind::log_level, "once", false, "info",
                 "The least important events that are still logged.",
                 [](ParseContext& context) { set_once(context, context.settings.log_level, context.level); }},
};

static_assert(setting_entries.size() <= max_setting_entries);

constexpr std::array<ValueDescription, 9> value_descriptions{{
    {"", ""},
    {"DOMAIN", "a domain name such as corp.example; an internationalised one in its xn-- form"},
    {"ADDRESS/LENGTH", "an address with its prefix length, such as 203.0.113.10/24 or 2001:db8::10/64"},
    {"ADDRESS", "an IPv4 or IPv6 address, such as 203.0.113.1 or 2001:db8::1"},
    {"FILE.pem", "a file with certificates in PEM form, beside settings.conf when the card is made"},
    {"FILE.pem", "a file with a private key in PEM form, not encrypted, beside settings.conf when the card is made"},
    {"TEXT", "up to 120 bytes; in double quotes when it has blanks"},
    {"SECONDS", "a whole number from 1 to 600"},
    {"LEVEL", "error, warning, notice, info or debug"},
}};

}  // namespace

std::span<const SettingEntry> setting_table() { return setting_entries; }

const ValueDescription& describe(ValueKind kind) { return value_descriptions[static_cast<std::size_t>(kind)]; }

}  // namespace sallyport::firmware
