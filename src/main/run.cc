// sluice run: one run of a pipeline, in this process.
#include "engine/run.h"

#include <cstdio>
#include <random>

#include "main/command.h"
#include "main/progress.h"
#include "main/report.h"
#include "main/session.h"

namespace sluice {

int RunAndReport(ProjectSession& session, const Plan& plan, World& world, RunOptions options,
                 bool json) {
  auto progress = ProgressLine::Start(json ? ProgressStyle::kNone : DefaultProgress());
  std::mt19937_64 random{std::random_device{}()};
  options.random = [&random] { return std::uniform_real_distribution<double>(0, 1)(random); };
  options.observer = progress.get();
  RunOutcome outcome = RunPlan(plan, world, options, session.WatchSignals());
  progress->Stop();
  if (json)
    std::printf("%s\n", ToJson(plan, outcome).c_str());
  else
    std::fputs(FormatOutcome(plan, outcome).c_str(), stdout);
  std::fflush(stdout);
  if (outcome.error && !json) std::fprintf(stderr, "sluice: %s\n", Format(*outcome.error).c_str());
  return ExitCode(outcome);
}

namespace {

Result<int> RunOnce(const Invocation& invocation) {
  auto session = TRY(ProjectSession::Open(invocation));
  bool json = invocation.Get("--output") == "json";
  PipelineFile file =
      TRY(ReadPipeline(session->files(), session->project(), invocation.Get("pipeline")));
  (void)
      session->WatchSignals();  // before any thread starts, so that all of them leave signals to it
  Plan plan = TRY(session->MakePlanOf(file, TRY(session->Request(invocation))));
  for (const Warning& warning : plan.warnings) {
    std::fprintf(stderr, "warning: %s\n",
                 Format(Error{ErrorKind::kConfig, warning.text, warning.mark, {}}).c_str());
  }
  if (!json && plan.interval) {
    std::printf("%s for %s to %s\n", plan.pipeline.c_str(),
                FormatInstant(plan.interval->start).c_str(),
                FormatInstant(plan.interval->end).c_str());
    std::fflush(stdout);
  }
  if (invocation.Has("--dry-run")) {
    std::fputs(Describe(plan).c_str(), stdout);
    return kExitOk;
  }
  World world = TRY(session->world());
  TRY(world.ledger.KeepRevision(plan.revision, plan.pipeline, file.text, world.clock.Now()));
  RunOptions options;
  options.again = invocation.Has("--again") || invocation.Has("--full-refresh");
  return RunAndReport(*session, plan, world, options, json);
}

// With --output json a run that is refused is told as JSON too.
Result<int> Run(const Invocation& invocation) {
  Result<int> code = RunOnce(invocation);
  if (!code.ok() && invocation.Get("--output") == "json") {
    std::printf("%s\n", RefusalJson(invocation.Get("pipeline"), code.error()).c_str());
    std::fflush(stdout);
  }
  return code;
}

}  // namespace

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
      .run = Run};
}

}  // namespace sluice
