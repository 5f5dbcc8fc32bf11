// See boundary.h.
#include "calendar/boundary.h"

#include <algorithm>

namespace sluice {
namespace {

Micros LengthOf(CalendarUnit unit) {
  return unit == CalendarUnit::kMinute ? Micros(std::chrono::minutes(1))
                                       : Micros(std::chrono::hours(1));
}

Micros FloorTo(Micros local, Micros unit) {
  return Micros(FloorDivide(local.count(), unit.count()) * unit.count());
}

// Whether a minute or an hour begins where `next` follows `period`: its first reading is a full
// one, or a full one was jumped over.
bool BeginsAtShift(const Period& period, const Period& next, Micros unit) {
  Micros before = period.end + period.offset;
  Micros after = next.begin + next.offset;
  if (FloorTo(after, unit) == after) return true;
  return after > before && FloorTo(after, unit) >= before;
}

Micros ClockFloor(Micros unit, Micros instant, const Zone& zone) {
  for (;;) {
    Period period = zone.PeriodAt(instant);
    Micros candidate = FloorTo(instant + period.offset, unit) - period.offset;
    if (candidate >= period.begin || period.begin <= kBeginOfTime) return candidate;
    if (BeginsAtShift(zone.PeriodAt(period.begin - Micros(1)), period, unit)) return period.begin;
    instant = period.begin - Micros(1);
  }
}

Micros ClockAfter(Micros unit, Micros instant, const Zone& zone) {
  for (;;) {
    Period period = zone.PeriodAt(instant);
    Micros candidate = FloorTo(instant + period.offset, unit) + unit - period.offset;
    if (candidate < period.end || period.end >= kEndOfTime) return candidate;
    if (BeginsAtShift(period, zone.PeriodAt(period.end), unit)) return period.end;
    instant = period.end;
  }
}

Date FirstDayOf(CalendarUnit unit, Date date) {
  switch (unit) {
    case CalendarUnit::kWeek:
      return AddDays(date, -((WeekdayOfDay(DayNumber(date)) + 6) % 7));
    case CalendarUnit::kMonth:
      return {date.year, date.month, 1};
    case CalendarUnit::kYear:
      return {date.year, 1, 1};
    default:
      return date;
  }
}

Date FirstDayAfter(CalendarUnit unit, Date first) {
  switch (unit) {
    case CalendarUnit::kWeek:
      return AddDays(first, 7);
    case CalendarUnit::kMonth:
      return first.month == 12 ? Date{first.year + 1, 1, 1} : Date{first.year, first.month + 1, 1};
    case CalendarUnit::kYear:
      return {first.year + 1, 1, 1};
    default:
      return AddDays(first, 1);
  }
}

bool OfClock(CalendarUnit unit) {
  return unit == CalendarUnit::kMinute || unit == CalendarUnit::kHour;
}

// The day that `instant` belongs to: the last whose beginning is not after it. Where the clock went
// back over midnight the wall shows the day before for a while; that while belongs to the day which
// has begun already.
Date DayAt(Micros instant, const Zone& zone) {
  Date day = AddDays(DateOf(zone.ToLocal(instant)), 1);
  while (zone.FirstAt(StartOfDay(day)) > instant) day = AddDays(day, -1);
  return day;
}

}  // namespace

Micros UnitFloor(CalendarUnit unit, Micros instant, const Zone& zone) {
  if (OfClock(unit)) return ClockFloor(LengthOf(unit), instant, zone);
  return zone.FirstAt(StartOfDay(FirstDayOf(unit, DayAt(instant, zone))));
}

Micros UnitAfter(CalendarUnit unit, Micros instant, const Zone& zone) {
  if (OfClock(unit)) return ClockAfter(LengthOf(unit), instant, zone);
  Date first = FirstDayOf(unit, DayAt(instant, zone));
  for (;;) {
    first = FirstDayAfter(unit, first);
    Micros start = zone.FirstAt(StartOfDay(first));
    if (start > instant) return start;
  }
}

}  // namespace sluice
