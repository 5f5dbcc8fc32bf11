// The names of DuckDB's aggregate functions. Asking DuckDB costs 26 ms, more than the rest of a
// small plan; a test compares.
#pragma once

#include <string_view>

namespace sluice::sql {

// In lower case. What is also a scalar function or a macro is none.
bool IsAggregate(std::string_view name);

}  // namespace sluice::sql
