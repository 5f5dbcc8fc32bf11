// What answers otherwise each time it is asked: the clock and chance. A run again would give other
// rows, so whoever reads SQL of the user warns of it, in the same words.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/result.h"

namespace sluice {

// Warns once of each of these functions that is one, and of each name that looks like a column but
// is a word of SQL for it, like current_date.
void WarnOfChance(const std::vector<std::string>& functions,
                  const std::vector<std::string>& columns, const std::string& step,
                  const Mark& mark, const std::function<void(Mark, std::string)>& warn);

}  // namespace sluice
