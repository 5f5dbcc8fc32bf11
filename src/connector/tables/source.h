// A table or query of a database as a source, for the systems that tables/system.h describes.
//
// A table with a primary key is walked range by range of it, an incremental one by its cursor and
// key: a position is the JSON array of the texts of those columns. Everything else is one range.
#pragma once

#include <memory>

#include "connector/extract.h"
#include "connector/source.h"
#include "connector/tables/system.h"

namespace sluice::tables {

Result<std::unique_ptr<Source>> MakeTableSource(std::shared_ptr<const System> system,
                                                ExtractRequest request);

}  // namespace sluice::tables
