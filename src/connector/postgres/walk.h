// The order in which a table is read range by range: by its primary key, or by a cursor with its
// key (connector/position.h).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "connector/postgres/connection.h"
#include "data/range.h"

namespace sluice::postgres {

struct Walk {
  std::vector<std::string> columns;
  std::vector<std::string> types;  // as SQL writes them
  bool starts_over = false;        // a later run reads all rows again

  bool empty() const { return columns.empty(); }
  std::string Columns() const;                            // ("a", "b")
  std::string OrderBy(std::string_view direction) const;  // "a" DESC, "b" DESC
  std::string Texts() const;                              // what a position is made of
  std::string Tuple(const std::vector<std::string>& values) const;
};

// Conditions that together are a long range of one whole number, for readers to share; empty: it is
// not worth it.
std::vector<std::string> SplitKeys(const Walk& walk, const Cut& cut, int64_t readers);

}  // namespace sluice::postgres
