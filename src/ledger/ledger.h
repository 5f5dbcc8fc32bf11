// All we remember: runs, steps, epochs, books, held letters, intents, actions, schemas, revisions,
// log lines. SQLite in WAL mode, one writer thread, group commit.
//
// Three durabilities, by name. Keep: synced to disk on return (intents, actions, leases, run end; a
// run's start goes to disk with its leases, a release with whatever is kept next). Hold: synced and
// invisible until its epoch is decided (letters). Note: committed with the next group, may be lost
// in a crash, because the deciding sink holds the truth (progress, log lines).
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "data/block.h"
#include "data/range.h"
#include "data/schema.h"

namespace sluice {

struct Lease {
  FenceId fence;
  std::string resource;
};

struct RunStart {
  std::string project, pipeline, revision, interval, params_json;
  Micros started_at;
  std::string parent = {};  // the run that started it: "RUN/STEP/what"; empty: none
};
enum class RunStatus : uint8_t { kRunning, kSucceeded, kPartial, kFailed, kCancelled };
std::string_view NameOf(RunStatus status);
struct StepResult {
  std::string step, verb;
  Counts counts;
  Micros duration{0};
};
struct RunEnd {
  RunStatus status;
  Micros ended_at;
  std::string error_kind, error_message;
  uint64_t rejected = 0;
  std::string result_json;  // what `run --output json` printed
};
struct RunRow {
  RunId id;
  RunStart start;
  RunEnd end;  // status kRunning: the rest is empty
};
struct RunFilter {
  std::string pipeline, status;
  int64_t limit = 20;
  std::string parent = {};
};

struct LogRow {
  RunId run;
  Micros at;
  std::string level, step, message;
};

struct LetterRow {
  int64_t id = 0;
  RunId run;
  Lane lane;
  EpochId epoch;
  Micros at;
  std::string revision;
  Letter letter;
};
struct LetterFilter {
  std::string pipeline, step, code;
  RunId run;
  int64_t limit = 20;
};

// A lane, of any interval, that has appended to a target.
struct Appender {
  std::string sink, target, pipeline, flow;
};

struct ActionRow {
  std::string fingerprint;
  bool done = false;  // false: it was begun and nobody knows
};

class Ledger {  // any thread
 public:
  // Opens or creates the store; migrates older versions; refuses a newer one and a damaged one
  // (kRejected: what to do).
  static Result<std::unique_ptr<Ledger>> Open(const std::string& path);
  virtual ~Ledger() = default;

  virtual Result<RunId> KeepRunStart(const RunStart& start) = 0;
  virtual Status KeepRunEnd(RunId run, const RunEnd& end, const std::vector<StepResult>& steps) = 0;
  virtual Result<std::vector<RunRow>> Runs(const RunFilter& filter) = 0;
  // Those of one interval among the pipeline's last thousand, newest first.
  virtual Result<std::vector<RunRow>> RunsOf(const std::string& pipeline,
                                             const std::string& interval) = 0;
  virtual Result<std::vector<StepResult>> Steps(RunId run) = 0;

  // One run at a time per resource (a lane): all of them or none, in their order. Taken from a
  // process that has died; kTransient, naming its pid, from one that lives.
  virtual Result<std::vector<Lease>> KeepLeases(const std::vector<std::string>& resources,
                                                RunId run) = 0;
  virtual Status KeepRelease(const std::vector<Lease>& leases) = 0;

  // Only where a redo must take the same ranges (followers, no recorded decider).
  virtual Status KeepIntent(const Lane& lane, EpochId epoch,
                            const std::map<std::string, Range>& ranges) = 0;
  virtual Result<std::optional<std::pair<EpochId, std::map<std::string, Range>>>> Intent(
      const Lane& lane) = 0;

  // Replaces what that epoch held before; empty letters drop it.
  virtual Status HoldLetters(const Lane& lane, EpochId epoch, RunId run,
                             const std::string& revision, Micros at,
                             const std::vector<Letter>& letters) = 0;
  virtual Status DropHeld(const Lane& lane,
                          EpochId after) = 0;  // of undecided epochs: those that never were
  // Shows the epoch's letters, moves progress; idempotent. `decider` names the sink that decided.
  virtual Status NoteSettled(const EpochRecord& record, const std::string& decider) = 0;
  virtual Result<std::optional<EpochRecord>> Last(const Lane& lane,
                                                  std::string* decider = nullptr) = 0;
  // The settled epochs of the lane that belong to one of `runs`, in order.
  virtual Result<std::vector<EpochRecord>> Epochs(const Lane& lane,
                                                  const std::set<RunId>& runs) = 0;
  // `resync`: forget progress after `epoch` (of every lane whose key starts with that of `lane`,
  // interval empty = all).
  virtual Status KeepResync(const Lane& lane, EpochId epoch) = 0;

  virtual Result<std::vector<LetterRow>> Letters(
      const LetterFilter& filter) = 0;  // visible ones, newest first
  virtual Result<std::optional<LetterRow>> FindLetter(int64_t id) = 0;
  virtual Result<uint64_t> CountLetters(const LetterFilter& filter) = 0;

  virtual Status NoteAppenders(const std::string& project,
                               const std::vector<Appender>& appenders) = 0;
  virtual Result<std::vector<Appender>> Appenders(const std::string& project,
                                                  const std::string& sink,
                                                  const std::string& target) = 0;

  // Types that were guessed, pinned at the first run: (project, pipeline, step).
  virtual Result<std::optional<Schema>> Pinned(const std::string& project,
                                               const std::string& pipeline,
                                               const std::string& step) = 0;
  virtual Status KeepPin(const std::string& project, const std::string& pipeline,
                         const std::string& step, const Schema& schema, Micros at) = 0;
  virtual Status KeepRevision(const std::string& revision, const std::string& pipeline,
                              const std::string& text, Micros at) = 0;

  // Actions: once per run (or lane), journaled before and after.
  virtual Status KeepAction(RunId run, const std::string& step, const std::string& fingerprint,
                            bool done) = 0;
  virtual Result<std::optional<ActionRow>> Action(RunId run, const std::string& step) = 0;

  virtual void NoteLog(LogRow row) = 0;
  virtual Result<std::vector<LogRow>> Logs(RunId run) = 0;
  virtual Status Flush() = 0;  // waits until every note so far is on disk
};

}  // namespace sluice
