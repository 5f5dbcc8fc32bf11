// When a cron expression fires. The search goes from matching day to matching day and never walks
// minutes; where the offset changes it goes period by period (zone.h), each with the mark that the
// wall clock had reached before.
#include "calendar/cron.h"

#include <algorithm>
#include <bit>

namespace sluice {
namespace {

using std::chrono::seconds;

// 29 February on a given weekday comes back after 40 years at most (across 2100); nothing is rarer.
constexpr int kSearchMonths = 48 * 12;
constexpr int64_t kFirstSecond = -62135596800;  // of the year 1
constexpr int64_t kEndSecond = 253402300800;    // of the year 9999
// Marks that are older cannot lie ahead of the wall clock: offsets differ by 26 hours at most.
constexpr int64_t kMarkAge = 2 * kSecondsPerDay;

struct PeriodInSeconds {
  int64_t begin;
  int64_t end;
  int64_t offset;
};

PeriodInSeconds PeriodAt(const Zone& zone, int64_t second) {
  Period period = zone.PeriodAt(seconds(second));
  auto count = [](Micros time) { return std::chrono::floor<seconds>(time).count(); };
  return {count(period.begin), count(period.end), count(period.offset)};
}

// The furthest reading that the wall clock had reached when the period began (it is itself not
// shown yet).
int64_t MarkBefore(const Zone& zone, const PeriodInSeconds& period) {
  int64_t mark = kFirstSecond - kSecondsPerDay;
  int64_t end = period.begin;
  while (end > period.begin - kMarkAge && end > kFirstSecond) {
    PeriodInSeconds before = PeriodAt(zone, end - 1);
    mark = std::max(mark, end + before.offset);
    end = before.begin;
  }
  return mark;
}

int LowestBit(uint64_t bits) { return std::countr_zero(bits); }
int HighestBit(uint64_t bits) { return 63 - std::countl_zero(bits); }
uint64_t BitsFrom(int bit) { return bit > 63 ? 0 : ~uint64_t{0} << bit; }
uint64_t BitsUpTo(int bit) { return bit < 0 ? 0 : ~uint64_t{0} >> (63 - bit); }

// The month `step` months away from (year, month).
void MoveMonth(int& year, int& month, int step) {
  month += step;
  if (month > 12) ++year, month = 1;
  if (month < 1) --year, month = 12;
}

}  // namespace

uint32_t Cron::DaysOf(int year, int month) const {
  if ((months_ >> month & 1) == 0) return 0;
  int count = DaysInMonth(year, month);
  int first_weekday = WeekdayOfDay(DayNumber({year, month, 1}));
  uint32_t bits = 0;
  for (int day = 1; day <= count; ++day) {
    int weekday = (first_weekday + day - 1) % 7;
    bool ends_week =
        weekday == 5 && day + 2 >= count;  // the Friday before a month that ends on a weekend
    bool working_last = ends_week || (day == count && weekday >= 1 && weekday <= 5);
    bool by_day = (days_ >> day & 1) != 0 || (last_day_ && day == count) ||
                  (last_working_day_ && working_last);
    bool by_weekday = (weekdays_ >> weekday & 1) != 0 ||
                      ((last_weekdays_ >> weekday & 1) != 0 && day + 7 > count) ||
                      (nth_weekdays_[static_cast<size_t>(weekday)] >> ((day + 6) / 7) & 1) != 0;
    if (both_days_ ? by_day && by_weekday : by_day || by_weekday) bits |= uint32_t{1} << day;
  }
  return bits;
}

std::optional<int> Cron::TimeFrom(int second_of_day) const {
  int hour = second_of_day / 3600;
  int minute = second_of_day / 60 % 60;
  uint64_t seconds = seconds_ & BitsFrom(second_of_day % 60);
  if ((hours_ >> hour & 1) != 0) {
    if ((minutes_ >> minute & 1) != 0 && seconds != 0)
      return hour * 3600 + minute * 60 + LowestBit(seconds);
    uint64_t minutes = minutes_ & BitsFrom(minute + 1);
    if (minutes != 0) return hour * 3600 + LowestBit(minutes) * 60 + LowestBit(seconds_);
  }
  uint64_t hours = hours_ & BitsFrom(hour + 1);
  if (hours == 0) return std::nullopt;
  return LowestBit(hours) * 3600 + LowestBit(minutes_) * 60 + LowestBit(seconds_);
}

std::optional<int> Cron::TimeUpTo(int second_of_day) const {
  int hour = second_of_day / 3600;
  int minute = second_of_day / 60 % 60;
  uint64_t seconds = seconds_ & BitsUpTo(second_of_day % 60);
  if ((hours_ >> hour & 1) != 0) {
    if ((minutes_ >> minute & 1) != 0 && seconds != 0)
      return hour * 3600 + minute * 60 + HighestBit(seconds);
    uint64_t minutes = minutes_ & BitsUpTo(minute - 1);
    if (minutes != 0) return hour * 3600 + HighestBit(minutes) * 60 + HighestBit(seconds_);
  }
  uint64_t hours = hours_ & BitsUpTo(hour - 1);
  if (hours == 0) return std::nullopt;
  return HighestBit(hours) * 3600 + HighestBit(minutes_) * 60 + HighestBit(seconds_);
}

std::optional<int64_t> Cron::LocalFrom(int64_t local) const {
  int64_t day = FloorDivide(local, kSecondsPerDay);
  auto [year, month, day_of_month] = DateOfDay(day);
  uint32_t days = DaysOf(year, month);
  if ((days >> day_of_month & 1) != 0) {
    if (auto time = TimeFrom(static_cast<int>(local - day * kSecondsPerDay)))
      return day * kSecondsPerDay + *time;
  }
  uint64_t later = days & BitsFrom(day_of_month + 1);
  for (int i = 0; later == 0; ++i) {
    if (i > kSearchMonths) return std::nullopt;
    MoveMonth(year, month, 1);
    later = DaysOf(year, month);
  }
  return DayNumber({year, month, LowestBit(later)}) * kSecondsPerDay + *TimeFrom(0);
}

std::optional<int64_t> Cron::LocalUpTo(int64_t local) const {
  int64_t day = FloorDivide(local, kSecondsPerDay);
  auto [year, month, day_of_month] = DateOfDay(day);
  uint32_t days = DaysOf(year, month);
  if ((days >> day_of_month & 1) != 0) {
    if (auto time = TimeUpTo(static_cast<int>(local - day * kSecondsPerDay)))
      return day * kSecondsPerDay + *time;
  }
  uint64_t earlier = days & BitsUpTo(day_of_month - 1);
  for (int i = 0; earlier == 0; ++i) {
    if (i > kSearchMonths) return std::nullopt;
    MoveMonth(year, month, -1);
    earlier = DaysOf(year, month);
  }
  return DayNumber({year, month, HighestBit(earlier)}) * kSecondsPerDay +
         *TimeUpTo(kSecondsPerDay - 1);
}

std::optional<Micros> Cron::Next(Micros after, const Zone& zone) const {
  int64_t from = std::max(std::chrono::floor<seconds>(after).count() + 1, kFirstSecond);
  while (from < kEndSecond) {
    PeriodInSeconds period = PeriodAt(zone, from);
    int64_t local = from + period.offset;
    if (!follows_real_time_ && from - period.begin <= kMarkAge) {
      int64_t mark = MarkBefore(zone, period);
      if (from == period.begin && period.begin > kFirstSecond && mark < local) {
        auto skipped = LocalFrom(mark);
        if (skipped && *skipped < local) return seconds(period.begin);
      }
      local = std::max(local, mark);
    }
    auto found = LocalFrom(local);
    if (!found) return std::nullopt;
    if (*found - period.offset < std::min(period.end, kEndSecond))
      return seconds(*found - period.offset);
    from = period.end;
  }
  return std::nullopt;
}

std::optional<Micros> Cron::Previous(Micros before, const Zone& zone) const {
  int64_t upto = std::min(std::chrono::ceil<seconds>(before).count() - 1, kEndSecond - 1);
  while (upto >= kFirstSecond) {
    PeriodInSeconds period = PeriodAt(zone, upto);
    int64_t begin = period.begin + period.offset;
    int64_t mark = follows_real_time_ ? begin : MarkBefore(zone, period);
    auto found = LocalUpTo(upto + period.offset);
    if (!found) return std::nullopt;
    if (*found >= std::max(begin, mark)) return seconds(*found - period.offset);
    if (mark < begin && period.begin > kFirstSecond) {
      auto skipped = LocalFrom(mark);
      if (skipped && *skipped < begin) return seconds(period.begin);
    }
    upto = period.begin - 1;
  }
  return std::nullopt;
}

}  // namespace sluice
