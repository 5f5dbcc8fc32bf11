// What of a condition another system could decide as DuckDB does: comparisons of columns with
// values, and what AND and OR make of them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace sluice::sql {

struct Operand {
  enum class Kind : uint8_t { kNumber, kText, kBoolean, kBound };
  Kind kind = Kind::kText;
  std::string text;  // "5", "-1.50"; the text; "true"; the name of a bound value
};

struct Condition {
  enum class Kind : uint8_t { kAll, kAny, kCompare, kIn, kNull, kNotNull };
  Kind kind = Kind::kCompare;
  std::vector<Condition> parts;    // of kAll and kAny
  std::string column;              // as written
  std::string comparison;          // "=", "<>", "<", "<=", ">", ">="
  std::vector<Operand> constants;  // one, or those of kIn
};

}  // namespace sluice::sql
