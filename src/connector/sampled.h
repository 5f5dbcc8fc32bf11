// A source of which only so many rows are read, of all that it would give in one run.
#pragma once

#include <memory>

#include "connector/source.h"

namespace sluice {

// All of it is one range, so that how epochs are cut makes no difference; what is behind the last
// row counts as read.
std::unique_ptr<Source> MakeSampled(std::unique_ptr<Source> source, uint64_t rows);

}  // namespace sluice
