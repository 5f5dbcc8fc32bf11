// MySQL and MariaDB as tables/system.h wants them: where their SQL differs from that of others.
//
// Their DDL commits what is open, so every CREATE, ALTER and DROP of ours stands before or after a
// landing's transaction and can be repeated: a run that is killed between two of them leaves an
// empty table, or a stage without a record, which the next run takes up or drops. Temporary tables
// commit nothing.
//
// Who commits in a lane holds the lane's row of `_sluice_claims` to the end of its transaction, and
// who asks for the last record takes it first: an answer is never given while a COMMIT that was
// sent is still on its way.
#pragma once

#include <memory>

#include "connector/mysql/settings.h"
#include "connector/tables/system.h"

namespace sluice::mysql {

std::shared_ptr<const tables::System> MakeSystem(Settings settings,
                                                 const ConnectorContext& context);

}  // namespace sluice::mysql
