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

void PlanSteps(Planning& planning) {
  for (const std::string& name : planning.order) {
    Planned& step = planning.Step(name);
    for (const auto* edges : {&step.from, &step.mentions}) {
      for (const std::string& edge : *edges)
        step.failed = step.failed || planning.Step(edge).failed;
    }
    if (step.failed) continue;
    Status planned = PlanVerb(planning, step);
    if (!planned.ok()) planning.Fail(step, std::move(planned).error().At(step.node->mark));
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
                    .tags = step.tags};
    if (!step.IsAction()) facts.from = step.from;
    for (const std::string& name : step.mentions) {
      if (std::find(facts.from.begin(), facts.from.end(), name) == facts.from.end())
        facts.from.push_back(name);
    }
    if (step.output) facts.schema = Visible(step.output->rows->schema);
    planning.plan.steps.push_back(std::move(facts));
  }
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
  if (planning.request.date) {
    planning.Warn(planning.file.node.mark,
                  "--date changes nothing: no step uses ds or the interval");
  }
}

// Hash of the pipeline and of all it refers to.
std::string Revision(const Planning& planning) {
  std::string text = planning.file.text + TextOf(planning.file.each);
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

  auto whole = WithLookedUpTables(project, file);
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
  if (planning.errors.empty()) BuildStages(planning);
  if (!planning.errors.empty()) {
    std::stable_sort(planning.errors.begin(), planning.errors.end(),
                     [](const Error& a, const Error& b) { return a.mark < b.mark; });
    if (errors != nullptr)
      errors->insert(errors->end(), planning.errors.begin(), planning.errors.end());
    return planning.errors.front();
  }
  TellSteps(planning);
  TellInterval(planning);
  plan.revision = Revision(planning);
  return plan;
}

}  // namespace sluice
