// Positions of a table that is read range by range of a key: the JSON array of the texts of the
// key's columns; empty: before all rows.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "data/range.h"

namespace sluice {

Result<std::vector<std::string>> ReadPosition(const std::string& text);
std::string PositionText(const std::vector<std::optional<std::string>>& values);

// Conditions on the whole number `quoted` that together are the cut, for readers to share; empty:
// it is not worth it.
std::vector<std::string> SplitNumbers(const std::string& quoted, const Cut& cut, int64_t readers);

}  // namespace sluice
