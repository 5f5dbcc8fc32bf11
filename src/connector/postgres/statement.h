// SQL of the user's with values of ours in it: COPY and several statements at once take no
// parameters, so each `$name` becomes a literal.
#pragma once

#include <string>
#include <vector>

#include "sql/database.h"

namespace sluice::postgres {

// Leaves what stands in quotes, in $$…$$ and in comments as it is.
std::string WithValues(const std::string& text, const std::vector<sql::Bound>& bound);

}  // namespace sluice::postgres
