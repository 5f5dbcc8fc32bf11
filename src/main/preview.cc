// sluice preview: the first rows of a step, loaded nowhere.
#include "engine/preview.h"

#include <algorithm>

#include "base/text.h"
#include "main/command.h"
#include "main/hosted.h"
#include "main/session.h"
#include "main/table.h"

namespace sluice {

namespace {

Result<int> ShowPreview(const Invocation& invocation, ProjectSession& session) {
  PipelineFile file =
      TRY(ReadPipeline(session.files(), session.project(), invocation.Get("pipeline")));
  (void)session.WatchSignals();
  PlanRequest request = TRY(session.Request(invocation));
  request.preview = true;
  Plan plan = TRY(session.MakePlanOf(file, request));
  std::vector<std::string> steps;
  for (const auto& stage : plan.stages) {
    if (const Flow* flow = std::get_if<Flow>(&stage))
      steps.insert(steps.end(), flow->steps.begin(), flow->steps.end());
  }
  if (steps.empty())
    return ConfigError(Mark{file.path, 0, 0}, "no step of this pipeline gives rows");
  std::string step = invocation.Get("step", steps.back());
  if (std::find(steps.begin(), steps.end(), step) == steps.end()) {
    auto near = Nearest(step, steps);
    return ConfigError(Mark{file.path, 0, 0}, "no step is called '" + step + "'" +
                                                  (near ? "; did you mean '" + *near + "'?"
                                                        : "; steps: " + Join(steps, ", ")));
  }
  const int64_t limit = TRY(ReadNumber(invocation.Get("--limit", "10"), "--limit"));
  World world = TRY(session.world());
  sql::Rows rows =
      TRY(Preview(plan, world, step, static_cast<uint64_t>(limit), session.WatchSignals()));
  session.console().Out(FormatTable(rows));
  return kExitOk;
}

}  // namespace

Hosted HostedPreview() {
  return {.name = "preview", .kind = Hosted::Kind::kLooks, .run = ShowPreview};
}

Command PreviewCommand() {
  return {.name = "preview",
          .summary = "Show the first rows of a step without loading anything",
          .example = "sluice preview daily_sales clean --limit 20",
          .arguments = {{"pipeline", "Name or path of a pipeline"},
                        {"step", "A step (default: the last)", Argument::Count::kOptional}},
          .options = {ProjectOption(),
                      EnvOption(),
                      {"--limit", "N", "Rows to show (default 10)"},
                      {"--date", "DATE", "The interval that begins on DATE"},
                      {"--param", "NAME=VALUE", "A parameter", Option::Kind::kList},
                      {"--set", "KEY=VALUE", "A setting", Option::Kind::kList}},
          .run = [](const Invocation& typed) { return RunWhereFilesAre(HostedPreview(), typed); }};
}

}  // namespace sluice
