// A day of the calendar, without an hour and without a zone. The calendar is the proleptic
// Gregorian one, years 1 to 9999.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace sluice {

struct Date {
  int year = 1970;
  int month = 1;
  int day = 1;

  auto operator<=>(const Date&) const = default;
};

constexpr int64_t kSecondsPerDay = 86400;

Result<Date> ParseDate(
    std::string_view text);  // "2026-11-21"; a day that the month does not have is refused
std::string FormatDate(Date date);

int64_t DayNumber(Date date);   // days since 1970-01-01
Date DateOfDay(int64_t day);    // its inverse
int WeekdayOfDay(int64_t day);  // 0 is Sunday
int DaysInMonth(int year, int month);
Date AddDays(Date date, int64_t days);

// The quotient rounded towards the past; of a time before 1970 too.
constexpr int64_t FloorDivide(int64_t value, int64_t by) {
  return value / by - (value % by != 0 && (value % by < 0) != (by < 0) ? 1 : 0);
}

}  // namespace sluice
