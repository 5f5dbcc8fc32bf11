// DuckDB's vectors into the binary form of COPY. One per thread at a time; it holds no rows.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "connector/postgres/types.h"
#include "sql/pour.h"

namespace sluice::postgres {

struct EncodedColumn {
  std::string name;
  WriteAs write;
};

// The beginning and the end of a stream.
void AppendHeader(std::vector<char>& into);
void AppendTrailer(std::vector<char>& into);

class CopyEncoder {
 public:
  // `constant`: appended to each row as an int8 (the epoch), where it is given.
  CopyEncoder(std::vector<EncodedColumn> columns, std::optional<int64_t> constant);

  // Appends rows [from, to). kData, naming the column, for a value that no PostgreSQL has: a NUL
  // in a text, a year beyond its calendar.
  Status Append(std::span<const sql::VectorView> columns, uint64_t from, uint64_t to,
                std::vector<char>& into) const;

 private:
  struct Placed {
    EncodedColumn column;
    std::string cast;  // the element's, of a list
    int decimal_bytes = 0, scale = 0;
    bool text = false;
  };

  Status Value(const Placed& placed, const sql::VectorView& view, uint64_t row,
               std::vector<char>& into) const;
  Status List(const Placed& placed, const sql::VectorView& view, uint64_t row,
              std::vector<char>& into) const;

  std::vector<Placed> columns_;
  std::optional<int64_t> constant_;
};

}  // namespace sluice::postgres
