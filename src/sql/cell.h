// Values and types of a result as text: the same text that DuckDB prints.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "sql/database.h"
#include "sql/handle.h"

namespace sluice::sql {

// The type as DuckDB writes it. `keyword` says which names of fields must be quoted; it is asked
// for nested types only.
std::string TypeName(duckdb_logical_type type,
                     const std::function<bool(std::string_view)>& keyword);

// The value in a row of a flat vector; kConfig where the type has no text in the C API (BIGNUM,
// VARIANT, GEOMETRY).
Result<Cell> ReadCell(duckdb_vector vector, duckdb_logical_type type, idx_t row);

}  // namespace sluice::sql
