// DuckDB's vectors as the places that decoders fill: which type a column has there, how texts and
// nulls get in.
#pragma once

#include <cstdint>
#include <string_view>

#include "data/schema.h"
#include "sql/handle.h"

namespace sluice::sql {

// The type of a column that decoders fill as `physical`; `name` is the type that the user wants.
TypeHandle DuckType(Physical physical, std::string_view name);
bool IsText(Physical type);
void PutText(void* owner, uint64_t row, const char* bytes, uint64_t size);  // ColumnSlot::put_text
// Bit i of `validity` set: row i is not null.
void CopyNulls(duckdb_vector vector, const uint64_t* validity, uint64_t rows);

}  // namespace sluice::sql
