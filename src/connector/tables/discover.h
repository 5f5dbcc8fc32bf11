// The tables of a system, with what an extract would read them as.
#pragma once

#include <string>
#include <vector>

#include "connector/tables/system.h"

namespace sluice::tables {

Result<std::vector<FoundTable>> FindTables(const System& system, const std::string& schema);

}  // namespace sluice::tables
