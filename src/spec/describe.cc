// See describe.h.
#include "spec/describe.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/json_full.h"
#include "base/text.h"

namespace sluice {
namespace {

std::string Line(const FieldFacts& field, size_t width, bool main) {
  std::string line = fmt::format("  {:<{}}  {}", field.name, width, field.help);
  std::vector<std::string> notes;
  if (main) notes.push_back("main key");
  if (!field.shape.empty()) notes.push_back(field.shape);
  if (!field.choices.empty()) notes.push_back("one of " + Join(field.choices, ", "));
  if (field.need == Need::kRequired)
    notes.push_back("required");
  else if (!field.standard.empty())
    notes.push_back("default " + field.standard);
  if (!notes.empty()) line += fmt::format(" ({})", Join(notes, "; "));
  return line + "\n";
}

constexpr char kTemplate[] = R"(\{\{)";

Json Scalar() { return {{"type", {"string", "number", "boolean"}}}; }
Json Matching(const std::string& pattern) { return {{"type", "string"}, {"pattern", pattern}}; }

Json EitherOf(Json one, Json other) {
  return {{"anyOf", Json::array({std::move(one), std::move(other)})}};
}

Json Shapes(const FieldFacts& field) {
  const bool map = field.shape.find("map") != std::string::npos;
  const bool list = map || field.shape.find("list") != std::string::npos;
  Json types{"string", "number", "boolean"};
  if (list) types.push_back("array");
  if (map) types.push_back("object");
  return {{"type", std::move(types)}};
}

Json SchemaOf(const FieldFacts& field) {
  Json schema = Json::object();
  switch (field.slot) {
    case Slot::kNumber:
      schema = EitherOf({{"type", "integer"}}, Matching(R"(^[-+]?[0-9]+$|\{\{)"));
      break;
    case Slot::kFlag:  // `on` is text to YAML 1.2 and true to YAML 1.1
      schema = EitherOf({{"type", "boolean"}},
                        Matching(R"(^([Tt]rue|[Ff]alse|[Oo]n|[Oo]ff|[Yy]es|[Nn]o)$|\{\{)"));
      break;
    case Slot::kChoice:
      schema = field.choices.empty() ? Scalar()
                                     : EitherOf({{"enum", field.choices}}, Matching(kTemplate));
      break;
    case Slot::kDuration:
      schema = Matching("[a-z}]");
      break;
    case Slot::kNode:
      break;
    default:
      schema = Shapes(field);
  }
  schema["description"] = field.help;
  if (!field.standard.empty()) schema["default"] = field.standard;
  return schema;
}

}  // namespace

std::string Describe(const SpecFacts& facts) {
  size_t width = 0;
  for (const FieldFacts& field : facts.fields) width = std::max(width, field.name.size());
  std::string text = fmt::format("{}: {}\n", facts.name, facts.summary);
  if (facts.open) return text + "  The keys are names of your own.\n";
  std::vector<std::string> reserved;
  for (const FieldFacts& field : facts.fields) {
    if (field.comes_with.empty())
      text += Line(field, width, field.name == facts.main);
    else
      reserved.push_back(field.name);
  }
  if (!reserved.empty()) text += fmt::format("  Not built yet: {}\n", Join(reserved, ", "));
  return text;
}

Json JsonSchema(const SpecFacts& facts) {
  Json schema = {{"description", facts.summary}, {"type", "object"}};
  if (facts.open) return schema;
  Json required = Json::array();
  schema["additionalProperties"] = false;
  schema["properties"] = Json::object();
  Json main;
  for (const FieldFacts& field : facts.fields) {
    if (!field.comes_with.empty()) continue;
    schema["properties"][field.name] = SchemaOf(field);
    if (field.name == facts.main) main = SchemaOf(field);
    if (field.need == Need::kRequired) required.push_back(field.name);
  }
  if (!required.empty()) schema["required"] = required;
  if (main.is_null()) return schema;
  return {{"anyOf", Json::array({main, schema})}};
}

}  // namespace sluice
