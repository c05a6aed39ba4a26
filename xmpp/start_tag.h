// RawStartTag: the bytes of a start tag as received, split into its attributes. expat gives values with references
// resolved and no quotes; this gives what stood there. Only for tags that expat has found well-formed.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace sallyport::xmpp {

struct RawAttribute {
  std::string_view whole;  // name, '=', quotes and value
  std::string_view name;
  std::string_view value;  // still escaped, without quotes
  char quote = '\'';
};

class RawStartTag {
 public:
  /// `tag` from '<' to '>'.
  explicit RawStartTag(std::string_view tag);

  std::string_view name() const { return name_; }
  /// The next attribute, in order of appearance.
  std::optional<RawAttribute> next();

 private:
  std::string_view name_;
  std::string_view rest_;
};

}  // namespace sallyport::xmpp
