// What sinks that keep their epoch records inside a database do alike, whatever its dialect.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "connector/load.h"
#include "data/range.h"

namespace sluice {

// Of what an epoch has read, that which must not be read again.
std::vector<std::string> IdentitiesOf(const EpochRecord& record);
std::string NumberList(const std::vector<EpochId>& epochs);  // "1, 2"; "NULL" for none
// The answer to a COMMIT of what may be done twice: where it was lost, that is only a reason to do
// it again.
Status Repeatable(Status committed);

// Rows that have the column which is ours (kConfig).
Status RefuseEpochColumn(const Load& load);
// `--again` where rows cannot be taken back (kRejected). `shown`: the database.
Error SharedEpochs(const std::vector<EpochId>& epochs, std::string_view shown);
Error WithoutProvenance(const Load& load);

}  // namespace sluice
