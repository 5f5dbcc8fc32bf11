// DuckDB's C API: the pinned header, and those functions of 1.5 that it does not declare yet and
// that we need.
//
// Database::Open refuses a library older than 1.5, so that these are always there.
#pragma once

#include <duckdb.h>

extern "C" {

// Copies the bytes into the vector's own memory without looking whether they are UTF-8: the caller
// has looked.
DUCKDB_C_API void duckdb_unsafe_vector_assign_string_element_len(duckdb_vector vector, idx_t index,
                                                                 const char* str, idx_t str_len);
// Deprecated, but all there is of it: a result that is computed while it is fetched. What the
// header gives instead holds all its rows.
DUCKDB_C_API duckdb_state duckdb_execute_prepared_streaming(duckdb_prepared_statement statement,
                                                            duckdb_result* result);
// Of a table that a description was made of: its columns, generated ones too. Names are freed by
// duckdb_free, types destroyed by the caller.
DUCKDB_C_API idx_t duckdb_table_description_get_column_count(duckdb_table_description description);
DUCKDB_C_API duckdb_logical_type
duckdb_table_description_get_column_type(duckdb_table_description description, idx_t index);
}
