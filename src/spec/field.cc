// Which key is which field. The invariant: a key that is not read is an error, so nothing a user
// wrote is ignored.
#include "spec/field.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <set>

#include "base/text.h"

namespace sluice {
namespace {

std::vector<std::string> KnownKeys(const SpecFacts& facts) {
  std::vector<std::string> known;
  for (const FieldFacts& field : facts.fields) {
    if (field.comes_with.empty()) known.push_back(field.name);
  }
  return known;
}

size_t IndexOf(const SpecFacts& facts, std::string_view name) {
  for (size_t i = 0; i < facts.fields.size(); ++i) {
    if (facts.fields[i].name == name) return i;
  }
  return facts.fields.size();
}

bool LooksLikeName(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return std::isalnum(c) || c == '_' || c == '-' || c == '.';
  });
}

Status CheckRequired(const SpecFacts& facts, const Node& node, const std::set<size_t>& seen) {
  for (size_t i = 0; i < facts.fields.size(); ++i) {
    const FieldFacts& field = facts.fields[i];
    if (field.need != Need::kRequired || seen.contains(i)) continue;
    return ConfigError(node.mark,
                       fmt::format("{} needs '{}': {}", facts.name, field.name, field.help));
  }
  return Ok();
}

}  // namespace

Error UnknownKey(const Node& key, std::string_view component,
                 const std::vector<std::string>& known) {
  std::string message = fmt::format("unknown key '{}' in {}", EscapeControl(key.scalar), component);
  if (const auto nearest = Nearest(key.scalar, known))
    message += fmt::format("; did you mean '{}'?", *nearest);
  else if (!known.empty())
    message += fmt::format("; valid: {}", Join(known, ", "));
  return ConfigError(key.mark, std::move(message));
}

Error WrongShape(const Node& node, std::string_view field, std::string_view wanted) {
  if (node.IsNull())
    return ConfigError(node.mark, fmt::format("'{}' has no value; it takes {}", field, wanted));
  const std::string got = node.IsScalar() ? fmt::format("'{}'", EscapeControl(node.scalar))
                                          : std::string(NameOf(node.kind));
  return ConfigError(node.mark, fmt::format("'{}' takes {}, not {}", field, wanted, got));
}

Error CutByComma(const Node& key) {
  return ConfigError(
      key.mark,
      fmt::format("'{}' has no value; an expression with a comma: quote it or give it its own line",
                  EscapeControl(key.scalar)));
}

Result<std::vector<std::pair<size_t, const Node*>>> MatchFields(const SpecFacts& facts,
                                                                const Node& node) {
  std::vector<std::pair<size_t, const Node*>> bound;
  std::set<size_t> seen;
  const size_t main = facts.main.empty() ? facts.fields.size() : IndexOf(facts, facts.main);
  if (facts.open || (!node.IsMap() && !node.IsNull())) {
    if (main == facts.fields.size()) return WrongShape(node, facts.name, "a map of its keys");
    bound.emplace_back(main, &node);
    seen.insert(main);
    TRY(CheckRequired(facts, node, seen));
    return bound;
  }
  for (const auto& [key, value] : node.map) {
    const size_t index = IndexOf(facts, key.scalar);
    if (index == facts.fields.size()) {
      if (value.IsNull() && !LooksLikeName(key.scalar)) return CutByComma(key);
      return UnknownKey(key, facts.name, KnownKeys(facts));
    }
    const FieldFacts& field = facts.fields[index];
    if (!field.comes_with.empty()) return NotBuiltYet(key, facts.name, field.comes_with);
    if (!seen.insert(index).second) {
      return ConfigError(key.mark,
                         fmt::format("'{}' is given twice in {}", key.scalar, facts.name));
    }
    bound.emplace_back(index, &value);
  }
  TRY(CheckRequired(facts, node, seen));
  return bound;
}

Error NotBuiltYet(const Node& key, std::string_view component, std::string_view comes_with) {
  return ConfigError(key.mark, fmt::format("'{}' in {} is not built yet: comes with {}", key.scalar,
                                           component, comes_with));
}

}  // namespace sluice
