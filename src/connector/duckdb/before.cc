// See before.h.
#include "connector/duckdb/before.h"

#include <fmt/format.h>

#include "base/text.h"

namespace sluice::duckdb {
namespace {

constexpr int kRuns = 10;  // whose images are kept

// {"a": "1", "b": null}
std::string ImageText(const std::vector<std::string>& columns) {
  std::vector<std::string> fields;
  for (const std::string& name : columns) {
    fields.push_back(
        fmt::format("{}: CAST(t.{} AS VARCHAR)", QuoteLiteral(name), QuoteIdentifier(name)));
  }
  return fmt::format("CAST(to_json({{{}}}) AS VARCHAR)", Join(fields, ", "));
}

}  // namespace

Status Before::Create(sql::Session& session) const {
  TRY(session.Execute(fmt::format(
      R"(CREATE TABLE IF NOT EXISTS {} (project VARCHAR, pipeline VARCHAR, flow VARCHAR,
         "interval" VARCHAR, epoch BIGINT, "table" VARCHAR, kind VARCHAR, key VARCHAR, "row" VARCHAR))",
      Table())));
  return Ok();
}

Status Before::Keep(sql::Session& session, EpochId epoch, const Target& target, const Load& load,
                    const std::string& condition, const std::vector<sql::Bound>& bound,
                    std::stop_token stop) const {
  std::vector<std::string> columns;
  for (const Column& column : target.columns) columns.push_back(column.name);
  const std::string_view kind = load.mode == Mode::kUpsert ? "changed" : "removed";
  TRY(session
          .Execute(fmt::format("INSERT INTO {} SELECT {}, {}, {}, {}, {}, {}, '{}', {}, {} FROM {} "
                               "AS t WHERE {}",
                               Table(), QuoteLiteral(lane_.project), QuoteLiteral(lane_.pipeline),
                               QuoteLiteral(lane_.flow), QuoteLiteral(lane_.interval), epoch.value,
                               QuoteLiteral(load.target), kind,
                               load.key.empty() ? "NULL" : ImageText(load.key), ImageText(columns),
                               target.quoted, condition),
                   bound, std::move(stop))
          .While(fmt::format("keeping what rows of '{}' were before", load.target)));
  return Ok();
}

std::string Before::OfFlow() const {
  return fmt::format("project = {} AND pipeline = {} AND flow = {}", QuoteLiteral(lane_.project),
                     QuoteLiteral(lane_.pipeline), QuoteLiteral(lane_.flow));
}

Status Before::Prune(sql::Session& session) const {
  if (!TRY(TableExists(session, file_.alias(), {.name = "_sluice_before"}))) return Ok();
  auto pruned = session.Execute(fmt::format(
      "DELETE FROM {0} WHERE {2} AND epoch NOT IN (SELECT epoch FROM {1} WHERE {2} AND run IN "
      "(SELECT run FROM {1} WHERE {2} GROUP BY run ORDER BY max(epoch) DESC LIMIT {3}))",
      Table(), file_.Quoted("main", "_sluice_epochs"), OfFlow(), kRuns));
  if (!pruned.ok() && pruned.error().kind != ErrorKind::kTransient)
    return std::move(pruned).error().While(fmt::format("pruning '{}'", file_.shown()));
  return Ok();  // another writer was there: next time
}

}  // namespace sluice::duckdb
