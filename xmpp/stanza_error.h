// Stanza errors, RFC 6120 8.3.3: the condition fixes the error's type as the RFC recommends.
#pragma once

#include <cstdint>
#include <string_view>

#include "hal/base/fixed_string.h"

namespace sallyport::xmpp {

enum class StanzaErrorCondition : std::uint8_t {
  bad_request,
  conflict,
  feature_not_implemented,
  forbidden,
  gone,
  internal_server_error,
  item_not_found,
  jid_malformed,
  not_acceptable,
  not_allowed,
  not_authorized,
  policy_violation,
  recipient_unavailable,
  redirect,
  registration_required,
  remote_server_not_found,
  remote_server_timeout,
  resource_constraint,
  service_unavailable,
  subscription_required,
  undefined_condition,
  unexpected_request
};

std::string_view to_text(StanzaErrorCondition condition);            // "remote-server-not-found"
std::string_view stanza_error_type(StanzaErrorCondition condition);  // "cancel", "wait", "auth", "modify"

struct StanzaError {
  StanzaErrorCondition condition = StanzaErrorCondition::undefined_condition;
  FixedString<120> text;

  explicit StanzaError(StanzaErrorCondition c, std::string_view t = {}) : condition(c), text(t) {}
};

}  // namespace sallyport::xmpp
