// The epoch records inside a PostgreSQL database: `_sluice_epochs`, one row per decided epoch,
// written in the epoch's own transaction. If the row is there the epoch happened; nothing else says
// so.
//
// Numbers come from a sequence, so two lanes that run at once never get the same one. Who commits
// in a lane holds the lane's lock to the end of its transaction, and who asks for the last record
// takes it first: an answer is never given while a COMMIT that was sent is still on its way.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "connector/postgres/connection.h"
#include "connector/sink.h"
#include "data/range.h"

namespace sluice::postgres {

class Records {  // one thread
 public:
  Records(std::string schema, std::string shown)
      : schema_(std::move(schema)), shown_(std::move(shown)) {}

  Result<bool> Exist(Connection& connection) const;
  // Table and sequence, where they are missing; a transaction of its own.
  Status Create(Connection& connection) const;

  // `unsettled`: the server's process that a COMMIT was sent to, and from which no answer came; 0:
  // none.
  Result<std::optional<EpochRecord>> Last(Connection& connection, const Lane& lane,
                                          int64_t unsettled) const;
  Result<std::vector<LoadedRange>> Loaded(Connection& connection, const Lane& lane) const;

  Result<EpochId> Allocate(Connection& connection) const;
  // Within the landing's transaction. kRejected where a run of the lane with a higher fence has
  // committed.
  Status Insert(Connection& connection, const EpochRecord& record,
                const std::vector<std::string>& targets, Micros now) const;
  Status ForgetStagedAfter(Connection& connection, const Lane& lane, EpochId decided) const;
  // Those of `epochs` that the lane has here and that nobody took back; whether another lane has
  // one of the same number.
  Result<std::vector<EpochId>> Of(Connection& connection, const Lane& lane,
                                  const std::vector<EpochId>& epochs) const;
  Result<bool> Shared(Connection& connection, const std::vector<EpochId>& epochs) const;
  Status MarkTakenBack(Connection& connection, const Lane& lane, const std::vector<EpochId>& epochs,
                       EpochId by) const;

 private:
  std::string Epochs() const;
  std::string Numbers() const;
  Status LockLane(Connection& connection, const Lane& lane, int64_t unsettled) const;

  const std::string schema_, shown_;
};

// From here to the end of the transaction nobody else holds `name`.
Status Lock(Connection& connection, const std::string& name, std::stop_token stop);
// CREATE SCHEMA IF NOT EXISTS asks for a right that who has the schema need not have.
Status EnsureSchema(Connection& connection, const std::string& schema);

}  // namespace sluice::postgres
