// Rows in the form that LOAD DATA reads: fields between tabs, rows between line feeds, what could
// be mistaken for either behind a backslash, \N for NULL; blobs in hex.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "connector/mysql/types.h"
#include "connector/tables/sending.h"

namespace sluice::mysql {

class RowsText {  // holds no rows: any thread
 public:
  explicit RowsText(std::vector<tables::SentColumn> columns);

  // Appends rows [0, rows). kData, naming the column, for a value that MySQL would change or has
  // not: NaN, NULL where it would make up a number, more digits of a second than the column keeps.
  Status Append(std::span<const sql::VectorView> columns, uint64_t rows,
                std::vector<char>& into) const;

  // "(`a`, @v1) SET `b` = UNHEX(@v1), `_sluice_epoch` = 7"
  std::string Target(const std::vector<std::string>& quoted, const std::string& epoch) const;

 private:
  struct Placed {
    tables::SentColumn column;
    tables::Shape shape;
    Type to;
    bool zoned = false;  // a time in UTC on its way into a text
  };
  static Status Null(const Placed& placed, std::vector<char>& into);
  static Status Value(const Placed& placed, const sql::VectorView& view, uint64_t row,
                      std::vector<char>& into);

  std::vector<Placed> columns_;
};

}  // namespace sluice::mysql
