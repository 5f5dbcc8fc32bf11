// The epoch records inside a DuckDB file: `_sluice_epochs`, one row per decided epoch, written in
// the epoch's own transaction. If the row is there the epoch happened; nothing else says so.
//
// Numbers come from a sequence in the file, so two lanes that run at once never get the same one.
// Beside it `_sluice_claims` turns what must exclude each other into a write conflict: two commits
// of one lane, two loads by key into one table.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "connector/duckdb/database_file.h"
#include "connector/sink.h"
#include "data/range.h"

namespace sluice::duckdb {

class Records {  // one thread
 public:
  explicit Records(const DatabaseFile& file) : file_(file) {}

  Result<bool> Exist(sql::Session& session) const;
  // Tables and sequence, where they are missing; a transaction of its own.
  Status Create(sql::Session& session) const;

  Result<std::optional<EpochRecord>> Last(sql::Session& session, const Lane& lane) const;
  Result<std::vector<LoadedRange>> Loaded(sql::Session& session, const Lane& lane) const;

  Status Prune(sql::Session& session, const Lane& lane, uint64_t keep, Needed needed) const;

  // Within the landing's transaction:
  Result<EpochId> Allocate(sql::Session& session) const;
  // kRejected where a run of the lane with a higher fence has committed; kTransient where one
  // commits at the same time.
  Status Insert(sql::Session& session, const EpochRecord& record,
                const std::vector<std::string>& targets, Micros now) const;
  Status ForgetStagedAfter(sql::Session& session, const Lane& lane, EpochId decided) const;
  // Those of `epochs` that the lane has here and that nobody took back; whether another lane has
  // one of the same number.
  Result<std::vector<EpochId>> Of(sql::Session& session, const Lane& lane,
                                  const std::vector<EpochId>& epochs) const;
  Result<bool> Shared(sql::Session& session, const std::vector<EpochId>& epochs) const;
  Status MarkTakenBack(sql::Session& session, const Lane& lane, const std::vector<EpochId>& epochs,
                       EpochId by) const;

  // Rows that landings can fight for; outside of a transaction.
  Status EnsureClaims(sql::Session& session, const std::vector<std::string>& names) const;
  // From here to the end of the transaction no other landing holds `name`: the later of two gets
  // kTransient.
  Status Claim(sql::Session& session, const std::string& name, EpochId epoch) const;

 private:
  std::string Epochs() const { return file_.Quoted("main", "_sluice_epochs"); }
  std::string Claims() const { return file_.Quoted("main", "_sluice_claims"); }
  Status RefuseStaleFence(sql::Session& session, const EpochRecord& record) const;

  const DatabaseFile& file_;
  mutable bool exist_ = false;  // once seen: nothing of ours drops them
};

std::string LaneClaim(const Lane& lane);
std::string NumberList(const std::vector<EpochId>& epochs);  // "1, 2"; "NULL" for none

}  // namespace sluice::duckdb
