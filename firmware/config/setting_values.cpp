#include <algorithm>
#include <charconv>

#include "firmware/config/address_rules.h"
#include "firmware/config/parse_context.h"
#include "hal/base/assert.h"
#include "xmpp/jid.h"

namespace sallyport::firmware {
namespace {

using Kind = ValueKind;

bool refuse(ParseContext& context, const char* why) {
  context.mistakes.add(context.line, "\"%s\": %s; allowed: %.*s", Quoted(context.word).c_str(), why,
                       SALLYPORT_SV(describe(context.entry->value).allowed));
  return false;
}

bool parse_prefix(ParseContext& context) {
  const auto prefix = net::IpPrefix::parse(context.word);
  if (!prefix) return refuse(context, "not an address with a prefix length");
  if (prefix->length == 0) return refuse(context, "a prefix length of 0 would be the whole internet");
  if (const char* why = why_no_host(prefix->address)) return refuse(context, why);
  if (prefix->address.is_link_local()) return refuse(context, "a link-local address cannot be set");
  if (is_network_or_broadcast(*prefix))
    return refuse(context, "this is the network's or its broadcast address, not a host's");
  context.prefix = *prefix;
  return true;
}

bool parse_address(ParseContext& context) {
  const auto address = net::IpAddress::parse(context.word);
  if (!address) return refuse(context, "not an address");
  if (const char* why = why_no_host(*address)) return refuse(context, why);
  context.address = *address;
  return true;
}

bool parse_domain(ParseContext& context) {
  const auto domain = normalise_domain(context, context.word);
  if (!domain) return refuse(context, "not a domain name");
  context.text = *domain;
  return true;
}

bool parse_file(ParseContext& context) {
  context.file = {context.word, {}, context.line};
  const auto file = context.image.find(context.word);
  if (!file) return refuse(context, "no such file on the card");
  context.file.pem = file->content;
  if (context.entry->value == Kind::certificate_file) {
    if (file->content.find("-----BEGIN CERTIFICATE-----") != std::string_view::npos) return true;
    return refuse(context, "there is no certificate in the file");
  }
  if (file->content.find("-----BEGIN ENCRYPTED PRIVATE KEY-----") != std::string_view::npos ||
      file->content.find("Proc-Type: 4,ENCRYPTED") != std::string_view::npos)
    return refuse(context, "the key is encrypted, and nobody is there to type its passphrase");
  if (file->content.find("PRIVATE KEY-----") != std::string_view::npos) return true;
  return refuse(context, "there is no private key in the file");
}

bool parse_text(ParseContext& context) {
  if (context.word.size() > max_description_bytes) return refuse(context, "too long");
  context.text = context.word;
  return true;
}

bool parse_seconds(ParseContext& context) {
  const char* end = context.word.data() + context.word.size();
  const auto [stop, error] = std::from_chars(context.word.data(), end, context.number);
  if (error != std::errc{} || stop != end) return refuse(context, "not a number");
  const std::chrono::seconds value(context.number);
  if (value < min_gateway_wait || value > max_gateway_wait) return refuse(context, "out of range");
  return true;
}

bool parse_level(ParseContext& context) {
  constexpr std::array<std::pair<std::string_view, LogLevel>, 5> levels{{{"error", LogLevel::error},
                                                                         {"warning", LogLevel::warning},
                                                                         {"notice", LogLevel::notice},
                                                                         {"info", LogLevel::info},
                                                                         {"debug", LogLevel::debug}}};
  const auto found =
      std::find_if(levels.begin(), levels.end(), [&](const auto& level) { return level.first == context.word; });
  if (found == levels.end()) return refuse(context, "not a level");
  context.level = found->second;
  return true;
}

}  // namespace

std::optional<std::string_view> normalise_domain(ParseContext& context, std::string_view word) {
  const auto domain = xmpp::Domain::parse(word);
  // Names are looked up in the DNS and compared with certificates: an address literal is neither.
  if (!domain || word.starts_with('[') || net::IpAddress::parse(domain->view())) return std::nullopt;
  const auto text = context.image.text();
  const auto offset = static_cast<std::size_t>(word.data() - text.data());
  const std::string_view normal = domain->view();
  SALLYPORT_ASSERT(normal.size() <= word.size() && offset + normal.size() <= text.size());
  std::copy(normal.begin(), normal.end(), text.begin() + static_cast<std::ptrdiff_t>(offset));
  return std::string_view(text.data() + offset, normal.size());
}

bool parse_value(ParseContext& context) {
  switch (context.entry->value) {
    case Kind::none: return true;
    case Kind::domain: return parse_domain(context);
    case Kind::prefix: return parse_prefix(context);
    case Kind::address: return parse_address(context);
    case Kind::certificate_file:
    case Kind::key_file: return parse_file(context);
    case Kind::text: return parse_text(context);
    case Kind::seconds: return parse_seconds(context);
    case Kind::log_level: return parse_level(context);
  }
  return false;
}

}  // namespace sallyport::firmware
