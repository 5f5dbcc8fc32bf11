// Rows of a query as JSON, one object each: what a program reads.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "relation/program.h"
#include "sql/pour.h"

namespace sluice {

class RowText {  // one thread
 public:
  explicit RowText(const std::vector<relation::Given>& columns);

  // Appends the row, without a line feed. A number that JSON cannot say is kData, and nothing is
  // appended.
  Status Append(std::span<const sql::VectorView> columns, uint64_t row, std::string& text) const;

 private:
  struct Field {
    relation::Wire wire;
    std::string name, key;  // key: ,"name":
  };
  std::vector<Field> fields_;
};

}  // namespace sluice
