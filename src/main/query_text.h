// The query that a user typed, as DuckDB takes it: one statement that only reads, in which a
// connection's name before a table stands for its file, whatever that is called in the process.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "sql/database.h"

namespace sluice {

class QueryText {
 public:
  // `files`: connection -> the alias of its file. kConfig where `typed` is anything else than one
  // SELECT (or SHOW, DESCRIBE, SUMMARIZE), calls what is sluice's own, or is no SQL: with its
  // place.
  static Result<QueryText> Read(const std::string& typed,
                                const std::map<std::string, std::string>& files,
                                sql::Session& session);

  const std::string& text() const { return text_; }
  bool reads_files() const { return reads_files_; }  // CSV, Parquet … by name
  // The place of what is at `offset` in text(), in what was typed.
  Mark PlaceOf(int64_t offset) const;

 private:
  explicit QueryText(std::string typed) : typed_(std::move(typed)) {}
  Status Check(sql::Session& session);
  Status Rename(const std::map<std::string, std::string>& files, sql::Session& session);

  struct Replaced {
    size_t at, length;  // in typed_
    std::string by;
  };

  std::string typed_, text_;
  size_t body_ = 0;  // where the SELECT begins, or the name after DESCRIBE
  bool about_ = false, reads_files_ = false;
  std::vector<Replaced> replaced_;
};

}  // namespace sluice
