// How a run goes on from stage to stage: what it has learnt is put into the plan, which is made
// again where a stage waits for it, or after a step had to be left out.
//
// Invariant: stages and lanes keep their names and fingerprints, whatever is learnt; so a lane is
// the same with and without an optional step, and a run that was killed is gone on with.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "engine/child.h"
#include "engine/driver.h"
#include "engine/world.h"
#include "pipeline/plan.h"

namespace sluice {

class Course {  // the run's thread
 public:
  // `runs`: this run, and those that it goes on with.
  Course(const Plan& plan, World& world, RunId run, Micros started_at, std::set<RunId> runs);

  const std::set<RunId>& runs() const { return runs_; }
  const Plan& plan() const { return plans_.empty() ? whole_ : *plans_.back(); }
  // The stage as it is to be run now; null: it is skipped.
  Result<const Stage*> At(const std::string& name);
  // A stage has ended well.
  Status Learn(const Stage& stage, std::chrono::microseconds took);
  void LearnChildren(const ChildRun& child, const std::vector<ChildEnd>& ends,
                     std::chrono::microseconds took);
  Status Look(const sluice::Look& look, std::stop_token stop);
  // A stage has failed for good: true where the run can do without the step that did.
  Result<bool> DoWithout(const Stage& stage, const Error& error,
                         const std::map<std::string, Range>& reading, std::stop_token stop);
  // Asks the source of an optional extract again; kOk: it answers, or the run does without it.
  Status Ask(const std::string& step);
  bool LeaveOut(const std::string& step, const Error& error);

  bool partial() const { return !known_.skipped.empty() || !known_.fallen.empty() || partial_; }
  void SayPartial() { partial_ = true; }
  // What a step came to: succeeded, skipped, fallback; empty: it has not ended.
  std::string StatusOf(const std::string& step) const;
  std::vector<std::string> Notes() const;
  Result<std::vector<OutputValue>> Outputs(const std::map<std::string, relation::Bound>& ended);

 private:
  Status Remake();
  bool DefineGone();
  void Define(const std::string& step, const std::string& name, const char* type,
              const std::string& text);
  void DefineCounts(const std::string& step, const std::string& status, const Counts& counts,
                    std::chrono::microseconds took);
  bool Wanted() const { return !whole_.late.empty() || !whole_.output.empty(); }
  std::string CulpritOf(const Flow& flow, std::string found) const;
  const StepFacts* FactsOf(const std::string& step) const;

  const Plan& whole_;  // as it was made before the run
  World& world_;
  const std::set<RunId> runs_;
  Progress known_;
  std::vector<std::unique_ptr<Plan>> plans_;  // stages of all of them may be in use
  std::set<std::string> ended_, gone_;
  bool left_out_ = false;  // since the plan was made
  bool partial_ = false;
};

}  // namespace sluice
