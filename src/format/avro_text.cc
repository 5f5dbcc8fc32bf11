// See avro_text.h.
#include "format/avro_text.h"

#include <fmt/format.h>

#include <chrono>
#include <cmath>
#include <cstring>

#include "base/json.h"
#include "base/text.h"

namespace sluice::format {
namespace {

using Kind = AvroType::Kind;
using Meaning = AvroType::Meaning;

constexpr int kMostDepth = 200;
constexpr int64_t kMostEmptyElements = 1'000'000;
constexpr int64_t kDayMicros = 86'400'000'000;
constexpr int64_t kMostDays = 10'000'000;  // what std::chrono's years hold

void Put(std::string& into, std::string_view text, AvroQuotes quotes) {
  if (quotes == AvroQuotes::kJson)
    into += QuoteJson(text);
  else
    into += text;
}

bool DateText(int64_t days, std::string* text) {
  if (days < -kMostDays || days > kMostDays) return false;
  const std::chrono::year_month_day date{std::chrono::sys_days(std::chrono::days(days))};
  const int year = static_cast<int>(date.year());
  *text = fmt::format("{:04}-{:02}-{:02}{}", year > 0 ? year : 1 - year,
                      static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                      year > 0 ? "" : " (BC)");
  return true;
}

// `digits` of the second.
std::string ClockText(int64_t value, int64_t second, int digits) {
  return fmt::format("{:02}:{:02}:{:02}.{:0{}}", value / second / 3600, value / second / 60 % 60,
                     value / second % 60, value % second, digits);
}

bool MomentText(int64_t value, int64_t second, int digits, bool instant, std::string* text) {
  const int64_t day = second * 86'400;
  const int64_t days = value / day - (value % day < 0 ? 1 : 0);
  if (!DateText(days, text)) return false;
  *text += ' ' + ClockText(value - days * day, second, digits) + (instant ? "+00" : "");
  return true;
}

std::string WideText(AvroWide value, int scale) {
  const bool negative = value < 0;
  auto magnitude = static_cast<AvroBits>(value);
  if (negative) magnitude = 0 - magnitude;
  std::string digits;
  do {
    digits.insert(digits.begin(), static_cast<char>('0' + static_cast<int>(magnitude % 10)));
    magnitude /= 10;
  } while (magnitude > 0);
  const auto point = static_cast<size_t>(scale);
  if (digits.size() <= point) digits.insert(0, point + 1 - digits.size(), '0');
  if (scale > 0) digits.insert(digits.size() - point, ".");
  return negative ? "-" + digits : digits;
}

std::string UuidText(std::string_view bytes) {
  std::string text;
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += fmt::format("{:02x}", static_cast<unsigned char>(bytes[i]));
  }
  return text;
}

// As DuckDB reads a BLOB: \xNN for what is not plain.
std::string BytesText(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) {
    if (c >= 32 && c < 127 && c != '\\' && c != '\'' && c != '"')
      text += c;
    else
      text += fmt::format("\\x{:02X}", static_cast<unsigned char>(c));
  }
  return text;
}

std::string DurationText(const char* bytes) {
  uint32_t parts[3];
  std::memcpy(parts, bytes, sizeof(parts));
  return fmt::format("{} months {} days {} milliseconds", parts[0], parts[1], parts[2]);
}

// A whole number, or what its logical type makes of it.
AvroFault WholeText(const AvroType& type, int64_t value, AvroQuotes quotes, std::string& into) {
  std::string text;
  bool fits = true;
  switch (type.meaning) {
    case Meaning::kDate:
      fits = DateText(value, &text);
      break;
    case Meaning::kTimeMillis:
      fits = value >= 0 && value <= kDayMicros / 1000;
      if (fits) text = ClockText(value, 1000, 3);
      break;
    case Meaning::kTimeMicros:
      fits = value >= 0 && value <= kDayMicros;
      if (fits) text = ClockText(value, 1'000'000, 6);
      break;
    case Meaning::kInstantMillis:
    case Meaning::kLocalMillis:
      fits = MomentText(value, 1000, 3, type.meaning == Meaning::kInstantMillis, &text);
      break;
    case Meaning::kInstantMicros:
    case Meaning::kLocalMicros:
      fits = MomentText(value, 1'000'000, 6, type.meaning == Meaning::kInstantMicros, &text);
      break;
    case Meaning::kInstantNanos:
    case Meaning::kLocalNanos:  // TIMESTAMP_NS has no zone
      fits = MomentText(value, 1'000'000'000, 9, false, &text);
      break;
    default:
      into += std::to_string(value);
      return AvroFault::kNone;
  }
  Put(into, fits ? text : std::to_string(value), quotes);
  return fits ? AvroFault::kNone : AvroFault::kRange;
}

AvroFault BytesShown(const AvroType& type, std::string_view bytes, AvroQuotes quotes,
                     std::string& into) {
  if (type.meaning == Meaning::kDecimal) {
    AvroWide value = 0;
    const bool fits = ReadAvroWide(bytes, &value) && FitsDigits(value, type.precision);
    Put(into, fits ? WideText(value, type.scale) : BytesText(bytes), quotes);
    return fits ? AvroFault::kNone : AvroFault::kRange;
  }
  Put(into,
      type.meaning == Meaning::kUuid       ? UuidText(bytes)
      : type.meaning == Meaning::kDuration ? DurationText(bytes.data())
                                           : BytesText(bytes),
      quotes);
  return AvroFault::kNone;
}

void RealText(double value, std::string_view shown, AvroQuotes quotes, std::string& into) {
  if (std::isfinite(value))
    into += shown;
  else
    Put(into, std::isnan(value) ? "nan" : value > 0 ? "inf" : "-inf", quotes);
}

AvroFault Worse(AvroFault a, AvroFault b) {
  if (a == AvroFault::kDamaged || b == AvroFault::kDamaged) return AvroFault::kDamaged;
  return a == AvroFault::kNone ? b : a;
}

AvroFault ShowElements(const AvroType& type, AvroCursor& cursor, std::string& into, int depth) {
  const bool map = type.kind == Kind::kMap;
  const AvroType& element = *type.parts[0].second;
  AvroFault fault = AvroFault::kNone;
  into += map ? '{' : '[';
  bool first = true;
  for (;;) {
    int64_t count = 0, bytes = 0;
    if (!AvroRun(cursor, &count, &bytes)) return AvroFault::kDamaged;
    if (count == 0) break;
    if (!map && !AvroCountHolds(count, element, cursor)) return AvroFault::kDamaged;
    for (int64_t i = 0; i < count; ++i) {
      if (!first) into += ',';
      first = false;
      if (map) {
        std::string_view key;
        if (!cursor.Bytes(&key)) return AvroFault::kDamaged;
        if (!ValidUtf8(key)) fault = Worse(fault, AvroFault::kUtf8);
        into += QuoteJson(key) + ':';
      }
      fault = Worse(fault, ShowAvro(element, cursor, AvroQuotes::kJson, into, depth + 1));
      if (fault == AvroFault::kDamaged) return fault;
    }
  }
  into += map ? '}' : ']';
  return fault;
}

AvroFault ShowFields(const AvroType& type, AvroCursor& cursor, std::string& into, int depth) {
  AvroFault fault = AvroFault::kNone;
  into += '{';
  for (size_t i = 0; i < type.parts.size(); ++i) {
    const auto& [name, part] = type.parts[i];
    into += (i == 0 ? "" : ",") + QuoteJson(name) + ':';
    fault = Worse(fault, ShowAvro(*part, cursor, AvroQuotes::kJson, into, depth + 1));
    if (fault == AvroFault::kDamaged) return fault;
  }
  into += '}';
  return fault;
}

}  // namespace

bool AvroCountHolds(int64_t count, const AvroType& element, const AvroCursor& cursor) {
  return element.may_be_empty ? count <= kMostEmptyElements
                              : static_cast<uint64_t>(count) <= cursor.left();
}

bool AvroRun(AvroCursor& cursor, int64_t* count, int64_t* bytes) {
  *bytes = -1;
  if (!cursor.Long(count) || *count == INT64_MIN) return false;
  if (*count >= 0) return true;
  *count = -*count;
  return cursor.Long(bytes) && *bytes >= 0;
}

AvroFault SkipAvro(const AvroType& type, AvroCursor& cursor, int depth) {
  if (depth > kMostDepth) return AvroFault::kDamaged;
  const auto damaged = [](bool holds) { return holds ? AvroFault::kNone : AvroFault::kDamaged; };
  int64_t number = 0;
  std::string_view bytes;
  switch (type.kind) {
    case Kind::kNull:
      return AvroFault::kNone;
    case Kind::kBoolean:
      return damaged(cursor.Take(1) != nullptr);
    case Kind::kInt:
    case Kind::kLong:
    case Kind::kEnum:
      return damaged(cursor.Long(&number));
    case Kind::kFloat:
      return damaged(cursor.Take(4) != nullptr);
    case Kind::kDouble:
      return damaged(cursor.Take(8) != nullptr);
    case Kind::kBytes:
    case Kind::kString:
      return damaged(cursor.Bytes(&bytes));
    case Kind::kFixed:
      return damaged(cursor.Take(type.size) != nullptr);
    case Kind::kRecord:
      for (const auto& [name, part] : type.parts) {
        if (SkipAvro(*part, cursor, depth + 1) != AvroFault::kNone) return AvroFault::kDamaged;
      }
      return AvroFault::kNone;
    case Kind::kUnion:
      if (!cursor.Long(&number) || static_cast<uint64_t>(number) >= type.parts.size())
        return AvroFault::kDamaged;
      return SkipAvro(*type.parts[static_cast<size_t>(number)].second, cursor, depth + 1);
    case Kind::kArray:
    case Kind::kMap:
      break;
  }
  const AvroType& element = *type.parts[0].second;
  for (int64_t count = 0, size = 0;;) {
    if (!AvroRun(cursor, &count, &size)) return AvroFault::kDamaged;
    if (count == 0) return AvroFault::kNone;
    if (size >= 0) {
      if (cursor.Take(static_cast<uint64_t>(size)) == nullptr) return AvroFault::kDamaged;
      continue;
    }
    if (type.kind == Kind::kArray && !AvroCountHolds(count, element, cursor))
      return AvroFault::kDamaged;
    for (int64_t i = 0; i < count; ++i) {
      if (type.kind == Kind::kMap && !cursor.Bytes(&bytes)) return AvroFault::kDamaged;
      if (SkipAvro(element, cursor, depth + 1) != AvroFault::kNone) return AvroFault::kDamaged;
    }
  }
}

AvroFault ShowAvro(const AvroType& type, AvroCursor& cursor, AvroQuotes quotes, std::string& into,
                   int depth) {
  if (depth > kMostDepth) return AvroFault::kDamaged;
  int64_t number = 0;
  std::string_view bytes;
  switch (type.kind) {
    case Kind::kNull:
      into += "null";
      return AvroFault::kNone;
    case Kind::kBoolean: {
      const char* taken = cursor.Take(1);
      if (taken == nullptr || static_cast<unsigned char>(*taken) > 1) return AvroFault::kDamaged;
      into += *taken != 0 ? "true" : "false";
      return AvroFault::kNone;
    }
    case Kind::kInt:
    case Kind::kLong:
      if (!cursor.Long(&number)) return AvroFault::kDamaged;
      if (type.kind == Kind::kInt && number != static_cast<int32_t>(number))
        return AvroFault::kDamaged;
      return WholeText(type, number, quotes, into);
    case Kind::kFloat: {
      const char* taken = cursor.Take(4);
      if (taken == nullptr) return AvroFault::kDamaged;
      float value = 0;
      std::memcpy(&value, taken, sizeof(value));
      RealText(static_cast<double>(value), fmt::format("{}", value), quotes, into);
      return AvroFault::kNone;
    }
    case Kind::kDouble: {
      const char* taken = cursor.Take(8);
      if (taken == nullptr) return AvroFault::kDamaged;
      double value = 0;
      std::memcpy(&value, taken, sizeof(value));
      RealText(value, fmt::format("{}", value), quotes, into);
      return AvroFault::kNone;
    }
    case Kind::kBytes:
      return cursor.Bytes(&bytes) ? BytesShown(type, bytes, quotes, into) : AvroFault::kDamaged;
    case Kind::kFixed: {
      const char* taken = cursor.Take(type.size);
      return taken ? BytesShown(type, {taken, static_cast<size_t>(type.size)}, quotes, into)
                   : AvroFault::kDamaged;
    }
    case Kind::kString:
      if (!cursor.Bytes(&bytes)) return AvroFault::kDamaged;
      Put(into, bytes, quotes);
      return ValidUtf8(bytes) ? AvroFault::kNone : AvroFault::kUtf8;
    case Kind::kEnum:
      if (!cursor.Long(&number) || static_cast<uint64_t>(number) >= type.symbols.size())
        return AvroFault::kDamaged;
      Put(into, type.symbols[static_cast<size_t>(number)], quotes);
      return AvroFault::kNone;
    case Kind::kUnion:
      if (!cursor.Long(&number) || static_cast<uint64_t>(number) >= type.parts.size())
        return AvroFault::kDamaged;
      return ShowAvro(*type.parts[static_cast<size_t>(number)].second, cursor, quotes, into,
                      depth + 1);
    case Kind::kArray:
    case Kind::kMap:
      return ShowElements(type, cursor, into, depth);
    case Kind::kRecord:
      break;
  }
  return ShowFields(type, cursor, into, depth);
}

bool ReadAvroWide(std::string_view bytes, AvroWide* value) {
  const bool negative = !bytes.empty() && static_cast<signed char>(bytes[0]) < 0;
  const char sign = negative ? '\xFF' : '\0';
  while (bytes.size() > sizeof(AvroWide) && bytes[0] == sign) bytes.remove_prefix(1);
  if (bytes.size() > sizeof(AvroWide)) return false;
  auto bits = negative ? ~static_cast<AvroBits>(0) : static_cast<AvroBits>(0);
  for (const char c : bytes) bits = bits << 8 | static_cast<unsigned char>(c);
  *value = static_cast<AvroWide>(bits);
  // What was taken away must have been the sign alone.
  return negative == (*value < 0);
}

bool FitsDigits(AvroWide value, int digits) {
  AvroWide limit = 1;
  for (int i = 0; i < digits; ++i) limit *= 10;
  return value < limit && value > -limit;
}

}  // namespace sluice::format
