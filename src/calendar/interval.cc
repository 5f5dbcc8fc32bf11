// See interval.h.
#include "calendar/interval.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "calendar/boundary.h"
#include "calendar/instant.h"

namespace sluice {
namespace {

constexpr Micros kTick{1};
constexpr size_t kMostIntervals = 100'000;

constexpr std::pair<std::string_view, CalendarUnit> kUnits[] = {
    {"minute", CalendarUnit::kMinute}, {"hour", CalendarUnit::kHour},
    {"day", CalendarUnit::kDay},       {"week", CalendarUnit::kWeek},
    {"month", CalendarUnit::kMonth},   {"year", CalendarUnit::kYear},
};

bool Fires(const Schedule& schedule) {
  return schedule.cron.has_value() || schedule.every.has_value();
}

// The unit of the calendar that the intervals are, if they are one.
std::optional<CalendarUnit> UnitOf(const Schedule& schedule) {
  if (!schedule.interval) return Fires(schedule) ? std::nullopt : std::optional(CalendarUnit::kDay);
  if (auto* unit = std::get_if<CalendarUnit>(&*schedule.interval)) return *unit;
  return std::nullopt;
}

std::optional<Micros> LengthOf(const Schedule& schedule) {
  if (!schedule.interval) return std::nullopt;
  if (auto* length = std::get_if<Micros>(&*schedule.interval)) return *length;
  return std::nullopt;
}

// The distance between fires where it is one and the same: `every`, or intervals of a length back
// to back.
std::optional<Micros> Beat(const Schedule& schedule) {
  if (schedule.every) return schedule.every;
  return schedule.cron ? std::nullopt : LengthOf(schedule);
}

bool InTime(Micros instant) { return instant > kBeginOfTime && instant < kEndOfTime; }

bool WithinSchedule(const Schedule& schedule, const Interval& interval) {
  return (!schedule.start || interval.start >= *schedule.start) &&
         (!schedule.end || interval.end <= *schedule.end);
}

// What a fire covers, whatever the schedule's start and end.
std::optional<Interval> Covered(const Schedule& schedule, Micros fire) {
  if (auto unit = UnitOf(schedule)) {
    Micros end = UnitFloor(*unit, fire, schedule.zone);
    return Interval{UnitFloor(*unit, end - kTick, schedule.zone), end};
  }
  if (auto length = LengthOf(schedule)) return Interval{fire - *length, fire};
  auto before = PreviousFire(schedule, fire);
  if (!before) return std::nullopt;
  return Interval{*before, fire};
}

// The first fire that covers an interval which begins at or after `from`.
std::optional<Micros> FireFor(const Schedule& schedule, Micros from) {
  if (auto unit = UnitOf(schedule)) {
    Micros begin = UnitAfter(*unit, from - kTick, schedule.zone);
    return NextFire(schedule, UnitAfter(*unit, begin, schedule.zone) - kTick);
  }
  if (auto length = LengthOf(schedule)) return NextFire(schedule, from + *length - kTick);
  auto begin = NextFire(schedule, from - kTick);
  return begin ? NextFire(schedule, *begin) : std::nullopt;
}

std::optional<Interval> FirstFrom(const Schedule& schedule, Micros from) {
  if (schedule.start) from = std::max(from, *schedule.start);
  auto fire = FireFor(schedule, from);
  return fire ? IntervalOfFire(schedule, *fire) : std::nullopt;
}

Error NoneBegins(const Schedule& schedule, Micros from, std::string_view when) {
  std::string message = fmt::format("no interval of the schedule begins {}", when);
  if (auto around = Covering(schedule, from)) {
    message += fmt::format("; the interval around it is {}", FormatInterval(schedule, *around));
  }
  if (auto next = FirstFrom(schedule, from)) {
    message += fmt::format("; the next begins {}", FormatLocal(next->start, schedule.zone));
  } else if (schedule.end) {
    message += fmt::format("; the schedule ends {}", FormatLocal(*schedule.end, schedule.zone));
  }
  return ConfigError({}, std::move(message));
}

}  // namespace

Result<IntervalLength> ParseIntervalLength(std::string_view text) {
  for (const auto& [name, unit] : kUnits) {
    if (text == name) return IntervalLength(unit);
  }
  auto length = ParseDuration(text);
  if (!length.ok() || *length <= Micros(0)) {
    std::vector<std::string> names;
    for (const auto& [name, unit] : kUnits) names.emplace_back(name);
    auto nearest = Nearest(text, names);
    return ConfigError(
        {},
        fmt::format("interval '{}' is not known{}; valid are {} and lengths like 6h or 15m", text,
                    nearest ? fmt::format(": did you mean {}?", *nearest) : "", Join(names, ", ")));
  }
  return IntervalLength(*length);
}

Status CheckSchedule(const Schedule& schedule) {
  if (schedule.cron && schedule.every) {
    return ConfigError({},
                       "a schedule has cron or every, not both: cron is times of the wall clock, "
                       "every a fixed distance");
  }
  if (schedule.every && *schedule.every <= Micros(0)) {
    return ConfigError(
        {}, fmt::format("every '{}' is not a distance between fires: write a length like 15m",
                        FormatDuration(*schedule.every)));
  }
  if (auto length = LengthOf(schedule); length && *length <= Micros(0)) {
    return ConfigError(
        {},
        "the interval of a schedule is longer than 0: write a length like 6h, or a unit like day");
  }
  if (schedule.start && schedule.end && *schedule.start >= *schedule.end) {
    return ConfigError({}, fmt::format("the schedule ends ({}) before it starts ({})",
                                       FormatLocal(*schedule.end, schedule.zone),
                                       FormatLocal(*schedule.start, schedule.zone)));
  }
  return Ok();
}

std::optional<Micros> NextFire(const Schedule& schedule, Micros after) {
  if (!InTime(after)) return std::nullopt;
  if (schedule.cron) return schedule.cron->Next(after, schedule.zone);
  if (auto beat = Beat(schedule)) {
    Micros anchor = schedule.start.value_or(Micros(0));
    return anchor + *beat * (FloorDivide((after - anchor).count(), beat->count()) + 1);
  }
  return UnitAfter(*UnitOf(schedule), after, schedule.zone);
}

std::optional<Micros> PreviousFire(const Schedule& schedule, Micros before) {
  if (!InTime(before)) return std::nullopt;
  if (schedule.cron) return schedule.cron->Previous(before, schedule.zone);
  if (auto beat = Beat(schedule)) {
    Micros anchor = schedule.start.value_or(Micros(0));
    return anchor + *beat * FloorDivide((before - kTick - anchor).count(), beat->count());
  }
  return UnitFloor(*UnitOf(schedule), before - kTick, schedule.zone);
}

std::optional<Interval> IntervalOfFire(const Schedule& schedule, Micros fire) {
  auto interval = Covered(schedule, fire);
  if (!interval || !WithinSchedule(schedule, *interval)) return std::nullopt;
  return interval;
}

Result<Interval> LastComplete(const Schedule& schedule, Micros now) {
  auto fire = PreviousFire(schedule, now + kTick);
  if (fire && schedule.end) {
    if (auto last = NextFire(schedule, *schedule.end - kTick); last && *last < *fire) fire = last;
  }
  while (fire) {
    auto interval = Covered(schedule, *fire);
    if (!interval || (schedule.start && interval->start < *schedule.start)) break;
    if (WithinSchedule(schedule, *interval)) return *interval;
    fire = PreviousFire(schedule, *fire);
  }
  std::string message =
      fmt::format("no interval of the schedule is complete at {}", FormatLocal(now, schedule.zone));
  if (auto first = FirstFrom(schedule, schedule.start.value_or(now))) {
    message += fmt::format("; the first is {}", FormatInterval(schedule, *first));
  }
  return ConfigError({}, std::move(message));
}

Result<Interval> StartingOn(const Schedule& schedule, Date date) {
  Micros from = schedule.zone.FirstAt(StartOfDay(date));
  Micros to = schedule.zone.FirstAt(StartOfDay(AddDays(date, 1)));
  auto interval = FirstFrom(schedule, from);
  if (!interval || interval->start >= to)
    return NoneBegins(schedule, from, "on " + FormatDate(date));
  auto second = FirstFrom(schedule, interval->start + kTick);
  if (second && second->start < to) {
    return ConfigError(
        {},
        fmt::format(
            "several intervals of the schedule begin on {}: say which by an instant, like {} or {}",
            FormatDate(date), FormatLocal(interval->start, schedule.zone),
            FormatLocal(second->start, schedule.zone)));
  }
  return *interval;
}

Result<Interval> StartingAt(const Schedule& schedule, Micros instant) {
  auto interval = FirstFrom(schedule, instant);
  if (interval && interval->start == instant) return *interval;
  return NoneBegins(schedule, instant, "at " + FormatLocal(instant, schedule.zone));
}

Result<Interval> StartingOn(const Schedule& schedule, std::string_view date_or_instant) {
  std::string_view text = Trim(date_or_instant);
  if (text.size() <= 10) return StartingOn(schedule, TRY(ParseDate(text)));
  return StartingAt(schedule, TRY(ParseInstant(text, schedule.zone)));
}

std::optional<Interval> Covering(const Schedule& schedule, Micros instant) {
  Micros from = instant;
  if (auto unit = UnitOf(schedule)) {
    from = UnitFloor(*unit, instant, schedule.zone);
  } else if (auto length = LengthOf(schedule)) {
    from = instant - *length + kTick;
  } else if (auto fire = PreviousFire(schedule, instant + kTick)) {
    from = *fire;
  }
  auto interval = FirstFrom(schedule, from);
  if (!interval || interval->start > instant || interval->end <= instant) return std::nullopt;
  return interval;
}

Result<std::vector<Interval>> Between(const Schedule& schedule, Micros from, Micros to) {
  std::vector<Interval> intervals;
  for (auto next = FirstFrom(schedule, from); next && next->start < to;
       next = FirstFrom(schedule, next->start + kTick)) {
    if (intervals.size() == kMostIntervals) {
      return ConfigError({},
                         fmt::format("more than {} intervals begin from {} to {}: ask for fewer",
                                     FormatCount(kMostIntervals), FormatLocal(from, schedule.zone),
                                     FormatLocal(to, schedule.zone)));
    }
    intervals.push_back(*next);
  }
  return intervals;
}

Date DateOf(const Schedule& schedule, const Interval& interval) {
  return DateOf(schedule.zone.ToLocal(interval.start));
}

std::string FormatInterval(const Schedule& schedule, const Interval& interval) {
  return fmt::format("{} to {}", FormatLocal(interval.start, schedule.zone),
                     FormatLocal(interval.end, schedule.zone));
}

}  // namespace sluice
