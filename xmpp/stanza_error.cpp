#include "xmpp/stanza_error.h"

#include <array>

namespace sallyport::xmpp {

namespace {

struct Row {
  std::string_view name;
  std::string_view type;
};

// In the order of StanzaErrorCondition; the types are those that RFC 6120 8.3.3 gives (where it leaves a choice, the
// one that makes no client try again by itself).
constexpr std::array<Row, 22> rows = {{{"bad-request", "modify"},
                                       {"conflict", "cancel"},
                                       {"feature-not-implemented", "cancel"},
                                       {"forbidden", "auth"},
                                       {"gone", "cancel"},
                                       {"internal-server-error", "cancel"},
                                       {"item-not-found", "cancel"},
                                       {"jid-malformed", "modify"},
                                       {"not-acceptable", "modify"},
                                       {"not-allowed", "cancel"},
                                       {"not-authorized", "auth"},
                                       {"policy-violation", "modify"},
                                       {"recipient-unavailable", "wait"},
                                       {"redirect", "modify"},
                                       {"registration-required", "auth"},
                                       {"remote-server-not-found", "cancel"},
                                       {"remote-server-timeout", "wait"},
                                       {"resource-constraint", "wait"},
                                       {"service-unavailable", "cancel"},
                                       {"subscription-required", "auth"},
                                       {"undefined-condition", "cancel"},
                                       {"unexpected-request", "wait"}}};
static_assert(rows.size() == static_cast<std::size_t>(StanzaErrorCondition::unexpected_request) + 1);

}  // namespace

std::string_view to_text(StanzaErrorCondition condition) { return rows[static_cast<std::size_t>(condition)].name; }

std::string_view stanza_error_type(StanzaErrorCondition condition) {
  return rows[static_cast<std::size_t>(condition)].type;
}

}  // namespace sallyport::xmpp
