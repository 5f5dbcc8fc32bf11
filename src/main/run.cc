// sluice run: one run of a pipeline, in this process or in the one that has its files open.
#include "engine/run.h"

#include <fmt/format.h>

#include "base/retry.h"
#include "main/command.h"
#include "main/hosted.h"
#include "main/progress.h"
#include "main/report.h"
#include "main/session.h"

namespace sluice {

int RunAndReport(ProjectSession& session, const Plan& plan, World& world, RunOptions options,
                 bool json) {
  server::Console& console = session.console();
  auto progress =
      ProgressLine::Start(json ? ProgressStyle::kNone : DefaultProgress(console), console);
  options.random = Jitter();
  options.observer = progress.get();
  RunOutcome outcome = RunPlan(plan, world, options, session.WatchSignals());
  progress->Stop();
  console.Out(json ? ToJson(plan, outcome) + "\n" : FormatOutcome(plan, outcome));
  if (outcome.error && !json) console.Note("sluice: " + Format(*outcome.error) + "\n");
  return ExitCode(outcome);
}

namespace {

Result<int> RunOnce(const Invocation& invocation, ProjectSession& session) {
  bool json = invocation.Get("--output") == "json";
  PipelineFile file =
      TRY(ReadPipeline(session.files(), session.project(), invocation.Get("pipeline")));
  (void)
      session.WatchSignals();  // before any thread starts, so that all of them leave signals to it
  Plan plan = TRY(session.MakePlanOf(file, TRY(session.Request(invocation))));
  if (!invocation.Has("--dry-run")) {
    TRY(session.Serve());
    TRY(session.OpenFiles(plan));
  }
  for (const Warning& warning : plan.warnings) {
    session.console().Note(
        "warning: " + Format(Error{ErrorKind::kConfig, warning.text, warning.mark, {}}) + "\n");
  }
  if (!json && plan.interval) {
    session.console().Out(fmt::format("{} for {} to {}\n", plan.pipeline,
                                      FormatInstant(plan.interval->start),
                                      FormatInstant(plan.interval->end)));
  }
  if (invocation.Has("--dry-run")) {
    session.console().Out(Describe(plan));
    return kExitOk;
  }
  World world = TRY(session.world());
  TRY(world.ledger.KeepRevision(plan.revision, plan.pipeline, file.text, world.clock.Now()));
  RunOptions options;
  options.again = invocation.Has("--again") || invocation.Has("--full-refresh");
  return RunAndReport(session, plan, world, options, json);
}

// With --output json a run that is refused is told as JSON too.
void Refuse(const Invocation& invocation, const Error& error, server::Console& console) {
  if (invocation.Get("--output") != "json") return;
  console.Out(RefusalJson(invocation.Get("pipeline"), error) + "\n");
}

}  // namespace

Hosted HostedRun() {
  return {.name = "run", .kind = Hosted::Kind::kRuns, .run = RunOnce, .refuse = Refuse};
}

Command RunCommand() {
  return {
      .name = "run",
      .summary = "Run a pipeline once",
      .example = "sluice run daily_sales --date 2026-11-20",
      .arguments = {{"pipeline", "Name or path of a pipeline"}},
      .options = {ProjectOption(),
                  EnvOption(),
                  OutputOption(),
                  {"--date", "DATE", "The interval that begins on DATE"},
                  {"--again", "", "Load again what is already loaded, replacing what it put there",
                   Option::Kind::kFlag},
                  {"--full-refresh", "", "Read everything from the start and load it again",
                   Option::Kind::kFlag},
                  {"--dry-run", "", "Show the plan and stop", Option::Kind::kFlag},
                  {"--param", "NAME=VALUE", "A parameter", Option::Kind::kList},
                  {"--set", "KEY=VALUE", "A setting", Option::Kind::kList}},
      .run = [](const Invocation& typed) { return RunWhereFilesAre(HostedRun(), typed); }};
}

}  // namespace sluice
