// Looking up and printing columns, and which SQL types a decoder can fill in place.
#include "data/schema.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <utility>

#include "base/text.h"

namespace sluice {
namespace {

// As DuckDB writes them first, then the aliases people type. A TIMESTAMP WITH TIME ZONE is not
// here: what a text without a zone means is the session's business, so the cast decides.
constexpr std::array<std::pair<std::string_view, Physical>, 37> kPhysicalNames{{
    {"boolean", Physical::kBool},
    {"tinyint", Physical::kInt8},
    {"smallint", Physical::kInt16},
    {"integer", Physical::kInt32},
    {"bigint", Physical::kInt64},
    {"utinyint", Physical::kUint8},
    {"usmallint", Physical::kUint16},
    {"uinteger", Physical::kUint32},
    {"ubigint", Physical::kUint64},
    {"float", Physical::kFloat},
    {"double", Physical::kDouble},
    {"date", Physical::kDate},
    {"timestamp", Physical::kTimestamp},
    {"varchar", Physical::kText},
    {"bool", Physical::kBool},
    {"logical", Physical::kBool},
    {"int1", Physical::kInt8},
    {"int2", Physical::kInt16},
    {"short", Physical::kInt16},
    {"int16", Physical::kInt16},
    {"int", Physical::kInt32},
    {"int4", Physical::kInt32},
    {"signed", Physical::kInt32},
    {"int32", Physical::kInt32},
    {"integral", Physical::kInt32},
    {"int8", Physical::kInt64},
    {"long", Physical::kInt64},
    {"int64", Physical::kInt64},
    {"oid", Physical::kInt64},
    {"float4", Physical::kFloat},
    {"real", Physical::kFloat},
    {"float8", Physical::kDouble},
    {"double precision", Physical::kDouble},
    {"datetime", Physical::kTimestamp},
    {"timestamp without time zone", Physical::kTimestamp},
    {"timestamp_us", Physical::kTimestamp},
    {"text", Physical::kText},
}};

}  // namespace

const Column* Find(const Schema& schema, std::string_view name) {
  const std::string wanted = ToLower(name);
  auto found = std::find_if(schema.begin(), schema.end(), [&](const Column& column) {
    return column.name.size() == wanted.size() && ToLower(column.name) == wanted;
  });
  return found == schema.end() ? nullptr : &*found;
}

std::vector<std::string> VisibleNames(const Schema& schema) {
  std::vector<std::string> names;
  names.reserve(schema.size());
  for (const Column& column : schema) {
    if (!column.hidden) names.push_back(column.name);
  }
  return names;
}

Schema Visible(const Schema& schema) {
  Schema visible;
  visible.reserve(schema.size());
  std::copy_if(schema.begin(), schema.end(), std::back_inserter(visible),
               [](const Column& column) { return !column.hidden; });
  return visible;
}

std::string Format(const Schema& schema) {
  std::string text = "(";
  for (const Column& column : schema) {
    if (text.size() > 1) text += ", ";
    text += column.name;
    text += ' ';
    text += column.type;
  }
  return text + ")";
}

Physical PhysicalOf(std::string_view type) {
  const std::string wanted = ToLower(Trim(type));
  for (const auto& [name, physical] : kPhysicalNames) {
    if (name == wanted) return physical;
  }
  return Physical::kText;
}

std::optional<DecimalShape> ReadDecimal(std::string_view type) {
  DecimalShape decimal;
  const std::string text(Trim(type));
  int end = 0;  // DECIMAL(4,1)[] is none
  if (std::sscanf(text.c_str(), "DECIMAL(%d,%d)%n", &decimal.width, &decimal.scale, &end) < 2 ||
      static_cast<size_t>(end) != text.size())
    return std::nullopt;
  return decimal;
}

Physical NativeOf(std::string_view type) {
  if (const auto decimal = ReadDecimal(type)) {
    if (decimal->width <= 4) return Physical::kDecimal16;
    if (decimal->width <= 9) return Physical::kDecimal32;
    return decimal->width <= 18 ? Physical::kDecimal64 : Physical::kDecimal128;
  }
  constexpr std::array<std::pair<std::string_view, Physical>, 6> kNative{{
      {"TIME", Physical::kTime},
      {"TIMESTAMP WITH TIME ZONE", Physical::kTimestampTz},
      {"INTERVAL", Physical::kInterval},
      {"UUID", Physical::kUuid},
      {"BLOB", Physical::kBlob},
      {"JSON", Physical::kJson},
  }};
  for (const auto& [name, physical] : kNative) {
    if (name == type) return physical;
  }
  return PhysicalOf(type);
}

}  // namespace sluice
