// What rows of a table were before an epoch changed or removed them: `_sluice_before`, one row for
// each, with every value as DuckDB's text of it, which it reads back without loss.
//
// Written in the transaction of the epoch: an image is there exactly if the change is, however
// often the epoch was begun. It is what an undo of the last runs will stand on.
#pragma once

#include <stop_token>
#include <string>
#include <vector>

#include "connector/duckdb/database_file.h"
#include "connector/duckdb/target.h"
#include "connector/load.h"
#include "data/range.h"

namespace sluice::duckdb {

class Before {  // one thread
 public:
  Before(const DatabaseFile& file, Lane lane) : file_(file), lane_(std::move(lane)) {}

  Status Create(sql::Session& session) const;
  // Of the rows of the target, called `t`, for which `condition` holds, as those that `epoch` is
  // about to change or remove.
  Status Keep(sql::Session& session, EpochId epoch, const Target& target, const Load& load,
              const std::string& condition, const std::vector<sql::Bound>& bound,
              std::stop_token stop) const;
  // Leaves those of the last runs of the lane's flow, of all its intervals.
  Status Prune(sql::Session& session) const;

 private:
  std::string Table() const { return file_.Quoted("main", "_sluice_before"); }
  std::string OfFlow() const;

  const DatabaseFile& file_;
  const Lane lane_;
};

}  // namespace sluice::duckdb
