// One .duckdb file as a destination or a source: attached on first use under an alias that no
// user's SQL would name.
//
// Invariant: nobody here creates the file by looking at it. `Look` leaves a missing file missing;
// `Open` creates it.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/files.h"
#include "base/result.h"
#include "connector/table_name.h"
#include "sql/database.h"

namespace sluice::duckdb {

// "orders" is main.orders.
Result<TableName> ParseTableName(std::string_view text);
std::string Format(const TableName& table);  // "shop.orders"

// The same file gives the same alias in every process, so that plans of two runs can be compared.
std::string AliasOf(const std::string& path);

class DatabaseFile {  // one thread
 public:
  // `shown` is the path as the user wrote it, `path` the one to open.
  DatabaseFile(std::string shown, std::string path, Files& files, sql::Database& database);

  bool Exists() const;
  // Creates the file where it is missing, attaches it, connects.
  Result<std::unique_ptr<sql::Session>> Open(sql::Access access = sql::Access::kReadWrite);

  const std::string& shown() const { return shown_; }
  // REQUIRES: Open has succeeded.
  const std::string& alias() const { return alias_; }
  std::string Quoted(const TableName& table) const;  // "alias"."schema"."name"
  std::string Quoted(std::string_view schema, std::string_view name) const;
  sql::Turns& turns() const { return database_.turns(); }

 private:
  std::string shown_, path_, alias_;
  Files& files_;
  sql::Database& database_;
};

// A value for `CAST($name AS VARCHAR)`.
sql::Bound TextValue(std::string name, std::string text);
Result<bool> TableExists(sql::Session& session, const std::string& alias, const TableName& table);
// The first value of the first row as a number; 0 where it is NULL.
Result<int64_t> QueryNumber(sql::Session& session, std::string_view text,
                            const std::vector<sql::Bound>& bound = {}, std::stop_token stop = {});

}  // namespace sluice::duckdb
