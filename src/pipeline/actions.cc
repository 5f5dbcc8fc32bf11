// `sql` with `in`: a statement of the user's inside a destination, once per run.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "pipeline/planner.h"

namespace sluice {
namespace {

struct ActionConfig {
  Written query, in;
};

const Spec<ActionConfig>& ActionSpec() {
  static const Spec<ActionConfig> spec =
      Spec<ActionConfig>("sql", "A statement inside a destination.")
          .Main("query")
          .Expression(&ActionConfig::query, "query", "The statement.", Need::kRequired)
          .TextSlot(&ActionConfig::in, "in", "The connection it runs in.", Need::kRequired)
          .Reserved("per", "What it runs over on a stream.", "streams");
  return spec;
}

}  // namespace

Result<Action> ActionAt(const Planning& planning, const Planned& step, const Endpoint& endpoint) {
  auto sink = endpoint.connector->sink(endpoint.connection, {}, planning.context);
  if (!sink.ok()) return std::move(sink).error().At(step.node->mark);
  LoadConfig where;
  where.into = endpoint.name;
  Action action;
  action.step = step.node->name;
  action.mark = step.node->mark;
  action.sink = {
      .key = endpoint.connector->sink_key(endpoint.connection, where, planning.project.folder),
      .name = endpoint.name,
      .connector = endpoint.connector,
      .connection = endpoint.connection,
      .capabilities = TRY((*sink)->Describe())};
  return action;
}

Status PlanAction(Planning& planning, Planned& step) {
  const ActionConfig config = TRY(ActionSpec().Bind(step.node->body));
  const Endpoint endpoint = TRY(FindEndpoint(planning, config.in));
  if (endpoint.connection == nullptr || !endpoint.connector->sink) {
    return ConfigError(config.in.mark,
                       fmt::format("'{}' runs no SQL; `in` names a database", endpoint.name));
  }
  const Expanded statement = TRY(planning.values.Sql(config.query));
  const auto facts = planning.parser.Select(statement.sql);
  if (facts.ok() && facts->select) {
    return ConfigError(
        config.query.mark,
        fmt::format("this SELECT inside '{}' is no step of its own; read the table with an extract "
                    "step",
                    endpoint.name));
  }
  if (Trim(statement.sql).empty()) return ConfigError(config.query.mark, "the statement is empty");
  Action action = TRY(ActionAt(planning, step, endpoint));
  action.statement = statement.sql;
  std::string values;
  for (const relation::Bound& b : statement.bound) {
    action.bound.push_back(
        {b.name, b.type, b.null ? std::nullopt : std::optional<std::string>(b.text)});
    values += "\x1f" + b.type + "=" + b.text;
  }
  action.fingerprint = Fingerprint(action.statement + "\x1f" + action.sink.key + values);
  step.sink = action.sink;
  step.action = std::move(action);
  return Ok();
}

}  // namespace sluice
