// See types.h.
#include "connector/sqlite/types.h"

#include <fmt/format.h>

#include <array>
#include <cctype>
#include <cstdio>
#include <utility>

#include "base/text.h"
#include "connector/duckdb/target.h"

namespace sluice::sqlite {
namespace {

constexpr int kExactDigits = 15;

std::string Upper(std::string_view text) {
  std::string upper;
  for (const char c : Trim(text)) upper += static_cast<char>(std::toupper(c));
  return upper;
}

bool Contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

bool IsNested(std::string_view type) {
  return EndsWith(type, "]") || StartsWith(type, "STRUCT(") || StartsWith(type, "MAP(") ||
         StartsWith(type, "UNION(");
}

// NUMERIC(10,2), DECIMAL TEXT(20).
std::optional<std::string> DecimalOf(const std::string& upper) {
  int width = 0, scale = 0;
  const size_t open = upper.find('(');
  if (open == std::string::npos) return std::nullopt;
  const int found = std::sscanf(upper.c_str() + open, "( %d , %d", &width, &scale);
  if (found < 1 || width < 1 || width > 38 || scale < 0 || scale > width) return std::nullopt;
  return fmt::format("DECIMAL({},{})", width, scale);
}

}  // namespace

Affinity AffinityOf(std::string_view declared) {
  const std::string upper = Upper(declared);
  if (Contains(upper, "INT")) return Affinity::kInteger;
  for (const char* text : {"CHAR", "CLOB", "TEXT"}) {
    if (Contains(upper, text)) return Affinity::kText;
  }
  if (upper.empty() || Contains(upper, "BLOB")) return Affinity::kBlob;
  for (const char* real : {"REAL", "FLOA", "DOUB"}) {
    if (Contains(upper, real)) return Affinity::kReal;
  }
  return Affinity::kNumeric;
}

std::string ReadTypeOf(std::string_view declared) {
  const std::string upper = Upper(declared);
  const std::string first = upper.substr(0, upper.find_first_of(" ("));
  constexpr std::array<std::pair<std::string_view, std::string_view>, 9> kNames{
      {{"BOOL", "BOOLEAN"},
       {"BOOLEAN", "BOOLEAN"},
       {"DATE", "DATE"},
       {"DATETIME", "TIMESTAMP"},
       {"TIME", "TIME"},
       {"TIMESTAMPTZ", "TIMESTAMP WITH TIME ZONE"},
       {"UUID", "UUID"},
       {"JSON", "JSON"},
       {"ANY", ""}}};
  for (const auto& [name, type] : kNames) {
    if (name == first) return std::string(type);
  }
  if (first == "TIMESTAMP")
    return Contains(upper, "WITH TIME ZONE") ? "TIMESTAMP WITH TIME ZONE" : "TIMESTAMP";
  if (first == "DECIMAL" || first == "NUMERIC") {
    if (const auto decimal = DecimalOf(upper)) return *decimal;
  }
  switch (AffinityOf(upper)) {
    case Affinity::kInteger:
      return "BIGINT";
    case Affinity::kText:
      return "VARCHAR";
    case Affinity::kReal:
      return "DOUBLE";
    case Affinity::kBlob:
      return upper.empty() ? "" : "BLOB";
    case Affinity::kNumeric:
      break;
  }
  return "";
}

std::optional<std::string> DeclaredTypeFor(const std::string& type) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 29> kTypes{{
      {"BOOLEAN", "BOOLEAN"},
      {"TINYINT", "INTEGER"},
      {"SMALLINT", "INTEGER"},
      {"INTEGER", "INTEGER"},
      {"BIGINT", "INTEGER"},
      {"UTINYINT", "INTEGER"},
      {"USMALLINT", "INTEGER"},
      {"UINTEGER", "INTEGER"},
      {"UBIGINT", "DECIMAL TEXT(20,0)"},
      {"HUGEINT", "TEXT"},
      {"UHUGEINT", "TEXT"},
      {"FLOAT", "REAL"},
      {"DOUBLE", "REAL"},
      {"VARCHAR", "TEXT"},
      {"INTERVAL", "TEXT"},
      {"BIT", "TEXT"},
      {"TIME WITH TIME ZONE", "TEXT"},
      {"NULL", "TEXT"},
      {"\"NULL\"", "TEXT"},
      {"BLOB", "BLOB"},
      {"DATE", "DATE"},
      {"TIME", "TIME"},
      {"TIMESTAMP", "DATETIME"},
      {"TIMESTAMP_S", "DATETIME"},
      {"TIMESTAMP_MS", "DATETIME"},
      {"TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ"},
      {"UUID", "UUID TEXT"},
      {"JSON", "JSON TEXT"},
      {"NESTED", "JSON TEXT"},
  }};
  const std::string wanted = IsNested(type)              ? "NESTED"
                             : StartsWith(type, "ENUM(") ? "VARCHAR"
                                                         : type;
  for (const auto& [name, declared] : kTypes) {
    if (name == wanted) return std::string(declared);
  }
  const auto decimal = ReadDecimal(type);
  if (!decimal) return std::nullopt;
  return fmt::format("DECIMAL{}({},{})", decimal->width > kExactDigits ? " TEXT" : "",
                     decimal->width, decimal->scale);
}

std::optional<std::string> SentTypeFor(const std::string& row, std::string_view declared,
                                       const std::string& read) {
  const bool nested = IsNested(row);
  if (Trim(declared).empty() || ToLower(declared) == "any") return nested ? "NESTED" : row;
  if (read == "JSON") {
    if (nested) return "NESTED";
    return row == "JSON" || row == "VARCHAR" ? std::optional<std::string>("VARCHAR") : std::nullopt;
  }
  if (read == "VARCHAR") {
    if (row == "TIMESTAMP WITH TIME ZONE") return row;
    return row == "JSON" || duckdb::Widens(row, "VARCHAR") ? std::optional<std::string>("VARCHAR")
                                                           : std::nullopt;
  }
  if (!read.empty()) return duckdb::Widens(row, read) ? std::optional(read) : std::nullopt;
  // A name that SQLite takes for a number: a text of digits would become one.
  for (const char* number : {"BIGINT", "DOUBLE"}) {
    if (duckdb::Widens(row, number)) return number;
  }
  return std::nullopt;
}

bool KeepsDigits(std::string_view decimal) {
  int digits = 0, zeros = 0;
  bool begun = false, point = false;
  for (const char c : decimal) {
    point = point || c == '.';
    if (c < '0' || c > '9') continue;
    begun = begun || c != '0';
    if (!begun) continue;
    zeros = c == '0' ? zeros + 1 : 0;
    ++digits;
  }
  return digits - zeros <= kExactDigits || (!point && digits <= 18);
}

}  // namespace sluice::sqlite
