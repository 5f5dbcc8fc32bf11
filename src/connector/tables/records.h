// The epoch records inside a database: `_sluice_epochs`, one row per decided epoch, written in the
// epoch's own transaction. If the row is there the epoch happened; nothing else says so.
//
// Numbers come from a table of one row that is counted up in a transaction of its own, so two lanes
// that run at once never get the same one. Who commits in a lane holds the lane's lock to the end
// of its transaction, and who asks for the last record waits for it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "connector/sink.h"
#include "connector/tables/system.h"
#include "data/range.h"

namespace sluice::tables {

class Records {  // one thread
 public:
  Records(std::shared_ptr<const System> system, TableName place)
      : system_(std::move(system)), place_(std::move(place)) {}

  Result<bool> Exist(Link& link) const;
  // The tables, where they are missing; outside of a transaction.
  Status Create(Link& link) const;

  // Waits for a commit that is under way. `unsettled`: see System::Settle.
  Result<std::optional<EpochRecord>> Last(Link& link, const Lane& lane, int64_t unsettled) const;
  Result<std::vector<LoadedRange>> Loaded(Link& link, const Lane& lane) const;
  // In a transaction of its own.
  Result<EpochId> Allocate(Link& link) const;
  Status Prune(Link& link, const Lane& lane, uint64_t keep, Needed needed) const;

  // Within the landing's transaction. Insert: kRejected where a run of the lane with a higher fence
  // has committed.
  Status Insert(Link& link, const EpochRecord& record, const std::vector<std::string>& targets,
                Micros now) const;
  Status ForgetStagedAfter(Link& link, const Lane& lane, EpochId decided) const;
  // Those of `epochs` that the lane has here and that nobody took back; whether another lane has
  // one of the same number.
  Result<std::vector<EpochId>> Of(Link& link, const Lane& lane,
                                  const std::vector<EpochId>& epochs) const;
  Result<bool> Shared(Link& link, const std::vector<EpochId>& epochs) const;
  Status MarkTakenBack(Link& link, const Lane& lane, const std::vector<EpochId>& epochs,
                       EpochId by) const;

  static std::string LockOf(const Lane& lane) { return "lane " + lane.Key(); }

 private:
  std::string Epochs() const;
  std::string Numbers() const;
  std::string OfLane(const Lane& lane) const;  // a condition

  const std::shared_ptr<const System> system_;
  const TableName place_;  // its schema is that of the records
};

}  // namespace sluice::tables
