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
}
