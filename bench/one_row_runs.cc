// one_row_runs FOLDER PIPELINE N: plans and runs a pipeline N times in one process, a day further each time, and prints
// runs per second. Each run is its own lane with its own record, lease and journal, as a scheduler's would be.
#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "base/text.h"
#include "engine/run.h"
#include "main/session.h"

namespace sluice {
namespace {

std::string DateOf(int day) {
  const std::chrono::year_month_day date{std::chrono::sys_days{std::chrono::year{2000} / 1 / 1} +
                                         std::chrono::days{day}};
  char text[16];
  std::snprintf(text, sizeof text, "%04d-%02u-%02u", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()));
  return text;
}

Status RunAll(const std::string& folder, const std::string& pipeline, int runs) {
  Invocation invocation{.command = "run", .values = {{"--project", {folder}}}};
  auto session = TRY(ProjectSession::Open(invocation));
  PipelineFile file = TRY(ReadPipeline(session->files(), session->project(), pipeline));
  World world = TRY(session->world());
  const auto began = std::chrono::steady_clock::now();
  for (int i = 0; i < runs; ++i) {
    invocation.values["--date"] = {DateOf(i)};
    Plan plan = TRY(session->MakePlanOf(file, TRY(session->Request(invocation))));
    RunOutcome outcome = RunPlan(plan, world, {}, {});
    if (outcome.error) return *outcome.error;
    if (outcome.loads.empty() || outcome.loads[0].already_loaded) {
      return InternalError("a run loaded nothing: the pipeline needs a schedule and {{ ds }}");
    }
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  std::printf("%.0f runs/s\n", runs / took.count());
  return Ok();
}

}  // namespace
}  // namespace sluice

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  const sluice::Status done = sluice::RunAll(argv[1], argv[2], std::atoi(argv[3]));
  if (!done.ok()) std::fprintf(stderr, "one_row_runs: %s\n", Format(done.error()).c_str());
  return done.ok() ? 0 : 1;
}
