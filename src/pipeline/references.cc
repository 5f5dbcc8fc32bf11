// See references.h.
#include "pipeline/references.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"

namespace sluice {
namespace {

// A password is secret, whoever declares it.
bool IsSecret(const SpecFacts& facts, const std::string& key) {
  const auto field = std::find_if(facts.fields.begin(), facts.fields.end(),
                                  [&](const FieldFacts& f) { return f.name == key; });
  return key == "password" || (field != facts.fields.end() && field->secret);
}

Status OpenScalars(Node& node, const std::string& key, Secrets& secrets) {
  for (Node& item : node.list) TRY(OpenScalars(item, key, secrets));
  for (auto& [name, value] : node.map) TRY(OpenScalars(value, name.scalar, secrets));
  if (!node.IsScalar()) return Ok();
  const auto reference = ReadReference(node.scalar);
  if (!reference) return Ok();
  if (reference->kind == ReferenceKind::kSecret) {
    return ConfigError(node.mark,
                       fmt::format("'{}' is shown in plans and messages, and '{}' is a secret; "
                                   "env: and file: are valid here",
                                   key, EscapeControl(node.scalar)));
  }
  node.scalar = std::string(TRY(secrets.Open(node.scalar, node.mark)).Open());
  node.quoted = true;
  return Ok();
}

void Collect(const Node& node, std::vector<Written>& found) {
  if (node.IsScalar() && ReadReference(node.scalar))
    found.push_back({node.scalar, node.mark, node.quoted});
  for (const Node& item : node.list) Collect(item, found);
  for (const auto& [key, value] : node.map) Collect(value, found);
}

}  // namespace

Status OpenPlainReferences(Project& project, const Connectors& connectors, Secrets& secrets) {
  for (auto& [name, connection] : project.connections) {
    const Connector* connector = Find(connectors, connection.type);
    if (connector == nullptr) continue;  // whoever uses it tells
    for (auto& [key, value] : connection.node.map) {
      if (!IsSecret(connector->connection, key.scalar))
        TRY(OpenScalars(value, key.scalar, secrets));
    }
  }
  return Ok();
}

std::vector<Written> ReferencesOf(const Project& project) {
  std::vector<Written> found;
  for (const auto& [name, connection] : project.connections) Collect(connection.node, found);
  return found;
}

}  // namespace sluice
