// See stage.h.
#include "connector/duckdb/stage.h"

#include <fmt/format.h>

#include "base/text.h"

namespace sluice::duckdb {
namespace {

constexpr std::string_view kStageSchema = "_sluice_stage";

}  // namespace

Stage::Stage(const DatabaseFile& file, const Lane& lane)
    : file_(file), prefix_(Fingerprint(lane.Key()) + "_") {}

std::string Stage::NameOfLoad(const Load& load) const {
  return prefix_ + Fingerprint(load.step + "/" + load.target);
}

Status Stage::Prepare(sql::Session& session) const {
  const int64_t known = TRY(QueryNumber(
      session,
      "SELECT count(*) FROM duckdb_schemas() WHERE database_name = CAST($alias AS VARCHAR) AND "
      "schema_name = "
      "CAST($name AS VARCHAR)",
      {TextValue("alias", file_.alias()), TextValue("name", std::string(kStageSchema))}));
  if (known > 0) return Ok();
  TRY(session.Execute(fmt::format("CREATE SCHEMA IF NOT EXISTS {}.{}",
                                  QuoteIdentifier(file_.alias()), kStageSchema)));
  return Ok();
}

Result<uint64_t> Stage::Write(sql::Session& session, const Load& load, const Incoming& rows,
                              std::stop_token stop) const {
  const std::string table = file_.Quoted(kStageSchema, NameOfLoad(load));
  std::vector<std::string> columns, names;
  for (const Column& column : Visible(load.schema)) {
    columns.push_back(QuoteIdentifier(column.name) + " " + column.type);
    names.push_back(QuoteIdentifier(column.name));
  }
  for (const Column& column : load.order) {
    if (!column.hidden) continue;
    columns.push_back(QuoteIdentifier(column.name) + " " + column.type);
    names.push_back(QuoteIdentifier(column.name));
  }
  const std::string epoch = QuoteIdentifier(kEpochColumn);
  TRY(session.Execute(fmt::format("CREATE TABLE IF NOT EXISTS {} ({}, {} BIGINT)", table,
                                  Join(columns, ", "), epoch)));
  return session
      .Execute(fmt::format("INSERT INTO {0} ({1}, {2}) SELECT {1}, {3} FROM ({4}) AS _rows", table,
                           Join(names, ", "), epoch, rows.epoch, rows.select),
               rows.bound, stop)
      .While(fmt::format("staging rows for '{}'", load.target));
}

Result<Incoming> Stage::Read(sql::Session& session, const Load& load) const {
  Incoming rows{.select = "", .bound = {}, .epoch = QuoteIdentifier(kEpochColumn), .staged = true};
  if (TRY(TableExists(session, file_.alias(),
                      {.schema = std::string(kStageSchema), .name = NameOfLoad(load)}))) {
    rows.select = "SELECT * FROM " + file_.Quoted(kStageSchema, NameOfLoad(load));
    return rows;
  }
  std::vector<std::string> columns;
  for (const Column& column : Visible(load.schema)) {
    columns.push_back(
        fmt::format("CAST(NULL AS {}) AS {}", column.type, QuoteIdentifier(column.name)));
  }
  for (const Column& column : load.order) {
    if (column.hidden)
      columns.push_back(
          fmt::format("CAST(NULL AS {}) AS {}", column.type, QuoteIdentifier(column.name)));
  }
  rows.select = fmt::format("SELECT {}, CAST(NULL AS BIGINT) AS {} WHERE false",
                            Join(columns, ", "), rows.epoch);
  return rows;
}

Result<std::vector<std::string>> Stage::Tables(sql::Session& session) const {
  const sql::Rows rows = TRY(session.Query(
      "SELECT table_name FROM duckdb_tables() WHERE database_name = CAST($alias AS VARCHAR) AND "
      "schema_name = "
      "CAST($schema AS VARCHAR) AND starts_with(table_name, CAST($prefix AS VARCHAR)) ORDER BY "
      "table_name",
      {TextValue("alias", file_.alias()), TextValue("schema", std::string(kStageSchema)),
       TextValue("prefix", prefix_)}));
  std::vector<std::string> tables;
  for (const auto& row : rows.rows) tables.push_back(file_.Quoted(kStageSchema, row[0].text));
  return tables;
}

Status Stage::DropAll(sql::Session& session) const {
  for (const std::string& table : TRY(Tables(session))) TRY(session.Execute("DROP TABLE " + table));
  return Ok();
}

Status Stage::ForgetAfter(sql::Session& session, EpochId decided) const {
  for (const std::string& table : TRY(Tables(session))) {
    TRY(session.Execute(fmt::format("DELETE FROM {} WHERE {} > {}", table,
                                    QuoteIdentifier(kEpochColumn), decided.value)));
  }
  return Ok();
}

}  // namespace sluice::duckdb
