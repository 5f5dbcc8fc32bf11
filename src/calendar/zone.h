// A time zone as a value: which clock hangs on the wall there at an instant, and which instants a
// reading of it means.
//
// Everything rests on periods: stretches of time with one offset from UTC, which follow each other
// without holes. Where the offset grows the wall clock jumps over a gap, where it shrinks the wall
// clock shows some readings a second time.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "calendar/date.h"

namespace date {
class time_zone;
}

namespace sluice {

// What a wall clock shows, as microseconds since it showed 1970-01-01 00:00. Never an instant.
struct LocalTime {
  Micros since_1970{0};

  auto operator<=>(const LocalTime&) const = default;
};

LocalTime StartOfDay(Date date);  // 00:00 on the wall
Date DateOf(LocalTime local);

// [begin, end) with one offset; local = instant + offset. The first begins at kBeginOfTime, the
// last ends at kEndOfTime.
struct Period {
  Micros begin{0};
  Micros end{0};
  Micros offset{0};
};

constexpr Micros kBeginOfTime = std::chrono::seconds(-62135596800);  // 0001-01-01T00:00:00Z
constexpr Micros kEndOfTime = std::chrono::seconds(253402300800);    // 10000-01-01T00:00:00Z

// The instants that a reading of the wall clock means.
struct Reading {
  enum class Kind : uint8_t { kOnce, kSkipped, kRepeated };
  Kind kind = Kind::kOnce;
  Micros first{0};  // kSkipped: both are the instant at which the clock jumps over the reading
  Micros last{0};   // kRepeated: the second time it is shown
};

class Zone {  // any thread; cheap to copy
 public:
  Zone() = default;  // UTC

  // "UTC" or "Z", a name of the tz database in any case ("Europe/Paris"), or a fixed offset
  // ("+05:45", "-03").
  static Result<Zone> Find(std::string_view name);
  static Zone FixedOffset(std::chrono::minutes offset);
  static std::vector<std::string> Names();  // of the tz database; empty where there is none

  const std::string& name() const { return name_; }

  Period PeriodAt(Micros instant) const;
  LocalTime ToLocal(Micros instant) const;
  Reading Resolve(LocalTime local) const;
  // The first instant at which the wall clock has reached `local`: just after the gap where it is
  // skipped.
  Micros FirstAt(LocalTime local) const { return Resolve(local).first; }

  bool operator==(const Zone& other) const { return name_ == other.name_; }

 private:
  std::string name_ = "UTC";
  const date::time_zone* zone_ =
      nullptr;        // owned by the tz database, which lives as long as the process
  Micros offset_{0};  // where zone_ is null
};

}  // namespace sluice
