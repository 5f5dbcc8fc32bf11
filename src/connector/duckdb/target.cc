// See target.h.
#include "connector/duckdb/target.h"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "base/text.h"
#include "connector/recorded.h"

namespace sluice::duckdb {
namespace {

struct Whole {
  std::string_view name;
  bool negative;
  int bits, digits;
};

constexpr std::array<Whole, 10> kWholes{{{"TINYINT", true, 8, 3},
                                         {"SMALLINT", true, 16, 5},
                                         {"INTEGER", true, 32, 10},
                                         {"BIGINT", true, 64, 19},
                                         {"HUGEINT", true, 128, 39},
                                         {"UTINYINT", false, 8, 3},
                                         {"USMALLINT", false, 16, 5},
                                         {"UINTEGER", false, 32, 10},
                                         {"UBIGINT", false, 64, 20},
                                         {"UHUGEINT", false, 128, 39}}};

const Whole* FindWhole(std::string_view type) {
  for (const Whole& whole : kWholes) {
    if (whole.name == type) return &whole;
  }
  return nullptr;
}

bool WholeFits(const Whole& from, std::string_view to) {
  if (const Whole* whole = FindWhole(to)) {
    if (from.negative && !whole->negative) return false;
    return from.negative == whole->negative ? whole->bits >= from.bits : whole->bits > from.bits;
  }
  if (to == "DOUBLE") return from.bits <= 32;
  if (to == "FLOAT") return from.bits <= 16;
  const auto decimal = ReadDecimal(to);
  return decimal && decimal->width - decimal->scale >= from.digits;
}

bool Nested(std::string_view type) {
  return type.find('[') != std::string_view::npos || StartsWith(type, "STRUCT") ||
         StartsWith(type, "MAP") || StartsWith(type, "UNION");
}

bool DateLike(std::string_view from, std::string_view to) {
  const bool day = from == "DATE" || from == "TIMESTAMP_S" || from == "TIMESTAMP_MS";
  return day && (to == "TIMESTAMP" || (from == "DATE" && StartsWith(to, "TIMESTAMP_")) ||
                 (from == "TIMESTAMP_S" && to == "TIMESTAMP_MS"));
}

Error Narrowing(const Load& load, const Column& row, const Column& column) {
  return ConfigError(
      load.mark,
      fmt::format("column '{}' of '{}' is {}, the rows have {}: not every value would fit; "
                  "cast it in the pipeline (CAST({} AS {})) or widen the table's column",
                  column.name, load.target, column.type, row.type, QuoteIdentifier(row.name),
                  column.type));
}

std::string ColumnText(const Column& column) {
  return QuoteIdentifier(column.name) + " " + column.type;
}

std::string CreateText(const std::string& quoted, const Load& load) {
  std::vector<std::string> columns;
  for (const Column& column : Visible(load.schema)) columns.push_back(ColumnText(column));
  if (load.provenance) columns.push_back(QuoteIdentifier(kEpochColumn) + " BIGINT");
  return fmt::format("CREATE TABLE IF NOT EXISTS {} ({})", quoted, Join(columns, ", "));
}

Status RefuseView(sql::Session& session, const DatabaseFile& file, const TableName& name) {
  const int64_t views = TRY(QueryNumber(
      session,
      "SELECT count(*) FROM duckdb_views() WHERE database_name = CAST($alias AS VARCHAR) AND "
      "lower(schema_name) = lower(CAST($schema AS VARCHAR)) AND lower(view_name) = "
      "lower(CAST($name AS VARCHAR))",
      {TextValue("alias", file.alias()), TextValue("schema", name.schema),
       TextValue("name", name.name)}));
  if (views == 0) return Ok();
  return RejectedError(
      fmt::format("'{}' in '{}' is a view; load into a table", Format(name), file.shown()));
}

}  // namespace

bool Widens(std::string_view from, std::string_view to) {
  if (from == to) return true;
  if (from == "NULL" || from == "\"NULL\"") return true;
  if (to == "VARCHAR") return !Nested(from) && from != "BLOB";
  if (const Whole* whole = FindWhole(from)) return WholeFits(*whole, to);
  if (from == "FLOAT") return to == "DOUBLE";
  const auto narrow = ReadDecimal(from), wide = ReadDecimal(to);
  if (narrow && wide)
    return wide->scale >= narrow->scale &&
           wide->width - wide->scale >= narrow->width - narrow->scale;
  return DateLike(from, to);
}

std::vector<std::string> Target::ColumnsNotIn(const Schema& rows) const {
  std::vector<std::string> names;
  for (const Column& column : columns) {
    if (column.name != kEpochColumn && Find(rows, column.name) == nullptr)
      names.push_back(column.name);
  }
  return names;
}

Result<std::optional<Target>> FindTarget(sql::Session& session, const DatabaseFile& file,
                                         const TableName& name) {
  auto columns = TRY(session.Table(file.alias(), name.schema, name.name));
  if (!columns) {
    TRY(RefuseView(session, file, name));
    return std::optional<Target>();
  }
  Target target{.name = name,
                .alias = file.alias(),
                .quoted = file.Quoted(name),
                .columns = *std::move(columns)};
  target.provenance = target.Has(kEpochColumn);
  return std::optional<Target>(std::move(target));
}

Result<bool> IsPlain(sql::Session& session, const Target& target) {
  constexpr std::string_view kOfTable =
      "database_name = CAST($alias AS VARCHAR) AND lower(schema_name) = lower(CAST($schema AS "
      "VARCHAR)) AND "
      "lower(table_name) = lower(CAST($name AS VARCHAR))";
  const int64_t marks =
      TRY(QueryNumber(session,
                      fmt::format("SELECT (SELECT count(*) FROM duckdb_constraints() WHERE {0}) + "
                                  "(SELECT count(*) FROM duckdb_indexes() "
                                  "WHERE {0}) + (SELECT count(*) FROM duckdb_columns() WHERE {0} "
                                  "AND (column_default IS NOT NULL OR comment "
                                  "IS NOT NULL)) + (SELECT count(*) FROM duckdb_tables() WHERE {0} "
                                  "AND comment IS NOT NULL)",
                                  kOfTable),
                      {TextValue("alias", target.alias), TextValue("schema", target.name.schema),
                       TextValue("name", target.name.name)}));
  return marks == 0;
}

Result<std::vector<std::string>> PlanTarget(const std::optional<Target>& target,
                                            const std::string& quoted, const Load& load) {
  const Schema rows = Visible(load.schema);
  TRY(RefuseEpochColumn(load));
  if (!target) return std::vector<std::string>{CreateText(quoted, load)};
  std::vector<std::string> statements;
  for (const Column& row : rows) {
    const Column* column = Find(target->columns, row.name);
    if (column == nullptr) {
      statements.push_back(fmt::format("ALTER TABLE {} ADD COLUMN {}", quoted, ColumnText(row)));
    } else if (!Widens(row.type, column->type)) {
      return Narrowing(load, row, *column);
    }
  }
  return statements;
}

}  // namespace sluice::duckdb
