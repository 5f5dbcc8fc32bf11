// one_row_runs FOLDER PIPELINE N LANES: plans and runs a pipeline N times in one process, a day
// further each time, LANES of them at once, and prints runs per second. Each run is its own lane
// with its own record, lease and journal, as a scheduler's would be.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <future>
#include <vector>

#include "base/mutex.h"
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

Result<Plan> PlanOf(ProjectSession& session, const PipelineFile& file,
                    const Invocation& invocation) {
  return session.MakePlanOf(file, TRY(session.Request(invocation)));
}

// Every lane's share of the days, one run after the other, as `backfill --parallel` does.
Status RunShare(ProjectSession& session, const PipelineFile& file, Invocation invocation, int first,
                int runs, int lanes, Mutex& planning) {
  World world = TRY(session.world());
  for (int day = first; day < runs; day += lanes) {
    invocation.values["--date"] = {DateOf(day)};
    auto plan = [&] {  // plans are made one at a time
      MutexLock lock(planning);
      return PlanOf(session, file, invocation);
    }();
    if (!plan.ok()) return std::move(plan).error();
    RunOutcome outcome = RunPlan(*plan, world, {}, {});
    if (outcome.error) return *outcome.error;
    if (outcome.loads.empty() || outcome.loads[0].already_loaded) {
      return InternalError("a run loaded nothing: the pipeline needs a schedule and {{ ds }}");
    }
  }
  return Ok();
}

Status RunAll(const std::string& folder, const std::string& pipeline, int runs, int lanes) {
  Invocation invocation{.command = "run", .values = {{"--project", {folder}}}};
  auto session = TRY(ProjectSession::Open(invocation));
  PipelineFile file = TRY(ReadPipeline(session->files(), session->project(), pipeline));
  TRY(session->world());
  Mutex planning;
  const auto began = std::chrono::steady_clock::now();
  std::vector<std::future<Status>> shares;
  for (int lane = 0; lane < lanes; ++lane) {
    shares.push_back(std::async(std::launch::async, RunShare, std::ref(*session), std::cref(file),
                                invocation, lane, runs, lanes, std::ref(planning)));
  }
  for (auto& share : shares) TRY(share.get());
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  std::printf("%.0f runs/s\n", runs / took.count());
  return Ok();
}

}  // namespace
}  // namespace sluice

int main(int argc, char** argv) {
  if (argc != 5) return 2;
  const sluice::Status done =
      sluice::RunAll(argv[1], argv[2], std::atoi(argv[3]), std::atoi(argv[4]));
  if (!done.ok()) std::fprintf(stderr, "one_row_runs: %s\n", Format(done.error()).c_str());
  return done.ok() ? 0 : 1;
}
