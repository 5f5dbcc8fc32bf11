// What all verbs do with an expression of the user: expand its `{{ }}`, let DuckDB's parser read
// it, refuse what it may not contain, and find its type. Every refusal is placed in the user's
// file.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "data/schema.h"
#include "relation/relation.h"
#include "spec/field.h"
#include "sql/parse.h"
#include "transform/verb.h"

namespace sluice {

// One expression, read and checked.
struct Term {
  std::string name;  // of the column it gives; may be empty
  Written written;
  std::string sql;
  std::vector<relation::Bound> bound;
  sql::ExpressionFacts facts;
};

// Where an expression stands decides what it may hold.
enum class Place : uint8_t {
  kRow,    // of one row: no aggregates
  kGroup,  // of a group: must aggregate
  kSides,  // of two rows that are joined: columns may be written step.column, and are checked by
           // the join
};

Result<Term> ReadTerm(std::string name, const Written& written, const Schema& columns, Place place,
                      LowerContext& context);
// name -> expression, where a name alone is the column of that name; names that repeat are errors.
Result<std::vector<Term>> ReadTerms(const std::vector<NamedWritten>& written, const Schema& columns,
                                    Place place, LowerContext& context);
Status RefuseRepeats(const std::vector<NamedWritten>& names);

// "no column 'amont' in the rows of 'orders'; did you mean 'amount'?"
Error UnknownColumn(std::string_view column, const Schema& columns);

// The columns that `SELECT <terms> FROM <from> <tail>` gives; an error is placed in the term that
// causes it.
Result<Schema> DescribeTerms(const std::vector<Term>& terms, const std::string& from,
                             const std::string& tail, LowerContext& context);
Result<Schema> DescribeText(const std::string& select, const std::vector<relation::Bound>& bound,
                            LowerContext& context, int64_t* offset = nullptr);

// The term as a value that never throws, with the fate of rows for which it fails; as it was
// written unless the step rejects rows.
struct Total {
  std::string sql;
  std::optional<relation::Fate> fate;
};
Result<Total> MakeTotal(const Term& term, std::string_view name, const Schema& columns,
                        LowerContext& context);

// `rows` without those that have a fate; the same node where there is none.
relation::Ref SiftOut(relation::Ref rows, std::vector<relation::Fate> fates,
                      std::vector<relation::Bound> bound, const std::string& step);

std::vector<relation::Named> ToNamed(const std::vector<Term>& terms);
std::vector<relation::Bound> BoundOf(const std::vector<Term>& terms);
void Merge(std::vector<relation::Bound>& into, const std::vector<relation::Bound>& from);
std::vector<sql::Bound> ToSql(const std::vector<relation::Bound>& bound);

}  // namespace sluice
