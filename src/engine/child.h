// A run that another run starts: once per run of that one, whatever is killed. The child's own row
// in the ledger names its parent, so that who goes on with a killed parent finds what its child
// came to, or goes on with it.
#pragma once

#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "engine/run.h"
#include "engine/world.h"
#include "pipeline/plan.h"

namespace sluice {

struct ChildEnd {
  RunId run;
  std::string pipeline;
  RunStatus status = RunStatus::kRunning;
  std::string error;                          // of a run that failed
  std::map<std::string, std::string> output;  // as text; a null is absent
  uint64_t rejected = 0;
  bool before = false;  // it had ended before this run began
};

// All runs of the step, `parallelism` at once; the first failure ends the rest. `run` is the
// parent, `runs` those that it goes on with, itself included.
Result<std::vector<ChildEnd>> RunChildren(const ChildRun& child, int parallelism, RunId run,
                                          const std::set<RunId>& runs, World& world,
                                          const RunOptions& options, std::stop_token stop);

}  // namespace sluice
