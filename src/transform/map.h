// Columns that the user names, for map (exactly these) and derive (all, with these added or
// replaced).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "spec/node.h"
#include "transform/expression.h"

namespace sluice {

// One name and what it is to be. A nested name (`address.city`) is a path into structs.
struct Assignment {
  std::vector<std::string> path;
  Mark mark;
  Term term;
  std::string description;
};

Result<std::vector<Assignment>> ReadAssignments(const Node& body, std::string_view verb,
                                                const Schema& columns, LowerContext& context);

// The assignments as columns, those under one name gathered into a struct; `existing` fields of a
// struct stay beside them.
struct Gathered {
  std::vector<Term> columns;
  std::vector<relation::Fate> fates;
};
Result<Gathered> Gather(const std::vector<Assignment>& assignments, const Schema& columns,
                        const Schema& existing, LowerContext& context);

// Sift and project; `columns` in order. Hidden columns go on.
Result<Lowered> ProjectTerms(const StepInput& input, const std::vector<Assignment>& assignments,
                             Gathered gathered, LowerContext& context);

// A verb whose keys are the user's own names.
Verb VerbOfNames(std::string_view name, std::string_view summary, decltype(Verb::lower) lower);

}  // namespace sluice
