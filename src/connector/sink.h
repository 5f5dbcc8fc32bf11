// Where data leaves. A sink is one connection: a DuckDB file with all its tables, or one path of
// files. It keeps its own epoch records, and they are the truth: an epoch happened if and only if
// its record is there.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/result.h"
#include "connector/load.h"
#include "data/block.h"
#include "data/range.h"
#include "sql/database.h"
#include "sql/scan.h"

namespace sluice {

enum class Atomicity : uint8_t { kNone, kKeyed, kRecorded };

struct Capabilities {
  Atomicity atomicity = Atomicity::kRecorded;
  std::vector<Mode> modes;
  std::string describe;       // for `plan`: "DuckDB file warehouse.duckdb"
  bool rejects_rows = false;  // it can leave out a row that it refuses (OnRefusal::kReject)
  bool one_publication =
      false;  // all epochs of a bounded run must be published as one (a single file)
  bool keeps_before = false;  // it takes Load::keeps_before
};

// What the destination says it took: its own counts, never ours.
struct Landed {
  uint64_t rows = 0;  // rows of the query that it took
  uint64_t inserted = 0, updated = 0, deleted = 0, unchanged = 0, bytes = 0;
  uint64_t touched = 0;  // not written, for they differ only in columns that Load::compared leaves
                         // out
  std::vector<Letter> refused;  // rows that it did not take, where the load says so

  Landed& operator+=(Landed other);
};

enum class Visibility : uint8_t { kTarget, kStaging };  // kStaging: rows wait until Publish

// One epoch into one sink: a transaction, or a temporary folder. Destroyed without Commit: undone.
class Landing {  // the driver's thread
 public:
  virtual ~Landing() = default;
  virtual EpochId epoch() const = 0;
  // The session whose transaction the landing is: the caller may create temp tables in it and ask a
  // source for its rejects.
  virtual sql::Session& session() = 0;
  // Runs `select` (visible columns of loads[index].schema, by name) and takes its rows; invisible
  // to others until Commit.
  virtual Result<Landed> Write(size_t index, const std::string& select,
                               const std::vector<sql::Bound>& bound, std::stop_token stop) = 0;
  // As Write, of all rows of a source's scan, whose blocks go as they are: nothing between decodes
  // them, and the scan's counts are raised here.
  virtual Result<Landed> Relay(size_t index, sql::Scan& scan, const std::vector<std::string>& wire,
                               std::stop_token stop);
  // Runs a statement of the user's inside the destination (an action). Returns the rows it changed.
  virtual Result<uint64_t> Run(const std::string& statement, const std::vector<sql::Bound>& bound,
                               std::stop_token stop) = 0;
  // The one visible act, never interrupted: rows and record together. A lost answer: kUnsettled,
  // and the driver asks Last. A record of the lane with a higher fence there: kRejected.
  // `record.epoch` must be epoch().
  virtual Status Commit(const EpochRecord& record) = 0;
};

// Which of a lane's old records are still needed: those whose identities tell what is loaded, or,
// where positions only go forward, none.
enum class Needed : uint8_t { kIdentities, kNewest };

struct LoadedRange {
  std::string identity, fingerprint;
  EpochId epoch;
};

class Sink {  // the driver's thread
 public:
  virtual ~Sink() = default;
  virtual Result<Capabilities> Describe() = 0;
  // The columns that the target has now; nullopt: it does not exist. Plan time too.
  virtual Result<std::optional<Schema>> Target(const Load& load) = 0;
  // Whether its landings can Relay blocks with such columns (SourceShape::wire). Plan time too.
  virtual Result<bool> TakesRelay(const Load& /*load*/, const std::vector<std::string>& /*wire*/) {
    return false;
  }
  // How it loads where that depends on the target as it is. Plan time; empty: nothing to tell.
  virtual Result<std::string> Manner(const Load& /*load*/) { return std::string(); }
  // Tables, added columns, the record's own table; idempotent; own transaction. Refuses what the
  // mode cannot do on the target.
  virtual Status Prepare(const std::vector<Load>& loads, std::stop_token stop) = 0;
  virtual Result<std::optional<EpochRecord>> Last(const Lane& lane) = 0;
  // Every range with an identity that a decided epoch of the lane has read.
  virtual Result<std::vector<LoadedRange>> Loaded(const Lane& lane) = 0;
  // A new epoch: its number is allocated by the sink, higher than any before (or `number` where
  // another sink decides).
  virtual Result<std::unique_ptr<Landing>> Begin(const Lane& lane, const std::vector<Load>& loads,
                                                 Visibility visibility,
                                                 std::optional<EpochId> number) = 0;
  // All staged rows of the lane -> targets; Commit makes them visible with the record. Its counts
  // per load. `number` as for Begin.
  virtual Result<std::unique_ptr<Landing>> Publish(const Lane& lane, const std::vector<Load>& loads,
                                                   std::optional<EpochId> number,
                                                   std::vector<Landed>& landed,
                                                   std::stop_token stop) = 0;
  // Forgets published epochs but the newest `keep` and those that are `needed`. Repeatable; never
  // the last one.
  virtual Status Prune(const Lane& /*lane*/, uint64_t /*keep*/, Needed) { return Ok(); }
  // Takes away what a run that was killed left of this lane after `decided`; rolls a decided
  // manifest forward. Idempotent.
  virtual Status Sweep(const Lane& lane, EpochId decided) = 0;
  // `--again`: takes away what epochs of the lane put into the targets (append, insert), within the
  // landing's transaction.
  virtual Status TakeBack(Landing& landing, const std::vector<Load>& loads,
                          const std::vector<EpochId>& epochs) = 0;
};

}  // namespace sluice
