// `sluice plan`: the plan as text and as JSON. The SQL is what DuckDB would get, with sources by
// name and without taps.
#include <fmt/format.h>

#include <algorithm>

#include "base/json_full.h"
#include "base/text.h"
#include "pipeline/planner.h"
#include "relation/render.h"

namespace sluice {
namespace {

std::string IntervalLine(const Plan& plan) {
  if (!plan.interval) return fmt::format("{}: everything new since the last run", plan.pipeline);
  return fmt::format("{}: {} to {}", plan.pipeline, FormatInstant(plan.interval->start),
                     FormatInstant(plan.interval->end));
}

relation::Text TextOf(const relation::Ref& rows) {
  relation::RenderOptions options;
  options.input = [](const std::string& step) -> Result<relation::InputText> {
    return relation::InputText{
        .from = QuoteIdentifier(step), .rows_known = false, .has_origin = false};
  };
  options.tap = [](const relation::TapPlan&) { return int64_t{0}; };
  options.staged = [](const relation::Ref&) { return std::string(); };
  auto text = relation::Render(rows, options, relation::Hidden::kLeaveOut);
  return text.ok() ? std::move(*text)
                   : relation::Text{.sql = "(" + text.error().message + ")", .bound = {}};
}

const StepFacts* FactsOf(const Plan& plan, const std::string& step) {
  const auto found = std::find_if(plan.steps.begin(), plan.steps.end(),
                                  [&](const StepFacts& f) { return f.name == step; });
  return found == plan.steps.end() ? nullptr : &*found;
}

std::string PartitionText(const Load& load) {
  std::vector<std::string> terms;
  for (const PartitionTerm& term : load.partition) {
    terms.push_back(term.value
                        ? fmt::format("{} = {}", term.column, term.value->text.value_or("NULL"))
                        : term.column);
  }
  return Join(terms, ", ");
}

std::string LoadLine(const Flow& flow, const PlannedLoad& planned) {
  const Load& load = planned.load;
  std::string sink;
  for (const PlannedSink& one : flow.sinks) {
    if (one.key == planned.sink) sink = one.name;
  }
  std::string line = fmt::format("{} into {} {}", NameOf(load.mode), sink, load.target);
  if (!load.key.empty()) line += fmt::format(" by {}", Join(load.key, ", "));
  if (!load.partition.empty()) line += fmt::format(" where {}", PartitionText(load));
  if (!planned.relay.empty()) line += ", relayed as it is read";
  return line;
}

std::string Indent(std::string_view text, std::string_view by) {
  std::string indented;
  for (const std::string& line : Split(text, '\n')) indented += fmt::format("{}{}\n", by, line);
  return indented;
}

std::string OptionalLines(const StepFacts& facts) {
  std::string text;
  if (!facts.when.empty()) text += fmt::format("    when {}\n", facts.when);
  if (!facts.waits_for.empty())
    text += fmt::format("    waits for {}\n", Join(facts.waits_for, ", "));
  if (facts.on_error == "skip") text += "    on error: skipped, and the run is partial\n";
  if (facts.on_error == "fallback")
    text += "    on error: its fallback is read, and the run is partial\n";
  if (facts.skip == Skip::kHollow) text += fmt::format("    skipped: {}\n", facts.why);
  return text;
}

std::string StepLines(const Plan& plan, const Flow& flow, const std::string& name) {
  const StepFacts* facts = FactsOf(plan, name);
  std::string text = fmt::format("  {}: {}", name, facts->verb);
  if (!facts->from.empty()) text += fmt::format(" of {}", Join(facts->from, ", "));
  text += fmt::format(" [{}]\n", NameOf(facts->reach));
  if (!facts->description.empty()) text += fmt::format("    {}\n", facts->description);
  if (!facts->tags.empty()) text += fmt::format("    tags {}\n", Join(facts->tags, ", "));
  text += OptionalLines(*facts);
  for (const PlannedExtract& extract : flow.extracts) {
    if (extract.step != name) continue;
    text += fmt::format("    reads {}\n", extract.shape.describe);
    if (!extract.request.condition.empty())
      text += fmt::format("    asks only for rows WHERE {}\n", extract.request.condition);
    if (!extract.shape.guessed.empty())
      text += fmt::format("    guessed types, pinned at the first run: {}\n",
                          Format(extract.shape.guessed));
    if (extract.event_time)
      text += fmt::format("    event time {}, out of order by {}\n", extract.event_time->column,
                          FormatDuration(extract.event_time->out_of_order));
  }
  for (const PlannedLoad& load : flow.loads) {
    if (load.load.step != name) continue;
    text += fmt::format("    {}\n    fingerprint {}\n", LoadLine(flow, load),
                        flow.fingerprints.at(name));
    if (!load.manner.empty()) text += fmt::format("    {}\n", load.manner);
    if (!load.load.latest.empty()) text += fmt::format("    {}\n", load.load.latest);
  }
  return text + fmt::format("    {}\n", Format(facts->schema));
}

std::string FlowText(const Plan& plan, const Flow& flow) {
  std::string text = fmt::format(
      "flow {}: {}{}, {}, publishes {}\n  {}\n  each epoch {}\n", flow.id, NameOf(flow.reach),
      flow.endless ? ", endless" : "",
      flow.needs_intent ? "ranges kept before reading" : "ranges free until decided",
      flow.publish_at_end ? "at the end" : "per epoch", flow.delivery, TriesText(flow.tries));
  if (flow.lane_pipeline != plan.pipeline)
    text += fmt::format("  goes on from {}.{}\n", flow.lane_pipeline, flow.lane_name);
  else if (flow.lane_name != flow.id)
    text += fmt::format("  goes on from {}\n", flow.lane_name);
  for (const std::string& step : flow.steps) text += StepLines(plan, flow, step);
  for (const PlannedLoad& load : flow.loads) {
    const relation::Text sql = TextOf(load.rows);
    text += fmt::format("  SQL of {}:\n{}", load.load.step, Indent(sql.sql, "    "));
    for (const relation::Bound& bound : sql.bound) {
      text += fmt::format("    ${} = {} ({})\n", bound.name, bound.null ? "NULL" : bound.text,
                          bound.type);
    }
  }
  return text;
}

std::string ChildText(const Plan& plan, const ChildRun& child) {
  std::string text =
      fmt::format("run {}: {}{}\n{}", child.step, child.each ? "once per element, " : "",
                  child.wait == ChildRun::Wait::kForItsEnd ? "and its end is waited for"
                                                           : "beside what comes after",
                  OptionalLines(*FactsOf(plan, child.step)));
  for (const ChildCall& call : child.calls) {
    text += fmt::format("  pipeline {}", call.pipeline);
    for (const auto& [name, value] : call.params) text += fmt::format(" {}={}", name, value);
    text += "\n";
  }
  return text;
}

std::string LookText(const Plan& plan, const Look& look) {
  std::string text = fmt::format("look at {}: {}, for {{{{ }}}}; loaded nowhere\n", look.step,
                                 look.wants == Look::Wants::kOneRow ? "its one row" : "its rows");
  for (const std::string& step : look.flow.steps) text += StepLines(plan, look.flow, step);
  return text;
}

std::string OutputText(const Plan& plan) {
  std::string text;
  for (const OutputValue& value : plan.output)
    text += fmt::format("  {} {}\n", value.name, value.type);
  return text.empty() ? text : "\noutput\n" + text;
}

std::string GoneText(const Plan& plan) {
  std::string text;
  for (const StepFacts& facts : plan.steps) {
    if (facts.skip == Skip::kGone) text += fmt::format("  {}: {}\n", facts.name, facts.why);
  }
  return text.empty() ? text : "\nskipped\n" + text;
}

std::string ActionText(const Plan& plan, const Action& action) {
  std::string text = fmt::format("action {}: once per run in {}, {}\n  fingerprint {}\n{}{}",
                                 action.step, action.sink.name, TriesText(action.tries),
                                 action.fingerprint, OptionalLines(*FactsOf(plan, action.step)),
                                 Indent(Trim(action.statement), "    "));
  for (const sql::Bound& bound : action.bound)
    text += fmt::format("    ${} = {} ({})\n", bound.name, bound.text.value_or("NULL"), bound.type);
  return text;
}

Json SchemaJson(const Schema& schema) {
  Json columns = Json::array();
  for (const Column& column : Visible(schema))
    columns.push_back({{"name", column.name}, {"type", column.type}});
  return columns;
}

Json FlowJson(const Flow& flow) {
  Json json = {{"kind", "flow"},
               {"id", flow.id},
               {"lane", {{"pipeline", flow.lane_pipeline}, {"name", flow.lane_name}}},
               {"reach", NameOf(flow.reach)},
               {"endless", flow.endless},
               {"needs_intent", flow.needs_intent},
               {"publishes", flow.publish_at_end ? "at the end" : "per epoch"},
               {"delivery", flow.delivery},
               {"fingerprint", flow.fingerprint},
               {"tries", TriesText(flow.tries)}};
  json["steps"] = flow.steps;
  json["sinks"] = Json::array();
  for (const PlannedSink& sink : flow.sinks)
    json["sinks"].push_back({{"name", sink.name}, {"describe", sink.capabilities.describe}});
  json["loads"] = Json::array();
  for (const PlannedLoad& load : flow.loads) {
    json["loads"].push_back({{"step", load.load.step},
                             {"target", load.load.target},
                             {"mode", NameOf(load.load.mode)},
                             {"key", load.load.key},
                             {"partition", PartitionText(load.load)},
                             {"manner", load.manner},
                             {"fingerprint", flow.fingerprints.at(load.load.step)},
                             {"schema", SchemaJson(load.load.schema)},
                             {"sql", TextOf(load.rows).sql}});
  }
  json["extracts"] = Json::array();
  for (const PlannedExtract& extract : flow.extracts) {
    json["extracts"].push_back({{"step", extract.step},
                                {"reads", extract.shape.describe},
                                {"condition", extract.request.condition},
                                {"guessed", SchemaJson(extract.shape.guessed)}});
  }
  return json;
}

}  // namespace

std::string Describe(const Plan& plan) {
  std::string text = IntervalLine(plan) + "\n";
  if (plan.environment != kDevelopment) text += fmt::format("environment {}\n", plan.environment);
  if (!plan.description.empty()) text += plan.description + "\n";
  if (!plan.owner.empty()) text += fmt::format("owner {}\n", plan.owner);
  if (!plan.tags.empty()) text += fmt::format("tags {}\n", Join(plan.tags, ", "));
  text += fmt::format("revision {}\n", plan.revision);
  for (const auto& stage : plan.stages) {
    text += "\n";
    if (const auto* flow = std::get_if<Flow>(&stage))
      text += FlowText(plan, *flow);
    else if (const auto* action = std::get_if<Action>(&stage))
      text += ActionText(plan, *action);
    else if (const auto* child = std::get_if<ChildRun>(&stage))
      text += ChildText(plan, *child);
    else
      text += LookText(plan, std::get<Look>(stage));
  }
  text += GoneText(plan) + OutputText(plan);
  if (!plan.warnings.empty()) text += "\n";
  for (const Warning& warning : plan.warnings) {
    text += fmt::format("warning: {}\n", Format(ConfigError(warning.mark, warning.text)));
  }
  return text;
}

std::string DescribeJson(const Plan& plan) {
  Json json = {{"project", plan.project},
               {"pipeline", plan.pipeline},
               {"environment", plan.environment},
               {"description", plan.description},
               {"owner", plan.owner},
               {"tags", plan.tags},
               {"revision", plan.revision}};
  json["interval"] = plan.interval ? Json{{"start", FormatInstant(plan.interval->start)},
                                          {"end", FormatInstant(plan.interval->end)}}
                                   : Json();
  json["params"] = plan.params_json.empty() ? Json::object() : Json::parse(plan.params_json);
  json["steps"] = Json::array();
  for (const StepFacts& step : plan.steps) {
    json["steps"].push_back({{"name", step.name},
                             {"verb", step.verb},
                             {"description", step.description},
                             {"tags", step.tags},
                             {"from", step.from},
                             {"reach", NameOf(step.reach)},
                             {"when", step.when},
                             {"on_error", step.on_error},
                             {"waits_for", step.waits_for},
                             {"skipped", step.skip == Skip::kNo ? "" : step.why},
                             {"schema", SchemaJson(step.schema)}});
  }
  json["stages"] = Json::array();
  for (const auto& stage : plan.stages) {
    if (const auto* flow = std::get_if<Flow>(&stage)) {
      json["stages"].push_back(FlowJson(*flow));
      continue;
    }
    if (const auto* look = std::get_if<Look>(&stage)) {
      json["stages"].push_back(
          {{"kind", "look"}, {"step", look->step}, {"steps", look->flow.steps}});
      continue;
    }
    if (const auto* child = std::get_if<ChildRun>(&stage)) {
      Json calls = Json::array();
      for (const ChildCall& call : child->calls)
        calls.push_back({{"pipeline", call.pipeline}, {"params", call.params}});
      json["stages"].push_back({{"kind", "run"}, {"step", child->step}, {"calls", calls}});
      continue;
    }
    const Action& action = std::get<Action>(stage);
    json["stages"].push_back({{"kind", "action"},
                              {"step", action.step},
                              {"in", action.sink.name},
                              {"tries", TriesText(action.tries)},
                              {"statement", action.statement},
                              {"fingerprint", action.fingerprint}});
  }
  json["output"] = Json::object();
  for (const OutputValue& value : plan.output) json["output"][value.name] = value.type;
  json["warnings"] = Json::array();
  for (const Warning& warning : plan.warnings) {
    json["warnings"].push_back({{"file", warning.mark.file},
                                {"line", warning.mark.line},
                                {"column", warning.mark.column},
                                {"text", warning.text}});
  }
  return json.dump(2);
}

}  // namespace sluice
