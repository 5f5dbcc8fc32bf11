// See zone.h.
#include "calendar/zone.h"

#include <date/tz.h>
#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <optional>

#include "base/text.h"

namespace sluice {
namespace {

using std::chrono::duration_cast;
using std::chrono::floor;
using std::chrono::seconds;

// No offset of any zone is further from another; a wall clock never differs by more between
// neighbouring periods.
constexpr Micros kWidestShift = std::chrono::hours(26);

std::optional<int> TwoDigits(std::string_view text) {
  if (text.size() != 2 || text[0] < '0' || text[0] > '9' || text[1] < '0' || text[1] > '9')
    return std::nullopt;
  return (text[0] - '0') * 10 + (text[1] - '0');
}

Result<Zone> ParseOffset(std::string_view text) {
  std::string_view rest = text.substr(1);
  auto hours = TwoDigits(rest.substr(0, 2));
  std::optional<int> minutes = 0;
  if (rest.size() == 5 && rest[2] == ':') {
    minutes = TwoDigits(rest.substr(3));
  } else if (rest.size() == 4) {
    minutes = TwoDigits(rest.substr(2));
  } else if (rest.size() != 2) {
    minutes.reset();
  }
  if (!hours || !minutes || *hours > 23 || *minutes > 59) {
    return ConfigError(
        {}, fmt::format("'{}' is not an offset from UTC: write it like +05:45 or -03:00", text));
  }
  int total = *hours * 60 + *minutes;
  return Zone::FixedOffset(std::chrono::minutes(text[0] == '-' ? -total : total));
}

Error UnknownZone(std::string_view name, const std::vector<std::string>& names) {
  if (names.empty()) {
    return ConfigError(
        {},
        fmt::format(
            "timezone '{}' is not known: this machine has no tz database (/usr/share/zoneinfo); "
            "install the package tzdata, or use UTC or an offset like +05:45",
            name));
  }
  auto nearest = Nearest(name, names);
  if (!nearest) {  // "Paris" for "Europe/Paris"
    for (const std::string& known : names) {
      if (EndsWith(ToLower(known), "/" + ToLower(name))) nearest = known;
    }
  }
  return ConfigError(
      {}, fmt::format(
              "timezone '{}' is not known{}; valid are names of the tz database like Europe/Paris, "
              "UTC, and offsets like +05:45",
              name, nearest ? fmt::format(": did you mean {}?", *nearest) : ""));
}

}  // namespace

LocalTime StartOfDay(Date date) { return {seconds(DayNumber(date) * kSecondsPerDay)}; }

Date DateOf(LocalTime local) {
  return DateOfDay(floor<std::chrono::days>(local.since_1970).count());
}

Result<Zone> Zone::Find(std::string_view name) {
  std::string lower = ToLower(name);
  if (lower == "utc" || lower == "z") return Zone();
  if (!name.empty() && (name[0] == '+' || name[0] == '-')) return ParseOffset(name);
  std::vector<std::string> names = Names();
  auto found = std::find_if(names.begin(), names.end(),
                            [&](const std::string& n) { return ToLower(n) == lower; });
  if (found == names.end()) return UnknownZone(name, names);
  try {
    Zone zone;
    zone.zone_ = date::locate_zone(*found);
    zone.name_ = *found;
    zone.PeriodAt(Micros(
        0));  // reads the zone's file: here its damage is an error, later it would be a surprise
    return zone;
  } catch (const std::exception& e) {
    return ConfigError(
        {}, fmt::format("timezone '{}' cannot be read from the tz database: {}", name, e.what()));
  }
}

Zone Zone::FixedOffset(std::chrono::minutes offset) {
  Zone zone;
  zone.offset_ = offset;
  auto count = offset.count();
  auto size = count < 0 ? -count : count;
  if (count != 0)
    zone.name_ = fmt::format("{}{:02}:{:02}", count < 0 ? '-' : '+', size / 60, size % 60);
  return zone;
}

std::vector<std::string> Zone::Names() {
  std::vector<std::string> names;
  try {
    for (const date::time_zone& zone : date::get_tzdb().zones) names.push_back(zone.name());
  } catch (const std::exception&) {
    names.clear();  // no tz database on this machine
  }
  return names;
}

Period Zone::PeriodAt(Micros instant) const {
  if (zone_ == nullptr) return {kBeginOfTime, kEndOfTime, offset_};
  auto info = zone_->get_info(
      date::sys_seconds(floor<seconds>(std::clamp(instant, kBeginOfTime, kEndOfTime))));
  // Compared in seconds: the library's ends of time do not fit into microseconds.
  auto begin =
      std::max<seconds>(info.begin.time_since_epoch(), duration_cast<seconds>(kBeginOfTime));
  auto end = std::min<seconds>(info.end.time_since_epoch(), duration_cast<seconds>(kEndOfTime));
  return {begin, end, info.offset};
}

LocalTime Zone::ToLocal(Micros instant) const { return {instant + PeriodAt(instant).offset}; }

Reading Zone::Resolve(LocalTime local) const {
  std::optional<Micros> first;
  std::optional<Micros> last;
  std::optional<Micros> jump;
  Period period = PeriodAt(local.since_1970 - kWidestShift);
  for (;;) {
    Micros candidate = local.since_1970 - period.offset;
    if (candidate >= period.begin && candidate < period.end) {
      if (!first) first = candidate;
      last = candidate;
    }
    if (period.end > local.since_1970 + kWidestShift || period.end >= kEndOfTime) break;
    Period next = PeriodAt(period.end);
    bool skipped = candidate >= period.end && local.since_1970 - next.offset < next.begin;
    if (skipped && !jump) jump = next.begin;
    period = next;
  }
  if (first)
    return {*first == *last ? Reading::Kind::kOnce : Reading::Kind::kRepeated, *first, *last};
  // A reading outside the years 1 to 9999 is shown by no period: the clock's own offset there is
  // the best answer.
  Micros fallback = jump.value_or(local.since_1970 - period.offset);
  return {jump ? Reading::Kind::kSkipped : Reading::Kind::kOnce, fallback, fallback};
}

}  // namespace sluice
