// A cron expression, and the instants at which it fires in a zone.
//
// Five fields: minute hour day-of-month month day-of-week; six: a second before them. docs/cron.md
// is the page for users. One rule gives all of the behaviour when clocks change. The wall clock has
// a mark, the furthest it ever showed.
// - A job with a fixed time (neither second, minute nor hour begins with *) fires when the mark
// passes a matching time:
//   once just after the gap when the clock jumps over it, and only the first time when the clock
//   shows it twice.
// - A job that repeats within the day (one of them begins with *) follows real time: it fires
// whenever the clock shows a
//   matching time, so in both passes of a repeated hour and not for a skipped one.
// Days: where day-of-month or day-of-week begins with * (or is ?) both must match, else either, as
// in Debian's cron.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "calendar/zone.h"

namespace sluice {

class Cron {  // any thread; a value
 public:
  // Refuses what is not understood and what can never happen; the error names the field, the value
  // and what is valid.
  static Result<Cron> Parse(std::string_view expression);

  // The first fire after, and the last before, an instant, which itself does not count. Nothing
  // outside the years 1 to 9999.
  std::optional<Micros> Next(Micros after, const Zone& zone) const;
  std::optional<Micros> Previous(Micros before, const Zone& zone) const;

  const std::string& text() const { return text_; }
  bool operator==(const Cron& other) const { return text_ == other.text_; }

 private:
  friend class CronParser;

  // The matching days of a month as bits 1 to 31.
  uint32_t DaysOf(int year, int month) const;
  std::optional<int> TimeFrom(int second_of_day) const;  // the first matching one at or after
  std::optional<int> TimeUpTo(int second_of_day) const;  // the last matching one at or before
  // Readings of the wall clock in seconds since 1970-01-01 00:00: the first matching at or after,
  // the last at or before.
  std::optional<int64_t> LocalFrom(int64_t local) const;
  std::optional<int64_t> LocalUpTo(int64_t local) const;

  std::string text_;
  uint64_t seconds_ = 1;  // bit n: the second n
  uint64_t minutes_ = 0;
  uint32_t hours_ = 0;
  uint32_t days_ = 0;                      // bits 1 to 31
  uint32_t months_ = 0;                    // bits 1 to 12
  uint32_t weekdays_ = 0;                  // bits 0 to 6, 0 is Sunday
  uint32_t last_weekdays_ = 0;             // 5L: bits 0 to 6
  std::array<uint8_t, 7> nth_weekdays_{};  // 1#2: bits 1 to 5 for each weekday
  bool last_day_ = false;                  // L
  bool last_working_day_ = false;          // LW
  bool both_days_ = false;                 // day-of-month or day-of-week begins with *
  bool follows_real_time_ = false;
};

}  // namespace sluice
