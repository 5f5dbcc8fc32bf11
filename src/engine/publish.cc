// The second half of an epoch: hold, decide, settle; and the publication, which is one more epoch.
// The decider commits last, and is asked where its answer was lost.
#include <fmt/core.h>

#include <iterator>

#include "base/text.h"
#include "engine/driver.h"
#include "engine/renamed.h"

namespace sluice {

namespace {

constexpr uint64_t kRemembered = 1'000;  // epochs of a lane in a destination, besides those needed
constexpr uint64_t kPruneOnceIn = 64;

}  // namespace

Status Driver::Hold(const Moved& moved, EpochId number,
                    const std::vector<std::unique_ptr<Landing>>& landings, EpochRecord& record,
                    std::stop_token stop) {
  Enter(EpochState::kHold);
  if (!moved.letters.empty()) {
    TRY(world_.ledger.HoldLetters(lane_, number, run_, plan_.revision, world_.clock.Now(),
                                  moved.letters));
  }
  Tell(Milestone::kLettersHeld);
  if (state_) {
    TRY(state_->Hold(number, moved.fired, moved.state, stop));
    Tell(Milestone::kStateCommitted);
  }
  for (size_t i = 1; i < landings.size(); ++i) {
    if (!landings[i]) continue;
    TRY(landings[i]->Commit(record).While(fmt::format("committing into {}", flow_.sinks[i].name)));
    sinks_[i].last = record;
    Tell(Milestone::kFollowerCommitted);
  }
  return Ok();
}

// Never interrupted. Where the answer is lost the record is asked, and what it decided is put in
// place: nothing is called loaded that a reader cannot see.
Status Driver::Decide(Landing& landing, const EpochRecord& record) {
  Enter(EpochState::kDecide);
  Tell(Milestone::kDeciding);
  Status committed = landing.Commit(record);
  if (!committed.ok() && committed.error().kind == ErrorKind::kUnsettled) {
    std::optional<EpochRecord> found =
        TRY(sinks_[0].sink->Last(lane_).While("asking whether the epoch was committed"));
    if (!found || found->epoch != record.epoch || found->run != record.run)
      committed =
          TransientError(committed.error().message + " (the record says that it did not happen)");
    else if (sinks_[0].sink->Sweep(lane_, record.epoch).ok())
      committed = Ok();
  }
  TRY(std::move(committed).While(fmt::format("committing into {}", flow_.sinks[0].name)));
  sinks_[0].last = record;
  Tell(Milestone::kDecided);
  return Ok();
}

Status Driver::Settle(const EpochRecord& record) {
  TRY(world_.ledger.NoteSettled(record, flow_.sinks.at(0).name));
  if (!appenders_noted_) TRY(NoteAppenders(plan_, flow_, world_.ledger));
  appenders_noted_ = true;
  Tell(Milestone::kNoted);
  for (const auto& [step, range] : record.ranges) {
    auto source = sources_.find(step);
    if (source != sources_.end()) TRY(source->second->Release(range));
  }
  if (state_) TRY(state_->DropDead(record.fired));
  TRY(Prune(record));
  Tell(Milestone::kReleased);
  return Ok();
}

// Now and then, by a number that no rhythm of lanes can miss.
Status Driver::Prune(const EpochRecord& record) {
  if (Hash64(fmt::format("{} {}", record.lane.Key(), record.epoch.value)) % kPruneOnceIn != 0)
    return Ok();
  for (PlacedSink& placed : sinks_) {
    TRY(placed.sink->Prune(lane_, kRemembered,
                           flow_.endless ? Needed::kNewest : Needed::kIdentities));
  }
  return Ok();
}

Status Driver::CheckPublished(const std::string& load, const Landed& landed) const {
  auto staged = last_->books.find(load);
  const uint64_t rows = landed.rows + landed.refused.size();
  if (staged == last_->books.end() || staged->second.out == rows) return Ok();
  return InternalError(
      fmt::format("the books do not balance: load '{}' staged {} rows and published {}", load,
                  staged->second.out, rows));
}

// Rows that were staged and then refused. They count against the budget like any other.
Status Driver::HoldRefused(std::vector<Letter> letters, EpochRecord& record) {
  if (letters.empty()) return Ok();
  Moved refused;
  refused.letters = std::move(letters);
  for (const Letter& letter : refused.letters) ++refused.books[letter.step].rejected;
  TRY(CheckRejects(refused, {.ranges = {}, .position = {}, .final = true}));
  TRY(world_.ledger.HoldLetters(lane_, record.epoch, run_, plan_.revision, world_.clock.Now(),
                                refused.letters));
  for (const auto& [load, counts] : refused.books) {
    for (Books* books : {&record.books, &outcome_.books}) {
      (*books)[load].rejected += counts.rejected;
      (*books)[load].out -= counts.rejected;
    }
  }
  outcome_.letters += refused.letters.size();
  return Ok();
}

Status Driver::PublishStaged(std::stop_token stop) {
  Enter(EpochState::kFreeze);
  Enter(EpochState::kMove);
  EpochRecord record = *last_;
  record.run = run_;
  record.fence = lease_.fence;
  record.published = true;
  std::vector<std::unique_ptr<Landing>> landings;
  std::map<std::string, Landed> all;
  std::vector<Letter> refused;
  uint64_t rows = 0;
  for (size_t i = 0; i < sinks_.size(); ++i) {
    PlacedSink& placed = sinks_[i];
    bool has_it = i > 0 && placed.last && placed.last->published &&
                  placed.last->epoch.value > last_->epoch.value;
    if (has_it) {
      landings.push_back(nullptr);
      continue;
    }
    std::vector<Landed> landed;
    landings.push_back(
        TRY(placed.sink
                ->Publish(lane_, placed.specs,
                          i == 0 ? std::nullopt : std::optional(landings[0]->epoch()), landed, stop)
                .While(fmt::format("publishing into {}", flow_.sinks[i].name))));
    for (size_t k = 0; k < landed.size(); ++k) {
      TRY(CheckPublished(outcome_.loads[placed.loads[k]].step, landed[k]));
      rows += landed[k].rows;
      std::move(landed[k].refused.begin(), landed[k].refused.end(), std::back_inserter(refused));
      landed[k].refused.clear();
      outcome_.loads[placed.loads[k]].landed += landed[k];
      all[outcome_.loads[placed.loads[k]].step] = landed[k];
    }
  }
  Tell(Milestone::kMoved);
  record.epoch = landings[0]->epoch();
  record.taken = TakenOf(all);
  Enter(EpochState::kHold);
  TRY(HoldRefused(std::move(refused), record));
  for (size_t i = 1; i < landings.size(); ++i) {
    if (!landings[i]) continue;
    TRY(landings[i]->Commit(record).While(fmt::format("committing into {}", flow_.sinks[i].name)));
    sinks_[i].last = record;
    Tell(Milestone::kFollowerCommitted);
  }
  if (state_) TRY(state_->Hold(record.epoch, record.fired, {}, stop));
  TRY(Decide(*landings[0], record));
  last_ = record;
  Enter(EpochState::kSettle);
  if (options_.observer) options_.observer->OnDecided(flow_.id, record, rows, 0);
  TRY(Settle(record));
  ended_ = true;
  return Ok();
}

}  // namespace sluice
