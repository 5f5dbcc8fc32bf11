// See target.h.
#include "connector/tables/target.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "connector/recorded.h"

namespace sluice::tables {
namespace {

Error Narrowing(const Load& load, const Column& row, const TableColumn& column) {
  return ConfigError(
      load.mark,
      column.computed
          ? fmt::format("column '{}' of '{}' is computed by the table; leave it out of the rows",
                        column.name, load.target)
          : fmt::format("column '{}' of '{}' is {}, the rows have {}: not every value would fit; "
                        "cast it in the pipeline, or widen the table's column",
                        column.name, load.target, column.shown, row.type));
}

Error NoType(const System& system, const Load& load, const Column& row) {
  return ConfigError(load.mark,
                     fmt::format("column '{}' of the rows is {}, for which {} has no type; cast it "
                                 "in the pipeline: CAST({} AS VARCHAR)",
                                 row.name, row.type, system.Shown(), QuoteIdentifier(row.name)));
}

// `type`, as a column of a table that we create.
Result<std::string> DefinitionOf(const System& system, const Load& load, const Column& column) {
  const bool key = std::any_of(load.key.begin(), load.key.end(), [&](const std::string& name) {
    return ToLower(name) == ToLower(column.name);
  });
  const auto type =
      system.CreatedType(column.type, key ? System::Part::kKey : System::Part::kPlain);
  if (!type) return NoType(system, load, column);
  return *type;
}

Result<std::string> CreateText(const System& system, const TableName& name, const Load& load) {
  std::vector<std::string> columns;
  for (const Column& column : Visible(load.schema)) {
    columns.push_back(system.Quote(column.name) + " " + TRY(DefinitionOf(system, load, column)));
  }
  if (load.provenance) columns.push_back(system.Quote(kEpochColumn) + " BIGINT");
  if (load.mode == Mode::kInsert || load.mode == Mode::kUpsert) {
    for (size_t i = 0; i < columns.size(); ++i) {
      for (const std::string& key : load.key) {
        if (StartsWith(ToLower(columns[i]), ToLower(system.Quote(key)) + " "))
          columns[i] += " NOT NULL";
      }
    }
    columns.push_back("PRIMARY KEY (" + system.QuoteAll(load.key) + ")");
  }
  return fmt::format("CREATE TABLE IF NOT EXISTS {} ({}){}", system.Quoted(name),
                     Join(columns, ", "), system.TableOptions());
}

}  // namespace

Result<std::vector<std::string>> PlanTarget(const System& system,
                                            const std::optional<Target>& target,
                                            const TableName& name, const Load& load) {
  const Schema rows = Visible(load.schema);
  TRY(RefuseEpochColumn(load));
  if (!target) return std::vector<std::string>{TRY(CreateText(system, name, load))};
  std::vector<std::string> statements;
  for (const Column& row : rows) {
    const TableColumn* column = target->Find(row.name);
    if (column == nullptr) {
      statements.push_back(fmt::format("ALTER TABLE {} ADD COLUMN {} {}", target->quoted,
                                       system.Quote(row.name),
                                       TRY(DefinitionOf(system, load, row))));
    } else if (column->computed || !system.SentAs(row.type, *column)) {
      return Narrowing(load, row, *column);
    }
  }
  return statements;
}

Result<std::vector<SentColumn>> SendingTo(const System& system, const Target& target,
                                          const Load& load) {
  std::vector<SentColumn> columns;
  for (const Column& row : Visible(load.schema)) {
    const TableColumn* column = target.Find(row.name);
    if (column == nullptr) {
      return RejectedError(
          fmt::format("'{}' has lost its column '{}' while the run was under way; run again",
                      load.target, row.name));
    }
    const auto cast = system.SentAs(row.type, *column);
    if (!cast || column->computed) return Narrowing(load, row, *column);
    columns.push_back({column->name, row.name, *cast, *column});
  }
  return columns;
}

Result<std::vector<SentColumn>> SendingOrder(const System& system, const Load& load) {
  std::vector<SentColumn> columns;
  for (const Column& column : load.order) {
    if (!column.hidden) continue;
    TableColumn ours{.name = column.name};
    ours.shown = ours.definition = TRY(DefinitionOf(system, load, column));
    ours.type = column.type;
    columns.push_back({column.name, column.name, column.type, std::move(ours)});
  }
  return columns;
}

}  // namespace sluice::tables
