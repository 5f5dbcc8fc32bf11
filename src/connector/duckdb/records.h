// The epoch records inside a DuckDB file: `_sluice_epochs`, one row per decided epoch, written in
// the epoch's own transaction. If the row is there the epoch happened; nothing else says so.
//
// Numbers come from a sequence in the file, so two lanes that run at once never get the same one.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "connector/duckdb/database_file.h"
#include "connector/sink.h"
#include "data/range.h"

namespace sluice::duckdb {

struct Allotted {
  EpochId epoch;
  FenceId fence;  // the highest that has committed in the lane
};

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
  Result<Allotted> Allocate(sql::Session& session, const Lane& lane) const;
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

 private:
  std::string Epochs() const { return file_.Quoted("main", "_sluice_epochs"); }

  const DatabaseFile& file_;
  mutable bool exist_ = false;  // once seen: nothing of ours drops them
};

}  // namespace sluice::duckdb
