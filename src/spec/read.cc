// Values out of nodes. A scalar is raw text until here; the reader that knows the type decides what
// it means.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/text.h"
#include "spec/field.h"

namespace sluice {
namespace {

// Open parentheses less closed ones, outside quotes.
int Balance(std::string_view text) {
  int open = 0;
  char quote = 0;
  for (const char c : text) {
    if (quote) {
      if (c == quote) quote = 0;
    } else if (c == '\'' || c == '"') {
      quote = c;
    } else if (c == '(') {
      ++open;
    } else if (c == ')') {
      --open;
    }
  }
  return open;
}

// `[round(a, 2), b]` is three items to YAML.
const Node* FirstCutItem(const std::vector<Node>& items) {
  const Node* opened = nullptr;
  for (const Node& item : items) {
    if (!item.IsScalar() || item.quoted) continue;
    const int balance = Balance(item.scalar);
    if (balance > 0 && opened == nullptr) opened = &item;
    if (balance < 0 && opened != nullptr) return opened;
  }
  return nullptr;
}

Error CutItem(const Node& item) {
  return ConfigError(
      item.mark,
      fmt::format("'{}' is cut off; an expression with a comma: quote it or give it its own line",
                  EscapeControl(item.scalar)));
}

Written ToWritten(const Node& node) { return {node.scalar, node.mark, node.quoted}; }

Result<std::vector<NamedWritten>> ReadNamedMap(const Node& node, std::string_view field) {
  std::vector<NamedWritten> named;
  for (const auto& [key, value] : node.map) {
    if (value.IsNull()) return CutByComma(key);
    if (!value.IsScalar())
      return WrongShape(value, fmt::format("{}.{}", field, key.scalar), "an expression");
    named.push_back({key.scalar, key.mark, ToWritten(value)});
  }
  return named;
}

}  // namespace

Result<Written> ReadWritten(const Node& node, std::string_view field) {
  if (!node.IsScalar()) return WrongShape(node, field, "one value");
  return ToWritten(node);
}

Result<std::vector<Written>> ReadWrittenList(const Node& node, std::string_view field) {
  if (node.IsScalar()) return std::vector<Written>{ToWritten(node)};
  if (!node.IsList()) return WrongShape(node, field, "a value or a list of values");
  if (const Node* cut = FirstCutItem(node.list)) return CutItem(*cut);
  std::vector<Written> values;
  for (const Node& item : node.list) {
    if (!item.IsScalar()) return WrongShape(item, field, "a list of single values");
    values.push_back(ToWritten(item));
  }
  return values;
}

Result<std::vector<NamedWritten>> ReadNamed(const Node& node, std::string_view field) {
  if (node.IsMap()) return ReadNamedMap(node, field);
  if (node.IsScalar()) return std::vector<NamedWritten>{{node.scalar, node.mark, {}}};
  if (!node.IsList()) return WrongShape(node, field, "names, or a map name -> expression");
  if (const Node* cut = FirstCutItem(node.list)) return CutItem(*cut);
  std::vector<NamedWritten> named;
  for (const Node& item : node.list) {
    if (item.IsScalar()) {
      named.push_back({item.scalar, item.mark, {}});
    } else if (item.IsMap() && item.map.size() == 1) {
      named.push_back(TRY(ReadNamedMap(item, field)).front());
    } else {
      return WrongShape(item, field, "a list of names, each alone or as name: expression");
    }
  }
  return named;
}

Result<int64_t> ReadInteger(const Node& node, std::string_view field) {
  int64_t value = 0;
  const std::string& text = node.scalar;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (!node.IsScalar() || code != std::errc() || end != text.data() + text.size()) {
    return WrongShape(node, field, "a whole number");
  }
  return value;
}

Result<bool> ReadFlag(const Node& node, std::string_view field) {
  const std::string word = node.IsScalar() ? ToLower(node.scalar) : "";
  if (word == "true" || word == "on" || word == "yes") return true;
  if (word == "false" || word == "off" || word == "no") return false;
  return WrongShape(node, field, "on or off");
}

Result<std::chrono::microseconds> ReadDuration(const Node& node, std::string_view field) {
  if (!node.IsScalar()) return WrongShape(node, field, "a duration like 5m or 1h30m");
  auto duration = ParseDuration(node.scalar);
  if (!duration.ok()) return WrongShape(node, field, "a duration like 5m or 1h30m");
  return duration;
}

Result<uint64_t> ReadBytes(const Node& node, std::string_view field) {
  if (!node.IsScalar()) return WrongShape(node, field, "a size like 512MB");
  auto bytes = ParseBytes(node.scalar);
  if (!bytes.ok()) return WrongShape(node, field, "a size like 512MB");
  return bytes;
}

Result<std::string> ReadChoiceOf(const Node& node, const std::string& field,
                                 const std::vector<std::string>& choices) {
  const std::string wanted = "one of: " + Join(choices, ", ");
  if (!node.IsScalar()) return WrongShape(node, field, wanted);
  if (std::find(choices.begin(), choices.end(), node.scalar) != choices.end()) return node.scalar;
  Error error = WrongShape(node, field, wanted);
  if (const auto nearest = Nearest(node.scalar, choices))
    error.message += fmt::format("; did you mean '{}'?", *nearest);
  return error;
}

}  // namespace sluice
