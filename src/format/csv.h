// CSV by DuckDB, with nothing left to its guesses at read time: the dialect is sniffed first, then
// every column is declared, and each line that does not fit is kept as a letter instead of ending
// the read or vanishing.
#pragma once

#include <stop_token>
#include <string>
#include <vector>

#include "base/result.h"
#include "data/block.h"
#include "data/schema.h"
#include "sql/database.h"

namespace sluice::format {

struct CsvDialect {
  std::string delimiter = ",", quote = "\"", escape = "\"", newline, comment;
  std::string date_format, timestamp_format;  // empty: ISO
  std::string encoding;                       // empty: UTF-8
  bool header = true;
  int64_t skip = 0;

  auto operator<=>(const CsvDialect&) const = default;
};

// What the user says about the files; what is not said is sniffed. Empty: not said.
struct CsvTold {
  std::string delimiter, quote, encoding;
  std::string header;  // "on", "off"
  int64_t skip = 0;    // lines before the header

  bool operator==(const CsvTold&) const = default;
};

struct CsvFacts {
  CsvDialect dialect;
  Schema columns;  // in the order of the file; column0, column1, … where there is no header
};

// `head`: the first bytes of the file, for its byte order mark. `wanted` (may be empty): the names
// that the file should have; they tell a header from a first row where all columns are text.
Result<CsvFacts> SniffCsv(sql::Session& session, const std::string& path, std::string_view head,
                          const std::vector<std::string>& wanted, const CsvTold& told,
                          std::stop_token stop);

// A FROM item over files of one dialect and one order of columns. `columns`: names and types in the
// order of the files. Bad lines go to the tables `<rejects>_errors` and `<rejects>_scans` of the
// session's transaction. `file_column`: where not empty, a column more that holds a row's file.
std::string ReadCsv(const std::vector<std::string>& paths, const CsvDialect& dialect,
                    const Schema& columns, const std::string& rejects,
                    const std::string& file_column = "");

// One letter per bad line, the file's path as its partition; then the tables are gone. Before the
// transaction ends.
Result<std::vector<Letter>> TakeCsvRejects(sql::Session& session, const std::string& rejects);

}  // namespace sluice::format
