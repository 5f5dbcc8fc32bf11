// See json_schema.h.
#include "pipeline/json_schema.h"

#include <algorithm>

#include "base/json_full.h"
#include "connector/extract.h"
#include "connector/load.h"
#include "pipeline/children.h"
#include "pipeline/reserved.h"
#include "spec/describe.h"

namespace sluice {
namespace {

constexpr char kDraft[] = "http://json-schema.org/draft-07/schema#";
constexpr char kName[] = R"(^[A-Za-z_][A-Za-z0-9_]{0,62}$|\{\{)";

// What a key takes that has no spec of its own.
Json Typed(const char* help, std::initializer_list<const char*> types) {
  Json schema{{"description", help}};
  if (types.size() > 0) schema["type"] = std::vector<std::string>(types.begin(), types.end());
  return schema;
}
Json Text(const char* help) { return Typed(help, {"string", "number", "boolean"}); }
Json Texts(const char* help) { return Typed(help, {"string", "number", "boolean", "array"}); }
Json Number(const char* help) {
  return {{"description", help}, {"type", {"integer", "string"}}, {"pattern", "^[0-9]+$"}};
}
Json OneOf(const char* help, std::vector<std::string> words) {
  return {{"description", help}, {"enum", std::move(words)}};
}

Json PipelineKey(const std::string& key) {
  if (key == "pipeline") {
    return {{"description", "The pipeline's name, where it is not the file's."},
            {"type", "string"},
            {"pattern", kName}};
  }
  if (key == "description") return Text("What it is for.");
  if (key == "owner") return Text("Who answers for it.");
  if (key == "tags") return Texts("Words to find it by.");
  if (key == "for_each")
    return Typed("One pipeline per entry; {{ each.x }} is what the entry holds.",
                 {"array", "string"});
  if (key == "params") return Typed("Values that each run may set: name -> type.", {"object"});
  if (key == "parallelism") return Number("Steps or requests at once.");
  if (key == "max_rejects")
    return Text("Rejected rows, as a number or a share, that fail the run.");
  if (key == "on_row_error") return OneOf("What becomes of a bad row.", {"fail", "reject"});
  if (key == "delivery") return OneOf("What is demanded of it.", {"exactly_once"});
  if (key == "output") return Typed("What a run results in: name -> value.", {"object"});
  if (key == "retry")
    return Typed(
        "How often an epoch is tried: a number, or attempts, delay, max_delay, backoff, "
        "jitter.",
        {"integer", "string", "object"});
  if (key == "epoch")
    return Typed("How much one epoch takes: max_rows, max_bytes, max_latency.", {"object"});
  return Json::object();
}

Json ScheduleKey(const std::string& key) {
  if (key == "cron") return Text("When it runs: five fields.");
  if (key == "every") return Text("How often it runs.");
  if (key == "interval") return Text("How much one run covers: day, hour, …");
  if (key == "timezone") return Text("The zone of cron and of days.");
  return Json::object();
}

Json StepKey(const std::string& key) {
  if (key == "from") return Texts("The step or steps it reads; without it the one above.");
  if (key == "after") return Texts("Steps that must be done before.");
  if (key == "on_row_error") return OneOf("What becomes of a bad row.", {"fail", "reject"});
  if (key == "for_each")
    return Typed("Of run: once per row of a step, or per entry.", {"array", "string"});
  if (key == "when") return Text("A condition over {{ }}; where it is false the step is skipped.");
  if (key == "on_error") return OneOf("What becomes of the run where it fails.", {"fail", "skip"});
  if (key == "fallback")
    return Typed("What is read where the extract fails: { extract: … }.", {"object"});
  if (key == "description") return Text("What it is for.");
  if (key == "tags") return Texts("Words to find it by.");
  return Json::object();
}

Json Closed(const Keys& keys, const std::function<Json(const std::string&)>& schema_of) {
  Json schema{{"type", "object"}, {"additionalProperties", false}};
  for (const std::string& key : keys.known) schema["properties"][key] = schema_of(key);
  return schema;
}

// With `main` = `name`, only `keys` are valid.
Json Only(const std::string& main, const std::vector<std::string>& names,
          std::vector<std::string> keys) {
  return {{"if", {{"required", {main}}, {"properties", {{main, {{"enum", names}}}}}}},
          {"then", {{"propertyNames", {{"enum", std::move(keys)}}}}}};
}

// extract or load: the keys of each kind of connection, where the file or the project says which.
Json Endpoint(const SpecFacts& facts, const std::string& main, std::vector<std::string> common,
              std::vector<std::string> Connector::*keys, const Project& project,
              const Connectors& connectors) {
  Json schema = JsonSchema(facts);
  Json rules = Json::array();
  for (const Connector& connector : connectors) {
    std::vector<std::string> names;
    if (connector.built_in) names.push_back(connector.type);
    for (const auto& [name, connection] : project.connections) {
      if (!connector.built_in && connection.type == connector.type) names.push_back(name);
    }
    if (names.empty()) continue;
    std::vector<std::string> valid = common;
    valid.insert(valid.end(), (connector.*keys).begin(), (connector.*keys).end());
    rules.push_back(Only(main, names, std::move(valid)));
  }
  if (!rules.empty()) schema["allOf"] = rules;
  return schema;
}

Json VerbSchema(const std::string& name, const Project& project, const Connectors& connectors,
                const Verbs& verbs) {
  if (name == "extract") {
    return Endpoint(ExtractSpec().facts(), "from", CommonExtractKeys(), &Connector::extract_keys,
                    project, connectors);
  }
  if (name == "load") {
    return Endpoint(LoadSpec().facts(), "into", CommonLoadKeys(), &Connector::load_keys, project,
                    connectors);
  }
  if (name == "run") return JsonSchema(RunFacts());
  if (name == "use") return JsonSchema(UseFacts());
  const Verb* verb = Find(verbs, name);
  return verb == nullptr ? Json::object() : JsonSchema(verb->facts);
}

Json StepSchema(const Project& project, const Connectors& connectors, const Verbs& verbs) {
  Json step = Closed(StepKeys(), StepKey);
  step["oneOf"] = Json::array();
  for (const std::string& verb : BuiltVerbs()) {
    // The whole mapping may come from for_each: extract: "{{ each.source }}".
    const Json whole{{"type", "string"}, {"pattern", R"(\{\{)"}};
    step["properties"][verb] = {
        {"anyOf", Json::array({VerbSchema(verb, project, connectors, verbs), whole})}};
    step["oneOf"].push_back({{"required", {verb}}});
  }
  return step;
}

}  // namespace

Json PipelineSchema(const Project& project, const Connectors& connectors, const Verbs& verbs) {
  Json schema{{"$schema", kDraft}, {"title", "A sluice pipeline"}};
  schema.update(Closed(PipelineKeys(), PipelineKey));
  schema["required"] = {"steps"};
  Json schedule = Closed(ScheduleKeys(), ScheduleKey);
  schedule["description"] = "When it runs, and what interval a run covers.";
  schema["properties"]["schedule"] = schedule;
  schema["properties"]["steps"] = {{"description", "Name -> step, in order."},
                                   {"type", "object"},
                                   {"minProperties", 1},
                                   {"propertyNames", {{"pattern", kName}}},
                                   {"additionalProperties", {{"$ref", "#/definitions/step"}}}};
  schema["definitions"]["step"] = StepSchema(project, connectors, verbs);
  return schema;
}

Json ProjectSchema(const Connectors& connectors) {
  Json schema{{"$schema", kDraft}, {"title", "A sluice project (sluice.yml)"}};
  schema.update(Closed(ProjectKeys(), [](const std::string& key) -> Json {
    if (key == "project") return Text("The project's name.");
    if (key == "vars") return Typed("Values that pipelines name as vars.x.", {"object"});
    if (key == "memory") return Text("Memory of a run: 1GB.");
    if (key == "parallelism") return Number("Threads of DuckDB.");
    return Json::object();
  }));
  Json connection{{"type", "object"}, {"required", {"type"}}};
  Json types = Json::array(), rules = Json::array();
  for (const Connector& connector : connectors) {
    if (connector.built_in) continue;
    types.push_back(connector.type);
    Json keys = JsonSchema(connector.connection);
    if (keys.contains("anyOf")) keys = keys["anyOf"].back();  // the map, for `type` is in it
    keys["properties"]["type"] = Json::object();
    rules.push_back({{"if", {{"properties", {{"type", {{"const", connector.type}}}}}}},
                     {"then", std::move(keys)}});
  }
  connection["properties"]["type"] = {{"description", "What it connects to."}, {"enum", types}};
  connection["allOf"] = rules;
  schema["properties"]["connections"] = {{"description", "Name -> connection."},
                                         {"type", "object"},
                                         {"additionalProperties", std::move(connection)}};
  return schema;
}

}  // namespace sluice
