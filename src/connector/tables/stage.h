// Where rows wait for the publication: one table per lane and load beside the epoch records, named
// `_sluice_stage_…`.
//
// Tables are created before the landing's transaction and dropped after it, because MySQL commits
// at every CREATE and DROP. A stage without its lane's record of unpublished epochs means nothing:
// the next run drops it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "connector/tables/merge.h"
#include "data/range.h"

namespace sluice::tables {

// The definitions of its columns.
Result<std::vector<std::string>> ColumnsOfStage(const System& system, const Target& target,
                                                const Load& load);

class Stage {  // one thread
 public:
  Stage(std::shared_ptr<const System> system, const TableName& place, const Lane& lane);

  // The table, created where it is missing; outside of a transaction.
  Status Create(Link& link, const Target& target, const Load& load) const;
  std::string NameOf(const Load& load) const;  // as SQL names it
  Status DropAll(Link& link) const;            // outside of a transaction
  Status ForgetAfter(Link& link, EpochId decided) const;

 private:
  std::string Quoted(const std::string& table) const;

  const std::shared_ptr<const System> system_;
  const std::string schema_, prefix_;
};

}  // namespace sluice::tables
