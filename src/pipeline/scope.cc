// What the names in {{ }} mean for one run: ds, interval, params, vars, run.
#include <fmt/format.h>

#include <charconv>

#include "base/json_full.h"
#include "base/text.h"
#include "pipeline/children.h"
#include "pipeline/planner.h"
#include "spec/field.h"

namespace sluice {
namespace {

using relation::Bound;
using relation::MakeBound;

struct ParamConfig {
  std::string type = "varchar";
  Written standard;
  std::vector<Written> values;
  bool required = false;
  Node has_default;
};

const Spec<ParamConfig>& ParamSpec() {
  static const Spec<ParamConfig> spec =
      Spec<ParamConfig>("the parameter", "A value that each run may set: --param name=value.")
          .Main("default")
          .Text(&ParamConfig::type, "type", "DuckDB type of the value.")
          .Whole(&ParamConfig::has_default, "default", "The value where a run gives none.", "value")
          .List(&ParamConfig::values, "values", "The values that are valid.", Slot::kText,
                "list of values")
          .Flag(&ParamConfig::required, "required", "Each run must give it.");
  return spec;
}

// The type of a plain scalar: as a number or a truth value where it is written as one, else text.
std::string TypeOf(const Written& written) {
  int64_t whole = 0;
  double number = 0;
  const char* begin = written.text.data();
  const char* end = begin + written.text.size();
  if (written.quoted || written.text.empty()) return "VARCHAR";
  if (std::from_chars(begin, end, whole).ptr == end) return "BIGINT";
  if (std::from_chars(begin, end, number).ptr == end) return "DOUBLE";
  if (written.text == "true" || written.text == "false") return "BOOLEAN";
  return "VARCHAR";
}

Result<Bound> Typed(const std::string& name, const std::string& type, const Written& value,
                    sql::Session& session) {
  const Bound text = MakeBound("VARCHAR", value.text);
  auto rows = session.Query(
      fmt::format("SELECT CAST(v AS VARCHAR), typeof(v) FROM (SELECT CAST({} AS {}) AS v)",
                  relation::Refer(text), type),
      {{text.name, text.type, text.text}});
  if (!rows.ok()) {
    if (rows.error().kind == ErrorKind::kData) {
      return ConfigError(value.mark, fmt::format("parameter '{}': '{}' is no {}", name,
                                                 EscapeControl(value.text), type));
    }
    return ConfigError(value.mark, fmt::format("parameter '{}': '{}' is no type ({})", name,
                                               EscapeControl(type), rows.error().message));
  }
  return MakeBound(rows->rows[0][1].text, rows->rows[0][0].text);
}

Result<Bound> ReadParam(const Node& key, const Node& node, const PlanRequest& request,
                        sql::Session& session) {
  const ParamConfig config = TRY(ParamSpec().Bind(node));
  const std::string& name = key.scalar;
  std::optional<Written> value;
  if (const auto given = request.params.find(name); given != request.params.end()) {
    value = Written{given->second, key.mark, true};
  } else if (!config.has_default.IsNull()) {
    value = TRY(ReadWritten(config.has_default, "default"));
  }
  std::string type = config.type;
  if (!node.IsMap() && value) type = TypeOf(TRY(ReadWritten(node, "default")));
  if (!value) {
    if (config.required)
      return ConfigError(
          key.mark,
          fmt::format("parameter '{}' is required: give it with --param {}=…", name, name));
    return MakeBound(type, std::nullopt);
  }
  std::vector<std::string> valid;
  for (const Written& one : config.values) valid.push_back(one.text);
  if (!valid.empty() && std::find(valid.begin(), valid.end(), value->text) == valid.end()) {
    return ConfigError(key.mark, fmt::format("parameter '{}': '{}' is not one of: {}", name,
                                             EscapeControl(value->text), Join(valid, ", ")));
  }
  return Typed(name, type, *value, session);
}

Status AddParams(Settled& settled, const PipelineFile& file, const PlanRequest& request,
                 sql::Session& session) {
  Json json = Json::object();
  std::vector<std::string> known;
  if (const Node* params = file.node.Find("params")) {
    if (!params->IsMap()) return WrongShape(*params, "params", "a map name -> type or default");
    for (const auto& [key, node] : params->map) {
      Bound value = TRY(ReadParam(key, node, request, session));
      json[key.scalar] = value.null ? Json() : Json(value.text);
      settled.scope["params." + key.scalar] = std::move(value);
      known.push_back(key.scalar);
    }
  }
  for (const auto& [name, value] : request.params) {
    if (settled.scope.contains("params." + name)) continue;
    std::string message = fmt::format("--param {}: pipeline '{}' has no such parameter",
                                      EscapeControl(name), file.name);
    if (const auto nearest = Nearest(name, known))
      message += fmt::format("; did you mean '{}'?", *nearest);
    return ConfigError({}, std::move(message));
  }
  settled.params_json = json.dump();
  return Ok();
}

Status AddVars(Scope& scope, const Project& project, const PlanRequest& request) {
  for (const auto& [name, written] : project.vars)
    scope["vars." + name] = MakeBound(TypeOf(written), written.text);
  for (const auto& [name, value] : request.settings) {
    const auto known = scope.find("vars." + name);
    if (known == scope.end())
      return ConfigError(
          {}, fmt::format("--set {}: sluice.yml has no var of that name", EscapeControl(name)));
    known->second = MakeBound(TypeOf({value, {}, false}), value);
  }
  return Ok();
}

std::string TimestampText(Micros instant) {
  std::string text = FormatInstant(instant);  // 2026-11-21T06:00:00Z
  if (!text.empty() && text.back() == 'Z') text.pop_back();
  return text;
}

}  // namespace

Result<std::vector<std::string>> MissingParams(const PipelineFile& file,
                                               const PlanRequest& request) {
  std::vector<std::string> missing;
  const Node* params = file.node.Find("params");
  if (params == nullptr || !params->IsMap()) return missing;
  for (const auto& [key, node] : params->map) {
    const ParamConfig config = TRY(ParamSpec().Bind(node));
    if (config.required && config.has_default.IsNull() && !request.params.contains(key.scalar))
      missing.push_back(key.scalar);
  }
  return missing;
}

// The entry of for_each: a value, or the scalars of a map, and of the maps in it.
Status AddEach(Scope& scope, const Node& each, const std::string& name) {
  if (each.IsScalar()) {
    const Written value = TRY(ReadWritten(each, name));
    scope[name] = MakeBound(TypeOf(value), value.text);
  }
  for (const auto& [key, node] : each.map) TRY(AddEach(scope, node, name + "." + key.scalar));
  return Ok();
}

Result<Settled> MakeScope(const Project& project, const PipelineFile& file,
                          const PlanRequest& request, const Schedule& schedule,
                          const Interval& interval, sql::Session& session) {
  Settled settled;
  settled.scope["ds"] = MakeBound("DATE", FormatDate(DateOf(schedule, interval)));
  settled.scope["interval.start"] = MakeBound("TIMESTAMP", TimestampText(interval.start));
  settled.scope["interval.end"] = MakeBound("TIMESTAMP", TimestampText(interval.end));
  settled.scope["run.pipeline"] = MakeBound("VARCHAR", file.name);
  TRY(AddEach(settled.scope, file.each, "each"));
  TRY(AddVars(settled.scope, project, request));
  TRY(AddParams(settled, file, request, session));
  return settled;
}

}  // namespace sluice
