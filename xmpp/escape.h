// Escaping of text for XML content and attribute values.
#pragma once

#include <string_view>

namespace sallyport::xmpp {

/// Calls `write(std::string_view)` with the pieces of `text`, markup characters replaced by the predefined entities.
template <class Write>
void escape(std::string_view text, Write write) {
  while (!text.empty()) {
    const std::size_t plain = text.find_first_of("&<>'\"");
    if (plain != 0) write(text.substr(0, plain));
    if (plain == std::string_view::npos) return;
    switch (text[plain]) {
      case '&': write("&amp;"); break;
      case '<': write("&lt;"); break;
      case '>': write("&gt;"); break;
      case '\'': write("&apos;"); break;
      default: write("&quot;"); break;
    }
    text.remove_prefix(plain + 1);
  }
}

}  // namespace sallyport::xmpp
