// Runs a `.test` file under every configuration: whole, row by row, in 3-row epochs, in parallel,
// killed at every milestone of every epoch and restored, and against DuckDB over the whole input.
// The output must not change.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "connector/registry.h"
#include "harness/test_file.h"
#include "transform/verb.h"

namespace sluice::harness {

struct Verdict {
  std::string configuration;
  bool skipped = false;
  std::string failure;  // empty: passed. What was expected and what came, line by line
};

// Runs `sluice test --child …` in a process of its own, to be killed there: returns true where
// SIGKILL ended it, false where it came to its end.
// At `now`, what the clock of the run says.
using RunChild =
    std::function<bool(const std::string& folder, const std::string& pipeline,
                       const std::vector<std::string>& words, Micros now, int kill_at)>;

struct MatrixOptions {
  std::vector<std::string> configurations;  // empty: all
  RunChild child;                           // absent: no kills
  std::string temp_folder;                  // where scenes are made
};

std::vector<std::string> AllConfigurations();  // whole, rows, three, parallel, killed, oracle
std::vector<Verdict> RunMatrix(const TestFile& file, const Connectors& connectors,
                               const Verbs& verbs, const MatrixOptions& options);

// What the child does: one run in 3-row epochs that kills its own process at the milestone number
// `kill_at` (from 1).
int RunAndDie(const std::string& folder, const std::string& pipeline,
              const std::vector<std::string>& words, Micros now, int kill_at,
              const Connectors& connectors, const Verbs& verbs);

}  // namespace sluice::harness
