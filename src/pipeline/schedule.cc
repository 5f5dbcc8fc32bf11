// The interval that a run covers: from the schedule and --date, never from anything else.
#include <fmt/format.h>

#include "base/text.h"
#include "calendar/instant.h"
#include "pipeline/planner.h"
#include "pipeline/reserved.h"
#include "spec/field.h"

namespace sluice {
namespace {

// `to` of a date: its end.
Result<Micros> Bound(std::string_view option, std::string_view text, const Zone& zone,
                     int64_t days_after) {
  const std::string_view trimmed = Trim(text);
  auto instant = ParseInstant(trimmed, zone);
  if (instant.ok() && trimmed.size() <= 10) {
    instant = ParseInstant(FormatDate(AddDays(TRY(ParseDate(trimmed)), days_after)), zone);
  }
  if (!instant.ok()) return ConfigError({}, fmt::format("{}: {}", option, instant.error().message));
  return instant;
}

}  // namespace

Result<Schedule> ReadSchedule(const Node* node) {
  Schedule schedule;
  if (node == nullptr) return schedule;
  TRY(CheckKeys(*node, ScheduleKeys()));
  const auto read = [&](std::string_view key) -> Result<std::optional<Written>> {
    const Node* value = node->Find(key);
    if (value == nullptr) return std::optional<Written>();
    return std::optional<Written>(TRY(ReadWritten(*value, key)));
  };
  if (const auto cron = TRY(read("cron"))) {
    auto parsed = Cron::Parse(cron->text);
    if (!parsed.ok()) return ConfigError(cron->mark, parsed.error().message);
    schedule.cron = *parsed;
  }
  if (const Node* every = node->Find("every")) schedule.every = TRY(ReadDuration(*every, "every"));
  if (const auto interval = TRY(read("interval"))) {
    auto length = ParseIntervalLength(interval->text);
    if (!length.ok()) return ConfigError(interval->mark, length.error().message);
    schedule.interval = *length;
  }
  if (const auto zone = TRY(read("timezone"))) {
    auto found = Zone::Find(zone->text);
    if (!found.ok()) return ConfigError(zone->mark, found.error().message);
    schedule.zone = *found;
  }
  if (!schedule.cron && !schedule.every)
    return ConfigError(node->mark, "schedule needs 'cron' or 'every'");
  auto checked = CheckSchedule(schedule);
  if (!checked.ok()) return ConfigError(node->mark, checked.error().message);
  return schedule;
}

Result<Interval> IntervalOfRun(const Schedule& schedule, const PlanRequest& request) {
  if (!request.date) return LastComplete(schedule, request.now);
  auto interval = StartingOn(schedule, *request.date);
  if (!interval.ok()) return ConfigError({}, "--date: " + interval.error().message);
  return interval;
}

Result<std::vector<Interval>> IntervalsOf(const PipelineFile& file, std::string_view from,
                                          std::string_view to, Micros now) {
  const Schedule schedule = TRY(ReadSchedule(file.node.Find("schedule")));
  const Micros begin = TRY(Bound("--from", from, schedule.zone, 0));
  const Micros end = to.empty() ? now : TRY(Bound("--to", to, schedule.zone, 1));
  if (end <= begin) {
    return ConfigError({}, fmt::format("--from {} --to {}: the end is not after the start", from,
                                       to.empty() ? FormatInstant(now) : std::string(to)));
  }
  std::vector<Interval> intervals = TRY(Between(schedule, begin, end));
  std::erase_if(intervals, [&](const Interval& interval) { return interval.end > now; });
  if (!intervals.empty()) return intervals;
  return ConfigError(
      {}, fmt::format("no interval of '{}' begins at or after {} and is over: the last complete "
                      "one is {}",
                      file.name, FormatInstant(begin),
                      FormatInterval(schedule, TRY(LastComplete(schedule, now)))));
}

}  // namespace sluice
