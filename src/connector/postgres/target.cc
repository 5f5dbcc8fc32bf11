// See target.h.
#include "connector/postgres/target.h"

#include <fmt/format.h>

#include <utility>

#include "base/json_full.h"
#include "base/text.h"
#include "connector/recorded.h"

namespace sluice::postgres {
namespace {

Error Narrowing(const Load& load, const Column& row, const TypedColumn& column) {
  return ConfigError(
      load.mark,
      fmt::format("column '{}' of '{}' is {}, the rows have {}: not every value would fit; cast it "
                  "in the pipeline, or widen the table's column",
                  column.name, load.target, column.type.shown, row.type));
}

Error NoType(const Load& load, const Column& row) {
  return ConfigError(load.mark,
                     fmt::format("column '{}' of the rows is {}, for which PostgreSQL has no type; "
                                 "cast it in the pipeline: CAST({} AS VARCHAR)",
                                 row.name, row.type, QuoteIdentifier(row.name)));
}

// The server cuts a longer name and says so in a notice: two could become one.
Status CheckName(const Load& load, std::string_view what, const std::string& name) {
  constexpr size_t kNameBytes = 63;
  if (name.size() <= kNameBytes) return Ok();
  return ConfigError(load.mark,
                     fmt::format("the {} '{}' has {} bytes, PostgreSQL's names have at most {}; "
                                 "give it a shorter one",
                                 what, name, name.size(), kNameBytes));
}

Result<std::string> ColumnText(const Load& load, const Column& column) {
  TRY(CheckName(load, "column", column.name));
  const auto type = ColumnTypeFor(column.type);
  if (!type) return NoType(load, column);
  return QuoteIdentifier(column.name) + " " + *type;
}

Result<std::vector<std::string>> CreateTexts(const TableName& name, const Load& load) {
  std::vector<std::string> columns, statements;
  for (const Column& column : Visible(load.schema))
    columns.push_back(TRY(ColumnText(load, column)));
  if (load.provenance) columns.push_back(std::string(kEpochColumn) + " bigint");
  if (load.mode == Mode::kInsert || load.mode == Mode::kUpsert) {
    std::vector<std::string> key;
    for (const std::string& column : load.key) key.push_back(QuoteIdentifier(column));
    columns.push_back("PRIMARY KEY (" + Join(key, ", ") + ")");
  }
  statements.push_back(
      fmt::format("CREATE TABLE IF NOT EXISTS {} ({})", Quoted(name), Join(columns, ", ")));
  for (const Column& column : Visible(load.schema)) {
    if (column.description.empty()) continue;
    statements.push_back(fmt::format("COMMENT ON COLUMN {}.{} IS {}", Quoted(name),
                                     QuoteIdentifier(column.name),
                                     QuoteLiteral(column.description)));
  }
  return statements;
}

}  // namespace

const TypedColumn* Target::Find(std::string_view column) const {
  for (const TypedColumn& one : columns) {
    if (one.name == column) return &one;
  }
  for (const TypedColumn& one : columns) {
    if (ToLower(one.name) == ToLower(column)) return &one;
  }
  return nullptr;
}

bool Target::HasUniqueKey(const std::vector<std::string>& key) const {
  std::set<std::string> wanted;
  for (const std::string& column : key) {
    const TypedColumn* found = Find(column);
    wanted.insert(found == nullptr ? column : found->name);
  }
  return std::find(unique.begin(), unique.end(), wanted) != unique.end();
}

std::string Quoted(const TableName& table) {
  return QuoteIdentifier(table.schema) + "." + QuoteIdentifier(table.name);
}

Result<std::optional<Target>> FindTarget(Connection& connection, const TableName& name,
                                         std::stop_token stop) {
  Target target{.name = name, .quoted = Quoted(name), .columns = {}, .unique = {}};
  const Answer kind = TRY(
      connection.Run("SELECT c.relkind FROM pg_catalog.pg_class c WHERE c.oid = to_regclass($1)",
                     {target.quoted}, stop));
  if (kind.rows.empty()) return std::optional<Target>();
  const std::string relation = kind.rows[0][0].value_or("");
  if (relation != "r" && relation != "p" && relation != "f") {
    return RejectedError(fmt::format("'{}.{}' is {}; load into a table", name.schema, name.name,
                                     relation == "v"   ? "a view"
                                     : relation == "m" ? "a materialized view"
                                                       : "no table"));
  }
  target.foreign = relation == "f";
  target.columns = TRY(ColumnsOf(connection, target.quoted, stop));
  target.provenance = target.Find(kEpochColumn) != nullptr;
  const Answer indexes =
      TRY(connection.Run("SELECT json_agg(a.attname)::text FROM pg_catalog.pg_index i "
                         "JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND "
                         "a.attnum = ANY((i.indkey::int2[])[0:i.indnkeyatts - 1]) "
                         "WHERE i.indrelid = to_regclass($1) AND i.indisunique AND i.indisvalid "
                         "AND i.indimmediate AND "
                         "i.indpred IS NULL AND i.indexprs IS NULL GROUP BY i.indexrelid",
                         {target.quoted}, stop));
  for (const auto& row : indexes.rows) {
    const Json names = TRY(ParseJson(row[0].value_or("[]")));
    std::set<std::string> columns;
    for (const Json& column : names) columns.insert(column.get<std::string>());
    target.unique.push_back(std::move(columns));
  }
  return std::optional<Target>(std::move(target));
}

Result<std::vector<std::string>> PlanTarget(const std::optional<Target>& target,
                                            const TableName& name, const Load& load) {
  TRY(RefuseEpochColumn(load));
  TRY(CheckName(load, "schema", name.schema));
  TRY(CheckName(load, "table", name.name));
  if (!target) return CreateTexts(name, load);
  std::vector<std::string> statements;
  for (const Column& row : Visible(load.schema)) {
    const TypedColumn* column = target->Find(row.name);
    if (column == nullptr) {
      statements.push_back(
          fmt::format("ALTER TABLE {} ADD COLUMN {}", target->quoted, TRY(ColumnText(load, row))));
    } else if (!ToWrite(row.type, column->type)) {
      return Narrowing(load, row, *column);
    }
  }
  return statements;
}

Result<std::vector<EncodedColumn>> EncodingFor(const Target& target, const Load& load) {
  std::vector<EncodedColumn> columns;
  for (const Column& row : Visible(load.schema)) {
    const TypedColumn* column = target.Find(row.name);
    if (column == nullptr) {
      return RejectedError(
          fmt::format("'{}' has lost its column '{}' while the run was under way; "
                      "run again",
                      load.target, row.name));
    }
    const auto write = ToWrite(row.type, column->type);
    if (!write) return Narrowing(load, row, *column);
    columns.push_back({column->name, *write});
  }
  return columns;
}

}  // namespace sluice::postgres
