// See stage.h.
#include "connector/postgres/stage.h"

#include <fmt/format.h>

#include "base/text.h"

namespace sluice::postgres {
namespace {

constexpr std::string_view kStageSchema = "_sluice_stage";

}  // namespace

Stage::Stage(const Lane& lane) : prefix_(Fingerprint(lane.Key()) + "_") {}

std::string Stage::NameOf(const Load& load) const {
  return prefix_ + Fingerprint(load.step + "/" + load.target);
}

Result<std::string> Stage::Prepare(Connection& connection, const Target& target, const Load& load,
                                   const std::vector<EncodedColumn>& columns) const {
  const std::string table = fmt::format("{}.{}", kStageSchema, QuoteIdentifier(NameOf(load)));
  TRY(Lock(connection, "stage", {}));
  TRY(EnsureSchema(connection, std::string(kStageSchema)));
  TRY(connection.Run(fmt::format("CREATE TABLE IF NOT EXISTS {} ({}, {} bigint)", table,
                                 StageColumns(target, columns, load.order, {}), kEpochColumn)));
  return table;
}

Result<std::string> Stage::Find(Connection& connection, const Load& load) const {
  const std::string name = NameOf(load);
  for (const std::string& table : TRY(Tables(connection))) {
    if (EndsWith(table, QuoteIdentifier(name))) return table;
  }
  return std::string();
}

Result<std::vector<std::string>> Stage::Tables(Connection& connection) const {
  const Answer answer =
      TRY(connection.Run("SELECT tablename FROM pg_catalog.pg_tables WHERE schemaname = $1 AND "
                         "starts_with(tablename::text, $2) ORDER BY tablename",
                         {std::string(kStageSchema), prefix_}));
  std::vector<std::string> tables;
  for (const auto& row : answer.rows)
    tables.push_back(fmt::format("{}.{}", kStageSchema, QuoteIdentifier(row[0].value_or(""))));
  return tables;
}

Status Stage::DropAll(Connection& connection) const {
  for (const std::string& table : TRY(Tables(connection)))
    TRY(connection.Run("DROP TABLE IF EXISTS " + table));
  return Ok();
}

Status Stage::ForgetAfter(Connection& connection, EpochId decided) const {
  for (const std::string& table : TRY(Tables(connection))) {
    TRY(connection.Run(
        fmt::format("DELETE FROM {} WHERE {} > {}", table, kEpochColumn, decided.value)));
  }
  return Ok();
}

}  // namespace sluice::postgres
