// Where rows wait for the publication: one table per lane and load in the schema `_sluice_stage`,
// logged as any other, because an epoch that is decided must survive a crash of the server.
#pragma once

#include <string>
#include <vector>

#include "connector/postgres/modes.h"
#include "connector/postgres/records.h"
#include "data/range.h"

namespace sluice::postgres {

class Stage {  // one thread
 public:
  explicit Stage(const Lane& lane);

  // The table, created where it is missing, within the landing's transaction.
  Result<std::string> Prepare(Connection& connection, const Target& target, const Load& load,
                              const std::vector<EncodedColumn>& columns) const;
  // Its name; empty: nothing was staged.
  Result<std::string> Find(Connection& connection, const Load& load) const;
  Status DropAll(Connection& connection) const;
  Status ForgetAfter(Connection& connection, EpochId decided) const;

 private:
  Result<std::vector<std::string>> Tables(Connection& connection) const;
  std::string NameOf(const Load& load) const;

  const std::string prefix_;
};

}  // namespace sluice::postgres
