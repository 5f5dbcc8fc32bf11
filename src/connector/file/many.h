// One query into many files: each row says the path of its file.
#pragma once

#include <string>
#include <vector>

#include "base/files.h"
#include "connector/file/depot.h"
#include "connector/load.h"

namespace sluice {

inline constexpr int kMostFiles = 1000;  // of one epoch; all are open at once

// COPY of the columns of `select` into a new `folder`; `options` as for one file.
std::string CopyMany(const PathTemplate& paths, const Schema& columns, const std::string& select,
                     const std::string& folder, const std::string& options);

// What it has written; kRejected where a path is not one of its own: two files that are read would
// become one, it leads elsewhere, there are too many.
Result<std::vector<Draft>> DraftsIn(Files& files, const std::string& folder);

}  // namespace sluice
