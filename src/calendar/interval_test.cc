// Tests of calendar/interval.
#include "calendar/interval.h"

#include <gtest/gtest.h>

#include "calendar/boundary.h"
#include "calendar/instant.h"

namespace sluice {
namespace {

using std::chrono::hours;
using std::chrono::minutes;

Micros At(std::string_view text) { return *ParseInstant(text); }

Schedule Cronly(std::string_view cron, std::string_view zone = "UTC") {
  Schedule schedule;
  schedule.cron = *Cron::Parse(cron);
  schedule.zone = *Zone::Find(zone);
  return schedule;
}

Schedule Daily(std::string_view cron, std::string_view zone = "UTC") {
  Schedule schedule = Cronly(cron, zone);
  schedule.interval = CalendarUnit::kDay;
  return schedule;
}

std::string Text(const Schedule& schedule, const Result<Interval>& interval) {
  return interval.ok() ? FormatInterval(schedule, *interval) : "error: " + interval.error().message;
}

std::string Last(const Schedule& schedule, std::string_view now) {
  return Text(schedule, LastComplete(schedule, At(now)));
}
std::string On(const Schedule& schedule, std::string_view when) {
  return Text(schedule, StartingOn(schedule, when));
}

TEST(Interval, DayBeforeTheFire) {
  Schedule daily = Daily("0 6 * * *");
  EXPECT_EQ(Last(daily, "2026-11-21T06:00Z"), "2026-11-20T00:00:00Z to 2026-11-21T00:00:00Z");
  // Before the fire the day before is not due yet: the last complete one is that of yesterday's
  // fire.
  EXPECT_EQ(Last(daily, "2026-11-21T05:59:59Z"), "2026-11-19T00:00:00Z to 2026-11-20T00:00:00Z");
  EXPECT_EQ(On(daily, "2026-11-21"), "2026-11-21T00:00:00Z to 2026-11-22T00:00:00Z");
  EXPECT_EQ(FormatDate(DateOf(daily, *StartingOn(daily, Date{2026, 11, 21}))), "2026-11-21");
}

TEST(Interval, FireAtMidnightCoversTheDayThatEnds) {
  EXPECT_EQ(Last(Daily("0 0 * * *"), "2026-11-21T00:00Z"),
            "2026-11-20T00:00:00Z to 2026-11-21T00:00:00Z");
}

TEST(Interval, FromFireToFire) {
  Schedule schedule = Cronly("0 6 * * *");
  EXPECT_EQ(Last(schedule, "2026-11-21T06:00Z"), "2026-11-20T06:00:00Z to 2026-11-21T06:00:00Z");
  EXPECT_EQ(Last(schedule, "2026-11-21T05:59Z"), "2026-11-19T06:00:00Z to 2026-11-20T06:00:00Z");
  EXPECT_EQ(On(schedule, "2026-11-21"), "2026-11-21T06:00:00Z to 2026-11-22T06:00:00Z");
  EXPECT_EQ(On(schedule, "2026-11-21T06:00"), "2026-11-21T06:00:00Z to 2026-11-22T06:00:00Z");
}

TEST(Interval, WithoutAScheduleItIsTheDayInUtc) {
  EXPECT_EQ(On(Schedule(), "2026-11-21"), "2026-11-21T00:00:00Z to 2026-11-22T00:00:00Z");
  EXPECT_EQ(Last(Schedule(), "2026-11-21T00:00Z"), "2026-11-20T00:00:00Z to 2026-11-21T00:00:00Z");
}

TEST(Interval, LocalDaysHaveTheHoursTheyHave) {
  Schedule paris = Daily("0 6 * * *", "Europe/Paris");
  EXPECT_EQ(Last(paris, "2026-03-30T12:00Z"),
            "2026-03-29T00:00:00+01:00 to 2026-03-30T00:00:00+02:00");
  Interval spring = *StartingOn(paris, Date{2026, 3, 29});
  EXPECT_EQ(spring.end - spring.start, hours(23));
  Interval autumn = *StartingOn(paris, Date{2026, 10, 25});
  EXPECT_EQ(autumn.end - autumn.start, hours(25));
}

TEST(Interval, CairoDayBeginsAfterTheMidnightGap) {
  Schedule cairo = Daily("0 6 * * *", "Africa/Cairo");
  EXPECT_EQ(On(cairo, "2026-04-24"), "2026-04-24T01:00:00+03:00 to 2026-04-25T00:00:00+03:00");
  EXPECT_EQ(On(cairo, "2026-04-23"), "2026-04-23T00:00:00+02:00 to 2026-04-24T01:00:00+03:00");
}

TEST(Interval, ApiaHasNoDayThatWasLost) {
  Schedule apia = Daily("0 6 * * *", "Pacific/Apia");
  EXPECT_EQ(On(apia, "2011-12-29"), "2011-12-29T00:00:00-10:00 to 2011-12-31T00:00:00+14:00");
  EXPECT_EQ(On(apia, "2011-12-31"), "2011-12-31T00:00:00+14:00 to 2012-01-01T00:00:00+14:00");
  EXPECT_EQ(On(apia, "2011-12-30"),
            "error: no interval of the schedule begins on 2011-12-30; the interval around it is "
            "2011-12-31T00:00:00+14:00 "
            "to 2012-01-01T00:00:00+14:00; the next begins 2011-12-31T00:00:00+14:00");
}

TEST(Interval, SeveralFiresOfADayCoverItOnce) {
  Schedule often = Daily("0 */6 * * *");
  auto intervals = *Between(often, At("2026-11-01"), At("2026-11-04"));
  ASSERT_EQ(intervals.size(), 3u);
  EXPECT_EQ(intervals[1], (Interval{At("2026-11-02"), At("2026-11-03")}));
}

TEST(Interval, WeekMonthYear) {
  Schedule schedule = Cronly("0 6 * * *");
  schedule.interval = CalendarUnit::kWeek;
  EXPECT_EQ(Last(schedule, "2026-11-21T12:00Z"),
            "2026-11-09T00:00:00Z to 2026-11-16T00:00:00Z");  // from Monday
  schedule.interval = CalendarUnit::kMonth;
  EXPECT_EQ(Last(schedule, "2026-01-01T06:00Z"), "2025-12-01T00:00:00Z to 2026-01-01T00:00:00Z");
  EXPECT_EQ(On(schedule, "2024-02-01"), "2024-02-01T00:00:00Z to 2024-03-01T00:00:00Z");
  EXPECT_EQ(On(schedule, "2024-02-02"),
            "error: no interval of the schedule begins on 2024-02-02; the interval around it is "
            "2024-02-01T00:00:00Z to "
            "2024-03-01T00:00:00Z; the next begins 2024-03-01T00:00:00Z");
  schedule.interval = CalendarUnit::kYear;
  EXPECT_EQ(Last(schedule, "2026-11-21T12:00Z"), "2025-01-01T00:00:00Z to 2026-01-01T00:00:00Z");
}

TEST(Interval, DaysThatNoFireCoversAreNone) {
  Schedule weekly = Daily("0 6 * * mon");
  EXPECT_EQ(Last(weekly, "2026-11-21T12:00Z"), "2026-11-15T00:00:00Z to 2026-11-16T00:00:00Z");
  EXPECT_EQ(On(weekly, "2026-11-15"), "2026-11-15T00:00:00Z to 2026-11-16T00:00:00Z");
  EXPECT_FALSE(StartingOn(weekly, Date{2026, 11, 17}).ok());
  EXPECT_EQ(Covering(weekly, At("2026-11-17")), std::nullopt);
}

TEST(Interval, ADateWithSeveralIntervalsAsksForAnInstant) {
  Schedule hourly = Cronly("@hourly", "Europe/Paris");
  EXPECT_EQ(
      On(hourly, "2026-11-21"),
      "error: several intervals of the schedule begin on 2026-11-21: say which by an instant, like "
      "2026-11-21T00:00:00+01:00 or 2026-11-21T01:00:00+01:00");
  EXPECT_EQ(On(hourly, "2026-11-21T01:00"),
            "2026-11-21T01:00:00+01:00 to 2026-11-21T02:00:00+01:00");
  EXPECT_NE(On(hourly, "2026-11-21T01:30")
                .find("no interval of the schedule begins at 2026-11-21T01:30:00+01:00"),
            std::string::npos);
}

TEST(Interval, EveryCountsElapsedTime) {
  Schedule schedule;
  schedule.every = minutes(90);
  EXPECT_EQ(Last(schedule, "1970-01-01T04:00Z"), "1970-01-01T01:30:00Z to 1970-01-01T03:00:00Z");
  EXPECT_EQ(Last(schedule, "1969-12-31T23:59Z"), "1969-12-31T21:00:00Z to 1969-12-31T22:30:00Z");
  schedule.start = At("2026-11-21T00:10Z");
  EXPECT_EQ(Last(schedule, "2026-11-21T02:00Z"), "2026-11-21T00:10:00Z to 2026-11-21T01:40:00Z");
  EXPECT_EQ(Last(schedule, "2026-11-21T01:39Z"),
            "error: no interval of the schedule is complete at 2026-11-21T01:39:00Z; the first is "
            "2026-11-21T00:10:00Z to "
            "2026-11-21T01:40:00Z");
}

TEST(Interval, ALengthEndsAtTheFire) {
  Schedule schedule = Cronly("0 6 * * *");
  schedule.interval = Micros(hours(6));
  EXPECT_EQ(Last(schedule, "2026-11-21T06:00Z"), "2026-11-21T00:00:00Z to 2026-11-21T06:00:00Z");
  EXPECT_EQ(*Covering(schedule, At("2026-11-21T03:00Z")),
            (Interval{At("2026-11-21"), At("2026-11-21T06:00Z")}));
  EXPECT_EQ(Covering(schedule, At("2026-11-21T06:00Z")), std::nullopt);
}

TEST(Interval, StartAndEndBoundTheIntervals) {
  Schedule schedule = Daily("0 6 * * *");
  schedule.start = At("2026-11-10");
  schedule.end = At("2026-11-13");
  auto intervals = *Between(schedule, At("2026-01-01"), At("2027-01-01"));
  ASSERT_EQ(intervals.size(), 3u);
  EXPECT_EQ(intervals.front().start, At("2026-11-10"));
  EXPECT_EQ(intervals.back().end, At("2026-11-13"));
  EXPECT_EQ(Last(schedule, "2026-12-24T00:00Z"), "2026-11-12T00:00:00Z to 2026-11-13T00:00:00Z");
  EXPECT_NE(Last(schedule, "2026-11-11T05:00Z").find("the first is 2026-11-10T00:00:00Z"),
            std::string::npos);
  EXPECT_EQ(On(schedule, "2026-11-13"),
            "error: no interval of the schedule begins on 2026-11-13; the schedule ends "
            "2026-11-13T00:00:00Z");
}

// The intervals of a unit are a partition of time: no instant in two, none in none, whatever the
// clocks do.
TEST(Interval, UnitsLeaveNoHole) {
  for (const char* name :
       {"Europe/Paris", "Australia/Lord_Howe", "Africa/Cairo", "Pacific/Apia", "America/St_Johns",
        "America/Havana", "Asia/Kathmandu", "America/Sao_Paulo", "Africa/Casablanca", "UTC"}) {
    Zone zone = *Zone::Find(name);
    for (CalendarUnit unit :
         {CalendarUnit::kHour, CalendarUnit::kDay, CalendarUnit::kWeek, CalendarUnit::kMonth}) {
      for (const char* from : {"2005-01-01", "2011-10-01", "2025-12-31"}) {
        Micros at = UnitFloor(unit, At(from), zone);
        for (Micros to = At(from) + hours(24 * 366); at < to;) {
          Micros next = UnitAfter(unit, at, zone);
          ASSERT_GT(next, at) << name;
          ASSERT_EQ(UnitFloor(unit, at, zone), at) << name << " " << FormatLocal(at, zone);
          ASSERT_EQ(UnitFloor(unit, next - Micros(1), zone), at)
              << name << " " << FormatLocal(next, zone);
          ASSERT_EQ(UnitAfter(unit, next - Micros(1), zone), next)
              << name << " " << FormatLocal(at, zone);
          ASSERT_EQ(UnitAfter(unit, (at + next) / 2, zone), next)
              << name << " " << FormatLocal(at, zone);
          at = next;
        }
      }
    }
  }
}

TEST(Interval, HoursOfAnUncommonShift) {
  Zone howe = *Zone::Find("Australia/Lord_Howe");
  // Back by half an hour at 02:00: the hour from 01:00 lasts until the clock shows 02:00 at last.
  EXPECT_EQ(UnitAfter(CalendarUnit::kHour, At("2026-04-05T01:00+11:00"), howe),
            At("2026-04-05T02:00+10:30"));
  // Forward from 02:00 to 02:30: the hour that begins there is short.
  EXPECT_EQ(UnitAfter(CalendarUnit::kHour, At("2026-10-04T01:00+10:30"), howe),
            At("2026-10-04T02:30+11:00"));
  EXPECT_EQ(UnitAfter(CalendarUnit::kHour, At("2026-10-04T02:30+11:00"), howe),
            At("2026-10-04T03:00+11:00"));
  Zone paris = *Zone::Find("Europe/Paris");
  EXPECT_EQ(UnitAfter(CalendarUnit::kHour, At("2026-10-25T02:00+02:00"), paris),
            At("2026-10-25T02:00+01:00"));
}

// St John's went back from 00:01 to 23:01: an hour in which the wall shows a day that was over
// already.
TEST(Interval, ADayThatHasBegunStaysBegun) {
  Zone zone = *Zone::Find("America/St_Johns");
  Micros begin = At("2006-10-29T00:00-02:30");
  EXPECT_EQ(UnitFloor(CalendarUnit::kDay, At("2006-10-28T23:30-03:30"), zone), begin);
  EXPECT_EQ(UnitAfter(CalendarUnit::kDay, At("2006-10-28T23:30-03:30"), zone),
            At("2006-10-30T00:00-03:30"));
}

// What began at one fire's interval and what a backfill lists are the same intervals.
TEST(Interval, FiresAndListAgree) {
  for (const char* zone : {"Europe/Paris", "America/New_York", "Africa/Cairo"}) {
    for (auto length :
         {std::optional<IntervalLength>(), std::optional<IntervalLength>(CalendarUnit::kDay),
          std::optional<IntervalLength>(CalendarUnit::kHour),
          std::optional<IntervalLength>(Micros(hours(5)))}) {
      Schedule schedule = Cronly("30 2,14 * * *", zone);
      schedule.interval = length;
      Micros from = At("2026-01-01");
      Micros to = At("2027-01-01");
      std::vector<Interval> fired;
      for (auto fire = NextFire(schedule, from); fire && *fire < to + hours(72);
           fire = NextFire(schedule, *fire)) {
        auto interval = IntervalOfFire(schedule, *fire);
        bool wanted = interval && interval->start >= from && interval->start < to;
        if (!wanted) continue;
        if (fired.empty() || fired.back() != *interval) fired.push_back(*interval);
        ASSERT_EQ(Covering(schedule, interval->start), interval);
        ASSERT_EQ(*LastComplete(schedule, *fire), *interval);
      }
      EXPECT_EQ(*Between(schedule, from, to), fired) << zone;
    }
  }
}

TEST(Interval, LengthsAreReadAndRefused) {
  EXPECT_EQ(std::get<CalendarUnit>(*ParseIntervalLength("month")), CalendarUnit::kMonth);
  EXPECT_EQ(std::get<Micros>(*ParseIntervalLength("1h30m")), minutes(90));
  EXPECT_EQ(
      ParseIntervalLength("months").error().message,
      "interval 'months' is not known: did you mean month?; valid are minute, hour, day, week, "
      "month, year and lengths "
      "like 6h or 15m");
  EXPECT_FALSE(ParseIntervalLength("0s").ok());
}

TEST(Interval, ContradictionsAreRefused) {
  Schedule both = Cronly("@daily");
  both.every = minutes(5);
  EXPECT_FALSE(CheckSchedule(both).ok());
  Schedule backwards;
  backwards.start = At("2026-02-01");
  backwards.end = At("2026-01-01");
  EXPECT_EQ(CheckSchedule(backwards).error().message,
            "the schedule ends (2026-01-01T00:00:00Z) before it starts (2026-02-01T00:00:00Z)");
  EXPECT_TRUE(CheckSchedule(Daily("0 6 * * *")).ok());
}

TEST(Interval, TooLongAListIsRefused) {
  Schedule schedule;
  schedule.every = Micros(std::chrono::seconds(1));
  EXPECT_FALSE(Between(schedule, At("2026-01-01"), At("2027-01-01")).ok());
}

}  // namespace
}  // namespace sluice
