// What a run stands on, given by `main` or a test. All references outlive the run.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>

#include "base/clock.h"
#include "base/files.h"
#include "connector/registry.h"
#include "connector/source.h"
#include "engine/epoch.h"
#include "ledger/ledger.h"
#include "sql/database.h"

namespace sluice {

// Told of everything that happens in a run, on the driver's thread. The default does nothing.
class Observer {
 public:
  virtual ~Observer() = default;
  virtual void OnMilestone(const std::string& /*flow*/, Milestone) {}
  virtual bool WantsShare() const { return false; }  // whether OnMoving is worth its price
  // The query of an epoch runs: share done 0..1, or -1 where its sources do not know their size;
  // `read`: of all that the flow reads in this run. Called a few times a second from another
  // thread.
  virtual void OnMoving(const std::string& /*flow*/, double /*share*/,
                        const SourceProgress& /*read*/) {}
  // An epoch is durable: what it read and loaded. Counters move here and nowhere else.
  virtual void OnDecided(const std::string& /*flow*/, const EpochRecord&, uint64_t /*rows_loaded*/,
                         uint64_t /*bytes*/) {}
  virtual void OnRetry(const std::string& /*what*/, const Error&, int /*attempt*/,
                       std::chrono::microseconds /*wait*/) {}
  virtual void OnStep(const std::string& /*step*/, const std::string& /*what*/) {}
};

struct World {
  Files& files;
  Clock& clock;
  sql::Database& database;
  Ledger& ledger;
  std::string folder;          // of the project
  std::string store;           // where ledger and state files are: "<folder>/.sluice"
  Secrets* secrets = nullptr;  // null: connections hold no references
  // Whether the project has a pipeline of that name; empty: there is no project.
  std::function<bool(const std::string&)> has_pipeline = {};
};

struct RunOptions {
  bool again = false;            // --again, --full-refresh: load what is already loaded once more
  bool resync = false;           // copy --resync: go on from what the destinations hold
  std::string parent;            // the run that started this one: RunStart::parent
  std::string resync_hint;       // what to type for that; empty: sluice resync PIPELINE
  std::optional<Limits> limits;  // of an epoch, instead of the plan's (tests)
  uint64_t letter_limit_bytes = 256 << 20;  // of one epoch's dead letters
  Observer* observer = nullptr;
  std::function<double()> random;  // uniform in [0, 1), for jitter; any thread
};

}  // namespace sluice
