// Our functions inside DuckDB. They are registered once, in the catalog that all sessions see.
#pragma once

#include <memory>

#include "base/result.h"
#include "sql/duckdb_1_5.h"
#include "sql/exchange.h"
#include "sql/handle.h"
#include "sql/pour.h"
#include "sql/scan.h"
#include "sql/tap.h"

namespace sluice::sql {

// What is returned outlives the instance of `connection`. `workers` is how many of DuckDB's threads
// may read one scan.
Result<std::unique_ptr<Scans>> RegisterScans(duckdb_connection connection, int workers);
Result<std::unique_ptr<Taps>> RegisterTaps(duckdb_connection connection);
Result<std::unique_ptr<Vessels>> RegisterVessels(duckdb_connection connection);
// Registers its functions as they are asked for, and must go before the instance does.
std::unique_ptr<Exchanges> MakeExchanges(ConnectionHandle connection);

}  // namespace sluice::sql
