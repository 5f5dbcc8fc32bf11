// Letters that may not be: a step that says `on_row_error: fail` ends the epoch at its first.
#pragma once

#include <vector>

#include "data/block.h"
#include "pipeline/plan.h"

namespace sluice {

// kData for the first letter of a step of the flow that parks none.
Status RefuseStrict(const Flow& flow, const std::vector<Letter>& letters);

}  // namespace sluice
