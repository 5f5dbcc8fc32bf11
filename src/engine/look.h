// Rows of one step, computed for what they say and loaded nowhere: values for `{{ }}`, and the
// search for the step that failed.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "engine/move.h"
#include "engine/programs.h"
#include "engine/world.h"
#include "pipeline/plan.h"

namespace sluice {

class Looker {  // one thread; the run's
 public:
  // `reading`: what to read of each extract; of one that it does not name, all.
  Looker(const Plan& plan, const Flow& flow, World& world, std::map<std::string, Range> reading);
  ~Looker();

  // Fails with the source that cannot be read: `failed` names its step.
  Status Open(std::stop_token stop);
  const std::string& failed() const { return failed_; }
  Result<sql::Rows> Rows(const std::string& step, uint64_t limit, std::stop_token stop);
  // Whether all rows of the step can be computed.
  Status Try(const std::string& step, std::stop_token stop);

 private:
  Result<sql::Rows> Peek(const relation::Ref& rows, uint64_t limit, std::stop_token stop);
  Status OpenSource(const PlannedExtract& extract, std::stop_token stop);

  const Plan& plan_;
  const Flow& flow_;
  World& world_;
  const std::map<std::string, Range> reading_;
  const RunOptions options_;
  Programs programs_;
  std::unique_ptr<sql::Session> work_;
  std::map<std::string, std::unique_ptr<Source>> sources_;
  std::map<std::string, Mover::Input> inputs_;
  std::string failed_;
};

// The first step of a flow that cannot compute its rows; empty: all of them can, so that its loads
// failed.
Result<std::string> FindCulprit(const Plan& plan, const Flow& flow, World& world,
                                const std::map<std::string, Range>& reading, std::stop_token stop);

}  // namespace sluice
