// The changes that make a table take a load's rows: created, or columns added. Nothing is ever
// narrowed, renamed or dropped.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "connector/tables/system.h"

namespace sluice::tables {

// What has to run so that the table takes the load's rows; empty: nothing. kConfig where it cannot.
Result<std::vector<std::string>> PlanTarget(const System& system,
                                            const std::optional<Target>& target,
                                            const TableName& name, const Load& load);
// How each column of the load is sent into the target.
Result<std::vector<SentColumn>> SendingTo(const System& system, const Target& target,
                                          const Load& load);
// The hidden columns that say which row is later; they come with the rows, after the others.
Result<std::vector<SentColumn>> SendingOrder(const System& system, const Load& load);

}  // namespace sluice::tables
