// The verbs between: what they read as one input each, and the refusals that need to know the whole
// graph.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "pipeline/planner.h"
#include "pipeline/reserved.h"
#include "relation/render.h"

namespace sluice {
namespace {

using relation::Ref;

// `{ total: round(amount, 2) }` leaves the key `2)` with no value.
Status CheckCut(const Node& node) {
  for (const auto& [key, value] : node.map) {
    if (value.IsNull() && key.scalar.find_first_of("()+*/<>=' ") != std::string::npos)
      return CutByComma(key);
    TRY(CheckCut(value));
  }
  for (const Node& item : node.list) TRY(CheckCut(item));
  return Ok();
}

Result<StepInput> Unite(Planning& planning, const Planned& step) {
  relation::Union united;
  StepInput input{.step = step.node->name,
                  .rows = nullptr,
                  .endless = false,
                  .event_time = true,
                  .ordered = true};
  std::string text;
  for (const std::string& name : step.from) {
    const StepInput& part = *planning.Step(name).output;
    united.parts.push_back(part.rows);
    input.endless = input.endless || part.endless;
    input.event_time = input.event_time && part.event_time;
    input.ordered = input.ordered && part.ordered;
    text += fmt::format("{}SELECT * FROM {}", text.empty() ? "" : " UNION ALL BY NAME ",
                        relation::EmptyInput(Visible(part.rows->schema)));
  }
  auto schema = planning.session.Describe(text);
  if (!schema.ok()) {
    return ConfigError(step.node->step.Find("from")->mark,
                       fmt::format("the rows of {} do not go together: {}", Join(step.from, ", "),
                                   schema.error().message));
  }
  for (const Column& column : united.parts.front()->schema) {
    const auto in = [&](const Ref& part) { return Find(part->schema, column.name) != nullptr; };
    if (column.hidden && std::all_of(united.parts.begin(), united.parts.end(), in))
      schema->push_back(column);
  }
  input.rows = relation::Make(std::move(united), std::move(*schema), step.node->name);
  return input;
}

Result<OnRowError> RowErrors(const Planning& planning, const Planned& step, bool endless) {
  const Node* node = step.node->step.Find("on_row_error");
  if (node != nullptr && step.node->verb != "extract" && step.node->verb != "map" &&
      step.node->verb != "derive" && step.node->verb != "filter" && step.node->verb != "function" &&
      step.node->verb != "load") {
    return ConfigError(
        node->mark,
        fmt::format("'on_row_error' on {}: only extract, map, derive, filter, function and load "
                    "can refuse one row",
                    step.node->verb));
  }
  if (node == nullptr) node = Setting(planning.project, planning.file, "on_row_error");
  if (node == nullptr) return endless ? OnRowError::kReject : OnRowError::kFail;
  return TRY(ReadChoiceOf(*node, "on_row_error", {"fail", "reject"})) == "reject"
             ? OnRowError::kReject
             : OnRowError::kFail;
}

// A load parks what its destination refuses where that can leave out a row, and says so where it
// cannot and is asked to.
Status DecideRefusals(Planning& planning, Planned& step) {
  const Node* node = step.node->step.Find("on_row_error");
  if (!step.load && node == nullptr) return Ok();
  if (!step.load) return ConfigError(node->mark, "'on_row_error' on a view, which holds no rows");
  if (TRY(RowErrors(planning, step, step.output->endless)) == OnRowError::kFail) return Ok();
  if (step.sink->capabilities.rejects_rows) {
    step.load->load.on_refusal = OnRefusal::kReject;
    step.load->relay.clear();  // what is refused must be looked at
    return Ok();
  }
  if (node == nullptr) return Ok();
  return ConfigError(
      node->mark,
      fmt::format("'on_row_error: reject' on a load into {}: it takes the rows of an epoch or none "
                  "of them; check them in a step before it",
                  step.sink->connector->type));
}

// A plan can be made where the destination cannot be asked.
Status FindManner(const Planning& planning, Planned& step) {
  if (!planning.request.described || !step.load || step.load->load.mode != Mode::kReplacePartition)
    return Ok();
  const auto sink =
      TRY(step.sink->connector->sink(step.sink->connection, {step.load->load}, planning.context));
  auto manner = sink->Manner(step.load->load);
  step.load->manner =
      manner.ok() ? *manner : "how it replaces is not known: " + manner.error().message;
  return Ok();
}

Status CheckInputs(const Planned& step, const Verb& verb, const std::vector<StepInput>& inputs) {
  if (static_cast<int>(inputs.size()) < verb.min_inputs) {
    return ConfigError(
        step.node->mark,
        inputs.empty()
            ? fmt::format(
                  "step '{}' is the first and reads nothing; begin with an extract, or say from:",
                  step.node->name)
            : fmt::format("{} takes {} inputs, step '{}' has {}", step.node->verb, verb.min_inputs,
                          step.node->name, inputs.size()));
  }
  if (verb.max_inputs >= 0 && static_cast<int>(inputs.size()) > verb.max_inputs) {
    return ConfigError(step.node->mark,
                       fmt::format("{} takes {} input(s), step '{}' has {}", step.node->verb,
                                   verb.max_inputs, step.node->name, inputs.size()));
  }
  return Ok();
}

}  // namespace

Result<StepInput> InputOf(Planning& planning, const Planned& step) {
  for (const std::string& name : step.from) {
    const Planned& above = planning.Step(name);
    if (!above.IsAction()) continue;
    return ConfigError(
        step.node->mark,
        fmt::format("step '{}' runs a statement and gives no rows; say from: which step '{}' reads",
                    name, step.node->name));
  }
  if (step.from.empty()) {
    return ConfigError(
        step.node->mark,
        fmt::format("step '{}' is the first and reads nothing; begin with an extract, or say from:",
                    step.node->name));
  }
  for (const std::string& name : step.from) {
    if (planning.Step(name).output) continue;
    return ConfigError(
        step.node->mark,
        fmt::format("step '{}' gives no rows that step '{}' could read", name, step.node->name));
  }
  if (step.from.size() == 1) return *planning.Step(step.from[0]).output;
  return Unite(planning, step);
}

Status PlanVerb(Planning& planning, Planned& step) {
  TRY(CheckCut(step.node->body));
  TRY(ReadTries(step));
  step.description = TRY(ReadAbout(step.node->step, "description"));
  step.tags = TRY(ReadTags(step.node->step));
  if (step.fallen) return PlanFallen(planning, step);
  if (step.node->verb == "extract") {
    TRY(PlanExtract(planning, step));
    step.extract->on_row_error = TRY(RowErrors(planning, step, step.output->endless));
    return Ok();
  }
  if (step.node->verb == "load") {
    TRY(PlanLoad(planning, step));
    TRY(DecideRefusals(planning, step));
    return FindManner(planning, step);
  }
  if (step.IsAction()) return PlanAction(planning, step);
  if (step.IsRun()) return PlanRun(planning, step);
  const Verb* verb = Find(planning.verbs, step.node->verb);
  if (verb == nullptr)
    return InternalError(fmt::format("the verb '{}' is not registered", step.node->verb));
  std::vector<StepInput> inputs;
  if (!step.from.empty()) inputs.push_back(TRY(InputOf(planning, step)));
  for (const std::string& name : step.mentions) {
    if (planning.Step(name).IsAction()) {
      return ConfigError(step.node->mark,
                         fmt::format("step '{}' runs a statement and gives no rows", name));
    }
    inputs.push_back(*planning.Step(name).output);
  }
  // In a piece its steps are called as they are written there.
  for (StepInput& input : inputs) {
    for (const auto& [local, name] : step.node->local) {
      if (name == input.step) input.step = local;
    }
  }
  TRY(CheckInputs(step, *verb, inputs));
  const bool endless =
      std::any_of(inputs.begin(), inputs.end(), [](const StepInput& i) { return i.endless; });
  LowerContext context = ContextOf(planning, step);
  context.on_row_error = TRY(RowErrors(planning, step, endless));
  const Node body = TRY(planning.values.Body(step.node->body, verb->facts));
  auto lowered = verb->lower(body, inputs, context);
  if (!lowered.ok()) return std::move(lowered).error().At(step.node->mark);
  if (lowered->reach == Reach::kWhole && endless) {
    return ConfigError(step.node->mark,
                       fmt::format("{} needs its whole input, and '{}' has no end; use window",
                                   step.node->verb, inputs.front().step));
  }
  step.reach = lowered->reach;
  step.strict = step.node->verb == "function" && context.on_row_error == OnRowError::kFail;
  const auto carries = [&](std::string_view column) {
    return Find(lowered->rows->schema, column) != nullptr;
  };
  step.output = StepInput{.step = step.node->name,
                          .rows = lowered->rows,
                          .endless = endless,
                          .event_time = carries(kEventTimeColumn) && carries(kWatermarkColumn),
                          .ordered = carries(kPartitionColumn) && carries(kOffsetColumn)};
  return Ok();
}

}  // namespace sluice
