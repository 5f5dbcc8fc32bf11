// See instant.h.
#include "calendar/instant.h"

#include <fmt/format.h>

#include <optional>

#include "base/text.h"

namespace sluice {
namespace {

using std::chrono::floor;
using std::chrono::seconds;

Error NotAnInstant(std::string_view text, std::string_view why) {
  return ConfigError(
      {}, fmt::format("'{}' is not a time: {}; write it like 2026-11-21, 2026-11-21T06:00 or "
                      "2026-11-21T06:00:00+01:00",
                      text, why));
}

// Reads exactly `count` digits from the front of `rest`.
std::optional<int> Take(std::string_view& rest, size_t count) {
  if (rest.size() < count) return std::nullopt;
  int value = 0;
  for (char c : rest.substr(0, count)) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + (c - '0');
  }
  rest.remove_prefix(count);
  return value;
}

bool TakeChar(std::string_view& rest, char c) {
  if (rest.empty() || rest[0] != c) return false;
  rest.remove_prefix(1);
  return true;
}

// Up to six digits after the point.
std::optional<Micros> TakeFraction(std::string_view& rest) {
  int64_t micros = 0;
  int digits = 0;
  for (; !rest.empty() && rest[0] >= '0' && rest[0] <= '9'; rest.remove_prefix(1)) {
    if (++digits > 6) return std::nullopt;
    micros = micros * 10 + (rest[0] - '0');
  }
  if (digits == 0) return std::nullopt;
  for (; digits < 6; ++digits) micros *= 10;
  return Micros(micros);
}

// "06:00", "06:00:00" or "06:00:00.25" from the front of `rest`.
std::optional<Micros> TakeTimeOfDay(std::string_view& rest) {
  auto hour = Take(rest, 2);
  if (!hour || !TakeChar(rest, ':')) return std::nullopt;
  auto minute = Take(rest, 2);
  if (!minute) return std::nullopt;
  Micros time = std::chrono::hours(*hour) + std::chrono::minutes(*minute);
  std::optional<int> second = 0;
  if (TakeChar(rest, ':')) {
    second = Take(rest, 2);
    if (!second) return std::nullopt;
    time += seconds(*second);
    if (TakeChar(rest, '.')) {
      auto fraction = TakeFraction(rest);
      if (!fraction) return std::nullopt;
      time += *fraction;
    }
  }
  if (*hour > 23 || *minute > 59 || *second > 59) return std::nullopt;
  return time;
}

// What follows the time of day: nothing, "Z", an offset, or a zone in brackets.
Result<Zone> ParseSuffix(std::string_view rest, const Zone& zone) {
  if (rest.empty()) return zone;
  if (rest.size() > 2 && rest[0] == '[' && rest.back() == ']')
    return Zone::Find(rest.substr(1, rest.size() - 2));
  if (rest == "Z" || rest == "z" || rest[0] == '+' || rest[0] == '-') return Zone::Find(rest);
  return ConfigError(
      {},
      fmt::format("'{}' follows the time of day, where only Z, an offset or a [zone] can", rest));
}

}  // namespace

Result<Micros> ParseInstant(std::string_view text, const Zone& zone) {
  std::string_view rest = Trim(text);
  auto date = ParseDate(rest.substr(0, 10));
  if (!date.ok()) return NotAnInstant(text, date.error().message);
  rest.remove_prefix(10);
  if (rest.empty()) return zone.FirstAt(StartOfDay(*date));
  if (rest[0] != 'T' && rest[0] != 't' && rest[0] != ' ')
    return NotAnInstant(text, "after the date comes a T");
  rest.remove_prefix(1);
  auto time = TakeTimeOfDay(rest);
  if (!time)
    return NotAnInstant(text,
                        "hours are 00 to 23, minutes and seconds 00 to 59, with up to 6 decimals");
  auto in = ParseSuffix(Trim(rest), zone);
  if (!in.ok()) return NotAnInstant(text, in.error().message);
  Reading reading = in->Resolve({StartOfDay(*date).since_1970 + *time});
  if (reading.kind == Reading::Kind::kSkipped) {
    return ConfigError({}, fmt::format("'{}' does not exist in {}: the clock jumps over it, to {}",
                                       text, in->name(), FormatLocal(reading.first, *in)));
  }
  return reading.first;
}

std::string FormatLocal(Micros instant, const Zone& zone) {
  Micros local = zone.ToLocal(instant).since_1970;
  Micros offset = local - instant;
  auto second = floor<seconds>(local);
  int64_t of_day = second.count() - FloorDivide(second.count(), kSecondsPerDay) * kSecondsPerDay;
  std::string text = fmt::format("{}T{:02}:{:02}:{:02}", FormatDate(DateOf({local})), of_day / 3600,
                                 of_day / 60 % 60, of_day % 60);
  if (auto fraction = (local - second).count(); fraction != 0) {
    std::string digits = fmt::format("{:06}", fraction);
    digits.erase(digits.find_last_not_of('0') + 1);
    text += "." + digits;
  }
  if (offset == Micros(0)) return text + "Z";
  auto apart = std::chrono::duration_cast<seconds>(offset).count();
  char sign = apart < 0 ? '-' : '+';
  if (apart < 0) apart = -apart;
  text += fmt::format("{}{:02}:{:02}", sign, apart / 3600, apart / 60 % 60);
  if (apart % 60 != 0) text += fmt::format(":{:02}", apart % 60);
  return text;
}

}  // namespace sluice
