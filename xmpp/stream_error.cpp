#include "xmpp/stream_error.h"

#include <array>

namespace sallyport::xmpp {

namespace {

// In the order of StreamErrorCondition, which is the RFC's.
constexpr std::array<std::string_view, 25> names = {"bad-format",
                                                    "bad-namespace-prefix",
                                                    "conflict",
                                                    "connection-timeout",
                                                    "host-gone",
                                                    "host-unknown",
                                                    "improper-addressing",
                                                    "internal-server-error",
                                                    "invalid-from",
                                                    "invalid-namespace",
                                                    "invalid-xml",
                                                    "not-authorized",
                                                    "not-well-formed",
                                                    "policy-violation",
                                                    "remote-connection-failed",
                                                    "reset",
                                                    "resource-constraint",
                                                    "restricted-xml",
                                                    "see-other-host",
                                                    "system-shutdown",
                                                    "undefined-condition",
                                                    "unsupported-encoding",
                                                    "unsupported-feature",
                                                    "unsupported-stanza-type",
                                                    "unsupported-version"};
static_assert(names.size() == static_cast<std::size_t>(StreamErrorCondition::unsupported_version) + 1);

}  // namespace

std::string_view to_text(StreamErrorCondition condition) { return names[static_cast<std::size_t>(condition)]; }

std::optional<StreamErrorCondition> parse_stream_error_condition(std::string_view name) {
  for (std::size_t i = 0; i < names.size(); ++i)
    if (names[i] == name) return static_cast<StreamErrorCondition>(i);
  return std::nullopt;
}

}  // namespace sallyport::xmpp
