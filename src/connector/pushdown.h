// A filter right behind an extract, as far as the system that is read can decide it.
//
// The one rule: every row for which the filter is true passes. What passes besides, DuckDB filters
// out; so a comparison that a system makes more loosely (texts under a collation, blanks at the
// end) is safe where it is = and nowhere else.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sql/condition.h"
#include "sql/database.h"

namespace sluice {

// How a system compares a column's values with constants.
enum class ComparedAs : uint8_t { kNumber, kText, kBoolean, kDate, kTimestamp, kTimestampZone };

struct ComparedColumn {
  std::string quoted;
  ComparedAs as = ComparedAs::kNumber;
};

struct Pushdown {
  std::map<std::string, ComparedColumn>
      columns;  // names in lower case; the others are not compared
  std::function<std::string(std::string_view)> literal;  // of a text, as the system's SQL has it
};

// The system's SQL of what it can decide of the conjuncts; empty: nothing.
std::string ConditionText(const std::vector<sql::Condition>& conjuncts,
                          const std::vector<sql::Bound>& bound, const Pushdown& pushdown);

// Both, where there are two.
std::string BothConditions(const std::string& one, const std::string& other);

}  // namespace sluice
