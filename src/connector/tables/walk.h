// The order in which a table is read range by range: by its primary key, or by a cursor with its
// key (connector/position.h).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "connector/tables/system.h"
#include "data/range.h"

namespace sluice::tables {

struct Walk {
  explicit Walk(const System& of) : system(&of) {}

  const System* system;
  std::vector<TableColumn> columns;
  bool starts_over = false;  // a later run reads all rows again

  bool empty() const { return columns.empty(); }
  std::vector<std::string> Names() const;
  std::string Texts() const;                              // what a position is made of
  std::string OrderBy(std::string_view direction) const;  // "a" DESC, "b" DESC
  // Rows after a position, and those up to it. Written out as a > x OR (a = x AND b > y), for which
  // every system uses its indexes.
  Result<std::string> Beyond(const std::string& position) const;
  Result<std::string> UpTo(const std::string& position) const;
  // Conditions that together are a long range of one whole number, for readers to share; empty: it
  // is not worth it.
  bool IsOneNumber() const;
  std::vector<std::string> Split(const Cut& cut, int64_t readers) const;

 private:
  Result<std::vector<std::string>> Literals(const std::string& position) const;
};

}  // namespace sluice::tables
