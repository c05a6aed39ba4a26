#include "xmpp/start_tag.h"

namespace sallyport::xmpp {

namespace {

constexpr std::string_view space = " \t\r\n";

}  // namespace

RawStartTag::RawStartTag(std::string_view tag) {
  const std::size_t name_end = tag.find_first_of(" \t\r\n/>");
  name_ = tag.substr(1, name_end - 1);
  rest_ = tag.substr(name_end);
}

std::optional<RawAttribute> RawStartTag::next() {
  const std::size_t begin = rest_.find_first_not_of(space);
  if (begin == std::string_view::npos || rest_[begin] == '/' || rest_[begin] == '>') return std::nullopt;
  const std::size_t value_begin = rest_.find_first_of("'\"", begin) + 1;
  const char quote = rest_[value_begin - 1];
  const std::size_t value_end = rest_.find(quote, value_begin);

  RawAttribute attribute;
  attribute.whole = rest_.substr(begin, value_end + 1 - begin);
  attribute.name = attribute.whole.substr(0, attribute.whole.find_first_of("= \t\r\n"));
  attribute.value = rest_.substr(value_begin, value_end - value_begin);
  attribute.quote = quote;
  rest_ = rest_.substr(value_end + 1);
  return attribute;
}

}  // namespace sallyport::xmpp
