// filter: keeps the rows for which the condition is true. A row for which it is false or null
// leaves as filtered.
#include <fmt/core.h>

#include "relation/render.h"
#include "transform/builtin.h"
#include "transform/expression.h"

namespace sluice {
namespace {

struct FilterConfig {
  Written where;
};
Spec<FilterConfig> FilterSpec() {
  return Spec<FilterConfig>("filter", "Keeps the rows for which a condition is true.")
      .Main("where")
      .Expression(&FilterConfig::where, "where",
                  "SQL condition; a row for which it is null leaves too.", Need::kRequired);
}

Result<Lowered> LowerFilter(const Node& body, const std::vector<StepInput>& inputs,
                            LowerContext& context) {
  FilterConfig config = TRY(FilterSpec().Bind(body));
  const Schema& columns = inputs[0].rows->schema;
  Term term = TRY(ReadTerm("where", config.where, columns, Place::kRow, context));
  Schema type = TRY(DescribeTerms({term}, relation::EmptyInput(Visible(columns)), "", context));
  if (type.at(0).type != "BOOLEAN") {
    return ConfigError(config.where.mark,
                       fmt::format("'{}' is a {}, not a condition that is true or false",
                                   config.where.text, type.at(0).type));
  }
  Total total = TRY(MakeTotal(term, "where", columns, context));
  std::vector<relation::Fate> fates;
  if (total.fate) fates.push_back(std::move(*total.fate));
  fates.push_back({.kind = relation::FateKind::kFiltered,
                   .step = context.step,
                   .applies = {fmt::format("({}) IS NOT TRUE", total.sql), config.where.mark},
                   .keeps = total.sql});
  return Lowered{SiftOut(inputs[0].rows, std::move(fates), term.bound, context.step), Reach::kRow};
}

}  // namespace

Verb FilterVerb() { return {.facts = FilterSpec().facts(), .lower = LowerFilter, .mentions = {}}; }

}  // namespace sluice
