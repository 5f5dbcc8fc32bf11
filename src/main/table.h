// Text tables for a terminal: columns as wide as their widest value, numbers to the right.
#pragma once

#include <string>
#include <vector>

#include "sql/database.h"

namespace sluice {

// Each row has as many cells as `header`. Cells are escaped and cut at 60 characters.
std::string FormatTable(const std::vector<std::string>& header,
                        const std::vector<std::vector<std::string>>& rows);
std::string FormatTable(const sql::Rows& rows);

}  // namespace sluice
