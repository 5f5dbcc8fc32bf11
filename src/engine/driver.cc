// See driver.h.
#include "engine/driver.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/log.h"
#include "base/text.h"
#include "engine/letters.h"
#include "engine/watch.h"

namespace sluice {

namespace {

constexpr uint64_t kEpochBytes = uint64_t{1} << 30;  // of a bounded row-wise flow
constexpr uint64_t kStreamEpochRows = 50'000;        // of an endless one, under lag
constexpr Micros kStreamLinger{10'000};

bool HaveIdentities(const std::map<std::string, Range>& ranges) {
  bool any = false;
  for (const auto& [step, range] : ranges) {
    for (const Cut& cut : range.cuts) {
      if (cut.identity.empty()) return false;
      any = true;
    }
  }
  return any;
}

std::set<std::string> Identities(const std::map<std::string, Range>& ranges) {
  std::set<std::string> all;
  for (const auto& [step, range] : ranges) {
    for (const Cut& cut : range.cuts) all.insert(step + "\x1f" + cut.identity);
  }
  return all;
}

}  // namespace

std::map<std::string, Taken> TakenOf(const std::map<std::string, Landed>& landed) {
  std::map<std::string, Taken> taken;
  for (const auto& [load, one] : landed)
    taken[load] = {one.inserted, one.updated, one.unchanged, one.deleted, one.touched};
  return taken;
}

Lane LaneOf(const Plan& plan, const Flow& flow) {
  return {plan.project, flow.lane_pipeline, flow.lane_name, plan.interval_text};
}

Lane LaneOf(const Plan& plan, const Stage& stage) {
  if (const Flow* flow = std::get_if<Flow>(&stage)) return LaneOf(plan, *flow);
  return {plan.project, plan.pipeline, NameOf(stage), plan.interval_text};
}

Driver::Driver(const Plan& plan, const Flow& flow, RunId run, Lease lease, World& world,
               const RunOptions& options)
    : plan_(plan),
      flow_(flow),
      lane_(LaneOf(plan, flow)),
      run_(run),
      lease_(std::move(lease)),
      world_(world),
      options_(options),
      programs_(world.database) {
  for (const PlannedLoad& load : flow_.loads) {
    outcome_.loads.push_back(
        {.step = load.load.step, .target = load.load.target, .mode = load.load.mode, .landed = {}});
  }
}

Driver::~Driver() = default;

void Driver::Tell(Milestone milestone) const {
  if (options_.observer) options_.observer->OnMilestone(flow_.id, milestone);
}

void Driver::Enter(EpochState next) {
  SLUICE_CHECK(Follows(state_now_, next));
  state_now_ = next;
}

Limits Driver::EpochLimits() const {
  if (flow_.reach == Reach::kWhole) return {};
  if (options_.limits) return *options_.limits;
  Limits limits = plan_.epoch;
  if (flow_.endless) {
    if (limits.rows == 0 && limits.bytes == 0) limits.rows = kStreamEpochRows;
    if (limits.linger == Micros{0}) limits.linger = kStreamLinger;
  } else if (limits.rows == 0 && limits.bytes == 0 && !flow_.publish_at_end) {
    limits.bytes = kEpochBytes;
  }
  return limits;
}

Position Driver::KeptPosition(const Epoch& epoch) const {
  Position kept;
  std::set<std::string> read;
  for (const PlannedExtract& extract : flow_.extracts) {
    const Position own = sources_.at(extract.step)->Kept(PositionOf(epoch.position, extract.step));
    for (const auto& [partition, at] : own) kept[PartitionKey(extract.step, partition)] = at;
    read.insert(extract.step);
  }
  // Of an extract that this run does without, where the next one goes on.
  if (last_ && !again_pending_) {
    for (const auto& [key, at] : last_->position) {
      if (!read.contains(key.substr(0, key.find('\x1f')))) kept.emplace(key, at);
    }
  }
  return kept;
}

// Takes out cuts that an epoch of this lane has already read. False: nothing is left of it.
bool Driver::DropLoaded(Range& range) {
  size_t before = range.cuts.size();
  std::erase_if(range.cuts, [&](const Cut& cut) {
    return !cut.identity.empty() && loaded_.contains(cut.identity);
  });
  ranges_already_loaded_ += before - range.cuts.size();
  return !range.cuts.empty();
}

// The next range of one source that is not loaded yet. Advances `position`; nullopt: nothing (more)
// there.
Result<std::optional<Range>> Driver::FreezeOne(const PlannedExtract& extract, Position& position,
                                               std::stop_token stop) {
  Source& source = *sources_.at(extract.step);
  Limits limits = EpochLimits();
  bool whole = flow_.reach == Reach::kWhole;
  std::optional<Range> all;
  while (true) {
    if (stop.stop_requested()) return CancelledError();
    std::optional<Range> range = TRY(source.Freeze(position, limits, stop));
    if (!range) return all;
    position = source.After(position, *range);
    bool left = whole || DropLoaded(*range);
    if (!all) {
      if (left)
        all = std::move(*range);
      else if (range->final)
        return std::optional<Range>{};
    } else {
      all->cuts.insert(all->cuts.end(), range->cuts.begin(), range->cuts.end());
      all->final = range->final;
    }
    if (all && (!whole || all->final)) return all;
  }
}

Result<std::optional<Driver::Epoch>> Driver::Freeze(std::stop_token stop) {
  Enter(EpochState::kFreeze);
  Epoch epoch;
  bool fresh = !last_ || again_pending_;
  Position from = fresh || flow_.reach == Reach::kWhole ? Position{} : position_;
  if (flow_.needs_intent && !again_pending_) {
    auto intent = TRY(world_.ledger.Intent(lane_));
    if (intent && intent->first.value == (last_ ? last_->epoch.value : 0))
      epoch.ranges = intent->second;
  }
  bool redo = !epoch.ranges.empty();
  bool any = redo;
  epoch.final = true;
  for (const PlannedExtract& extract : flow_.extracts) {
    Position position = PositionOf(from, extract.step);
    if (redo) {
      position = sources_.at(extract.step)->After(position, epoch.ranges[extract.step]);
      epoch.final = epoch.final && epoch.ranges[extract.step].final;
    } else {
      std::optional<Range> range = TRY(FreezeOne(extract, position, stop));
      any = any || range.has_value();
      bool more = range ? !range->final : extract.shape.endless;
      epoch.final = epoch.final && !more;
      epoch.ranges[extract.step] = range.value_or(Range{.cuts = {}, .final = true});
    }
    for (const auto& [partition, at] : position)
      epoch.position[PartitionKey(extract.step, partition)] = at;
  }
  if (any) return std::optional<Epoch>(std::move(epoch));
  // Nothing was there at all. An empty input is still an answer: it empties a partition, and leaves
  // a record.
  bool first = epochs_in_lane_ == 0 && fresh && !flow_.endless;
  // What was staged for an end that did not come as part of a range: an extract was left out.
  bool staged = last_ && !last_->published && !again_pending_ && !flow_.endless;
  if (first || staged) return std::optional<Epoch>(std::move(epoch));
  return std::optional<Epoch>{};
}

// Event time goes on where the last epoch left it, unless that one saw the end of the input: then
// all windows have fired.
bool Driver::Continues() const { return last_ && !again_pending_ && !last_->final; }

bool Driver::AlreadyLoaded(const Epoch& epoch) const {
  if (again_pending_ || !last_ || !last_->final || !last_->published || epochs_in_lane_ > 0)
    return false;
  return flow_.reach == Reach::kWhole && HaveIdentities(epoch.ranges) &&
         Identities(epoch.ranges) == Identities(last_->ranges);
}

Result<bool> Driver::Step(std::stop_token stop) {
  if (ended_) return false;
  if (stop.stop_requested()) return CancelledError();
  if (last_ && last_->final && !last_->published && !again_pending_) {
    TRY(PublishStaged(stop));
    return true;
  }
  std::optional<Epoch> epoch = TRY(Freeze(stop));
  if (!epoch && flow_.endless) {
    state_now_ = EpochState::kSettle;
    world_.clock.Wait(kStreamLinger, stop);
    if (stop.stop_requested()) return CancelledError();
    return true;
  }
  if (!epoch || AlreadyLoaded(*epoch)) {
    ended_ = true;
    if (epochs_in_lane_ == 0) {
      for (LoadOutcome& load : outcome_.loads) load.already_loaded = true;
    }
    return false;
  }
  reading_ = epoch->ranges;
  Tell(Milestone::kFrozen);
  TRY(Run(*epoch, stop));
  ++epochs_in_lane_;
  again_pending_ = false;
  if (epoch->final && last_->published) {
    ended_ = true;
    if (ranges_already_loaded_ > 0) {
      outcome_.notes.push_back(fmt::format("{} of the inputs of {} were already loaded",
                                           ranges_already_loaded_, flow_.id));
    }
    return false;
  }
  return true;
}

EpochRecord Driver::RecordOf(EpochId number, const Epoch& epoch, const Moved& moved) const {
  return {.lane = lane_,
          .epoch = number,
          .fence = lease_.fence,
          .run = run_,
          .fingerprint = flow_.fingerprint,
          .ranges = epoch.ranges,
          .position = KeptPosition(epoch),
          .watermarks = moved.watermarks,
          .fired = moved.fired,
          .books = moved.books,
          .final = epoch.final,
          .published = true};
}

// What the epochs that wait for publication have counted so far, of this run and those before it: a
// budget must not be won by running again.
Books Driver::Waiting() const {
  return last_ && !last_->published && !again_pending_ ? last_->books : Books{};
}

Status Driver::CheckRejects(const Moved& moved, const Epoch& epoch) const {
  TRY(RefuseStrict(flow_, moved.letters));
  Books books = flow_.publish_at_end ? Waiting() : outcome_.books;
  for (const auto& [step, counts] : moved.books) books[step] += counts;
  uint64_t rejected = 0, read = 0;
  for (const auto& [step, counts] : books) rejected += counts.rejected + counts.late;
  for (const PlannedExtract& extract : flow_.extracts) read += books[extract.step].in;
  bool many = plan_.max_rejects && rejected > *plan_.max_rejects;
  // A share is one of all rows: what the first of them are like says nothing yet.
  bool share = plan_.max_rejects_share && read > 0 && (epoch.final || flow_.endless) &&
               static_cast<double>(rejected) > *plan_.max_rejects_share * static_cast<double>(read);
  if (many || share) {
    return RejectedError(
        fmt::format("{} of {} rows were rejected, more than max_rejects: {} allows; nothing was "
                    "published. The first: {}",
                    rejected, read,
                    many ? std::to_string(*plan_.max_rejects)
                         : fmt::format("{:g}%", *plan_.max_rejects_share * 100),
                    moved.letters.empty() ? "in an epoch before" : moved.letters.front().message));
  }
  return Ok();
}

// W after the epoch. On bounded input a partition that has not shown a row yet holds event time
// back, one that is read to its end does not.
Micros Driver::JoinWatermarks(const Epoch& epoch, const std::map<std::string, Micros>& partitions) {
  if (epoch.final) return kAllTime;
  auto now = world_.clock.Steady();
  for (const auto& [partition, watermark] : partitions)
    watermarks_->Raise(partition, watermark, now);
  if (flow_.endless) return watermarks_->Joined(now);
  std::set<std::string> unfinished;
  for (const PlannedExtract& extract : flow_.extracts) {
    for (const std::string& partition :
         sources_.at(extract.step)->Unfinished(PositionOf(epoch.position, extract.step))) {
      unfinished.insert(PartitionKey(extract.step, partition));
    }
  }
  bool all_seen = true;
  for (const std::string& partition : unfinished)
    all_seen = all_seen && partitions.contains(partition);
  if (!all_seen) return watermarks_->joined();
  for (const auto& [partition, watermark] : partitions) {
    if (!unfinished.contains(partition)) watermarks_->Finish(partition);
  }
  return watermarks_->Joined(now);
}

// Sources that were opened anew know nothing of what was read before.
SourceProgress Driver::ReadOf(const std::string& extract, double share) const {
  SourceProgress one = sources_.at(extract)->ReadSoFar(share);
  const auto before = read_before_.find(extract);
  if (one.known == 0 || before == read_before_.end()) return one;
  return {one.read + before->second, one.known + before->second};
}

void Driver::NoteRead() {
  for (const PlannedExtract& extract : flow_.extracts) {
    const SourceProgress one = ReadOf(extract.step, 1);
    if (one.known > 0) outcome_.read[extract.step] = one;
  }
}

Status Driver::Run(const Epoch& epoch, std::stop_token stop) {
  if (flow_.needs_intent) {
    Enter(EpochState::kIntend);
    TRY(world_.ledger.KeepIntent(lane_, last_ ? last_->epoch : EpochId{0}, epoch.ranges));
    Tell(Milestone::kIntended);
  }
  Enter(EpochState::kMove);
  bool staged = flow_.publish_at_end && !(epoch.final && epochs_in_lane_ == 0 &&
                                          (!last_ || last_->published || again_pending_));
  Visibility visibility = staged ? Visibility::kStaging : Visibility::kTarget;
  std::vector<std::unique_ptr<Landing>> landings;
  std::vector<OpenLanding> open;
  EpochId number;
  for (size_t i = 0; i < sinks_.size(); ++i) {
    PlacedSink& placed = sinks_[i];
    bool has_it =
        i > 0 && placed.last && placed.last->epoch.value > (last_ ? last_->epoch.value : 0);
    if (has_it) {
      landings.push_back(nullptr);
    } else {
      landings.push_back(TRY(placed.sink->Begin(lane_, placed.specs, visibility,
                                                i == 0 ? std::nullopt : std::optional(number))));
    }
    if (i == 0) number = landings[0]->epoch();
    if (!has_it && again_pending_ && !take_back_.empty())
      TRY(placed.sink->TakeBack(*landings.back(), placed.specs, take_back_));
    open.push_back({.landing = landings.back().get(), .loads = placed.loads});
  }
  Tell(Milestone::kMoving);

  std::map<std::string, Mover::Input> inputs;
  for (const PlannedExtract& extract : flow_.extracts)
    inputs[extract.step] = {sources_.at(extract.step).get(), epoch.ranges.at(extract.step)};
  std::map<std::string, Micros> before =
      Continues() ? last_->watermarks : std::map<std::string, Micros>{};
  auto joined = [&](const std::map<std::string, Micros>& partitions) {
    return JoinWatermarks(epoch, partitions);
  };
  TRY(programs_.Ready(stop));
  Mover mover(plan_, flow_, world_, options_, *work_, programs_);
  std::vector<sql::Session*> sessions{work_.get()};
  for (const auto& landing : landings) {
    if (landing) sessions.push_back(&landing->session());
  }
  auto read = [this](double share) {
    SourceProgress all;
    for (const PlannedExtract& extract : flow_.extracts) {
      const SourceProgress one = ReadOf(extract.step, share);
      all = {all.read + one.read, all.known + one.known};
    }
    return all;
  };
  auto watched = std::make_unique<Watch>(options_.observer, flow_.id, std::move(sessions), read);
  Result<Moved> done = mover.Move(inputs, open, before, Continues() ? last_->fired : kNoTime,
                                  joined, state_.get(), stop);
  watched.reset();
  Moved moved = TRY(std::move(done));
  TRY(programs_.Rest(epoch.final ? ProgramPool::Then::kIsOver : ProgramPool::Then::kGoesOn, stop));
  TRY(CheckRejects(moved, epoch));
  Tell(Milestone::kMoved);

  EpochRecord record = RecordOf(number, epoch, moved);
  record.published = !staged;
  if (!staged) record.taken = TakenOf(moved.landed);
  for (const auto& [step, counts] : Waiting()) record.books[step] += counts;
  // Another flow of this run reads the same steps, and keeps what they reject.
  std::erase_if(moved.letters,
                [&](const Letter& letter) { return flow_.echoes.contains(letter.step); });
  TRY(Hold(moved, number, landings, record, stop));
  TRY(Decide(*landings[0], record));
  last_ = record;
  position_ = epoch.position;
  Enter(EpochState::kSettle);
  for (const auto& [step, counts] : moved.books) {
    if (!flow_.echoes.contains(step)) outcome_.books[step] += counts;
  }
  outcome_.letters += moved.letters.size();
  ++outcome_.epochs;
  uint64_t rows = 0, bytes = 0;
  for (LoadOutcome& load : outcome_.loads) {
    auto landed = moved.landed.find(load.step);
    if (landed == moved.landed.end()) continue;
    if (!staged) load.landed += landed->second;
    rows += landed->second.rows;
    bytes += landed->second.bytes;
  }
  if (options_.observer) options_.observer->OnDecided(flow_.id, record, rows, bytes);
  TRY(Settle(record));
  NoteRead();
  return Ok();
}

}  // namespace sluice
