// Rows from one PostgreSQL server to another in the form in which they come: what COPY TO STDOUT
// (binary) gives is what COPY FROM STDIN (binary) takes, where the columns are of the same types.
// Nothing decodes them; each row only gets the number of its epoch, where the table has a column
// for it. Who takes them checks them as it checks any COPY.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "connector/load.h"
#include "connector/postgres/target.h"
#include "sql/scan.h"

namespace sluice::postgres {

// What a column is in the binary form: "postgres:int8"; empty: it has none that goes both ways.
std::string WireName(const Type& type);
// Of the columns that a load writes; empty: some have none.
std::vector<std::string> WireOf(const Target& target, const Load& load);
// As WireOf, of the table that the load would create.
Result<std::vector<std::string>> CreatedWireOf(Connection& connection, const Load& load);

// `count` rows, each with one more field at its end: an int8. kInternal where they are no rows.
Status AppendWithEpoch(std::span<const char> rows, int64_t count, int64_t epoch,
                       std::vector<char>& into);

// All rows of the scan into the COPY that the connection is in; how many there were. The scan's
// counts are raised.
Result<uint64_t> SendRelayed(Connection& connection, sql::Scan& scan,
                             const std::vector<std::string>& names, std::optional<int64_t> epoch,
                             std::stop_token stop);

}  // namespace sluice::postgres
