// A native partition whose rows are replaced as a whole, by a new table that takes its place.
//
// The invariant: whoever reads sees the old rows or the new ones, and never neither. The new table
// is made and filled in the transaction that decides, its rows frozen: a snapshot that is older
// than the transaction finds the catalog of today, and in it rows that it would otherwise be too
// old for. The exchange is the last act before the record, and the only one that readers wait for;
// where they would have to wait long the rows are deleted and inserted instead. A transaction that
// does not commit leaves nothing.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "connector/postgres/copy_in.h"
#include "connector/postgres/leaf.h"
#include "connector/sink.h"

namespace sluice::postgres {

class Replacement {  // of one landing
 public:
  // `mark`: unlike that of any other replacement of its time.
  Replacement(Target target, Leaf leaf, const std::string& mark);

  // The rows into a new table, which then has all that the partition has. `deleted` counts what the
  // partition held before: rows that come to it until the exchange are replaced as well.
  Result<Landed> Take(Connection& connection, const Load& load, const Outgoing& rows, EpochId epoch,
                      std::stop_token stop);
  Status Exchange(Connection& connection) const;

 private:
  Status Create(Connection& connection, std::stop_token stop) const;
  Status Furnish(Connection& connection, std::stop_token stop);
  Result<bool> Locked(Connection& connection) const;
  Status DeleteAndInsert(Connection& connection) const;

  Target target_;
  Leaf leaf_;
  std::string schema_, name_, quoted_;  // of the new table
  std::vector<std::pair<std::string, std::string>>
      indexes_;  // the new table's, and the names to be
};

}  // namespace sluice::postgres
