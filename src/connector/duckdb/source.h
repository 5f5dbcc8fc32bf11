// Reads a table or a query of a DuckDB file. What a range is:
//   interval: column     the rows with start <= column < end of the run; one range, known by its
//   bounds incremental: cursor  (from, to] of the cursor, `to` being the greatest value at the
//   freeze; where there is a limit
//                        of rows, less, but never apart what has the same value
//   neither              the whole table, a new range at every run, without identity
// The table may change between two readings of a range: same keys, not same rows. Rows that come
// later with a cursor at or below `to` are found only by `lookback`; rows whose cursor is NULL
// would never be found, so they are an error. The file may be a sink of the same run: it is
// attached once, and the reader is in the landing's own transaction.
#pragma once

#include <memory>

#include "connector/duckdb/database_file.h"
#include "connector/extract.h"
#include "connector/source.h"

namespace sluice::duckdb {

Result<std::unique_ptr<Source>> MakeDuckdbSource(DatabaseFile file, ExtractRequest request);

}  // namespace sluice::duckdb
