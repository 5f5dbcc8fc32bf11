// What each load mode does to a table, as statements of one transaction. Rows come from a DuckDB
// query or from the lane's stage, and every count is the server's own.
//
// `append` goes straight into the table by COPY, and so does `insert` where a unique index refuses
// what is there; everything else passes through a temporary table and one set-based statement.
// `overwrite` deletes and copies in one transaction: readers see the old rows until the commit, and
// grants, indexes, views and foreign keys stay as they are.
//
// Repeated keys: `insert` refuses them. `upsert` takes the latest by the load's `order` (those
// before it count as updated) and rows that are equal in every column as one (the repeats count as
// unchanged); where nothing says which of different rows is the newer it refuses them. `replace`
// takes all rows of a key.
#pragma once

#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "connector/postgres/copy_in.h"
#include "connector/postgres/target.h"
#include "connector/sink.h"

namespace sluice::postgres {

// Rows on their way into a table: from a query of DuckDB's, or from a table of the lane's stage.
struct Incoming {
  std::optional<Outgoing> query;
  std::string staged;  // as SQL names it; it has the load's columns and kEpochColumn
  EpochId epoch;
};

// What replaces does two things, and rows that are added piece by piece need them apart.
enum class Part : uint8_t { kBoth, kClear, kAdd };
Result<Landed> Apply(Connection& connection, const Target& target, const Load& load,
                     const Incoming& rows, std::stop_token stop, Part part = Part::kBoth);

// A table that holds a load's rows until they are merged: the columns of the target, those that
// travel as text as text, and the hidden ones that say which row is later.
std::string StageColumns(const Target& target, const std::vector<EncodedColumn>& columns,
                         const Schema& order, const std::vector<std::string>& not_null);
std::vector<EncodedColumn> WithOrder(std::vector<EncodedColumn> columns, const Schema& order);

// The name under which two landings of this load exclude each other; empty: they need not (append).
std::string ClaimOf(const TableName& table, const Load& load);

}  // namespace sluice::postgres
