// Which stretch of time a run covers. A schedule's intervals depend on the schedule alone, never on
// when a run happened: the interval is what makes a run the same run again.
//
// - With `interval: day` (minute hour day week month year) an interval is a whole one of the
// calendar in the schedule's
//   zone, and a fire covers the last that ended at or before it. A week begins on Monday. A day
//   begins when the wall clock first shows 00:00, or just after the gap that skips it; an hour
//   whenever it shows a full one.
// - With `interval: 6h` it is that long and ends at the fire.
// - Without `interval:` it goes from fire to fire.
// - Without a schedule it is the day in UTC.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "calendar/cron.h"
#include "calendar/date.h"
#include "calendar/zone.h"

namespace sluice {

struct Interval {  // [start, end)
  Micros start{0};
  Micros end{0};

  auto operator<=>(const Interval&) const = default;
};

enum class CalendarUnit : uint8_t { kMinute, kHour, kDay, kWeek, kMonth, kYear };

using IntervalLength = std::variant<CalendarUnit, Micros>;

Result<IntervalLength> ParseIntervalLength(std::string_view text);  // "day", "1h30m"

struct Schedule {
  std::optional<Cron> cron;
  std::optional<Micros> every;  // counted from `start`, without it from 1970-01-01T00:00Z; elapsed
                                // time, not wall time
  std::optional<IntervalLength> interval;
  Zone zone;
  std::optional<Micros> start;  // no interval begins before it
  std::optional<Micros> end;    // no interval ends after it
};

// Refuses what contradicts itself: cron with every, a length that is not positive, an end before
// the start.
Status CheckSchedule(const Schedule& schedule);

// The fires of a schedule; with neither cron nor every, the ends of its intervals.
std::optional<Micros> NextFire(const Schedule& schedule, Micros after);
std::optional<Micros> PreviousFire(const Schedule& schedule, Micros before);
// What the fire at `fire` covers; nothing where it is the very first, or outside start and end.
std::optional<Interval> IntervalOfFire(const Schedule& schedule, Micros fire);

// What a run without `--date` covers.
Result<Interval> LastComplete(const Schedule& schedule, Micros now);
// What `run --date D` covers: the one interval that begins on that day in the schedule's zone, or
// at that instant. An error names the nearest ones.
Result<Interval> StartingOn(const Schedule& schedule, Date date);
Result<Interval> StartingAt(const Schedule& schedule, Micros instant);
Result<Interval> StartingOn(const Schedule& schedule, std::string_view date_or_instant);
std::optional<Interval> Covering(const Schedule& schedule, Micros instant);
// The intervals that begin in [from, to), in order: a backfill.
Result<std::vector<Interval>> Between(const Schedule& schedule, Micros from, Micros to);

// `ds`: the date on which the interval begins, in the schedule's zone.
Date DateOf(const Schedule& schedule, const Interval& interval);
// "2026-11-20T00:00:00Z to 2026-11-21T00:00:00Z", in the schedule's zone.
std::string FormatInterval(const Schedule& schedule, const Interval& interval);

}  // namespace sluice
