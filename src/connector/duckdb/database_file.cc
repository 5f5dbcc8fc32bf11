// See database_file.h.
#include "connector/duckdb/database_file.h"

#include <fmt/format.h>

#include <charconv>
#include <utility>
#include <vector>

#include "base/text.h"

namespace sluice::duckdb {

std::string AliasOf(const std::string& path) {
  std::string name = "file_";
  for (const char c : FileStem(path)) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    name += plain ? c : '_';
  }
  return name + "_" + Fingerprint(path).substr(0, 8);
}

Result<TableName> ParseTableName(std::string_view text) {
  return sluice::ParseTableName(text, "main");
}

std::string Format(const TableName& table) {
  return table.schema == "main" ? table.name : table.schema + "." + table.name;
}

DatabaseFile::DatabaseFile(std::string shown, std::string path, Files& files,
                           sql::Database& database)
    : shown_(std::move(shown)), path_(std::move(path)), files_(files), database_(database) {}

bool DatabaseFile::Exists() const { return files_.Exists(path_); }

Result<std::unique_ptr<sql::Session>> DatabaseFile::Open(sql::Access access) {
  if (alias_.empty()) {
    alias_ = TRY(
        database_.Attach(path_, AliasOf(path_), access).While(fmt::format("opening '{}'", shown_)));
  }
  return database_.Connect();
}

std::string DatabaseFile::Quoted(const TableName& table) const {
  return Quoted(table.schema, table.name);
}

std::string DatabaseFile::Quoted(std::string_view schema, std::string_view name) const {
  return QuoteIdentifier(alias_) + "." + QuoteIdentifier(schema) + "." + QuoteIdentifier(name);
}

sql::Bound TextValue(std::string name, std::string text) {
  return {.name = std::move(name), .type = "VARCHAR", .text = std::move(text)};
}

Result<bool> TableExists(sql::Session& session, const std::string& alias, const TableName& table) {
  return TRY(session.Table(alias, table.schema, table.name)).has_value();
}

Result<int64_t> QueryNumber(sql::Session& session, std::string_view text,
                            const std::vector<sql::Bound>& bound, std::stop_token stop) {
  const sql::Rows rows = TRY(session.Query(text, bound, stop));
  if (rows.rows.empty() || rows.rows[0].empty())
    return InternalError("a query for a number gave no row");
  const sql::Cell& cell = rows.rows[0][0];
  if (cell.null) return int64_t{0};
  int64_t number = 0;
  std::from_chars(cell.text.data(), cell.text.data() + cell.text.size(), number);
  return number;
}

}  // namespace sluice::duckdb
