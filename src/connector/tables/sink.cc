// See sink.h.
#include "connector/tables/sink.h"

#include <fmt/format.h>

#include <utility>

#include "base/text.h"
#include "connector/recorded.h"

namespace sluice::tables {

Result<std::shared_ptr<Link>> TableSink::Connected(std::stop_token stop) {
  if (link_ && !link_->lost() && link_.use_count() == 1) {
    TRY(link_->Rollback());
    // A server that was restarted meanwhile is noticed here, and not in the middle of an epoch.
    if (link_->Run("SELECT 1").ok()) return link_;
  }
  link_ = TRY(system_->Connect(Use::kWrite, std::move(stop)));
  return link_;
}

Result<std::shared_ptr<Link>> TableSink::Recorded() {
  if (!system_->Exists()) return std::shared_ptr<Link>();
  auto link = TRY(Connected());
  if (!TRY(records_.Exist(*link))) return std::shared_ptr<Link>();
  return link;
}

Result<TableName> TableSink::NameOf(const Load& load) const {
  auto table = system_->ParseName(load.target);
  if (!table.ok()) return std::move(table).error().At(load.mark);
  return table;
}

Result<Capabilities> TableSink::Describe() {
  return Capabilities{.atomicity = Atomicity::kRecorded,
                      .modes = {Mode::kAppend, Mode::kInsert, Mode::kUpsert, Mode::kReplace,
                                Mode::kOverwrite, Mode::kReplacePartition},
                      .describe = system_->Shown(),
                      .rejects_rows = true};
}

Result<std::optional<Schema>> TableSink::Target(const Load& load) {
  const TableName name = TRY(NameOf(load));
  if (!system_->Exists()) return std::optional<Schema>();
  const auto link = TRY(Connected());
  const auto target = TRY(system_->FindTarget(*link, name, {}));
  if (!target) return std::optional<Schema>();
  Schema schema;
  for (const TableColumn& column : target->columns)
    schema.push_back({column.name, column.type.empty() ? "VARCHAR" : column.type, false, ""});
  return std::optional<Schema>(std::move(schema));
}

// Each statement by itself: they can be repeated, and MySQL would commit at each of them anyway.
Status TableSink::Prepare(const std::vector<Load>& loads, std::stop_token stop) {
  for (const Load& load : loads) {
    TRY(CheckMode(load));
    TRY(NameOf(load));
  }
  const auto link = TRY(Connected(stop));
  const auto prepare = [&]() -> Status {
    TRY(records_.Create(*link));
    for (const Load& load : loads) {
      const TableName name = TRY(NameOf(load));
      const auto target = TRY(system_->FindTarget(*link, name, stop));
      for (const std::string& statement : TRY(PlanTarget(*system_, target, name, load)))
        TRY(link->Run(statement, stop));
    }
    return Ok();
  };
  return prepare().While("preparing " + system_->Shown());
}

Result<std::optional<EpochRecord>> TableSink::Last(const Lane& lane) {
  const auto link = TRY(Recorded());
  if (!link) return std::optional<EpochRecord>();
  return records_.Last(*link, lane, fate_->unsettled);
}

Result<std::vector<LoadedRange>> TableSink::Loaded(const Lane& lane) {
  const auto link = TRY(Recorded());
  if (!link) return std::vector<LoadedRange>();
  return records_.Loaded(*link, lane);
}

Result<std::unique_ptr<TableLanding>> TableSink::Start(const Lane& lane,
                                                       const std::vector<Load>& loads,
                                                       Visibility visibility,
                                                       std::optional<EpochId> number,
                                                       Stages stages) {
  auto link = TRY(Connected());
  TRY(records_.Create(*link));
  std::vector<std::string> locks{Records::LockOf(lane)};
  const Stage stage(system_, place_, lane);
  for (const Load& load : loads) {
    const TableName name = TRY(NameOf(load));
    if (!load.target.empty() && !LockOf(name, load).empty()) locks.push_back(LockOf(name, load));
    if (stages == Stages::kNone) continue;
    const auto target = TRY(system_->FindTarget(*link, name, {}));
    if (!target) {
      return RejectedError(
          fmt::format("the table '{}' of {} was dropped while the run was under way; run again",
                      load.target, system_->Shown()));
    }
    TRY(stage.Create(*link, *target, load));
  }
  TRY(system_->EnsureLocks(*link, locks));
  const EpochId epoch = number ? *number : TRY(records_.Allocate(*link));
  auto session = TRY(context_.database.Connect());
  TRY(session->Begin());
  return std::make_unique<TableLanding>(TableLanding::Parts{.system = system_,
                                                            .link = std::move(link),
                                                            .session = std::move(session),
                                                            .database = context_.database,
                                                            .clock = context_.clock,
                                                            .records = records_,
                                                            .place = place_,
                                                            .fate = fate_},
                                        lane, loads, visibility, epoch);
}

Result<std::unique_ptr<Landing>> TableSink::Begin(const Lane& lane, const std::vector<Load>& loads,
                                                  Visibility visibility,
                                                  std::optional<EpochId> number) {
  const Stages stages = visibility == Visibility::kStaging ? Stages::kCreate : Stages::kNone;
  return std::unique_ptr<Landing>(TRY(Start(lane, loads, visibility, number, stages)));
}

Result<std::unique_ptr<Landing>> TableSink::Publish(const Lane& lane,
                                                    const std::vector<Load>& loads,
                                                    std::optional<EpochId> number,
                                                    std::vector<Landed>& landed,
                                                    std::stop_token stop) {
  // A load whose epochs were all empty still empties what it overwrites: its stage is made now.
  auto landing = TRY(Start(lane, loads, Visibility::kTarget, number, Stages::kCreate));
  landed = TRY(landing->PublishStaged(std::move(stop)));
  return std::unique_ptr<Landing>(std::move(landing));
}

Status TableSink::Prune(const Lane& lane, uint64_t keep, Needed needed) {
  const auto link = TRY(Recorded());
  return link ? records_.Prune(*link, lane, keep, needed) : Ok();
}

Status TableSink::Sweep(const Lane& lane, EpochId decided) {
  const auto link = TRY(Recorded());
  if (!link) return Ok();
  const Stage stage(system_, place_, lane);
  TRY(link->Begin());
  TRY(records_.ForgetStagedAfter(*link, lane, decided));
  TRY(stage.ForgetAfter(*link, decided));
  TRY(Repeatable(link->Commit()));
  const auto last = TRY(records_.Last(*link, lane, fate_->unsettled));
  if (!last || last->published) TRY(stage.DropAll(*link));
  return Ok();
}

Status TableSink::TakeBack(Landing& landing, const std::vector<Load>& loads,
                           const std::vector<EpochId>& epochs) {
  auto& own = static_cast<TableLanding&>(landing);  // of this sink's Begin
  Link& link = *TRY(own.Open());
  const std::vector<EpochId> ours = TRY(records_.Of(link, own.lane(), epochs));
  if (ours.empty()) return Ok();
  if (TRY(records_.Shared(link, ours))) return SharedEpochs(ours, system_->Shown());
  for (const Load& load : loads) {
    if (load.mode != Mode::kAppend && load.mode != Mode::kInsert) continue;
    const auto target = TRY(system_->FindTarget(link, TRY(NameOf(load)), {}));
    if (!target) continue;
    if (!target->provenance) return WithoutProvenance(load);
    TRY(link.Run(fmt::format("DELETE FROM {} WHERE {} IN ({})", target->quoted,
                             system_->Quote(kEpochColumn), NumberList(ours))));
  }
  return records_.MarkTakenBack(link, own.lane(), ours, landing.epoch());
}

}  // namespace sluice::tables
