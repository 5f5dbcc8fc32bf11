// Statements that come again and again, prepared once per connection: what they cost is nine tenths
// parsing and planning.
//
// Only for text that is ours and names nothing but built-in functions and tables: where a table has
// changed, DuckDB plans the statement anew by itself; it does not see that a macro has.
#pragma once

#include <string_view>
#include <vector>

#include "sql/database.h"

namespace sluice::sql {

// As Session::Query and Session::Execute, of one statement. A query's values are parameters, for
// the planner chooses by them what it reads; those of what only writes are looked up when it runs.
Result<Rows> QueryKept(Session& session, std::string_view text, const std::vector<Bound>& bound);
Result<uint64_t> ExecuteKept(Session& session, std::string_view text,
                             const std::vector<Bound>& bound);

}  // namespace sluice::sql
