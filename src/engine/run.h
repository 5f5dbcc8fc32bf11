// One run of a plan: its flows and actions in order, retried by kind of error, remembered in the
// ledger.
//
// A run that was killed leaves its row as running; the next run of the same pipeline and interval
// carries on: flows go on after their last decided epoch, and actions that the killed run had
// committed are not repeated.
#pragma once

#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "engine/driver.h"
#include "engine/world.h"
#include "pipeline/plan.h"

namespace sluice {

struct StepOutcome {
  std::string step, verb;
  Counts counts;
  Micros duration{0};
  std::string status = {};   // succeeded, skipped, fallback, failed; empty: it did not run
  SourceProgress read = {};  // of an extract that knows its bytes
};

struct RunOutcome {
  RunId run;
  std::string pipeline;
  RunStatus status = RunStatus::kRunning;
  Micros started_at{0}, duration{0};
  std::vector<StepOutcome> steps;
  std::vector<LoadOutcome> loads;
  uint64_t rejected = 0;  // dead letters of this run
  std::vector<std::string> notes;
  std::vector<OutputValue> output;  // empty where the run failed
  std::optional<Error> error;
};

// Never fails by itself: what went wrong is in the outcome. The ledger holds the run before the
// first byte is read, and its end before this returns.
RunOutcome RunPlan(const Plan& plan, World& world, const RunOptions& options, std::stop_token stop);

// The contract of `--output json` (docs/reference): one object.
std::string ToJson(const Plan& plan, const RunOutcome& outcome);
// The same object for a run that was refused before it began: `run` and `interval` are null.
std::string RefusalJson(const std::string& pipeline, const Error& error);
// 0 succeeded · 1 failed · 2 configuration · 3 partial, or rows were rejected.
int ExitCode(const RunOutcome& outcome);

}  // namespace sluice
