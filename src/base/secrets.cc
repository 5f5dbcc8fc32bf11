// The words before the colon, and nothing else, make a value a reference.
#include "base/secrets.h"

#include "base/text.h"

namespace sluice {

std::optional<Reference> ReadReference(std::string_view text) {
  constexpr std::pair<std::string_view, ReferenceKind> kKinds[] = {
      {"secret:", ReferenceKind::kSecret},
      {"env:", ReferenceKind::kEnvironment},
      {"file:", ReferenceKind::kFile}};
  for (const auto& [prefix, kind] : kKinds) {
    if (StartsWith(text, prefix)) return Reference{kind, std::string(text.substr(prefix.size()))};
  }
  return std::nullopt;
}

}  // namespace sluice
