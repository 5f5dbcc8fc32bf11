// The interval that a run covers: from the schedule and --date, never from anything else.
#include <fmt/format.h>

#include "base/text.h"
#include "pipeline/planner.h"
#include "pipeline/reserved.h"
#include "spec/field.h"

namespace sluice {

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

}  // namespace sluice
