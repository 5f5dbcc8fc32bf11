// A target table as it is now, and the changes that make it take a load's rows: created, or columns
// added. Nothing is ever narrowed, renamed or dropped.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "connector/duckdb/database_file.h"
#include "connector/load.h"

namespace sluice::duckdb {

struct Target {
  TableName name;
  std::string alias;        // of the file it is in
  std::string quoted;       // as SQL names it
  Schema columns;           // all of them, _sluice_epoch too
  bool provenance = false;  // it has _sluice_epoch

  bool Has(std::string_view column) const { return Find(columns, column) != nullptr; }
  std::vector<std::string> ColumnsNotIn(const Schema& rows) const;  // besides _sluice_epoch
};

// nullopt: there is no such table. A view is refused.
Result<std::optional<Target>> FindTarget(sql::Session& session, const DatabaseFile& file,
                                         const TableName& name);
// No constraint, default, index or comment: a new table with these columns is the same.
Result<bool> IsPlain(sql::Session& session, const Target& target);
// What has to run so that the table takes the load's rows; empty: nothing. kConfig where it cannot.
Result<std::vector<std::string>> PlanTarget(const std::optional<Target>& target,
                                            const std::string& quoted, const Load& load);
// Whether every value of `from` is one of `to` too.
bool Widens(std::string_view from, std::string_view to);

}  // namespace sluice::duckdb
