// Where the calendar's units begin in a zone. Boundaries are strictly increasing instants, so units
// never overlap and leave no hole, whatever the clocks do: a day that the zone skipped (Apia,
// 2011-12-30) is no unit at all.
#pragma once

#include "calendar/interval.h"

namespace sluice {

Micros UnitFloor(CalendarUnit unit, Micros instant,
                 const Zone& zone);  // the last boundary at or before
Micros UnitAfter(CalendarUnit unit, Micros instant, const Zone& zone);  // the first boundary after

}  // namespace sluice
