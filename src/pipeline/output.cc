// See output.h.
#include "pipeline/output.h"

#include "base/json_full.h"
#include "base/text.h"

namespace sluice {
namespace {

// The JSON type of a DuckDB type; texts are what all others are.
const char* JsonType(const std::string& type) {
  for (const char* whole : {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT",
                            "UINTEGER", "UBIGINT"}) {
    if (type == whole) return "integer";
  }
  if (type == "FLOAT" || type == "DOUBLE") return "number";
  return type == "BOOLEAN" ? "boolean" : "string";
}

}  // namespace

Json OutputJson(const std::vector<OutputValue>& output) {
  Json json = Json::object();
  for (const OutputValue& value : output) {
    Json& place = json[value.name];
    if (!value.text) continue;
    const std::string type = JsonType(value.type);
    // NaN and infinity have no form in JSON but their text.
    Json parsed = type == "string" ? Json(Json::value_t::discarded)
                                   : Json::parse(*value.text, nullptr, false);
    place = parsed.is_discarded() ? Json(*value.text) : std::move(parsed);
  }
  return json;
}

Json OutputSchema(const std::string& pipeline, const std::vector<OutputValue>& output) {
  Json schema{{"$schema", "http://json-schema.org/draft-07/schema#"},
              {"title", "The output of " + pipeline},
              {"type", "object"},
              {"additionalProperties", false},
              {"properties", Json::object()},
              {"required", Json::array()}};
  for (const OutputValue& value : output) {
    schema["properties"][value.name] = {{"type", {JsonType(value.type), "null"}},
                                        {"description", "DuckDB's " + value.type}};
    schema["required"].push_back(value.name);
  }
  return schema;
}

}  // namespace sluice
