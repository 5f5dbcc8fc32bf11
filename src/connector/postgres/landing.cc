// See landing.h.
#include "connector/postgres/landing.h"

#include <fmt/format.h>

#include <utility>

#include "base/text.h"
#include "connector/postgres/statement.h"

namespace sluice::postgres {

PostgresLanding::PostgresLanding(Parts parts, Lane lane, std::vector<Load> loads,
                                 Visibility visibility, EpochId epoch)
    : parts_(std::move(parts)),
      stage_(lane),
      lane_(std::move(lane)),
      loads_(std::move(loads)),
      visibility_(visibility),
      epoch_(epoch) {}

PostgresLanding::~PostgresLanding() {
  (void)parts_.session->Rollback();
  if (!committed_) (void)parts_.connection->Rollback();  // a connection that ends does so as well
}

Result<Target> PostgresLanding::TargetOf(const Load& load, std::stop_token stop) {
  const TableName name = TRY(ParseTableName(load.target, parts_.settings.schema));
  auto target = TRY(FindTarget(*parts_.connection, name, std::move(stop)));
  if (target) return std::move(*target);
  return RejectedError(
      fmt::format("the table '{}' of {} was dropped while the run was under way; run again",
                  load.target, parts_.settings.Shown()));
}

Result<Landed> PostgresLanding::Write(size_t index, const std::string& select,
                                      const std::vector<sql::Bound>& bound, std::stop_token stop) {
  if (index >= loads_.size())
    return InternalError(fmt::format("there is no load {} in this landing", index));
  const Load& load = loads_[index];
  Outgoing rows{.database = parts_.database,
                .session = *parts_.session,
                .select = select,
                .bound = bound,
                .names = VisibleNames(load.schema)};
  for (const Column& column : load.order) {
    if (column.hidden) rows.names.push_back(column.name);
  }
  if (visibility_ == Visibility::kStaging) return StageRows(load, rows, std::move(stop));
  return ApplyTo(load, {.query = std::move(rows), .staged = {}, .epoch = epoch_}, std::move(stop));
}

Result<Landed> PostgresLanding::StageRows(const Load& load, const Outgoing& rows,
                                          std::stop_token stop) {
  const Target target = TRY(TargetOf(load, stop));
  const auto columns = TRY(EncodingFor(target, load));
  const std::string table = TRY(stage_.Prepare(*parts_.connection, target, load, columns));
  return Landed{.rows = TRY(CopyIn(*parts_.connection, table, WithOrder(columns, load.order),
                                   epoch_.value, rows, stop)
                                .While(fmt::format("staging rows for '{}'", load.target)))};
}

Result<Landed> PostgresLanding::ApplyTo(const Load& load, const Incoming& rows,
                                        std::stop_token stop) {
  const Target target = TRY(TargetOf(load, stop));
  const std::string claim = ClaimOf(target.name, load);
  if (!claim.empty()) TRY(Lock(*parts_.connection, claim, stop));
  return Apply(*parts_.connection, target, load, rows, std::move(stop));
}

Result<std::vector<Landed>> PostgresLanding::PublishStaged(std::stop_token stop) {
  std::vector<Landed> landed;
  for (const Load& load : loads_) {
    const Target target = TRY(TargetOf(load, stop));
    // A load whose epochs were all empty still empties what it overwrites.
    std::string table = TRY(stage_.Find(*parts_.connection, load));
    if (table.empty()) {
      table = TRY(stage_.Prepare(*parts_.connection, target, load, TRY(EncodingFor(target, load))));
    }
    landed.push_back(TRY(ApplyTo(load, {.query = {}, .staged = table, .epoch = epoch_}, stop)));
  }
  TRY(stage_.DropAll(*parts_.connection));
  return landed;
}

Result<uint64_t> PostgresLanding::Run(const std::string& statement,
                                      const std::vector<sql::Bound>& bound, std::stop_token stop) {
  const std::string transaction = "SELECT txid_current()";
  const int64_t before = TRY(QueryNumber(*parts_.connection, transaction));
  const uint64_t changed =
      TRY(parts_.connection->Run(WithValues(statement, bound), {}, std::move(stop))).changed;
  if (TRY(QueryNumber(*parts_.connection, transaction)) != before) {
    return ConfigError({},
                       "the statement ends the transaction it runs in; leave BEGIN, COMMIT and "
                       "ROLLBACK out: the step is one transaction by itself");
  }
  return changed;
}

Status PostgresLanding::Commit(const EpochRecord& record) {
  if (record.epoch != epoch_ || record.lane != lane_) {
    return InternalError(fmt::format("the record of epoch {} was given to the landing of epoch {}",
                                     record.epoch.value, epoch_.value));
  }
  std::vector<std::string> targets;
  for (const Load& load : loads_) targets.push_back(load.target);
  TRY(parts_.records.Insert(*parts_.connection, record, targets, parts_.clock.Now()));
  auto done = parts_.connection->Commit();
  if (done.ok()) {
    committed_ = true;
    parts_.fate->unsettled = 0;
    return Ok();
  }
  if (done.error().kind == ErrorKind::kUnsettled)
    parts_.fate->unsettled = parts_.connection->process();
  return std::move(done).error().While(fmt::format("loading into {}", parts_.settings.Shown()));
}

}  // namespace sluice::postgres
