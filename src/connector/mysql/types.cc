// See types.h.
#include "connector/mysql/types.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdio>
#include <utility>

#include "base/text.h"
#include "connector/duckdb/target.h"

namespace sluice::mysql {
namespace {

constexpr int kMaxScale = 30;  // of a DECIMAL

struct Named {
  std::string_view name, type;
};

constexpr std::array<Named, 5> kUnsigned{{{"tinyint", "UTINYINT"},
                                          {"smallint", "USMALLINT"},
                                          {"mediumint", "UINTEGER"},
                                          {"int", "UINTEGER"},
                                          {"bigint", "UBIGINT"}}};

constexpr std::array<Named, 33> kNames{{{"tinyint", "TINYINT"},
                                        {"smallint", "SMALLINT"},
                                        {"mediumint", "INTEGER"},
                                        {"int", "INTEGER"},
                                        {"bigint", "BIGINT"},
                                        {"float", "FLOAT"},
                                        {"double", "DOUBLE"},
                                        {"year", "SMALLINT"},
                                        {"date", "DATE"},
                                        {"datetime", "TIMESTAMP"},
                                        {"timestamp", "TIMESTAMP WITH TIME ZONE"},
                                        {"time", "TIME"},
                                        {"char", "VARCHAR"},
                                        {"varchar", "VARCHAR"},
                                        {"tinytext", "VARCHAR"},
                                        {"text", "VARCHAR"},
                                        {"mediumtext", "VARCHAR"},
                                        {"longtext", "VARCHAR"},
                                        {"enum", "VARCHAR"},
                                        {"set", "VARCHAR"},
                                        {"null", "VARCHAR"},
                                        {"inet4", "VARCHAR"},
                                        {"inet6", "VARCHAR"},
                                        {"xmltype", "VARCHAR"},
                                        {"uuid", "UUID"},
                                        {"json", "JSON"},
                                        {"binary", "BLOB"},
                                        {"varbinary", "BLOB"},
                                        {"tinyblob", "BLOB"},
                                        {"blob", "BLOB"},
                                        {"mediumblob", "BLOB"},
                                        {"longblob", "BLOB"},
                                        {"boolean", "TINYINT"}}};

bool IsNested(std::string_view type) {
  return EndsWith(type, "]") || StartsWith(type, "STRUCT(") || StartsWith(type, "MAP(") ||
         StartsWith(type, "UNION(");
}

bool IsWhole(std::string_view type) { return duckdb::Widens(type, "HUGEINT"); }

}  // namespace

Type ReadType(std::string_view shown) {
  Type type;
  const std::string lower = ToLower(Trim(shown));
  const size_t end = lower.find_first_of("( ");
  type.name = lower.substr(0, end);
  if (end != std::string::npos && lower[end] == '(')
    std::sscanf(lower.c_str() + end, "(%d,%d", &type.first, &type.second);
  type.is_unsigned = lower.find(" unsigned") != std::string::npos;
  if (type.name == "integer") type.name = "int";
  if (type.name == "numeric") type.name = "decimal";
  return type;
}

std::string ReadTypeOf(const Type& type) {
  if (type.name == "decimal") {
    const bool fits = type.first > 0 && type.first <= 38;
    return fits ? fmt::format("DECIMAL({},{})", type.first, type.second) : "VARCHAR";
  }
  if (type.name == "bit") return type.first <= 1 ? "BOOLEAN" : "UBIGINT";
  if (type.is_unsigned) {
    for (const Named& named : kUnsigned) {
      if (named.name == type.name) return std::string(named.type);
    }
  }
  for (const Named& named : kNames) {
    if (named.name == type.name) return std::string(named.type);
  }
  return "";
}

std::string FetchText(const std::string& quoted, const Type& type, const std::string& wanted) {
  // A bit string would come as bytes, and of a FLOAT the server prints six digits.
  if (type.name == "bit") return fmt::format("({} + 0)", quoted);
  if (type.name == "float" && wanted != "VARCHAR") return fmt::format("({} + 0e0)", quoted);
  return quoted;
}

std::optional<std::string> CreatedTypeFor(const std::string& type, Length length) {
  constexpr std::array<Named, 29> kCreated{{{"BOOLEAN", "TINYINT(1)"},
                                            {"TINYINT", "TINYINT"},
                                            {"SMALLINT", "SMALLINT"},
                                            {"INTEGER", "INT"},
                                            {"BIGINT", "BIGINT"},
                                            {"UTINYINT", "TINYINT UNSIGNED"},
                                            {"USMALLINT", "SMALLINT UNSIGNED"},
                                            {"UINTEGER", "INT UNSIGNED"},
                                            {"UBIGINT", "BIGINT UNSIGNED"},
                                            {"HUGEINT", "DECIMAL(39,0)"},
                                            {"UHUGEINT", "DECIMAL(39,0)"},
                                            {"FLOAT", "FLOAT"},
                                            {"DOUBLE", "DOUBLE"},
                                            {"VARCHAR", "LONGTEXT"},
                                            {"INTERVAL", "VARCHAR(100)"},
                                            {"BIT", "LONGTEXT"},
                                            {"TIME WITH TIME ZONE", "VARCHAR(50)"},
                                            {"NULL", "LONGTEXT"},
                                            {"\"NULL\"", "LONGTEXT"},
                                            {"BLOB", "LONGBLOB"},
                                            {"DATE", "DATE"},
                                            {"TIME", "TIME(6)"},
                                            {"TIMESTAMP", "DATETIME(6)"},
                                            {"TIMESTAMP_S", "DATETIME"},
                                            {"TIMESTAMP_MS", "DATETIME(3)"},
                                            {"TIMESTAMP WITH TIME ZONE", "TIMESTAMP(6)"},
                                            {"UUID", "CHAR(36)"},
                                            {"JSON", "JSON"},
                                            {"NESTED", "JSON"}}};
  if (const auto decimal = ReadDecimal(type)) {
    if (decimal->scale > kMaxScale) return "VARCHAR(50)";
    return fmt::format("DECIMAL({},{})", decimal->width, decimal->scale);
  }
  const std::string wanted = IsNested(type)              ? "NESTED"
                             : StartsWith(type, "ENUM(") ? "VARCHAR"
                                                         : type;
  for (const Named& named : kCreated) {
    if (named.name != wanted) continue;
    if (length == Length::kBounded && named.type == "LONGTEXT") return "VARCHAR(255)";
    if (length == Length::kBounded && named.type == "LONGBLOB") return "VARBINARY(255)";
    return std::string(named.type);
  }
  return std::nullopt;
}

std::optional<std::string> SentTypeFor(const std::string& row, const Type& to) {
  const std::string read = ReadTypeOf(to);
  if (read.empty()) return std::nullopt;
  if (row == "NULL" || row == "\"NULL\"") return "VARCHAR";
  if (row == "BOOLEAN" && (read == "BOOLEAN" || IsWhole(read))) return row;
  if (to.name == "json") {
    if (IsNested(row)) return "NESTED";
    return row == "JSON" || row == "VARCHAR" ? std::optional<std::string>("VARCHAR") : std::nullopt;
  }
  if (to.name == "decimal" && read == "VARCHAR") {
    if (row == "VARCHAR") return row;  // of more than 38 digits: the server reads it, or refuses it
    const auto decimal = ReadDecimal(row);
    const int width = decimal ? decimal->width - decimal->scale : 39;
    const bool fits = (decimal || IsWhole(row)) && width <= to.first - to.second &&
                      (!decimal || decimal->scale <= to.second);
    return fits ? std::optional<std::string>("VARCHAR") : std::nullopt;
  }
  if (read == "VARCHAR") {
    if (row == "TIMESTAMP WITH TIME ZONE") return row;
    return row == "JSON" || duckdb::Widens(row, "VARCHAR") ? std::optional<std::string>("VARCHAR")
                                                           : std::nullopt;
  }
  return duckdb::Widens(row, read) ? std::optional(read) : std::nullopt;
}

std::string QuoteName(std::string_view name) {
  std::string quoted = "`";
  for (const char c : name) quoted += c == '`' ? "``" : std::string(1, c);
  return quoted + "`";
}

bool IsBytes(const Type& type) {
  return type.name == "binary" || type.name == "varbinary" || EndsWith(type.name, "blob");
}

bool IsOrdered(const Type& type) {
  for (const char* other : {"enum", "set", "json", "bit", "float", "double"}) {
    if (type.name == other) return false;
  }
  // Of a decimal with more than 38 digits the literal would be compared as a double.
  const bool wide = type.name == "decimal" && ReadTypeOf(type) == "VARCHAR";
  return !wide && !ReadTypeOf(type).empty();
}

}  // namespace sluice::mysql
