// A target table as it is now, and the changes that make it take a load's rows: created, or columns
// added. Nothing is ever narrowed, renamed or dropped.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "connector/load.h"
#include "connector/postgres/connection.h"
#include "connector/postgres/copy_encoder.h"
#include "connector/table_name.h"

namespace sluice::postgres {

struct Target {
  TableName name;
  std::string quoted;  // as SQL names it
  std::vector<TypedColumn> columns;
  std::vector<std::set<std::string>> unique;  // the columns of each unique index
  bool provenance = false;                    // it has _sluice_epoch
  bool foreign = false;

  const TypedColumn* Find(std::string_view column) const;
  bool HasUniqueKey(const std::vector<std::string>& key) const;
};

std::string Quoted(const TableName& table);
// nullopt: there is no such table. A view is refused.
Result<std::optional<Target>> FindTarget(Connection& connection, const TableName& name,
                                         std::stop_token stop);
// What has to run so that the table takes the load's rows; empty: nothing. kConfig where it cannot.
Result<std::vector<std::string>> PlanTarget(const std::optional<Target>& target,
                                            const TableName& name, const Load& load);
// How each column of the load is written into the target.
Result<std::vector<EncodedColumn>> EncodingFor(const Target& target, const Load& load);

}  // namespace sluice::postgres
