// See hive.h.
#include "connector/file/hive.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/hex.h"
#include "base/text.h"

namespace sluice {
namespace {

constexpr std::string_view kNull = "__HIVE_DEFAULT_PARTITION__";

}  // namespace

std::map<std::string, std::optional<std::string>> HiveValues(const std::string& path) {
  std::map<std::string, std::optional<std::string>> values;
  std::vector<std::string> parts = Split(path, '/');
  parts.pop_back();  // the file's own name says nothing
  for (const std::string& part : parts) {
    const size_t equals = part.find('=');
    if (equals == std::string::npos || equals == 0) continue;
    const std::string value = part.substr(equals + 1);
    values[DecodePercent(part.substr(0, equals))] =
        value == kNull ? std::nullopt : std::optional<std::string>(DecodePercent(value));
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
          fmt::format("SELECT bool_and(coalesce(TRY_CAST(v AS BIGINT)::VARCHAR = v, false)), "
                      "bool_and(coalesce(TRY_CAST(v AS DATE)::VARCHAR = v, false)) FROM (VALUES "
                      "{}) t(v)",
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
