// Types that a user declares for columns of a table.
#pragma once

#include <string>

namespace sluice {

// The name as DuckDB writes it: "int" is INTEGER, "numeric(10, 2)" is DECIMAL(10,2).
std::string CanonicalType(const std::string& type);

}  // namespace sluice
