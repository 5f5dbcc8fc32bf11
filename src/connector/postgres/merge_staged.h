// Rows of a stage into their table, where those that the server refuses are left out: whole where
// nothing is refused, else unit by unit. A unit is a row, or, where a key is merged, all rows of
// one key: they are taken or refused together.
#pragma once

#include <functional>
#include <stop_token>
#include <string>

#include "connector/postgres/modes.h"

namespace sluice::postgres {

// `stage`: as SQL names it.
Result<Landed> MergeStaged(Connection& connection, const Target& target, const Load& load,
                           const std::string& stage, EpochId epoch, std::stop_token stop);

// `take`; where rows may be refused, its traces are undone when it fails with what is a row's
// fault, and that error says
// what the server calls it.
Result<Landed> Tried(Connection& connection, const Load& load,
                     const std::function<Result<Landed>()>& take);

}  // namespace sluice::postgres
