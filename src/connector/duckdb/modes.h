// What each load mode does to a table, as statements of one transaction: rows come from a SELECT or
// from the lane's stage, and every count is DuckDB's own.
//
// `insert`, `upsert`, `replace` and a partition taken from the rows read the rows more than once,
// so they pass through a temporary table; delete + insert from there is several times faster than
// MERGE or ON CONFLICT and half the file. By key, that table is filled before the transaction: only
// what is committed has statistics (which keys occur at all) and is read by all threads.
//
// Repeated keys: `insert` refuses them. Of an `upsert` the last row of a key by Load::order counts,
// those before it as updates, so that it makes no difference how many epochs the rows came in. Rows
// of a key that are equal in every column are one (the repeats count as unchanged); different ones
// that no order tells apart are refused. With Load::compared rows that the table has already are
// not written. `replace` takes all rows of a key.
#pragma once

#include <stop_token>
#include <string>
#include <vector>

#include "connector/duckdb/before.h"
#include "connector/duckdb/target.h"
#include "connector/load.h"
#include "connector/sink.h"

namespace sluice::duckdb {

// Rows on their way into a table.
struct Incoming {
  std::string select;  // has the load's columns by name
  std::vector<sql::Bound> bound;
  std::string epoch;    // SQL: the number, or the column of a stage
  bool staged = false;  // of several epochs: `select` has kEpochColumn
};

// Where a load with Load::keeps_before keeps what it changes, and by which epoch.
struct Keeping {
  const Before& before;
  EpochId epoch;
};

// Whether the rows of a load are staged before it is applied.
bool IsStagedFirst(const Load& load);
// REQUIRES: IsStagedFirst(load). The rows into the session's temporary table, for the next Apply.
Status StageRows(sql::Session& session, const Load& load, const Incoming& rows,
                 std::stop_token stop);
Result<Landed> Apply(sql::Session& session, const Target& target, const Load& load,
                     const Incoming& rows, const Keeping& keeping, std::stop_token stop);

// The turn at which two landings of this load exclude each other; empty: they need not (append).
std::string TurnOf(const TableName& table, const Load& load);

}  // namespace sluice::duckdb
