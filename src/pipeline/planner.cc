// MakePlan: settles the values, connects the steps, lowers each in the order of its inputs, and
// cuts the result into stages. Errors of steps that do not read each other are all told.
#include "pipeline/planner.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "pipeline/for_each.h"

namespace sluice {
namespace {

bool Restarts(std::string_view verb) {
  return verb == "aggregate" || verb == "join" || verb == "lookup" || verb == "sql" ||
         verb == "window";
}

// The step without which this one does not happen either; empty: none.
std::string Needs(Planning& planning, Planned& step) {
  std::string needs;
  for (const std::string& edge : NeedsOf(step)) {
    if (planning.Step(edge).skip == Skip::kGone) needs = edge;
  }
  for (const auto* edges : {&step.from, &step.mentions, &step.values}) {
    for (const std::string& edge : *edges) step.failed = step.failed || planning.Step(edge).failed;
  }
  for (const auto& [edge, wants] : step.looks)
    step.failed = step.failed || planning.Step(edge).failed;
  return needs;
}

Status PlanWhole(Planning& planning, Planned& step) {
  for (const std::string& name : step.values) DeclareValues(planning, name);
  for (const auto& [name, wants] : step.looks) DeclareValues(planning, name);
  TRY(ReadOptional(planning, step));
  (void)planning.values.TakeAwaited();
  TRY(PlanVerb(planning, step));
  step.awaits.merge(planning.values.TakeAwaited());
  return Ok();
}

void PlanOne(Planning& planning, Planned& step, const std::string& needs) {
  Status planned = PlanWhole(planning, step);
  if (!needs.empty()) {
    step.skip = Skip::kGone;
    step.why = fmt::format("needs '{}', which is skipped", needs);
    // What its source is like when nothing was put there does not matter.
    if (!planned.ok() && planned.error().kind != ErrorKind::kConfig) {
      step.failed = true;
      return;
    }
  }
  if (!planned.ok()) return planning.Fail(step, std::move(planned).error().At(step.node->mark));
  if (step.skip == Skip::kHollow) HandOn(planning, step);
}

void PlanSteps(Planning& planning) {
  for (const std::string& name : planning.order) {
    Planned& step = planning.Step(name);
    const std::string needs = Needs(planning, step);
    if (!step.failed) PlanOne(planning, step, needs);
  }
}

void TellSteps(Planning& planning) {
  for (const StepNode& node : planning.file.steps) {
    const Planned& step = planning.Step(node.name);
    StepFacts facts{.name = node.name,
                    .verb = node.verb,
                    .mark = node.mark,
                    .from = {},
                    .schema = {},
                    .reach = step.reach,
                    .restarts = Restarts(node.verb),
                    .description = step.description,
                    .tags = step.tags,
                    .skip = Skip::kNo,
                    .why = {},
                    .when = {},
                    .waits_for = {},
                    .on_error = {}};
    if (!step.IsAction()) facts.from = step.from;
    facts.skip = step.skip;
    facts.why = step.why;
    facts.waits_for.assign(step.awaits.begin(), step.awaits.end());
    if (const Node* when = node.step.Find("when")) facts.when = when->scalar;
    if (step.optional) facts.on_error = node.step.Find("fallback") ? "fallback" : "skip";
    if (step.skip == Skip::kHollow || step.fallen) facts.restarts = false;
    for (const std::string& name : step.mentions) {
      if (std::find(facts.from.begin(), facts.from.end(), name) == facts.from.end())
        facts.from.push_back(name);
    }
    if (step.output) facts.schema = Visible(step.output->rows->schema);
    planning.plan.steps.push_back(std::move(facts));
  }
}

// A child with other params is other work: it has lanes of its own.
std::string ParamsText(const PlanRequest& request) {
  std::string text;
  if (request.callers.empty()) return text;
  for (const auto& [name, value] : request.params)
    text += fmt::format("{}{}={}", text.empty() ? " (" : ", ", name, value);
  return text.empty() ? text : text + ")";
}

void TellInterval(Planning& planning) {
  Plan& plan = planning.plan;
  if (planning.values.used_interval()) {
    plan.interval = planning.interval;
    plan.interval_text =
        FormatInstant(planning.interval.start) + "/" + FormatInstant(planning.interval.end);
    return;
  }
  plan.interval_text = "stream";
  if (planning.request.date && planning.request.callers.empty()) {
    planning.Warn(planning.file.node.mark,
                  "--date changes nothing: no step uses ds or the interval");
  }
}

// Hash of the pipeline and of all it refers to.
std::string Revision(const Planning& planning) {
  std::string text = planning.file.text + TextOf(planning.file.each);
  for (const auto& [path, piece] : planning.file.pieces) text += "\x1f" + path + "\x1f" + piece;
  for (const Macro& macro : planning.project.macros) text += "\x1f" + macro.statement;
  for (const auto& [path, sql] : planning.values.files_read()) text += "\x1f" + path + "\x1f" + sql;
  return Fingerprint(text);
}

}  // namespace

std::string_view NameOf(Reach reach) {
  switch (reach) {
    case Reach::kRow:
      return "row";
    case Reach::kKeyed:
      return "keyed state";
    case Reach::kWhole:
      return "whole input";
  }
  return "row";
}

const std::string& NameOf(const Stage& stage) {
  return std::visit(
      [](const auto& s) -> const std::string& {
        if constexpr (requires { s.id; })
          return s.id;
        else
          return s.step;
      },
      stage);
}

namespace {

// What a plan is made of, kept for as long as someone may make it again.
struct Ground {
  Project project;
  PipelineFile file;
  PlanRequest request;
  const Connectors& connectors;
  const Verbs& verbs;
  ConnectorContext context;
};

Result<std::vector<OutputValue>> OutputsOf(const Ground& ground, const Progress& known) {
  auto session = TRY(ground.context.database.Connect());
  sql::Parser parser(*session);
  const Schedule schedule = TRY(ReadSchedule(ground.file.node.Find("schedule")));
  const Interval interval = TRY(IntervalOfRun(schedule, ground.request));
  Settled settled =
      TRY(MakeScope(ground.project, ground.file, ground.request, schedule, interval, *session));
  Template values(std::move(settled.scope), *session, parser, ground.context.files,
                  ground.project.folder);
  DeclareRun(known, values);
  for (const auto& [name, value] : known.values) values.Define(name, value);
  return ReadOutput(ground.file, known, values);
}

void KeepGround(Plan& plan, Ground ground) {
  auto kept = std::make_shared<const Ground>(std::move(ground));
  plan.again = [kept](const Progress& known) {
    PlanRequest request = kept->request;
    request.known = known;
    return MakePlan(kept->project, kept->file, request, kept->connectors, kept->verbs,
                    kept->context);
  };
  plan.outputs = [kept](const Progress& known) { return OutputsOf(*kept, known); };
}

}  // namespace

Result<Plan> MakePlan(const Project& project, const PipelineFile& file, const PlanRequest& request,
                      const Connectors& connectors, const Verbs& verbs,
                      const ConnectorContext& context, std::vector<Error>* errors) {
  const auto fail = [&](Error error) {
    if (errors != nullptr) errors->push_back(error);
    return error;
  };
  Plan plan;
  plan.project = project.name;
  plan.pipeline = file.name;
  plan.folder = project.folder;
  plan.environment = project.environment;
  auto session = context.database.Connect();
  if (!session.ok()) return fail(std::move(session).error());
  sql::Parser parser(**session);

  if (auto settings = ReadSettings(project, file, plan); !settings.ok())
    return fail(std::move(settings).error());
  auto schedule = ReadSchedule(file.node.Find("schedule"));
  if (!schedule.ok()) return fail(std::move(schedule).error());
  auto interval = IntervalOfRun(*schedule, request);
  if (!interval.ok()) return fail(std::move(interval).error());
  auto settled = MakeScope(project, file, request, *schedule, *interval, **session);
  if (!settled.ok()) return fail(std::move(settled).error());
  plan.params_json = settled->params_json;
  Template values(std::move(settled->scope), **session, parser, context.files, project.folder);

  DeclareRun(request.known, values);
  auto whole = WithSelectsInside(project, parser, file);
  if (whole.ok()) whole = WithLookedUpTables(project, *whole);
  if (whole.ok()) whole = WithFallbacks(request.known, std::move(*whole));
  if (!whole.ok()) return fail(std::move(whole).error());
  Planning planning{.project = project,
                    .file = *whole,
                    .request = request,
                    .connectors = connectors,
                    .verbs = verbs,
                    .context = context,
                    .session = **session,
                    .parser = parser,
                    .values = values,
                    .schedule = *schedule,
                    .interval = *interval,
                    .plan = plan,
                    .steps = {},
                    .order = {},
                    .errors = {}};
  ConnectSteps(planning);
  PlanSteps(planning);
  CheckHazards(planning);
  if (planning.errors.empty()) {
    PushDown(planning);
    BuildStages(planning);
  }
  if (planning.errors.empty()) {
    for (const StepNode& step : planning.file.steps) DeclareValues(planning, step.name);
    auto output = ReadOutput(file, request.known, values);
    if (output.ok())
      plan.output = std::move(*output);
    else
      planning.errors.push_back(std::move(output).error());
  }
  if (!planning.errors.empty()) {
    std::stable_sort(planning.errors.begin(), planning.errors.end(),
                     [](const Error& a, const Error& b) { return a.mark < b.mark; });
    if (errors != nullptr)
      errors->insert(errors->end(), planning.errors.begin(), planning.errors.end());
    return planning.errors.front();
  }
  TellSteps(planning);
  TellInterval(planning);
  plan.interval_text += ParamsText(request);
  plan.revision = Revision(planning);
  KeepGround(plan, {project, file, request, connectors, verbs, context});
  return plan;
}

}  // namespace sluice
