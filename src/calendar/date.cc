// See date.h.
#include "calendar/date.h"

#include <fmt/format.h>

#include <chrono>
#include <optional>

namespace sluice {
namespace {

std::optional<int> Digits(std::string_view text) {
  int value = 0;
  for (char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + (c - '0');
  }
  return value;
}

}  // namespace

Result<Date> ParseDate(std::string_view text) {
  bool shaped = text.size() == 10 && text[4] == '-' && text[7] == '-';
  auto year = shaped ? Digits(text.substr(0, 4)) : std::nullopt;
  auto month = shaped ? Digits(text.substr(5, 2)) : std::nullopt;
  auto day = shaped ? Digits(text.substr(8, 2)) : std::nullopt;
  if (!year || !month || !day) {
    return ConfigError(
        {}, fmt::format("'{}' is not a date: write year-month-day, like 2026-11-21", text));
  }
  if (*year < 1)
    return ConfigError({}, fmt::format("'{}' is not a date: years are 0001 to 9999", text));
  if (*month < 1 || *month > 12) {
    return ConfigError(
        {},
        fmt::format("'{}' is not a date: there is no month {}; months are 01 to 12", text, *month));
  }
  int last = DaysInMonth(*year, *month);
  if (*day < 1 || *day > last) {
    return ConfigError({}, fmt::format("'{}' is not a date: {:04}-{:02} has the days 01 to {}",
                                       text, *year, *month, last));
  }
  return Date{*year, *month, *day};
}

std::string FormatDate(Date date) {
  return fmt::format("{:04}-{:02}-{:02}", date.year, date.month, date.day);
}

int64_t DayNumber(Date date) {
  std::chrono::year_month_day day{std::chrono::year(date.year),
                                  std::chrono::month(static_cast<unsigned>(date.month)),
                                  std::chrono::day(static_cast<unsigned>(date.day))};
  return std::chrono::sys_days(day).time_since_epoch().count();
}

Date DateOfDay(int64_t day) {
  std::chrono::year_month_day date{std::chrono::sys_days(std::chrono::days(day))};
  return {static_cast<int>(date.year()), static_cast<int>(static_cast<unsigned>(date.month())),
          static_cast<int>(static_cast<unsigned>(date.day()))};
}

int WeekdayOfDay(int64_t day) { return static_cast<int>(((day + 4) % 7 + 7) % 7); }

int DaysInMonth(int year, int month) {
  std::chrono::year_month_day_last last{
      std::chrono::year(year),
      std::chrono::month_day_last(std::chrono::month(static_cast<unsigned>(month)))};
  return static_cast<int>(static_cast<unsigned>(last.day()));
}

Date AddDays(Date date, int64_t days) { return DateOfDay(DayNumber(date) + days); }

}  // namespace sluice
