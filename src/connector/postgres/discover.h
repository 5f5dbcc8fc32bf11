// The tables and views of a database, with what an extract would read them as.
#pragma once

#include <string>
#include <vector>

#include "connector/discover.h"
#include "connector/postgres/connection.h"

namespace sluice::postgres {

// `schema` empty: all but the system's. Tables that are named without one are of `standard_schema`.
Result<std::vector<FoundTable>> FindTables(Connection& connection, const std::string& schema,
                                           const std::string& standard_schema);

}  // namespace sluice::postgres
