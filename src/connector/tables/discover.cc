// See discover.h.
#include "connector/tables/discover.h"

#include <fmt/format.h>

namespace sluice::tables {

Result<std::vector<FoundTable>> FindTables(const System& system, const std::string& schema) {
  if (!system.Exists())
    return RejectedError(fmt::format("there is no {}; check the connection", system.Shown()));
  const auto link = TRY(system.Connect(Use::kRead, {}));
  std::vector<FoundTable> tables = TRY(system.TablesOf(*link, schema));
  for (FoundTable& table : tables) {
    const TableName name{table.schema, table.name};
    if (table.key.empty()) table.key = TRY(system.KeyOf(*link, name, {}));
    for (const TableColumn& column : TRY(system.ColumnsOf(*link, system.Quoted(name), {})))
      table.columns.push_back({column.name, column.shown, column.type});
  }
  return tables;
}

}  // namespace sluice::tables
