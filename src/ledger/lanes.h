// Lanes by number: the rows of epochs and letters would otherwise repeat their names.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "data/range.h"
#include "ledger/sqlite.h"

namespace sluice {

// The lane's number, given to it at the first call. Inside the writer's transaction.
Result<int64_t> NumberLane(sqlite::Connection& connection, const Lane& lane);

enum class Removal : uint8_t { kAll, kHeld };  // kHeld: of undecided epochs
// The letters of the lane's epochs from `first` to `last`.
Status RemoveLetters(sqlite::Connection& connection, int64_t lane, EpochId first, EpochId last,
                     Removal removal);

}  // namespace sluice
