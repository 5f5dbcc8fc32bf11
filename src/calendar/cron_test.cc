// Tests of calendar/cron.
#include "calendar/cron.h"

#include <gtest/gtest.h>

#include "calendar/instant.h"

namespace sluice {
namespace {

// The fires of an expression, as the wall clock of the zone shows them.
std::vector<std::string> Fires(std::string_view expression, std::string_view zone_name,
                               std::string_view from, int count) {
  Zone zone = *Zone::Find(zone_name);
  Cron cron = *Cron::Parse(expression);
  std::vector<std::string> fires;
  Micros at = *ParseInstant(from, zone);
  for (int i = 0; i < count; ++i) {
    at = *cron.Next(at, zone);
    fires.push_back(FormatLocal(at, zone));
  }
  return fires;
}

using Texts = std::vector<std::string>;

std::string RefusalOf(std::string_view expression) {
  auto cron = Cron::Parse(expression);
  return cron.ok() ? "accepted" : cron.error().message;
}

TEST(Cron, ParisSpringAndAutumn) {
  EXPECT_EQ(Fires("30 2 * * *", "Europe/Paris", "2026-03-28", 3),
            (Texts{"2026-03-28T02:30:00+01:00", "2026-03-29T03:00:00+02:00",
                   "2026-03-30T02:30:00+02:00"}));
  EXPECT_EQ(Fires("30 2 * * *", "Europe/Paris", "2026-10-24", 3),
            (Texts{"2026-10-24T02:30:00+02:00", "2026-10-25T02:30:00+02:00",
                   "2026-10-26T02:30:00+01:00"}));
  EXPECT_EQ(Fires("*/30 * * * *", "Europe/Paris", "2026-10-25T02:00+02:00", 4),
            (Texts{"2026-10-25T02:30:00+02:00", "2026-10-25T02:00:00+01:00",
                   "2026-10-25T02:30:00+01:00", "2026-10-25T03:00:00+01:00"}));
}

TEST(Cron, NewYorkGapFiresOnceForManyMissedTimes) {
  EXPECT_EQ(Fires("0,15,30,45 2 * * *", "America/New_York", "2026-03-08", 2),
            (Texts{"2026-03-08T03:00:00-04:00", "2026-03-09T02:00:00-04:00"}));
  EXPECT_EQ(Fires("30 2,3 * * *", "America/New_York", "2026-03-08", 2),
            (Texts{"2026-03-08T03:00:00-04:00", "2026-03-08T03:30:00-04:00"}));
}

TEST(Cron, CairoMidnightGapDoesNotSkipTheDay) {
  EXPECT_EQ(Fires("0 0 * * *", "Africa/Cairo", "2026-04-23", 2),
            (Texts{"2026-04-24T01:00:00+03:00", "2026-04-25T00:00:00+03:00"}));
  // A month's day at a skipped midnight belongs to that day, and so does its weekday.
  EXPECT_EQ(Fires("0 0 24 4 *", "Africa/Cairo", "2026-01-01", 1),
            Texts{"2026-04-24T01:00:00+03:00"});
  EXPECT_EQ(Fires("15 0 * * fri", "Africa/Cairo", "2026-04-23", 1),
            Texts{"2026-04-24T01:00:00+03:00"});
}

TEST(Cron, LordHoweShiftsByHalfAnHour) {
  EXPECT_EQ(Fires("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T12:00", 2),
            (Texts{"2026-10-04T02:30:00+11:00", "2026-10-05T02:15:00+11:00"}));
  EXPECT_EQ(Fires("45 1 * * *", "Australia/Lord_Howe", "2026-04-04T12:00", 2),
            (Texts{"2026-04-05T01:45:00+11:00", "2026-04-06T01:45:00+10:30"}));
  EXPECT_EQ(Fires("45 * * * *", "Australia/Lord_Howe", "2026-04-05T01:00+11:00", 2),
            (Texts{"2026-04-05T01:45:00+11:00", "2026-04-05T01:45:00+10:30"}));
}

TEST(Cron, KathmanduIsThreeQuartersOff) {
  EXPECT_EQ(Fires("0 6 * * *", "Asia/Kathmandu", "2026-01-01", 1),
            Texts{"2026-01-01T06:00:00+05:45"});
}

TEST(Cron, ApiaLostADay) {
  EXPECT_EQ(Fires("0 6 * * *", "Pacific/Apia", "2011-12-29", 3),
            (Texts{"2011-12-29T06:00:00-10:00", "2011-12-31T00:00:00+14:00",
                   "2011-12-31T06:00:00+14:00"}));
  EXPECT_EQ(Fires("0 0 * * *", "Pacific/Apia", "2011-12-29", 2),
            (Texts{"2011-12-31T00:00:00+14:00", "2012-01-01T00:00:00+14:00"}));
}

TEST(Cron, RareDaysAreFoundBothWays) {
  EXPECT_EQ(Fires("0 0 29 2 *", "UTC", "2024-03-01", 2),
            (Texts{"2028-02-29T00:00:00Z", "2032-02-29T00:00:00Z"}));
  EXPECT_EQ(Fires("0 0 29 2 */7", "UTC", "2080-01-01", 2),
            (Texts{"2088-02-29T00:00:00Z", "2128-02-29T00:00:00Z"}));
  Cron cron = *Cron::Parse("0 0 29 2 */7");
  EXPECT_EQ(*cron.Previous(*ParseInstant("2128-02-29"), Zone()), *ParseInstant("2088-02-29"));
}

TEST(Cron, TheEndsOfTimeEnd) {
  Cron cron = *Cron::Parse("* * * * *");
  EXPECT_EQ(cron.Next(kEndOfTime, Zone()), std::nullopt);
  EXPECT_EQ(cron.Previous(kBeginOfTime, Zone()), std::nullopt);
  EXPECT_EQ(cron.Next(Micros::max(), *Zone::Find("Europe/Paris")), std::nullopt);
  EXPECT_EQ(cron.Previous(Micros::min(), *Zone::Find("Europe/Paris")), std::nullopt);
}

TEST(Cron, NextIsStrictAndPreviousToo) {
  Cron cron = *Cron::Parse("@daily");
  Micros midnight = *ParseInstant("2026-11-21");
  EXPECT_EQ(*cron.Next(midnight - Micros(1), Zone()), midnight);
  EXPECT_EQ(*cron.Next(midnight, Zone()), *ParseInstant("2026-11-22"));
  EXPECT_EQ(*cron.Previous(midnight + Micros(1), Zone()), midnight);
  EXPECT_EQ(*cron.Previous(midnight, Zone()), *ParseInstant("2026-11-20"));
}

TEST(Cron, SpecialDays) {
  EXPECT_EQ(Fires("0 0 LW * *", "UTC", "2026-01-01", 2),
            (Texts{"2026-01-30T00:00:00Z", "2026-02-27T00:00:00Z"}));
  EXPECT_EQ(Fires("0 0 * * 5L", "UTC", "2026-01-01", 1), Texts{"2026-01-30T00:00:00Z"});
  EXPECT_EQ(Fires("0 0 * * mon#1,wed#3", "UTC", "2026-01-01", 2),
            (Texts{"2026-01-05T00:00:00Z", "2026-01-21T00:00:00Z"}));
  EXPECT_EQ(Fires("0 0 * * fri-sun", "UTC", "2026-01-01", 3),
            (Texts{"2026-01-02T00:00:00Z", "2026-01-03T00:00:00Z", "2026-01-04T00:00:00Z"}));
}

TEST(Cron, RefusalsSayFieldValueAndWhatIsValid) {
  EXPECT_EQ(RefusalOf("61 * * * *"),
            "cron '61 * * * *': minute '61': out of range; valid are 0 to 59, *, ranges, steps and "
            "lists, like */15 or 0,30");
  EXPECT_EQ(
      RefusalOf("0 0 1 Nov-Mar *"),
      "cron '0 0 1 Nov-Mar *': month 'nov-mar': the range ends before it begins; write it as two, "
      "'nov-dec,jan-mar'; valid are 1 to 12 or jan to dec, *, ranges, steps and lists, like "
      "jan-mar or */3");
  EXPECT_EQ(RefusalOf("0 6 * *"),
            "cron '0 6 * *' has 4 fields, not 5: minute hour day-of-month month day-of-week (or 6, "
            "with the second first)");
  EXPECT_EQ(RefusalOf("0 0 30 2 *"),
            "cron '0 0 30 2 *': it never happens: no year has a day 30 in month 2");
  EXPECT_NE(RefusalOf("@every 5m").find("use 'every: 5m'"), std::string::npos);
  EXPECT_NE(RefusalOf("@reboot").find("valid are @hourly"), std::string::npos);
  EXPECT_NE(RefusalOf("0 0 15W * *").find("LW (the last working day) is"), std::string::npos);
}

TEST(Cron, SixFieldsBeginWithTheSecond) {
  EXPECT_EQ(Fires("30 0 6 * * *", "UTC", "2026-01-01", 1), Texts{"2026-01-01T06:00:30Z"});
  // Seconds that were written last are told, not misread.
  EXPECT_NE(RefusalOf("* * * * * */15").find("of six fields the first is the second"),
            std::string::npos);
  EXPECT_NE(RefusalOf("* * * * * 15,25"), "accepted");
}

TEST(Cron, OddShapesAreRefused) {
  for (const char* bad : {"",
                          " ",
                          "* * * * * * *",
                          ", * * * *",
                          "1, * * * *",
                          "1,,2 * * * *",
                          "*/ * * * *",
                          "*5 * * * *",
                          "1-2-3 * * * *",
                          "+1 * * * *",
                          "99999999999 * * * *",
                          "? * * * *",
                          "* * 1,? * *",
                          "* * * * 8",
                          "* * 0 * *",
                          "* * 32 * *",
                          "* * * 0 *",
                          "* 24 * * *",
                          "* * * * fr",
                          "*/99999 * * * *x"}) {
    EXPECT_NE(RefusalOf(bad), "accepted") << bad;
  }
  for (const char* good :
       {" 0  6\t* * * ", "@DAILY", "00 08 * JAN mon", "* * ? * ?", "*/100 * * * *", "0 0 * * 7"}) {
    EXPECT_EQ(RefusalOf(good), "accepted") << good;
  }
}

}  // namespace
}  // namespace sluice
