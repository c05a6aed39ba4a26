// InheritedDeclarations: what a stanza takes from the peer's stream header without carrying it itself: namespace
// declarations and xml:lang (RFC 6120 4.7.4, 4.8). Under our own stream header these mean something else, so the ones
// that a stanza uses are written into its start tag. Declarations that our header makes as well (jabber:server as
// default, prefix `stream`) are never added here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "hal/base/arena.h"

namespace sallyport::xmpp {

class InheritedDeclarations {
 public:
  /// The declarations' text is kept in `arena`.
  explicit InheritedDeclarations(Arena& arena) : arena_(arena) {}
  ~InheritedDeclarations() { clear(); }
  InheritedDeclarations(const InheritedDeclarations&) = delete;
  InheritedDeclarations& operator=(const InheritedDeclarations&) = delete;

  /// `attribute` as it stands in the header: "xmlns:p='uri'", "xmlns='uri'" or "xml:lang='en'". False: no memory.
  [[nodiscard]] bool add(std::string_view attribute);
  void clear();
  bool empty() const { return first_ == nullptr; }
  std::size_t bytes() const { return bytes_; }  // of all attributes

  /// Before each stanza.
  void begin_stanza();
  /// An element declares `prefix` anew; until end_redeclaration() it is not inherited.
  void redeclare(std::string_view prefix);
  void end_redeclaration(std::string_view prefix);
  /// An element's or attribute's name has this prefix (empty: the default namespace, elements only).
  void use(std::string_view prefix);
  /// The stanza's start tag has no xml:lang.
  void use_language();

  /// The start tag has been looked at: what was used so far stands in front of what only inner elements use, so that
  /// the order does not depend on how the bytes arrived.
  void end_of_start_tag();

  enum class Part : std::uint8_t { start_tag, inner };
  /// Bytes that for_each_used() gives.
  std::size_t used_bytes(Part part) const;
  /// Calls `write(std::string_view)` with " xmlns:p='uri'" for each declaration that this part of the stanza used
  /// first.
  template <class Write>
  void for_each_used(Part part, Write write) const {
    for (const Declaration* declaration = first_; declaration != nullptr; declaration = declaration->next) {
      if (!declaration->used_in(part)) continue;
      write(std::string_view(" "));
      write(declaration->attribute());
    }
  }

 private:
  struct Declaration {  // its attribute's text lies behind it
    Declaration* next = nullptr;
    std::uint16_t attribute_bytes = 0;
    std::uint16_t prefix_bytes = 0;
    std::uint16_t redeclared = 0;  // open elements that declare the prefix anew
    bool language = false;
    bool used = false;
    bool in_start_tag = false;

    bool used_in(Part part) const { return used && in_start_tag == (part == Part::start_tag); }
    std::string_view attribute() const { return {reinterpret_cast<const char*>(this + 1), attribute_bytes}; }
    std::string_view prefix() const;
  };

  Declaration* find(std::string_view prefix);

  Arena& arena_;
  Declaration* first_ = nullptr;
  std::size_t bytes_ = 0;
};

}  // namespace sallyport::xmpp
