// Rows that are decided but not published yet: tables in the schema `_sluice_stage` of the
// destination itself, one per lane and load step, each row with its epoch. They come in the
// transaction of their epoch's record and go in that of the publication, so a stage without a
// pending lane is left over and may be dropped.
#pragma once

#include <string>
#include <vector>

#include "connector/duckdb/modes.h"
#include "connector/duckdb/records.h"

namespace sluice::duckdb {

class Stage {  // of one lane
 public:
  Stage(const DatabaseFile& file, const Lane& lane);

  // The schema; outside of a transaction.
  Status Prepare(sql::Session& session) const;
  // Within the landing's transaction: the epoch's rows into the load's stage. Returns how many.
  Result<uint64_t> Write(sql::Session& session, const Load& load, const Incoming& rows,
                         std::stop_token stop) const;
  // What the load's stage holds, as rows for Apply; none where nothing was staged.
  Result<Incoming> Read(sql::Session& session, const Load& load) const;
  Status DropAll(sql::Session& session) const;
  Status ForgetAfter(sql::Session& session, EpochId decided) const;

 private:
  std::string NameOfLoad(const Load& load) const;
  Result<std::vector<std::string>> Tables(sql::Session& session) const;  // of the lane, quoted

  const DatabaseFile& file_;
  std::string prefix_;
};

}  // namespace sluice::duckdb
