// Rows that come too late, judged by the watermark of their own partition at their own offset: a
// function of the partition's log alone, so that results do not depend on epochs, parallelism or
// restarts.
#pragma once

#include <string>
#include <string_view>

#include "data/schema.h"
#include "relation/relation.h"

namespace sluice {

// `late`: the condition. `limit`: the instant (SQL) that the watermark has passed; `what` tells of
// it: "its window ended".
relation::Fate LateFate(const std::string& step, const std::string& late, const std::string& limit,
                        std::string_view what);

// SQL of "1h5m" for a number of microseconds.
std::string DurationText(const std::string& micros);

}  // namespace sluice
