// Runs one flow: the six states of its epochs, in order, with the decider last (engine/epoch.h says
// what each kill leaves).
//
// Owner: the run. Thread: one, the only caller of the flow's sources, sinks and DuckDB sessions.
// Lifecycle: Open, Step until it says that the flow has ended; after an error, Open again (it asks
// the decider what happened) or drop it.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "engine/move.h"
#include "engine/state.h"
#include "engine/watermark.h"
#include "engine/world.h"
#include "pipeline/plan.h"

namespace sluice {

struct LoadOutcome {
  std::string step, target;
  Mode mode = Mode::kAppend;
  Landed landed;
  bool already_loaded = false;  // nothing was read, because the record already holds it
};

struct FlowOutcome {
  Books books;  // over all epochs of this run
  std::vector<LoadOutcome> loads;
  std::map<std::string, SourceProgress> read;  // of extracts that know their bytes
  uint64_t epochs = 0, letters = 0;
  std::vector<std::string> notes;  // for the user: "3 files were already loaded"
};

class Driver {
 public:
  Driver(const Plan& plan, const Flow& flow, RunId run, Lease lease, World& world,
         const RunOptions& options);
  ~Driver();

  // Opens sources and sinks, asks decider, ledger and state, sweeps what a killed run left.
  Result<Start> Open(std::stop_token stop);
  // One epoch, or the publication. False: the flow has ended.
  Result<bool> Step(std::stop_token stop);
  const FlowOutcome& outcome() const { return outcome_; }
  // What the epoch that failed was to read; empty: it came to none.
  const std::map<std::string, Range>& reading() const { return reading_; }

 private:
  struct PlacedSink {
    std::unique_ptr<Sink> sink;
    std::vector<size_t> loads;  // indices into flow.loads
    std::vector<Load> specs;
    std::optional<EpochRecord> last;
  };
  struct Epoch {  // what is being done
    std::map<std::string, Range> ranges;
    Position position;  // after it
    bool final = false;
  };

  Status OpenEnds(std::stop_token stop);
  Result<Start> AskAndSweep();
  std::string ResyncHint() const;
  Status RefuseRestored(int64_t decided, int64_t noted) const;
  Result<std::optional<Epoch>> Freeze(std::stop_token stop);
  Result<std::optional<Range>> FreezeOne(const PlannedExtract& extract, Position& position,
                                         std::stop_token stop);
  bool AlreadyLoaded(const Epoch& epoch) const;
  bool DropLoaded(Range& range);
  bool Continues() const;
  Micros JoinWatermarks(const Epoch& epoch, const std::map<std::string, Micros>& partitions);
  Status Run(const Epoch& epoch, std::stop_token stop);
  Status Hold(const Moved& moved, EpochId number,
              const std::vector<std::unique_ptr<Landing>>& landings, EpochRecord& record,
              std::stop_token stop);
  Status Decide(Landing& landing, const EpochRecord& record);
  Status Settle(const EpochRecord& record);
  Status ResumePositions();
  Status AdoptPositions();
  Position KeptPosition(const Epoch& epoch) const;
  Status Prune(const EpochRecord& record);
  Status PublishStaged(std::stop_token stop);
  Books Waiting() const;
  Status CheckPublished(const std::string& load, const Landed& landed) const;
  Status HoldRefused(std::vector<Letter> letters, EpochRecord& record);
  Status CheckRejects(const Moved& moved, const Epoch& epoch) const;
  EpochRecord RecordOf(EpochId number, const Epoch& epoch, const Moved& moved) const;
  Limits EpochLimits() const;
  SourceProgress ReadOf(const std::string& extract, double share) const;
  void NoteRead();
  void Tell(Milestone milestone) const;
  void Enter(EpochState next);

  const Plan& plan_;
  const Flow& flow_;
  const Lane lane_;
  const RunId run_;
  const Lease lease_;
  World& world_;
  const RunOptions& options_;

  std::unique_ptr<sql::Session> work_;
  std::map<std::string, std::unique_ptr<Source>> sources_;
  std::vector<PlacedSink> sinks_;  // [0] decides
  std::unique_ptr<StateStore> state_;
  Programs programs_;
  std::optional<WatermarkJoin> watermarks_;
  std::optional<EpochRecord> last_;  // of the decider in this lane
  Position position_;                // after it, whole
  std::set<std::string> loaded_;     // identities that the lane's epochs have read
  std::vector<EpochId> take_back_;   // --again: epochs whose rows the first epoch takes away
  bool again_pending_ = false;
  bool ended_ = false;
  bool appenders_noted_ = false;
  uint64_t epochs_in_lane_ = 0;  // of this run
  uint64_t ranges_already_loaded_ = 0;
  std::map<std::string, Range> reading_;
  std::map<std::string, uint64_t> read_before_;  // bytes, by sources that were opened earlier
  EpochState state_now_ = EpochState::kSettle;
  FlowOutcome outcome_;
};

Lane LaneOf(const Plan& plan, const Flow& flow);
Lane LaneOf(const Plan& plan, const Stage& stage);
std::map<std::string, Taken> TakenOf(const std::map<std::string, Landed>& landed);

}  // namespace sluice
