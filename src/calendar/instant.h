// Instants as text, ISO 8601: read with an offset, with a zone, or in the zone that the reader
// names.
#pragma once

#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "calendar/zone.h"

namespace sluice {

// "2026-11-21T06:00:00Z", "2026-11-21T06:00+01:00", "2026-11-21 06:00" (in `zone`),
// "2026-11-21T06:00[Asia/Tokyo]", or a date alone, the start of that day in `zone`. A reading that
// a clock shows twice is the first; one that it jumps over is refused, except for the start of a
// day.
Result<Micros> ParseInstant(std::string_view text, const Zone& zone = Zone());

// "2026-11-21T06:00:00+01:00": what the wall clock in `zone` shows, with its offset ("Z" in UTC).
std::string FormatLocal(Micros instant, const Zone& zone);

}  // namespace sluice
