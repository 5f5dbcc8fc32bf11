// See hive.h.
#include "connector/file/hive.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/text.h"

namespace sluice {
namespace {

constexpr std::string_view kNull = "__HIVE_DEFAULT_PARTITION__";

int HexOf(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

std::string Decoded(std::string_view text) {
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool code =
        text[i] == '%' && i + 2 < text.size() && HexOf(text[i + 1]) >= 0 && HexOf(text[i + 2]) >= 0;
    decoded += code ? static_cast<char>(HexOf(text[i + 1]) * 16 + HexOf(text[i + 2])) : text[i];
    i += code ? 2 : 0;
  }
  return decoded;
}

}  // namespace

std::map<std::string, std::optional<std::string>> HiveValues(const std::string& path) {
  std::map<std::string, std::optional<std::string>> values;
  std::vector<std::string> parts = Split(path, '/');
  parts.pop_back();  // the file's own name says nothing
  for (const std::string& part : parts) {
    const size_t equals = part.find('=');
    if (equals == std::string::npos || equals == 0) continue;
    const std::string value = part.substr(equals + 1);
    values[Decoded(part.substr(0, equals))] =
        value == kNull ? std::nullopt : std::optional<std::string>(Decoded(value));
  }
  return values;
}

Result<Schema> HiveColumns(sql::Session& session, const std::vector<ListedFile>& files) {
  std::map<std::string, std::set<std::string>> seen;  // name -> its values
  for (size_t i = 0; i < files.size(); ++i) {
    const auto values = HiveValues(files[i].partition);
    if (i > 0) std::erase_if(seen, [&](const auto& one) { return !values.contains(one.first); });
    for (const auto& [name, value] : values) {
      if (i > 0 && !seen.contains(name)) continue;
      std::set<std::string>& all = seen[name];
      if (value) all.insert(*value);
    }
  }
  Schema columns;
  for (const auto& [name, values] : seen) {
    std::string rows;
    for (const std::string& value : values)
      rows += fmt::format("{}({})", rows.empty() ? "" : ", ", QuoteLiteral(value));
    std::string type = "VARCHAR";
    if (!rows.empty()) {
      const sql::Rows fits = TRY(session.Query(
          fmt::format("SELECT bool_and(TRY_CAST(v AS BIGINT)::VARCHAR = v), bool_and(TRY_CAST(v AS "
                      "DATE)::VARCHAR = v) FROM (VALUES {}) t(v)",
                      rows)));
      if (fits.rows.at(0).at(0).text == "true") type = "BIGINT";
      if (fits.rows.at(0).at(1).text == "true") type = "DATE";
    }
    columns.push_back({.name = name, .type = type});
  }
  return columns;
}

std::optional<std::string> HiveLiteral(const std::string& path, const Column& column) {
  for (const auto& [name, value] : HiveValues(path)) {
    if (ToLower(name) != ToLower(column.name)) continue;
    return fmt::format("CAST({} AS {})", value ? QuoteLiteral(*value) : "NULL", column.type);
  }
  return std::nullopt;
}

}  // namespace sluice
