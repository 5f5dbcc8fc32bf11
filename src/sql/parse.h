// What a user's SQL says, by DuckDB's own parser: never by regular expressions of ours.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "data/schema.h"
#include "sql/condition.h"
#include "sql/database.h"

namespace sluice::sql {

struct ExpressionFacts {
  std::vector<std::string> columns;  // column references as written: "a" or "t.a" (dotted), without
                                     // repeats; of lambdas only what is from outside
  std::vector<int64_t> offsets;      // of each column in the text, -1 unknown
  std::vector<std::string> functions;  // lower case, operators included as "+", "||", …
  std::string column;  // the whole expression is one bare column reference: its name; else empty
  bool aggregates = false;  // calls an aggregate function
  bool subqueries = false;
  bool windows = false;
  bool stars = false;  // * or COLUMNS(…); count(*) is none
};

// A whole expression that is one call of an aggregate function with at most one argument, and
// nothing else (no DISTINCT, FILTER, ORDER BY): what may be computed from partial results.
struct PlainAggregate {
  std::string function;  // lower case; "count_star" for count(*)
  std::string argument;  // SQL; empty: none
};

struct SelectFacts {
  bool select = false;              // one SELECT (or WITH … SELECT); else any other statement(s)
  std::vector<std::string> tables;  // base tables, CTE names in scope excluded, as written ("a",
                                    // "schema.a"), without repeats
  std::vector<int64_t> offsets;     // of the first mention of each table, -1 unknown
  std::set<std::string> once;       // tables that are read exactly once
  std::vector<std::string> functions;
  std::vector<std::string> table_functions;  // FROM range(3)
  bool unordered_limit = false;
};

// A name of several parts, as written: a table, or a column from its table on.
struct DottedName {
  std::vector<std::string> parts;  // without quotes
  int64_t offset = -1;             // in the text, -1 unknown
  bool table = false;
};

// A value that a row may fail to have: `value` never throws, `bad` says when it has failed (never
// NULL), `message` (SQL, VARCHAR) tells what was wrong with the row. `can_fail` false: value is the
// expression as it was, bad is 'false'.
struct Fallible {
  std::string value, bad, message;
  std::string code;  // of the letter: "cast" where only casts can fail, else "expression"
  bool can_fail = false;
};

class Parser {  // owns a session; one thread
 public:
  explicit Parser(Session& session) : session_(session) {}

  // `text` is one SQL expression; `$name` parameters are allowed. kConfig with the byte offset in
  // `offset` where it does not parse.
  Result<ExpressionFacts> Expression(std::string_view text, int64_t* offset = nullptr);
  Result<std::optional<PlainAggregate>> Aggregate(std::string_view text);
  // Of a condition: the parts of its outermost AND that are comparisons of columns with values and
  // nothing else.
  Result<std::vector<Condition>> Conjuncts(std::string_view text);
  Result<SelectFacts> Select(std::string_view text, int64_t* offset = nullptr);
  // The names of several parts in one SELECT, in the order of their places.
  Result<std::vector<DottedName>> DottedNames(std::string_view text);
  // Casts in strict positions become TRY_CAST with "input not null, output null"; what else can
  // throw (integer arithmetic, casts under CASE or COALESCE, functions not known to be total) is
  // wrapped as TRY({'v': …}). DESIGN §9. A part that is decided without the failing one is no
  // failure: `n > 0 AND CAST(a AS int) > 5` is false where n is 0. `name` is the column it gives,
  // for the message. `columns` (may be empty) tells types, so that fewer parts need TRY.
  Result<Fallible> MakeFallible(std::string_view expression, std::string_view name,
                                const Schema& columns = {});

 private:
  Result<Json> Tree(std::string_view text, int64_t* offset);            // of one SELECT
  Result<Json> ExpressionTree(std::string_view text, int64_t* offset);  // of one expression
  Result<std::vector<std::string>> Texts(const std::vector<Json>& trees);

  Session& session_;
};

}  // namespace sluice::sql
