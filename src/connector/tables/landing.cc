// See landing.h.
#include "connector/tables/landing.h"

#include <fmt/format.h>

#include <utility>

#include "base/text.h"

namespace sluice::tables {

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

Result<Landed> TableLanding::Write(size_t index, const std::string& select,
                                   const std::vector<sql::Bound>& bound, std::stop_token stop) {
  if (index >= loads_.size())
    return InternalError(fmt::format("there is no load {} in this landing", index));
  const Incoming rows{.query = Outgoing{.database = parts_.database,
                                        .session = *parts_.session,
                                        .select = select,
                                        .bound = bound},
                      .staged = {},
                      .epoch = epoch_};
  if (visibility_ == Visibility::kStaging) return StageRows(loads_[index], rows, std::move(stop));
  return ApplyTo(loads_[index], rows, std::move(stop));
}

// A stage takes rows as a table does that they are appended to.
Result<Landed> TableLanding::StageRows(const Load& load, const Incoming& rows,
                                       std::stop_token stop) {
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
  stage.quoted = stage_.NameOf(load);
  stage.provenance = true;
  auto merge = TRY(Merge::Make(*parts_.link, system, stage, append, rows, std::move(stop)));
  TRY(merge.Gather());
  TRY(Open());
  return Landed{.rows = TRY(merge.Apply()).rows};
}

Result<Landed> TableLanding::ApplyTo(const Load& load, const Incoming& rows, std::stop_token stop) {
  const Target target = TRY(TargetOf(load, stop));
  auto merge = TRY(Merge::Make(*parts_.link, *parts_.system, target, load, rows, stop));
  TRY(merge.Gather());
  TRY(Open());
  const std::string lock = LockOf(target.name, load);
  if (!lock.empty()) TRY(parts_.system->Lock(*parts_.link, lock, std::move(stop)));
  return merge.Apply();
}

Result<std::vector<Landed>> TableLanding::PublishStaged(std::stop_token stop) {
  std::vector<Landed> landed;
  for (const Load& load : loads_) {
    landed.push_back(
        TRY(ApplyTo(load, {.query = {}, .staged = stage_.NameOf(load), .epoch = epoch_}, stop)));
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
