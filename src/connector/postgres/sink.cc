// See sink.h.
#include "connector/postgres/sink.h"

#include <fmt/format.h>

#include <utility>

#include "base/text.h"
#include "connector/postgres/leaf.h"
#include "connector/postgres/relay.h"
#include "connector/recorded.h"

namespace sluice::postgres {

Result<std::shared_ptr<Connection>> PostgresSink::Connected(std::stop_token stop) {
  if (connection_ && !connection_->lost() && connection_.use_count() == 1) {
    TRY(connection_->Rollback());
    // A server that was restarted meanwhile is noticed here, and not in the middle of an epoch.
    if (connection_->Run("SELECT 1").ok()) return connection_;
  }
  const Secret password = TRY(OpenSecret(context_, settings_.password));
  connection_ = TRY(Connect(settings_, password, std::move(stop), context_.egress));
  return connection_;
}

Result<std::shared_ptr<Connection>> PostgresSink::Recorded() {
  auto connection = TRY(Connected());
  if (!TRY(records_.Exist(*connection))) return std::shared_ptr<Connection>();
  return connection;
}

Result<TableName> PostgresSink::NameOf(const Load& load) const {
  auto table = ParseTableName(load.target, settings_.schema);
  if (!table.ok()) return std::move(table).error().At(load.mark);
  return table;
}

Result<Capabilities> PostgresSink::Describe() {
  return Capabilities{.atomicity = Atomicity::kRecorded,
                      .modes = {Mode::kAppend, Mode::kInsert, Mode::kUpsert, Mode::kReplace,
                                Mode::kOverwrite, Mode::kReplacePartition},
                      .describe = "PostgreSQL " + settings_.Shown(),
                      .rejects_rows = true};
}

Result<std::optional<Schema>> PostgresSink::Target(const Load& load) {
  const TableName name = TRY(NameOf(load));
  const auto connection = TRY(Connected());
  const auto target = TRY(FindTarget(*connection, name, {}));
  if (!target) return std::optional<Schema>();
  Schema schema;
  for (const TypedColumn& column : target->columns) {
    const auto read = ToRead(column.type);
    schema.push_back({column.name, read ? read->type : "VARCHAR", false, ""});
  }
  return std::optional<Schema>(std::move(schema));
}

Result<bool> PostgresSink::TakesRelay(const Load& load, const std::vector<std::string>& wire) {
  if (load.in_pieces() || !load.order.empty() || wire.empty()) return false;
  const TableName name = TRY(NameOf(load));
  const auto connection = TRY(Connected());
  const auto target = TRY(FindTarget(*connection, name, {}));
  return target ? wire == WireOf(*target, load) : wire == TRY(CreatedWireOf(*connection, load));
}

Result<std::string> PostgresSink::Manner(const Load& load) {
  if (load.mode != Mode::kReplacePartition) return std::string();
  const auto connection = TRY(Connected());
  const auto target = TRY(FindTarget(*connection, TRY(NameOf(load)), {}));
  if (!target) return std::string();
  const Leaving leaving = TRY(FindLeaf(*connection, *target, load, {}));
  if (leaving.leaf) {
    return fmt::format(
        "attaches a new table in place of its partition {}; where a run has several epochs, DELETE "
        "and INSERT",
        leaving.leaf->name.name);
  }
  return leaving.why.empty() ? std::string() : "DELETE and INSERT: " + leaving.why;
}

Status PostgresSink::Prepare(const std::vector<Load>& loads, std::stop_token stop) {
  for (const Load& load : loads) {
    TRY(CheckMode(load));
    TRY(NameOf(load));
  }
  const auto connection = TRY(Connected(stop));
  TRY(records_.Create(*connection));
  TRY(connection->Begin());
  auto done = PrepareTables(*connection, loads, std::move(stop));
  if (!done.ok()) {
    TRY(connection->Rollback());
    return std::move(done).error().While(fmt::format("preparing {}", settings_.Shown()));
  }
  return Repeatable(connection->Commit());
}

Status PostgresSink::PrepareTables(Connection& connection, const std::vector<Load>& loads,
                                   std::stop_token stop) {
  for (const Load& load : loads) {
    const TableName name = TRY(NameOf(load));
    auto target = TRY(FindTarget(connection, name, stop));
    if (TRY(PlanTarget(target, name, load)).empty()) continue;
    // Two runs that find the same table missing create it one after the other.
    TRY(Lock(connection, "table " + Quoted(name), stop));
    target = TRY(FindTarget(connection, name, stop));
    TRY(EnsureSchema(connection, name.schema));
    for (const std::string& statement : TRY(PlanTarget(target, name, load)))
      TRY(connection.Run(statement, {}, stop));
  }
  return Ok();
}

Result<std::optional<EpochRecord>> PostgresSink::Last(const Lane& lane) {
  const auto connection = TRY(Recorded());
  if (!connection) return std::optional<EpochRecord>();
  return records_.Last(*connection, lane, fate_->unsettled);
}

Result<std::vector<LoadedRange>> PostgresSink::Loaded(const Lane& lane) {
  const auto connection = TRY(Recorded());
  if (!connection) return std::vector<LoadedRange>();
  return records_.Loaded(*connection, lane);
}

Result<std::unique_ptr<PostgresLanding>> PostgresSink::Start(const Lane& lane,
                                                             const std::vector<Load>& loads,
                                                             Visibility visibility,
                                                             std::optional<EpochId> number) {
  auto connection = TRY(Connected());
  TRY(records_.Create(*connection));
  TRY(connection->Begin());
  const EpochId epoch = number ? *number : TRY(records_.Allocate(*connection));
  auto session = TRY(context_.database.Connect());
  TRY(session->Begin());
  return std::make_unique<PostgresLanding>(
      PostgresLanding::Parts{.connection = std::move(connection),
                             .session = std::move(session),
                             .database = context_.database,
                             .clock = context_.clock,
                             .settings = settings_,
                             .records = records_,
                             .fate = fate_},
      lane, loads, visibility, epoch);
}

Result<std::unique_ptr<Landing>> PostgresSink::Begin(const Lane& lane,
                                                     const std::vector<Load>& loads,
                                                     Visibility visibility,
                                                     std::optional<EpochId> number) {
  return std::unique_ptr<Landing>(TRY(Start(lane, loads, visibility, number)));
}

Result<std::unique_ptr<Landing>> PostgresSink::Publish(const Lane& lane,
                                                       const std::vector<Load>& loads,
                                                       std::optional<EpochId> number,
                                                       std::vector<Landed>& landed,
                                                       std::stop_token stop) {
  auto landing = TRY(Start(lane, loads, Visibility::kTarget, number));
  landed = TRY(landing->PublishStaged(std::move(stop)));
  return std::unique_ptr<Landing>(std::move(landing));
}

Status PostgresSink::Sweep(const Lane& lane, EpochId decided) {
  const auto connection = TRY(Recorded());
  if (!connection) return Ok();
  const Stage stage(lane);
  TRY(connection->Begin());
  TRY(records_.ForgetStagedAfter(*connection, lane, decided));
  TRY(stage.ForgetAfter(*connection, decided));
  TRY(Repeatable(connection->Commit()));
  const auto last = TRY(records_.Last(*connection, lane, fate_->unsettled));
  if (!last || last->published) TRY(stage.DropAll(*connection));
  return Ok();
}

Status PostgresSink::TakeBack(Landing& landing, const std::vector<Load>& loads,
                              const std::vector<EpochId>& epochs) {
  auto& own = static_cast<PostgresLanding&>(landing);  // of this sink's Begin
  Connection& connection = own.connection();
  const std::vector<EpochId> ours = TRY(records_.Of(connection, own.lane(), epochs));
  if (ours.empty()) return Ok();
  if (TRY(records_.Shared(connection, ours))) return SharedEpochs(ours, settings_.Shown());
  for (const Load& load : loads) {
    if (load.mode != Mode::kAppend && load.mode != Mode::kInsert) continue;
    const auto target = TRY(FindTarget(connection, TRY(NameOf(load)), {}));
    if (!target) continue;
    if (!target->provenance) return WithoutProvenance(load);
    TRY(connection.Run(fmt::format("DELETE FROM {} WHERE {} IN ({})", target->quoted, kEpochColumn,
                                   NumberList(ours))));
  }
  return records_.MarkTakenBack(connection, own.lane(), ours, landing.epoch());
}

}  // namespace sluice::postgres
