// See landing.h.
#include "connector/tables/landing.h"

#include <fmt/format.h>

#include <utility>

#include "base/text.h"
#include "connector/batch.h"
#include "connector/tables/merge_staged.h"

namespace sluice::tables {
namespace {

constexpr std::string_view kHeld = "_sluice_held";  // rows that come in pieces, until they merge

}  // namespace

TableLanding::TableLanding(Parts parts, Lane lane, std::vector<Load> loads, Visibility visibility,
                           EpochId epoch)
    : parts_(std::move(parts)),
      stage_(parts_.system, parts_.place, lane),
      lane_(std::move(lane)),
      loads_(std::move(loads)),
      visibility_(visibility),
      epoch_(epoch) {}

TableLanding::~TableLanding() {
  (void)parts_.session->Rollback();
  if (!committed_) (void)parts_.link->Rollback();  // a connection that ends does so as well
}

Result<Link*> TableLanding::Open() {
  if (!open_) TRY(parts_.link->Begin());
  open_ = true;
  return parts_.link.get();
}

Result<Target> TableLanding::TargetOf(const Load& load, std::stop_token stop) {
  const TableName name = TRY(parts_.system->ParseName(load.target));
  auto target = TRY(parts_.system->FindTarget(*parts_.link, name, std::move(stop)));
  if (target) return std::move(*target);
  return RejectedError(
      fmt::format("the table '{}' of {} was dropped while the run was under way; run again",
                  load.target, parts_.system->Shown()));
}

Incoming TableLanding::From(const std::string& select, const std::vector<sql::Bound>& bound) const {
  return {.query = Outgoing{.database = parts_.database,
                            .session = *parts_.session,
                            .select = select,
                            .bound = bound},
          .staged = {},
          .epoch = epoch_};
}

Result<Landed> TableLanding::Write(size_t index, const std::string& select,
                                   const std::vector<sql::Bound>& bound, std::stop_token stop) {
  if (index >= loads_.size())
    return InternalError(fmt::format("there is no load {} in this landing", index));
  const Load& load = loads_[index];
  if (load.in_pieces()) return WriteInPieces(load, select, bound, std::move(stop));
  const Incoming rows = From(select, bound);
  if (visibility_ == Visibility::kStaging)
    return StageRows(load, stage_.NameOf(load), rows, std::move(stop));
  return ApplyTo(load, rows, std::move(stop));
}

Result<Landed> TableLanding::WriteInPieces(const Load& load, const std::string& select,
                                           const std::vector<sql::Bound>& bound,
                                           std::stop_token stop) {
  const System& system = *parts_.system;
  const Batch batch = TRY(Batch::Gather(*parts_.session, select, bound, stop));
  Link& link = *TRY(Open());
  const bool staging = visibility_ == Visibility::kStaging;
  const Target target = staging ? TRY(TargetOf(load, stop)) : TRY(Claim(load, stop));
  const bool adds = load.mode == Mode::kAppend || load.mode == Mode::kInsert;
  std::string table = staging ? stage_.NameOf(load) : "";
  if (!adds && !staging) {
    table = system.Temporary(kHeld);
    TRY(link.Run(system.DropTemporary(kHeld), stop));
    TRY(link.Run(fmt::format("{} ({})", system.CreateTemporary(kHeld),
                             Join(TRY(ColumnsOfStage(system, target, load)), ", ")),
                 stop));
  }
  Landed landed = TRY(batch.TakeBy(load, [&](const std::string& some) {
    return Tried(link, load, [&]() -> Result<Landed> {
      const std::vector<sql::Bound> none;
      const Incoming rows = From(some, none);
      if (!table.empty()) return StageRows(load, table, rows, stop);
      auto merge = TRY(Merge::Make(link, system, target, load, rows, stop));
      TRY(merge.Gather());
      return merge.Apply();
    });
  }));
  if (adds || staging) return landed;
  Landed merged = TRY(MergeStaged(link, system, target, load, table, epoch_, stop));
  TRY(link.Run(system.DropTemporary(kHeld), stop));
  for (Letter& letter : landed.refused) merged.refused.push_back(std::move(letter));
  return merged;
}

// A stage takes rows as a table does that they are appended to.
Result<Landed> TableLanding::StageRows(const Load& load, const std::string& table,
                                       const Incoming& rows, std::stop_token stop) {
  const System& system = *parts_.system;
  Target stage = TRY(TargetOf(load, stop));
  Load append = load;
  append.mode = Mode::kAppend;
  append.order.clear();
  for (const SentColumn& column : TRY(SendingOrder(system, load))) {
    append.schema.push_back({column.source, column.cast});
    TableColumn ours = column.to;
    stage.columns.push_back(std::move(ours));
  }
  stage.quoted = table;
  stage.provenance = true;
  auto merge = TRY(Merge::Make(*parts_.link, system, stage, append, rows, std::move(stop)));
  TRY(merge.Gather());
  TRY(Open());
  Landed landed;
  landed.rows = TRY(merge.Apply()).rows;
  return landed;
}

Result<Target> TableLanding::Claim(const Load& load, std::stop_token stop) {
  Target target = TRY(TargetOf(load, stop));
  const std::string lock = LockOf(target.name, load);
  if (!lock.empty()) TRY(parts_.system->Lock(*parts_.link, lock, std::move(stop)));
  return target;
}

Result<Landed> TableLanding::ApplyTo(const Load& load, const Incoming& rows, std::stop_token stop) {
  const Target target = TRY(TargetOf(load, stop));
  auto merge = TRY(Merge::Make(*parts_.link, *parts_.system, target, load, rows, stop));
  TRY(merge.Gather());
  TRY(Open());
  TRY(Claim(load, stop));
  return merge.Apply();
}

Result<std::vector<Landed>> TableLanding::PublishStaged(std::stop_token stop) {
  std::vector<Landed> landed;
  TRY(Open());
  for (const Load& load : loads_) {
    const Target target = TRY(Claim(load, stop));
    landed.push_back(TRY(MergeStaged(*parts_.link, *parts_.system, target, load,
                                     stage_.NameOf(load), epoch_, stop)));
  }
  publishes_ = true;
  return landed;
}

Result<uint64_t> TableLanding::Run(const std::string& statement,
                                   const std::vector<sql::Bound>& bound, std::stop_token stop) {
  Link* const link = TRY(Open());
  return link->RunScript(parts_.system->WithValues(statement, bound), std::move(stop));
}

Status TableLanding::Commit(const EpochRecord& record) {
  if (record.epoch != epoch_ || record.lane != lane_) {
    return InternalError(fmt::format("the record of epoch {} was given to the landing of epoch {}",
                                     record.epoch.value, epoch_.value));
  }
  Link* const link = TRY(Open());
  std::vector<std::string> targets;
  for (const Load& load : loads_) targets.push_back(load.target);
  TRY(parts_.records.Insert(*link, record, targets, parts_.clock.Now()));
  auto done = link->Commit();
  if (!done.ok()) {
    if (done.error().kind == ErrorKind::kUnsettled) parts_.fate->unsettled = link->process();
    return std::move(done).error().While("loading into " + parts_.system->Shown());
  }
  committed_ = true;
  parts_.fate->unsettled = 0;
  if (publishes_) (void)stage_.DropAll(*link);  // the next run's sweep does what is left here
  return Ok();
}

}  // namespace sluice::tables
