// SQL of the user's with values of ours in it: each `CAST($name AS type)` and `$name` becomes a
// literal, because these systems know neither the names nor DuckDB's types.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "sql/database.h"

namespace sluice::tables {

struct Quoting {
  std::string_view quotes;   // what begins and ends a quoted text or name
  bool backslashes = false;  // escape within '' and ""
  bool hashes = false;       // # begins a comment
};

// Leaves what stands in quotes and comments as it is.
std::string WithValues(const std::string& text, const std::vector<sql::Bound>& bound,
                       const Quoting& quoting,
                       const std::function<std::string(const sql::Bound&)>& literal);

// The first words of the statements in `text`, in capitals: "CREATE TEMPORARY", "INSERT INTO".
std::vector<std::string> Beginnings(const std::string& text, const Quoting& quoting);

}  // namespace sluice::tables
