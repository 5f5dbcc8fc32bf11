// See sink.h.
#include "connector/duckdb/sink.h"

#include <fmt/format.h>

#include <utility>

#include "base/text.h"
#include "connector/recorded.h"

namespace sluice::duckdb {
namespace {

Result<TableName> TableOf(const Load& load) {
  auto table = ParseTableName(load.target);
  if (!table.ok()) return std::move(table).error().At(load.mark);
  return table;
}

}  // namespace

Result<Capabilities> DuckdbSink::Describe() {
  return Capabilities{.atomicity = Atomicity::kRecorded,
                      .modes = {Mode::kAppend, Mode::kInsert, Mode::kUpsert, Mode::kReplace,
                                Mode::kOverwrite, Mode::kReplacePartition},
                      .describe = "DuckDB file " + file_.shown(),
                      .keeps_before = true};
}

Result<std::optional<Schema>> DuckdbSink::Target(const Load& load) {
  const TableName name = TRY(TableOf(load));
  if (!file_.Exists()) return std::optional<Schema>();
  const auto session = TRY(file_.Open());
  auto target = TRY(FindTarget(*session, file_, name));
  if (!target) return std::optional<Schema>();
  return std::optional<Schema>(std::move(target->columns));
}

Status DuckdbSink::Prepare(const std::vector<Load>& loads, std::stop_token stop) {
  for (const Load& load : loads) {
    TRY(CheckMode(load));
    TRY(TableOf(load));
  }
  const auto session = TRY(file_.Open());
  TRY(records_.Create(*session));
  if (TRY(ArePrepared(*session, loads).While(fmt::format("preparing '{}'", file_.shown()))))
    return Ok();
  TRY(session->Begin());
  auto done = PrepareTables(*session, loads, std::move(stop));
  if (!done.ok()) {
    TRY(session->Rollback());
    return std::move(done).error().While(fmt::format("preparing '{}'", file_.shown()));
  }
  return session->Commit();
}

Result<bool> DuckdbSink::ArePrepared(sql::Session& session, const std::vector<Load>& loads) {
  for (const Load& load : loads) {
    const TableName name = TRY(TableOf(load));
    const auto target = TRY(FindTarget(session, file_, name));
    if (!target || !TRY(PlanTarget(target, file_.Quoted(name), load)).empty()) return false;
  }
  return true;
}

Status DuckdbSink::PrepareTables(sql::Session& session, const std::vector<Load>& loads,
                                 std::stop_token stop) {
  for (const Load& load : loads) {
    const TableName name = TRY(TableOf(load));
    const auto target = TRY(FindTarget(session, file_, name));
    std::vector<std::string> statements = TRY(PlanTarget(target, file_.Quoted(name), load));
    if (!target && name.schema != "main") {
      statements.insert(statements.begin(),
                        fmt::format("CREATE SCHEMA IF NOT EXISTS {}.{}",
                                    QuoteIdentifier(file_.alias()), QuoteIdentifier(name.schema)));
    }
    for (const std::string& statement : statements) TRY(session.Execute(statement, {}, stop));
    if (load.keeps_before) TRY(Before(file_, {}).Create(session));
  }
  return Ok();
}

Result<std::unique_ptr<sql::Session>> DuckdbSink::Recorded() {
  if (!file_.Exists()) return std::unique_ptr<sql::Session>();
  auto session = TRY(file_.Open());
  if (!TRY(records_.Exist(*session))) return std::unique_ptr<sql::Session>();
  return session;
}

Result<std::optional<EpochRecord>> DuckdbSink::Last(const Lane& lane) {
  const auto session = TRY(Recorded());
  if (!session) return std::optional<EpochRecord>();
  auto last = TRY(records_.Last(*session, lane));
  asked_ = Asked{.lane = lane, .staged = last && !last->published};
  return last;
}

Result<std::vector<LoadedRange>> DuckdbSink::Loaded(const Lane& lane) {
  const auto session = TRY(Recorded());
  if (!session) return std::vector<LoadedRange>();
  return records_.Loaded(*session, lane);
}

Result<std::unique_ptr<DuckdbLanding>> DuckdbSink::Start(const Lane& lane,
                                                         const std::vector<Load>& loads,
                                                         Visibility visibility,
                                                         std::optional<EpochId> number) {
  asked_.reset();
  auto session = TRY(file_.Open());
  TRY(records_.Create(*session));
  sql::Turn lane_turn =
      TRY(file_.turns()
              .Try(lane.Key(), file_.alias() + "/lane:" + lane.Key())
              .While(fmt::format("starting an epoch of its lane in '{}'", file_.shown())));
  if (visibility == Visibility::kStaging) TRY(Stage(file_, lane).Prepare(*session));
  TRY(session->Begin());
  Allotted allotted = TRY(records_.Allocate(*session, lane));
  if (number) allotted.epoch = *number;
  return std::make_unique<DuckdbLanding>(std::move(session), file_, clock_, lane, loads, visibility,
                                         allotted, std::move(lane_turn));
}

Result<std::unique_ptr<Landing>> DuckdbSink::Begin(const Lane& lane, const std::vector<Load>& loads,
                                                   Visibility visibility,
                                                   std::optional<EpochId> number) {
  return std::unique_ptr<Landing>(TRY(Start(lane, loads, visibility, number)));
}

Result<std::unique_ptr<Landing>> DuckdbSink::Publish(const Lane& lane,
                                                     const std::vector<Load>& loads,
                                                     std::optional<EpochId> number,
                                                     std::vector<Landed>& landed,
                                                     std::stop_token stop) {
  auto landing = TRY(Start(lane, loads, Visibility::kTarget, number));
  landed = TRY(landing->PublishStaged(std::move(stop)));
  return std::unique_ptr<Landing>(std::move(landing));
}

Status DuckdbSink::Prune(const Lane& lane, uint64_t keep, Needed needed) {
  const auto session = TRY(Recorded());
  if (!session) return Ok();
  TRY(Before(file_, lane).Prune(*session));
  return records_.Prune(*session, lane, keep, needed);
}

Status DuckdbSink::Sweep(const Lane& lane, EpochId decided) {
  const auto session = TRY(Recorded());
  if (!session) return Ok();
  const Stage stage(file_, lane);
  if (!asked_ || asked_->lane != lane) TRY(Last(lane));
  if (!asked_->staged) return Ok();  // what was staged has gone with its record
  TRY(session->Begin());
  TRY(records_.ForgetStagedAfter(*session, lane, decided));
  TRY(stage.ForgetAfter(*session, decided));
  const auto last = TRY(records_.Last(*session, lane));
  if (!last || last->published) TRY(stage.DropAll(*session));
  return session->Commit();
}

Status DuckdbSink::TakeBack(Landing& landing, const std::vector<Load>& loads,
                            const std::vector<EpochId>& epochs) {
  TRY(static_cast<DuckdbLanding&>(landing).Touch());
  sql::Session& session = landing.session();
  // Of this sink's Begin. Numbers that another sink gave out may stand for epochs of other lanes
  // here.
  const Lane& lane = static_cast<DuckdbLanding&>(landing).lane();
  const std::vector<EpochId> ours = TRY(records_.Of(session, lane, epochs));
  if (ours.empty()) return Ok();
  if (TRY(records_.Shared(session, ours))) return SharedEpochs(ours, "'" + file_.shown() + "'");
  for (const Load& load : loads) {
    if (load.mode != Mode::kAppend && load.mode != Mode::kInsert) continue;
    const auto target = TRY(FindTarget(session, file_, TRY(TableOf(load))));
    if (!target) continue;
    if (!target->provenance) return WithoutProvenance(load);
    TRY(session.Execute(fmt::format("DELETE FROM {} WHERE {} IN ({})", target->quoted,
                                    QuoteIdentifier(kEpochColumn), NumberList(ours))));
  }
  return records_.MarkTakenBack(session, lane, ours, landing.epoch());
}

}  // namespace sluice::duckdb
