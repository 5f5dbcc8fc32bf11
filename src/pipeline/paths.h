// Paths of loads that depend on the rows: `out/day={{ row.day }}/{{ file.stem }}-{{ batch.id
// }}.csv`.
#pragma once

#include <optional>

#include "connector/load.h"
#include "pipeline/planner.h"

namespace sluice {

// Replaces in `path` what has a value at plan time. What a row, its file or the epoch must say
// stays in it, and is the template; nullopt: nothing does.
Result<std::optional<PathTemplate>> ReadPaths(Planning& planning, Written& path,
                                              const relation::Node& rows, bool endless);

// Whether a load of the pipeline asks for the file that a row comes from.
bool LoadsNameFiles(const Planning& planning);

}  // namespace sluice
