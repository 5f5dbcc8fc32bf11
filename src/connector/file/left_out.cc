// See left_out.h.
#include "connector/file/left_out.h"

#include <fmt/format.h>

#include <optional>

#include "base/text.h"
#include "connector/file/hive.h"

namespace sluice {
namespace {

std::optional<ComparedAs> ComparedType(const std::string& type) {
  if (type == "VARCHAR") return ComparedAs::kText;
  if (type == "DATE") return ComparedAs::kDate;
  for (const char* whole : {"TINYINT", "SMALLINT", "INTEGER", "BIGINT"}) {
    if (type == whole) return ComparedAs::kNumber;
  }
  return std::nullopt;
}

// The columns, with the types of `schema`, that all paths say and that can be compared.
Result<Schema> Compared(sql::Session& session, const std::vector<ListedFile>& files,
                        const Schema& schema) {
  Schema compared;
  for (const Column& said : TRY(HiveColumns(session, files))) {
    for (const Column& column : schema) {
      if (ToLower(column.name) == ToLower(said.name) && ComparedType(column.type))
        compared.push_back({.name = said.name, .type = column.type});
    }
  }
  return compared;
}

}  // namespace

Result<Pushdown> ComparedByPaths(sql::Session& session, const std::vector<ListedFile>& files,
                                 const Schema& schema) {
  Pushdown pushdown{.columns = {}, .literal = QuoteLiteral};
  for (const Column& column : TRY(Compared(session, files, schema)))
    pushdown.columns[ToLower(column.name)] = {QuoteIdentifier(column.name),
                                              *ComparedType(column.type)};
  return pushdown;
}

Result<std::vector<size_t>> LeftOut(sql::Session& session, const std::vector<ListedFile>& files,
                                    const Schema& schema, const std::string& condition) {
  const Schema compared = TRY(Compared(session, files, schema));
  std::string names = "_sluice_file", values = "_sluice_file", odd = "false", rows;
  for (size_t c = 0; c < compared.size(); ++c) {
    const std::string value = fmt::format("TRY_CAST(_sluice_{} AS {})", c, compared[c].type);
    names += fmt::format(", _sluice_{}", c);
    values += fmt::format(", {} AS {}", value, QuoteIdentifier(compared[c].name));
    odd += fmt::format(" OR (_sluice_{} IS NOT NULL AND {} IS NULL)", c, value);
  }
  for (size_t i = 0; i < files.size(); ++i) {
    const auto said = HiveValues(files[i].partition);
    rows += fmt::format("{}({}", i == 0 ? "" : ", ", i);
    for (const Column& column : compared) {
      const std::optional<std::string>& value = said.at(column.name);
      rows += ", " + (value ? QuoteLiteral(*value) : "NULL::VARCHAR");
    }
    rows += ")";
  }
  const sql::Rows found = TRY(session.Query(
      fmt::format("SELECT _sluice_file FROM (SELECT {}, {} AS _sluice_odd FROM (VALUES {}) t({})) "
                  "WHERE NOT _sluice_odd AND ({}) IS NOT TRUE ORDER BY 1",
                  values, odd, rows, names, condition)));
  std::vector<size_t> left_out;
  for (const auto& row : found.rows) left_out.push_back(std::stoul(row.at(0).text));
  return left_out;
}

Result<std::set<std::string>> SayOtherwise(sql::Session& session,
                                           const std::vector<ListedFile>& files) {
  std::string paths, said;
  for (const ListedFile& file : files) {
    paths += fmt::format("{}{}", paths.empty() ? "" : ", ", QuoteLiteral(file.path));
    for (const auto& [name, value] : HiveValues(file.partition)) {
      said +=
          fmt::format("{}({}, {}, {})", said.empty() ? "" : ", ", QuoteLiteral(file.path),
                      QuoteLiteral(ToLower(name)), value ? QuoteLiteral(*value) : "NULL::VARCHAR");
    }
  }
  const sql::Rows rows = TRY(session.Query(fmt::format(
      "SELECT DISTINCT s.path FROM parquet_metadata([{}]) m JOIN (VALUES {}) s(path, name, value) "
      "ON m.file_name = s.path AND lower(m.path_in_schema) = s.name WHERE CASE WHEN s.value IS "
      "NULL "
      "THEN m.stats_null_count IS DISTINCT FROM m.num_values ELSE m.stats_null_count IS DISTINCT "
      "FROM 0 OR m.stats_min_value IS DISTINCT FROM s.value OR m.stats_max_value IS DISTINCT FROM "
      "s.value END",
      paths, said)));
  std::set<std::string> others;
  for (const auto& row : rows.rows) others.insert(row.at(0).text);
  return others;
}

}  // namespace sluice
