#include "xmpp/inherited_declarations.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <utility>

#include "hal/base/assert.h"

namespace sallyport::xmpp {

namespace {

constexpr std::string_view declaration_prefix = "xmlns:";
constexpr std::string_view language_attribute = "xml:lang";

}  // namespace

std::string_view InheritedDeclarations::Declaration::prefix() const {
  return prefix_bytes == 0 ? std::string_view() : attribute().substr(declaration_prefix.size(), prefix_bytes);
}

bool InheritedDeclarations::add(std::string_view attribute) {
  SALLYPORT_ASSERT(attribute.size() <= UINT16_MAX);
  void* memory = arena_.allocate(sizeof(Declaration) + attribute.size());
  if (memory == nullptr) return false;
  auto* declaration = std::construct_at(static_cast<Declaration*>(memory));
  std::memcpy(static_cast<void*>(declaration + 1), attribute.data(), attribute.size());
  declaration->attribute_bytes = static_cast<std::uint16_t>(attribute.size());
  declaration->language = attribute.starts_with(language_attribute);
  if (attribute.starts_with(declaration_prefix)) {
    const std::size_t name_end = std::min(attribute.find_first_of("= \t\r\n"), attribute.size());
    declaration->prefix_bytes = static_cast<std::uint16_t>(name_end - declaration_prefix.size());
  }
  Declaration** end = &first_;
  while (*end != nullptr) end = &(*end)->next;
  *end = declaration;
  bytes_ += attribute.size();
  return true;
}

void InheritedDeclarations::clear() {
  while (first_ != nullptr) arena_.release(std::exchange(first_, first_->next));
  bytes_ = 0;
}

void InheritedDeclarations::begin_stanza() {
  for (Declaration* declaration = first_; declaration != nullptr; declaration = declaration->next) {
    declaration->redeclared = 0;
    declaration->used = declaration->in_start_tag = false;
  }
}

void InheritedDeclarations::redeclare(std::string_view prefix) {
  if (Declaration* declaration = find(prefix)) ++declaration->redeclared;
}

void InheritedDeclarations::end_redeclaration(std::string_view prefix) {
  Declaration* declaration = find(prefix);
  if (declaration != nullptr && declaration->redeclared > 0) --declaration->redeclared;
}

void InheritedDeclarations::use(std::string_view prefix) {
  Declaration* declaration = find(prefix);
  if (declaration != nullptr && declaration->redeclared == 0) declaration->used = true;
}

void InheritedDeclarations::use_language() {
  for (Declaration* declaration = first_; declaration != nullptr; declaration = declaration->next)
    if (declaration->language) declaration->used = true;
}

void InheritedDeclarations::end_of_start_tag() {
  for (Declaration* declaration = first_; declaration != nullptr; declaration = declaration->next)
    declaration->in_start_tag = declaration->used;
}

std::size_t InheritedDeclarations::used_bytes(Part part) const {
  std::size_t bytes = 0;
  for (const Declaration* declaration = first_; declaration != nullptr; declaration = declaration->next)
    if (declaration->used_in(part)) bytes += 1 + declaration->attribute_bytes;
  return bytes;
}

InheritedDeclarations::Declaration* InheritedDeclarations::find(std::string_view prefix) {
  for (Declaration* declaration = first_; declaration != nullptr; declaration = declaration->next)
    if (!declaration->language && declaration->prefix() == prefix) return declaration;
  return nullptr;
}

}  // namespace sallyport::xmpp
