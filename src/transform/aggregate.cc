// aggregate: one row per group.
#include <fmt/core.h>

#include "relation/render.h"
#include "transform/builtin.h"
#include "transform/expression.h"

namespace sluice {
namespace {

struct AggregateConfig {
  std::vector<NamedWritten> by, select;
};
Spec<AggregateConfig> AggregateSpec() {
  return Spec<AggregateConfig>("aggregate", "Gives one row per group.")
      .Names(&AggregateConfig::by, "by",
             "What makes a group: a column, a list, or name -> expression; absent: all rows are "
             "one group.",
             Slot::kColumn, "column, list, or map name -> expression")
      .Names(&AggregateConfig::select, "select", "Name -> aggregate.", Slot::kColumn,
             "map name -> aggregate", Need::kRequired);
}

Result<Lowered> LowerAggregate(const Node& body, const std::vector<StepInput>& inputs,
                               LowerContext& context) {
  AggregateConfig config = TRY(AggregateSpec().Bind(body));
  const Schema columns = Visible(inputs[0].rows->schema);
  std::vector<NamedWritten> all = config.by;
  all.insert(all.end(), config.select.begin(), config.select.end());
  TRY(RefuseRepeats(all));
  std::vector<Term> keys = TRY(ReadTerms(config.by, columns, Place::kRow, context));
  for (const NamedWritten& item : config.select) {
    if (item.value.empty())
      return ConfigError(item.mark, fmt::format("'{}' needs an aggregate: {{ {}: sum(…) }}",
                                                item.name, item.name));
  }
  std::vector<Term> values = TRY(ReadTerms(config.select, columns, Place::kGroup, context));
  std::vector<Term> terms = keys;
  terms.insert(terms.end(), values.begin(), values.end());
  Schema schema = TRY(DescribeTerms(terms, relation::EmptyInput(columns),
                                    keys.empty() ? "" : "GROUP BY ALL", context));
  relation::Aggregate aggregate{inputs[0].rows, ToNamed(keys), ToNamed(values)};
  return Lowered{
      relation::Make(std::move(aggregate), std::move(schema), context.step, BoundOf(terms)),
      Reach::kWhole};
}

}  // namespace

Verb AggregateVerb() {
  return {.facts = AggregateSpec().facts(), .lower = LowerAggregate, .mentions = {}};
}

}  // namespace sluice
