// derive: all columns of the input, with the named ones added at the end or replaced where they
// stand.
#include <algorithm>

#include "base/text.h"
#include "transform/builtin.h"
#include "transform/map.h"

namespace sluice {
namespace {

Result<Lowered> LowerDerive(const Node& body, const std::vector<StepInput>& inputs,
                            LowerContext& context) {
  Schema columns = inputs[0].rows->schema;
  std::vector<Assignment> assignments = TRY(ReadAssignments(body, "derive", columns, context));
  Gathered made = TRY(Gather(assignments, columns, Visible(columns), context));
  Gathered all{.columns = {}, .fates = std::move(made.fates)};
  for (const Column& column : Visible(columns)) {
    auto same = [&](const Term& term) { return ToLower(term.name) == ToLower(column.name); };
    auto replaced = std::find_if(made.columns.begin(), made.columns.end(), same);
    if (replaced == made.columns.end()) {
      all.columns.push_back({.name = column.name,
                             .written = {},
                             .sql = QuoteIdentifier(column.name),
                             .bound = {},
                             .facts = {}});
      continue;
    }
    all.columns.push_back(*replaced);
    made.columns.erase(replaced);
  }
  all.columns.insert(all.columns.end(), made.columns.begin(), made.columns.end());
  return ProjectTerms(inputs[0], assignments, std::move(all), context);
}

}  // namespace

Verb DeriveVerb() {
  return VerbOfNames("derive", "Gives all columns, with the named ones added or replaced.",
                     LowerDerive);
}

}  // namespace sluice
