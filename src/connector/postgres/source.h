// Reads a table or a query of a PostgreSQL database by binary COPY. What a range is:
//
//   incremental        rows after the position and up to the greatest cursor value at the freeze;
//                      with `key` the position is (cursor, key), so that rows with equal cursor
//                      values are neither lost nor read twice
//   interval: column   the rows with start <= column < end of the run; one range
//   consistency: keys  a table's primary key, range by range, each as of its own time; a run that
//                      was killed goes on with the next range (default where there is such a key)
//   snapshot           all rows at one moment, by several readers of one exported snapshot
//
// The table may change between two readings of a range: same keys, not same rows.
#pragma once

#include <memory>

#include "connector/extract.h"
#include "connector/postgres/settings.h"
#include "connector/source.h"

namespace sluice::postgres {

Result<std::unique_ptr<Source>> MakePostgresSource(Settings settings, ExtractRequest request,
                                                   const ConnectorContext& context);

}  // namespace sluice::postgres
