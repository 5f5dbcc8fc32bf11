// The start of a flow: opens its ends, asks the decider, the ledger and the state file how far the
// lane has come, and sweeps what a killed run left. Every act of it can be repeated.
#include <fmt/core.h>

#include "base/text.h"
#include "engine/driver.h"

namespace sluice {

namespace {

std::string StatePath(const World& world, const Lane& lane) {
  return world.store + "/state/" + lane.pipeline + ".duckdb";
}

// Moves what is known of one step to another.
template <class Value>
void Rename(std::map<std::string, Value>& all, const std::string& from, const std::string& to) {
  const std::string prefix = PartitionKey(from, "");
  std::vector<std::pair<std::string, Value>> found;
  for (const auto& [key, value] : all) {
    if (StartsWith(key, prefix)) found.emplace_back(key.substr(prefix.size()), value);
  }
  for (auto& [partition, value] : found) {
    all.erase(PartitionKey(from, partition));
    all.insert_or_assign(PartitionKey(to, partition), std::move(value));
  }
}

}  // namespace

Status Driver::OpenEnds(std::stop_token stop) {
  ConnectorContext context{world_.files, world_.database, world_.clock, world_.folder,
                           world_.secrets};
  work_ = TRY(world_.database.Connect());
  TRY(programs_.Open(flow_));
  sources_.clear();
  for (const auto& [step, read] : outcome_.read) read_before_[step] = read.read;
  for (const PlannedExtract& extract : flow_.extracts) {
    ExtractRequest request = extract.request;
    if (!extract.shape.guessed.empty()) request.pinned = extract.shape.guessed;
    auto source =
        TRY(MakeSource(*extract.connector, extract.connection, std::move(request), context));
    TRY(source->Describe(*work_, stop).While(fmt::format("reading step '{}'", extract.step)));
    sources_[extract.step] = std::move(source);
  }
  sinks_.clear();
  for (const PlannedSink& planned : flow_.sinks) {
    PlacedSink placed;
    for (size_t i = 0; i < flow_.loads.size(); ++i) {
      if (flow_.loads[i].sink != planned.key) continue;
      placed.loads.push_back(i);
      placed.specs.push_back(flow_.loads[i].load);
    }
    placed.sink = TRY(planned.connector->sink(planned.connection, placed.specs, context));
    Status prepared = placed.sink->Prepare(placed.specs, stop);
    if (!prepared.ok()) {
      return std::move(prepared)
          .error()
          .While(fmt::format("preparing {}", planned.name))
          .At(placed.specs.front().mark);
    }
    sinks_.push_back(std::move(placed));
  }
  if (!flow_.keyed_step.empty()) {
    TRY(world_.files.MakeFolders(world_.store + "/state"));
    state_ =
        TRY(StateStore::Open(world_.database, StatePath(world_, lane_), lane_, flow_.keyed_step));
    std::optional<Micros> idle;
    if (flow_.endless) idle = flow_.extracts.at(0).request.config.idle_after;
    watermarks_.emplace(idle);
  }
  return Ok();
}

std::string Driver::ResyncHint() const {
  return options_.resync_hint.empty() ? "sluice resync " + plan_.pipeline : options_.resync_hint;
}

Status Driver::RefuseRestored(int64_t decided, int64_t noted) const {
  return RejectedError(fmt::format(
      "'{}' knows epoch {} of {} as its last, but this project's ledger knows epoch {}: the "
      "destination was restored from a backup or its "
      "_sluice_epochs was dropped. Nothing was loaded. To go on from epoch {}: {}",
      flow_.sinks.at(0).name, decided, flow_.id, noted, decided, ResyncHint()));
}

Result<Start> Driver::AskAndSweep() {
  for (PlacedSink& placed : sinks_) placed.last = TRY(placed.sink->Last(lane_));
  last_ = sinks_.empty() ? std::nullopt : sinks_[0].last;
  if (options_.resync && epochs_in_lane_ == 0)
    TRY(world_.ledger.KeepResync(lane_, last_ ? last_->epoch : EpochId{0}));
  std::string decider;
  std::optional<EpochRecord> noted = TRY(world_.ledger.Last(lane_, &decider));
  int64_t decided = last_ ? last_->epoch.value : 0;
  int64_t ledger = noted ? noted->epoch.value : 0;
  if (noted && !decider.empty() && decider != flow_.sinks.at(0).name) {
    return RejectedError(
        fmt::format("'{}' decided {} until epoch {}, but now '{}' decides, which knows epoch {}: "
                    "load into '{}' again, or go on from what '{}' holds with: "
                    "{}",
                    decider, flow_.id, ledger, flow_.sinks[0].name, decided, decider,
                    flow_.sinks[0].name, ResyncHint()));
  }
  bool lane_has_state = state_ != nullptr && last_ && !last_->final;
  Start start = Recover(decided, ledger, state_ ? state_->last().value : 0, lane_has_state);
  if (start == Start::kRefuseRestored) return RefuseRestored(decided, ledger).error();
  if (start == Start::kRefuseStateLost) {
    return RejectedError(
        fmt::format("'{}' knows epoch {} of {}, but the state file {} knows epoch {}: it was "
                    "deleted or is older. Nothing was loaded. Put the file back, or start "
                    "over with: sluice run {} --again",
                    flow_.sinks[0].name, decided, flow_.id, StatePath(world_, lane_),
                    state_->last().value, plan_.pipeline));
  }
  for (PlacedSink& placed : sinks_)
    TRY(placed.sink->Sweep(lane_, placed.last ? placed.last->epoch : EpochId{0}));
  TRY(world_.ledger.DropHeld(lane_, EpochId{decided}));
  if (state_) {
    TRY(state_->TakeBack(EpochId{decided}));
    Status whole = state_->Check();
    if (!whole.ok() && !options_.again) {
      return RejectedError(
          fmt::format("the state file {}: {}. Nothing was loaded. Put the file back, or start over "
                      "with: sluice run {} --again",
                      StatePath(world_, lane_), whole.error().message, plan_.pipeline));
    }
  }
  if (start == Start::kSettleFirst) TRY(Settle(*last_));
  return start;
}

Result<Start> Driver::Open(std::stop_token stop) {
  state_now_ = EpochState::kSettle;
  TRY(OpenEnds(stop));
  Start start = TRY(AskAndSweep());
  loaded_.clear();
  if (options_.again && flow_.endless) {
    return RejectedError(
        fmt::format("--again: '{}' has no end, and what its oldest epochs put there is not "
                    "remembered; to load from the start, give the load step another name and an "
                    "empty target",
                    flow_.id));
  }
  again_pending_ = options_.again && epochs_in_lane_ == 0;
  if (again_pending_) {
    std::set<EpochId> epochs;
    for (const LoadedRange& range : TRY(sinks_[0].sink->Loaded(lane_))) epochs.insert(range.epoch);
    take_back_.assign(epochs.begin(), epochs.end());
  } else if (last_) {
    for (const LoadedRange& range : TRY(sinks_[0].sink->Loaded(lane_))) {
      if (!range.identity.empty()) loaded_.insert(range.identity);
    }
    if (last_->fingerprint != flow_.fingerprint && epochs_in_lane_ == 0) {
      outcome_.notes.push_back(
          fmt::format("what {} computes has changed since its last load; rows that are loaded stay "
                      "as they are (--again loads them anew)",
                      flow_.id));
    }
  }
  position_.clear();
  if (last_ && !again_pending_) TRY(ResumePositions());
  if (watermarks_ && Continues()) {
    for (const auto& [partition, watermark] : last_->watermarks)
      watermarks_->Raise(partition, watermark, world_.clock.Steady());
    watermarks_->Start(last_->fired);
  }
  Tell(Milestone::kRecovered);
  return start;
}

// A cursor goes by the name of its step: where that is gone, the user says who has taken over.
Status Driver::AdoptPositions() {
  std::set<std::string> gone;
  for (const auto& [key, at] : last_->position) gone.insert(key.substr(0, key.find('\x1f')));
  // A step whose fallback reads for it is not gone, nor a fallback whose step reads again.
  for (const auto& [step, rows] : flow_.rows) {
    gone.erase(step);
    gone.erase(step + "_fallback");
  }
  for (const PlannedExtract& extract : flow_.extracts) {
    const std::string& former = extract.request.config.renamed_from;
    const bool known = !PositionOf(last_->position, extract.step).empty();
    if (known || gone.empty() || former == "none") continue;
    if (former.empty()) {
      return ConfigError(
          extract.request.config.mark,
          fmt::format(
              "nothing says from where step '{}' reads on; '{}', which is gone, was read "
              "until epoch {} of {}: if it was renamed, write renamed_from: {} in this "
              "extract; if it is another one, to be read from its start, renamed_from: none",
              extract.step, *gone.begin(), last_->epoch.value, flow_.id, *gone.begin()));
    }
    Rename(last_->position, former, extract.step);
    Rename(last_->watermarks, former, extract.step);
  }
  return Ok();
}

Status Driver::ResumePositions() {
  TRY(AdoptPositions());
  for (const PlannedExtract& extract : flow_.extracts) {
    const Position resumed =
        TRY(sources_.at(extract.step)->Resume(PositionOf(last_->position, extract.step), loaded_));
    for (const auto& [partition, at] : resumed)
      position_[PartitionKey(extract.step, partition)] = at;
  }
  return Ok();
}

}  // namespace sluice
