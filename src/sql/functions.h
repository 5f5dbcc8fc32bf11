// Our functions inside DuckDB. They are registered once, in the catalog that all sessions see.
#pragma once

#include <memory>

#include "base/result.h"
#include "sql/duckdb_1_5.h"
#include "sql/pour.h"
#include "sql/scan.h"
#include "sql/tap.h"

namespace sluice::sql {

// What is returned outlives the instance of `connection`. `workers` is how many of DuckDB's threads
// may read one scan.
Result<std::unique_ptr<Scans>> RegisterScans(duckdb_connection connection, int workers);
Result<std::unique_ptr<Taps>> RegisterTaps(duckdb_connection connection);
Result<std::unique_ptr<Vessels>> RegisterVessels(duckdb_connection connection);

}  // namespace sluice::sql
