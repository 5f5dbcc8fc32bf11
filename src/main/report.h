// What a run says at its end, on a terminal or as JSON.
#pragma once

#include <string>

#include "engine/run.h"

namespace sluice {

// Interval, loads and rejected rows as a table, the error, and what to type next. Goes to standard
// output.
std::string FormatOutcome(const Plan& plan, const RunOutcome& outcome);

}  // namespace sluice
