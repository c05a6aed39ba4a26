// Stream errors, RFC 6120 4.9.3, by their defined names.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "hal/base/fixed_string.h"

namespace sallyport::xmpp {

enum class StreamErrorCondition : std::uint8_t {
  bad_format,
  bad_namespace_prefix,
  conflict,
  connection_timeout,
  host_gone,
  host_unknown,
  improper_addressing,
  internal_server_error,
  invalid_from,
  invalid_namespace,
  invalid_xml,
  not_authorized,
  not_well_formed,
  policy_violation,
  remote_connection_failed,
  reset,
  resource_constraint,
  restricted_xml,
  see_other_host,
  system_shutdown,
  undefined_condition,
  unsupported_encoding,
  unsupported_feature,
  unsupported_stanza_type,
  unsupported_version
};

/// "host-unknown"
std::string_view to_text(StreamErrorCondition condition);
std::optional<StreamErrorCondition> parse_stream_error_condition(std::string_view name);

struct StreamError {
  StreamErrorCondition condition = StreamErrorCondition::undefined_condition;
  FixedString<120> text;  // for <text xml:lang='en'/>; no markup characters needed, escaped when written

  StreamError() = default;
  explicit StreamError(StreamErrorCondition c, std::string_view t = {}) : condition(c), text(t) {}
};

}  // namespace sallyport::xmpp
