// See records.h.
#include "connector/duckdb/records.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/json_full.h"
#include "base/text.h"
#include "connector/recorded.h"
#include "sql/kept.h"

namespace sluice::duckdb {
namespace {

constexpr std::string_view kOfLane =
    "project = CAST($project AS VARCHAR) AND pipeline = CAST($pipeline AS VARCHAR) AND "
    "flow = CAST($flow AS VARCHAR) AND \"interval\" = CAST($interval AS VARCHAR)";

std::vector<sql::Bound> BindLane(const Lane& lane) {
  return {TextValue("project", lane.project), TextValue("pipeline", lane.pipeline),
          TextValue("flow", lane.flow), TextValue("interval", lane.interval)};
}

std::string Typed(std::string_view name, std::string_view type) {
  return fmt::format("CAST(CAST(${} AS VARCHAR) AS {})", name, type);
}

std::string List(std::string_view name) {
  return fmt::format(R"(from_json({}, '["VARCHAR"]'))", Typed(name, "JSON"));
}
std::string ListText(const std::vector<std::string>& texts) {
  return Json(texts).dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

Result<bool> Records::Exist(sql::Session& session) const {
  if (!exist_) exist_ = TRY(TableExists(session, file_.alias(), {.name = "_sluice_epochs"}));
  return exist_;
}

Status Records::Create(sql::Session& session) const {
  if (TRY(Exist(session))) return Ok();
  const std::string text = fmt::format(
      R"(BEGIN TRANSACTION;
         CREATE TABLE IF NOT EXISTS {} (
           project VARCHAR, pipeline VARCHAR, flow VARCHAR, "interval" VARCHAR, epoch BIGINT, fence BIGINT, run BIGINT,
           fingerprint VARCHAR, identities VARCHAR[], targets VARCHAR[], record VARCHAR, final BOOLEAN,
           published BOOLEAN, taken_back_by BIGINT, committed_at TIMESTAMP);
         CREATE SEQUENCE IF NOT EXISTS {};
         COMMIT)",
      Epochs(), file_.Quoted("main", "_sluice_epoch_numbers"));
  auto done = session.Execute(text);
  if (done.ok()) return Ok();
  TRY(session.Rollback());
  return std::move(done).error().While(
      fmt::format("creating the epoch records in '{}'", file_.shown()));
}

Result<std::optional<EpochRecord>> Records::Last(sql::Session& session, const Lane& lane) const {
  const sql::Rows rows = TRY(sql::QueryKept(
      session, fmt::format("SELECT arg_max(record, epoch) FROM {} WHERE {}", Epochs(), kOfLane),
      BindLane(lane)));
  if (rows.rows.at(0).at(0).null) return std::optional<EpochRecord>();
  return std::optional<EpochRecord>(
      TRY(ParseEpochRecord(rows.rows[0][0].text)
              .While(fmt::format("reading the epoch records of '{}'", file_.shown()))));
}

Result<std::vector<LoadedRange>> Records::Loaded(sql::Session& session, const Lane& lane) const {
  const sql::Rows rows =
      TRY(session.Query(fmt::format("SELECT unnest(identities) AS identity, fingerprint, epoch "
                                    "FROM {} WHERE {} AND taken_back_by IS NULL "
                                    "ORDER BY identity, epoch",
                                    Epochs(), kOfLane),
                        BindLane(lane)));
  std::vector<LoadedRange> loaded;
  for (const auto& row : rows.rows) {
    loaded.push_back(
        {.identity = row[0].text, .fingerprint = row[1].text, .epoch = {std::stoll(row[2].text)}});
  }
  return loaded;
}

Status Records::Prune(sql::Session& session, const Lane& lane, uint64_t keep, Needed needed) const {
  const std::string newest =
      fmt::format("(SELECT epoch FROM {} WHERE {} ORDER BY epoch DESC LIMIT 1 OFFSET {})", Epochs(),
                  kOfLane, std::max<uint64_t>(keep, 1));
  auto pruned = session.Execute(
      fmt::format("DELETE FROM {} WHERE {} AND published AND epoch <= {}{}", Epochs(), kOfLane,
                  newest, needed == Needed::kIdentities ? " AND len(identities) = 0" : ""),
      BindLane(lane));
  if (!pruned.ok() && pruned.error().kind != ErrorKind::kTransient)
    return std::move(pruned).error().While(fmt::format("pruning '{}'", file_.shown()));
  return Ok();  // another writer was there: next time
}

Result<Allotted> Records::Allocate(sql::Session& session, const Lane& lane) const {
  const std::string next =
      fmt::format("nextval({})", QuoteLiteral(file_.Quoted("main", "_sluice_epoch_numbers")));
  const sql::Rows found = TRY(sql::QueryKept(
      session,
      fmt::format("SELECT {}, last, fence FROM (SELECT coalesce(max(epoch), 0) AS last, "
                  "coalesce(max(fence) FILTER (WHERE {}), 0) AS fence FROM {})",
                  next, kOfLane, Epochs()),
      BindLane(lane)));
  const auto& row = found.rows.at(0);
  const int64_t number = std::stoll(row[0].text), last = std::stoll(row[1].text);
  Allotted allotted{.epoch = {number}, .fence = {std::stoll(row[2].text)}};
  if (number > last) return allotted;
  // Numbers that another sink gave out have passed ours: catch up.
  allotted.epoch = EpochId{TRY(
      QueryNumber(session, fmt::format("SELECT max({}) FROM range({})", next, last - number + 1)))};
  return allotted;
}

Status Records::Insert(sql::Session& session, const EpochRecord& record,
                       const std::vector<std::string>& targets, Micros now) const {
  // One text for all records, so that it stays prepared.
  std::vector<sql::Bound> bound = BindLane(record.lane);
  const auto add = [&bound](const char* name, std::string text) {
    bound.push_back(TextValue(name, std::move(text)));
  };
  add("epoch", std::to_string(record.epoch.value));
  add("fence", std::to_string(record.fence.value));
  add("run", std::to_string(record.run.value));
  add("fingerprint", record.fingerprint);
  add("identities", ListText(IdentitiesOf(record)));
  add("targets", ListText(targets));
  add("record", Serialise(record));
  add("final", record.final ? "true" : "false");
  add("published", record.published ? "true" : "false");
  add("now", std::to_string(now.count()));
  TRY(sql::ExecuteKept(
      session,
      fmt::format("INSERT INTO {} VALUES (CAST($project AS VARCHAR), CAST($pipeline AS VARCHAR), "
                  "CAST($flow AS VARCHAR), CAST($interval AS VARCHAR), {}, {}, {}, "
                  "CAST($fingerprint AS VARCHAR), {}, {}, CAST($record AS VARCHAR), {}, {}, NULL, "
                  "make_timestamp({}))",
                  Epochs(), Typed("epoch", "BIGINT"), Typed("fence", "BIGINT"),
                  Typed("run", "BIGINT"), List("identities"), List("targets"),
                  Typed("final", "BOOLEAN"), Typed("published", "BOOLEAN"), Typed("now", "BIGINT")),
      bound));
  return Ok();
}

Status Records::ForgetStagedAfter(sql::Session& session, const Lane& lane, EpochId decided) const {
  TRY(session.Execute(fmt::format("DELETE FROM {} WHERE {} AND NOT published AND epoch > {}",
                                  Epochs(), kOfLane, decided.value),
                      BindLane(lane)));
  return Ok();
}

Result<std::vector<EpochId>> Records::Of(sql::Session& session, const Lane& lane,
                                         const std::vector<EpochId>& epochs) const {
  const sql::Rows rows =
      TRY(session.Query(fmt::format("SELECT epoch FROM {} WHERE {} AND taken_back_by IS NULL AND "
                                    "epoch IN ({}) ORDER BY epoch",
                                    Epochs(), kOfLane, NumberList(epochs)),
                        BindLane(lane)));
  std::vector<EpochId> found;
  for (const auto& row : rows.rows) found.push_back({std::stoll(row[0].text)});
  return found;
}

Result<bool> Records::Shared(sql::Session& session, const std::vector<EpochId>& epochs) const {
  return TRY(QueryNumber(
             session,
             fmt::format(
                 "SELECT count(*) FROM (SELECT epoch FROM {} WHERE epoch IN ({}) GROUP BY epoch "
                 "HAVING count(DISTINCT (project, pipeline, flow, \"interval\")) > 1)",
                 Epochs(), NumberList(epochs)))) > 0;
}

Status Records::MarkTakenBack(sql::Session& session, const Lane& lane,
                              const std::vector<EpochId>& epochs, EpochId by) const {
  TRY(session.Execute(fmt::format("UPDATE {} SET taken_back_by = {} WHERE {} AND epoch IN ({})",
                                  Epochs(), by.value, kOfLane, NumberList(epochs)),
                      BindLane(lane)));
  return Ok();
}

}  // namespace sluice::duckdb
