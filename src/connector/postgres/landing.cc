// See landing.h.
#include "connector/postgres/landing.h"

#include <fmt/format.h>

#include <utility>

#include "base/text.h"
#include "connector/batch.h"
#include "connector/postgres/merge_staged.h"
#include "connector/postgres/relay.h"
#include "connector/postgres/statement.h"

namespace sluice::postgres {
namespace {

constexpr std::string_view kUndefinedTable = "42P01";
constexpr const char* kAtOnce = "SET CONSTRAINTS ALL IMMEDIATE";

}  // namespace

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
  auto target = TRY(FindTarget(*parts_.connection, name, stop));
  if (target && !target->foreign) {
    // From here to the end of the epoch it stays as it is: bytes are sent by what its columns are.
    auto locked = parts_.connection->Run(
        fmt::format("LOCK TABLE ONLY {} IN ROW EXCLUSIVE MODE", target->quoted), {}, stop);
    if (locked.ok()) {
      target = TRY(FindTarget(*parts_.connection, name, std::move(stop)));
    } else if (parts_.connection->refusal().state == kUndefinedTable) {
      target.reset();
    } else {
      return std::move(locked).error().While(fmt::format("loading into '{}'", load.target));
    }
  }
  if (target) return std::move(*target);
  return RejectedError(
      fmt::format("the table '{}' of {} was dropped while the run was under way; run again",
                  load.target, parts_.settings.Shown()));
}

// The target, which no other landing of its kind touches until this one ends.
Result<Target> PostgresLanding::Claim(const Load& load, std::stop_token stop) {
  // Before the table's own lock: who exchanges a partition waits for all who have that.
  const TableName name = TRY(ParseTableName(load.target, parts_.settings.schema));
  const std::string claim = ClaimOf(name, load);
  if (!claim.empty()) TRY(Lock(*parts_.connection, claim, stop));
  return TargetOf(load, std::move(stop));
}

Outgoing PostgresLanding::From(const Load& load, const std::string& select,
                               const std::vector<sql::Bound>& bound) const {
  Outgoing rows{.database = parts_.database,
                .session = *parts_.session,
                .select = select,
                .bound = bound,
                .names = VisibleNames(load.schema)};
  for (const Column& column : load.order) {
    if (column.hidden) rows.names.push_back(column.name);
  }
  return rows;
}

Result<Landed> PostgresLanding::Write(size_t index, const std::string& select,
                                      const std::vector<sql::Bound>& bound, std::stop_token stop) {
  if (index >= loads_.size())
    return InternalError(fmt::format("there is no load {} in this landing", index));
  const Load& load = loads_[index];
  if (load.in_pieces()) return WriteInPieces(load, select, bound, std::move(stop));
  return Take(load, From(load, select, bound), std::move(stop));
}

Result<Landed> PostgresLanding::Relay(size_t index, sql::Scan& scan,
                                      const std::vector<std::string>& wire, std::stop_token stop) {
  const Load& load = loads_.at(index);
  const Target target = TRY(TargetOf(load, stop));
  if (wire != WireOf(target, load)) {
    return RejectedError(fmt::format(
        "the columns of '{}' were changed while the run was under way; run again", load.target));
  }
  const std::vector<sql::Bound> none;
  Outgoing rows = From(load, "", none);
  rows.relayed = &scan;
  return Take(load, std::move(rows), std::move(stop));
}

Result<Landed> PostgresLanding::Take(const Load& load, Outgoing rows, std::stop_token stop) {
  if (visibility_ == Visibility::kStaging) {
    const Target target = TRY(TargetOf(load, stop));
    const std::string table =
        TRY(stage_.Prepare(*parts_.connection, target, load, TRY(EncodingFor(target, load))));
    return StageRows(load, target, table, rows, std::move(stop));
  }
  const Target target = TRY(Claim(load, stop));
  if (auto leaf = TRY(LeafFor(load, target, stop))) {
    Replacement replacement(target, std::move(*leaf),
                            fmt::format("{}_{}", epoch_.value, replacements_.size()));
    Landed landed = TRY(replacement.Take(*parts_.connection, load, rows, epoch_, std::move(stop)));
    replacements_.push_back(std::move(replacement));
    return landed;
  }
  return Apply(*parts_.connection, target, load,
               {.query = std::move(rows), .staged = {}, .epoch = epoch_}, std::move(stop));
}

// The native partition that the load replaces as a whole.
Result<std::optional<Leaf>> PostgresLanding::LeafFor(const Load& load, const Target& target,
                                                     std::stop_token stop) {
  if (load.mode != Mode::kReplacePartition) return std::optional<Leaf>();
  for (const Load& other : loads_) {
    // What another load puts there would go with the old partition.
    const auto name = ParseTableName(other.target, parts_.settings.schema);
    if (&other != &load && name.ok() && *name == target.name) return std::optional<Leaf>();
  }
  return TRY(FindLeaf(*parts_.connection, target, load, std::move(stop))).leaf;
}

Result<Landed> PostgresLanding::WriteInPieces(const Load& load, const std::string& select,
                                              const std::vector<sql::Bound>& bound,
                                              std::stop_token stop) {
  Connection& connection = *parts_.connection;
  const Batch batch = TRY(Batch::Gather(*parts_.session, select, bound, stop));
  const Target target =
      visibility_ == Visibility::kTarget ? TRY(Claim(load, stop)) : TRY(TargetOf(load, stop));
  const bool adds = load.mode == Mode::kAppend || load.mode == Mode::kInsert;
  const bool straight = adds && visibility_ == Visibility::kTarget;
  // A constraint that waits for the commit would not say which row it is.
  if (straight && load.on_refusal == OnRefusal::kReject) TRY(connection.Run(kAtOnce, {}, stop));
  const std::string table = straight ? "" : TRY(Hold(load, target));
  Landed landed = TRY(batch.TakeBy(load, [&](const std::string& some) {
    return Tried(connection, load, [&]() -> Result<Landed> {
      const std::vector<sql::Bound> none;
      Outgoing rows = From(load, some, none);
      if (!straight) return StageRows(load, target, table, rows, stop);
      return Apply(connection, target, load,
                   {.query = std::move(rows), .staged = {}, .epoch = epoch_}, stop);
    });
  }));
  if (straight || visibility_ == Visibility::kStaging) return landed;
  Landed merged = TRY(Merge(load, target, table, stop));
  TRY(connection.Run("DROP TABLE " + table, {}, stop));
  for (Letter& letter : landed.refused) merged.refused.push_back(std::move(letter));
  return merged;
}

// Where rows that come in pieces lie until all of them are merged.
Result<std::string> PostgresLanding::Hold(const Load& load, const Target& target) {
  const auto columns = TRY(EncodingFor(target, load));
  if (visibility_ == Visibility::kStaging)
    return stage_.Prepare(*parts_.connection, target, load, columns);
  TRY(parts_.connection->Run(
      fmt::format("CREATE TEMP TABLE _sluice_held ({}, {} bigint) ON COMMIT DROP",
                  StageColumns(target, columns, load.order, {}), kEpochColumn)));
  return std::string("pg_temp._sluice_held");
}

Result<Landed> PostgresLanding::StageRows(const Load& load, const Target& target,
                                          const std::string& table, const Outgoing& rows,
                                          std::stop_token stop) {
  const auto columns = WithOrder(TRY(EncodingFor(target, load)), load.order);
  Landed landed;
  landed.rows = TRY(CopyIn(*parts_.connection, table, columns, epoch_.value, rows, std::move(stop))
                        .While(fmt::format("staging rows for '{}'", load.target)));
  return landed;
}

Result<Landed> PostgresLanding::Merge(const Load& load, const Target& target,
                                      const std::string& stage, std::stop_token stop) {
  if (load.on_refusal == OnRefusal::kReject) TRY(parts_.connection->Run(kAtOnce, {}, stop));
  return MergeStaged(*parts_.connection, target, load, stage, epoch_, std::move(stop));
}

Result<std::vector<Landed>> PostgresLanding::PublishStaged(std::stop_token stop) {
  std::vector<Landed> landed;
  for (const Load& load : loads_) {
    const Target target = TRY(Claim(load, stop));
    // A load whose epochs were all empty still empties what it overwrites.
    std::string table = TRY(stage_.Find(*parts_.connection, load));
    if (table.empty()) {
      table = TRY(stage_.Prepare(*parts_.connection, target, load, TRY(EncodingFor(target, load))));
    }
    landed.push_back(TRY(Merge(load, target, table, stop)));
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
  for (const Replacement& replacement : replacements_)
    TRY(replacement.Exchange(*parts_.connection)
            .While(fmt::format("loading into {}", parts_.settings.Shown())));
  replacements_.clear();
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
