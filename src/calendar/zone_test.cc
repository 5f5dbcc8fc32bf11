// Tests of calendar/zone.
#include "calendar/zone.h"

#include <gtest/gtest.h>

#include "calendar/instant.h"

namespace sluice {
namespace {

using std::chrono::hours;
using std::chrono::minutes;

Zone In(std::string_view name) { return *Zone::Find(name); }
Micros At(std::string_view text) { return *ParseInstant(text); }
LocalTime Wall(std::string_view text) {
  return {At(text)};
}  // read as UTC, so the digits themselves

std::string RefusalOf(std::string_view name) {
  auto zone = Zone::Find(name);
  return zone.ok() ? "accepted" : zone.error().message;
}

TEST(Date, ReadsAndWrites) {
  EXPECT_EQ(FormatDate(*ParseDate("2024-02-29")), "2024-02-29");
  EXPECT_EQ(*ParseDate("0001-01-01"), (Date{1, 1, 1}));
  EXPECT_EQ(ParseDate("2026-02-29").error().message,
            "'2026-02-29' is not a date: 2026-02 has the days 01 to 28");
  EXPECT_EQ(ParseDate("2026-13-01").error().message,
            "'2026-13-01' is not a date: there is no month 13; months are 01 to 12");
  for (const char* bad :
       {"", "2026-1-1", "2026/01/01", "2026-01-0x", "0000-01-01", "2026-01-00", "20260101"}) {
    EXPECT_FALSE(ParseDate(bad).ok()) << bad;
  }
}

TEST(Date, CountsDaysBothWays) {
  EXPECT_EQ(DayNumber({1970, 1, 1}), 0);
  EXPECT_EQ(DayNumber({1969, 12, 31}), -1);
  EXPECT_EQ(WeekdayOfDay(0), 4);   // a Thursday
  EXPECT_EQ(WeekdayOfDay(-5), 6);  // a Saturday
  for (int64_t day = -719162; day < 2932896; day += 97) EXPECT_EQ(DayNumber(DateOfDay(day)), day);
}

TEST(Zone, IsFoundByNameInAnyCaseOrByOffset) {
  EXPECT_EQ(In("europe/paris").name(), "Europe/Paris");
  EXPECT_EQ(In("utc").name(), "UTC");
  EXPECT_EQ(In("+05:45").name(), "+05:45");
  EXPECT_EQ(In("-0330").PeriodAt(Micros(0)).offset, -minutes(210));
  EXPECT_EQ(In("+00:00"), Zone());
}

TEST(Zone, RefusalsNameTheNearest) {
  EXPECT_EQ(RefusalOf("Europe/Pariss"),
            "timezone 'Europe/Pariss' is not known: did you mean Europe/Paris?; valid are names of "
            "the tz database like "
            "Europe/Paris, UTC, and offsets like +05:45");
  EXPECT_NE(RefusalOf("Tokyo").find("did you mean Asia/Tokyo?"), std::string::npos);
  EXPECT_EQ(RefusalOf("+5:45"),
            "'+5:45' is not an offset from UTC: write it like +05:45 or -03:00");
  for (const char* bad : {"", "+24:00", "+05:60", "+", "../../etc/passwd", "Europe/Paris "}) {
    EXPECT_NE(RefusalOf(bad), "accepted") << bad;
  }
}

TEST(Zone, ParisGapAndRepeatedHour) {
  Zone paris = In("Europe/Paris");
  Reading gap = paris.Resolve(Wall("2026-03-29T02:30"));
  EXPECT_EQ(gap.kind, Reading::Kind::kSkipped);
  EXPECT_EQ(gap.first, At("2026-03-29T01:00Z"));
  Reading twice = paris.Resolve(Wall("2026-10-25T02:30"));
  EXPECT_EQ(twice.kind, Reading::Kind::kRepeated);
  EXPECT_EQ(twice.first, At("2026-10-25T00:30Z"));
  EXPECT_EQ(twice.last, At("2026-10-25T01:30Z"));
  // The edges: the gap's first minute is skipped and its end is shown; the repeated hour ends
  // before 03:00.
  EXPECT_EQ(paris.Resolve(Wall("2026-03-29T02:00")).kind, Reading::Kind::kSkipped);
  EXPECT_EQ(paris.Resolve(Wall("2026-03-29T03:00")).kind, Reading::Kind::kOnce);
  EXPECT_EQ(paris.Resolve(Wall("2026-10-25T02:00")).kind, Reading::Kind::kRepeated);
  EXPECT_EQ(paris.Resolve(Wall("2026-10-25T03:00")).kind, Reading::Kind::kOnce);
}

TEST(Zone, UncommonShifts) {
  EXPECT_EQ(In("Africa/Cairo").Resolve(Wall("2026-04-24T00:00")).kind, Reading::Kind::kSkipped);
  Reading half = In("Australia/Lord_Howe").Resolve(Wall("2026-04-05T01:45"));
  EXPECT_EQ(half.kind, Reading::Kind::kRepeated);
  EXPECT_EQ(half.last - half.first, minutes(30));
  EXPECT_EQ(In("Asia/Kathmandu").ToLocal(At("2026-01-01T00:00Z")), Wall("2026-01-01T05:45"));
  Reading lost = In("Pacific/Apia").Resolve(Wall("2011-12-30T12:00"));
  EXPECT_EQ(lost.kind, Reading::Kind::kSkipped);
  EXPECT_EQ(lost.first, At("2011-12-30T10:00Z"));
}

TEST(Zone, PeriodsFollowWithoutHoles) {
  for (const char* name :
       {"Europe/Paris", "Africa/Casablanca", "Pacific/Apia", "America/Sao_Paulo", "Asia/Tokyo"}) {
    Zone zone = In(name);
    Micros at = kBeginOfTime;
    while (at < kEndOfTime) {
      Period period = zone.PeriodAt(at);
      ASSERT_EQ(period.begin, at) << name;
      ASSERT_GT(period.end, at) << name;
      ASSERT_EQ(zone.PeriodAt(period.end - Micros(1)).begin, period.begin) << name;
      at = period.end;
    }
  }
}

TEST(Instant, ReadsOffsetsZonesAndNeither) {
  EXPECT_EQ(At("2026-11-21T06:00:00Z"), At("2026-11-21T07:00:00+01:00"));
  EXPECT_EQ(At("2026-11-21T06:00"), At("2026-11-21 06:00:00.000000"));
  EXPECT_EQ(*ParseInstant("2026-11-21T06:00", In("Asia/Tokyo")), At("2026-11-20T21:00Z"));
  EXPECT_EQ(*ParseInstant("2026-11-21T06:00Z", In("Asia/Tokyo")), At("2026-11-21T06:00Z"));
  EXPECT_EQ(At("2026-11-21T06:00[Asia/Tokyo]"), At("2026-11-20T21:00Z"));
  EXPECT_EQ(*ParseInstant("2026-11-21", In("+05:45")), At("2026-11-20T18:15Z"));
  EXPECT_EQ(At("2026-11-21T06:00:00.25Z").count() % 1'000'000, 250'000);
}

TEST(Instant, RefusesWhatNoClockShows) {
  EXPECT_EQ(ParseInstant("2026-03-29T02:30", In("Europe/Paris")).error().message,
            "'2026-03-29T02:30' does not exist in Europe/Paris: the clock jumps over it, to "
            "2026-03-29T03:00:00+02:00");
  for (const char* bad :
       {"2026-11-21T", "2026-11-21T24:00", "2026-11-21T06:60", "2026-11-21T06", "2026-11-21T6:00",
        "2026-11-21T06:00:61", "2026-11-21T06:00Q", "2026-11-21T06:00[Mars]", "2026-11-21x",
        "2026-11-21T06:00:00.1234567Z", "2026-11-21T06:00+5", "now", ""}) {
    EXPECT_FALSE(ParseInstant(bad).ok()) << bad;
  }
}

TEST(Instant, WritesWhatTheWallShows) {
  EXPECT_EQ(FormatLocal(At("2026-11-21T06:00Z"), In("Asia/Kathmandu")),
            "2026-11-21T11:45:00+05:45");
  EXPECT_EQ(FormatLocal(At("2026-11-21T00:30Z"), In("America/New_York")),
            "2026-11-20T19:30:00-05:00");
  EXPECT_EQ(FormatLocal(At("1969-12-31T23:59:59.5Z"), Zone()), "1969-12-31T23:59:59.5Z");
}

}  // namespace
}  // namespace sluice
