// Which files need not be read, because their folders (hive.h) say that a filter takes none of
// their rows.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "connector/file/origin.h"
#include "connector/pushdown.h"
#include "data/schema.h"
#include "sql/database.h"

namespace sluice {

// What all paths say, as far as it can be compared; `schema`: the types of the columns.
Result<Pushdown> ComparedByPaths(sql::Session& session, const std::vector<ListedFile>& files,
                                 const Schema& schema);

// Indices of the files for which `condition`, over columns of ComparedByPaths, is not true. A file
// whose path says what its column cannot hold is none of them: reading it says what is wrong.
Result<std::vector<size_t>> LeftOut(sql::Session& session, const std::vector<ListedFile>& files,
                                    const Schema& schema, const std::string& condition);

// The Parquet files, by their local paths, that have a column which their own path says, and not
// with its value alone, as their ends tell.
Result<std::set<std::string>> SayOtherwise(sql::Session& session,
                                           const std::vector<ListedFile>& files);

}  // namespace sluice
