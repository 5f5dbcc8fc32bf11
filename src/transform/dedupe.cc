// dedupe: one row per key. Over the whole input it is the first or last in a total order; `within`
// a time, over event time, it is keyed state: the first row stays and those up to that time after
// it go.
#include <fmt/core.h>

#include "base/text.h"
#include "relation/render.h"
#include "transform/builtin.h"
#include "transform/expression.h"
#include "transform/late.h"

namespace sluice {
namespace {

struct DedupeConfig {
  std::vector<Written> key;
  std::string keep = "last";
  std::vector<Written> order_by;
  Micros within{0};
};
Spec<DedupeConfig> DedupeSpec() {
  return Spec<DedupeConfig>("dedupe", "Keeps one row per key.")
      .Main("key")
      .List(&DedupeConfig::key, "key", "What makes a row itself: a column or a list.",
            Slot::kColumn, "column or list", Need::kRequired)
      .Choice(&DedupeConfig::keep, "keep", "Which row of a key stays, in the order of order_by.",
              {"last", "first"})
      .List(&DedupeConfig::order_by, "order_by",
            "What orders the rows of a key; absent: the order of the source.", Slot::kColumn,
            "column or list")
      .Duration(&DedupeConfig::within, "within",
                "Rows of one key are the same only this near in event time; a stream must say it.");
}

Result<std::vector<Term>> ReadList(const std::vector<Written>& list, const Schema& columns,
                                   LowerContext& context) {
  std::vector<Term> terms;
  for (const Written& written : list) {
    terms.push_back(
        TRY(ReadTerm(fmt::format("k{}", terms.size()), written, columns, Place::kRow, context)));
  }
  if (!terms.empty())
    TRY(DescribeTerms(terms, relation::EmptyInput(Visible(columns)), "", context));
  return terms;
}

Result<std::vector<Term>> ReadOrder(const std::vector<Written>& list, const Schema& columns,
                                    LowerContext& context) {
  for (const Written& written : list) {
    for (const char* word : {" desc", " asc"}) {
      if (!EndsWith(ToLower(written.text), word)) continue;
      return ConfigError(
          written.mark,
          fmt::format("'{}': order_by takes columns; keep: first or last says which end stays",
                      written.text));
    }
  }
  return ReadList(list, columns, context);
}

Result<Lowered> LowerWhole(const DedupeConfig& config, const StepInput& input,
                           LowerContext& context) {
  const Schema& columns = input.rows->schema;
  std::vector<Term> keys = TRY(ReadList(config.key, columns, context));
  std::vector<Term> order = TRY(ReadOrder(config.order_by, columns, context));
  std::string direction = config.keep == "last" ? " DESC NULLS LAST" : " ASC NULLS LAST";
  relation::Distinct distinct{
      .from = input.rows, .step = context.step, .keys = ToNamed(keys), .order = {}};
  for (const Term& term : order) distinct.order.push_back(term.sql + direction);
  if (input.ordered) {
    for (std::string_view column : {kPartitionColumn, kOffsetColumn})
      distinct.order.push_back(QuoteIdentifier(column) + direction);
  } else {
    // Rows that are equal in every column are one row, whichever stays.
    for (const Column& column : Visible(columns))
      distinct.order.push_back(QuoteIdentifier(column.name) + direction);
    if (order.empty() && context.warn) {
      context.warn(context.mark,
                   fmt::format("the rows of '{}' have no order of their own: without order_by, "
                               "which of a key's rows stays goes by their values",
                               input.step));
    }
  }
  std::vector<relation::Bound> bound = BoundOf(keys);
  Merge(bound, BoundOf(order));
  Schema schema = columns;
  return Lowered{relation::Make(std::move(distinct), std::move(schema), context.step, bound),
                 Reach::kWhole};
}

// Keys joined as one: "l.k0 IS NOT DISTINCT FROM r.k0 AND …".
std::string SameKeys(size_t count, std::string_view left, std::string_view right) {
  std::string text;
  for (size_t i = 0; i < count; ++i)
    text += fmt::format("{}{}.k{} IS NOT DISTINCT FROM {}.k{}", i == 0 ? "" : " AND ", left, i,
                        right, i);
  return text;
}
std::string KeyNames(size_t count, std::string_view table) {
  std::string text;
  for (size_t i = 0; i < count; ++i) text += fmt::format("{}{}k{}", i == 0 ? "" : ", ", table, i);
  return text;
}

// Per key in order of time: a row stays if it is more than `within` after the last that stayed. Of
// rows with one key and time only the first in (partition, offset) can stay, so the times that stay
// say which rows do. A reduced list is the times so far.
std::string FireText(size_t keys, const Schema& columns, Micros within) {
  std::string items, time, origin;
  for (size_t i = 0; i < columns.size(); ++i) {
    items += fmt::format("{}r.c{} AS {}", i == 0 ? "" : ", ", i, QuoteIdentifier(columns[i].name));
    if (columns[i].name == kEventTimeColumn) time = fmt::format("epoch_us(c{})", i);
    if (columns[i].name == kPartitionColumn || columns[i].name == kOffsetColumn)
      origin += fmt::format("{}c{}", origin.empty() ? "" : ", ", i);
  }
  return fmt::format(
      "WITH firsts AS MATERIALIZED (SELECT *, {time} AS t FROM {{rows}} QUALIFY row_number() OVER "
      "(PARTITION BY {keys}, {time} ORDER BY {origin}) = 1),"
      " before AS (SELECT {keys}, max(epoch_us(\"time\")) AS last FROM {{kept}} GROUP BY {keys}),"
      " chains AS (SELECT {fkeys}, list_reduce(list_prepend([coalesce(any_value(b.last), "
      "-4000000000000000000)], list([f.t] ORDER BY f.t)),"
      " lambda stay, next: CASE WHEN next[1] - stay[-1] > {within} THEN list_append(stay, next[1]) "
      "ELSE stay END) AS times"
      " FROM firsts AS f LEFT JOIN before AS b ON {fb} GROUP BY {fkeys}),"
      " stays AS (SELECT {keys}, unnest(times[2:]) AS t FROM chains)"
      " SELECT {items} FROM firsts AS r JOIN stays AS s ON {rs} AND r.t = s.t",
      fmt::arg("time", time), fmt::arg("keys", KeyNames(keys, "")),
      fmt::arg("fkeys", KeyNames(keys, "f.")), fmt::arg("origin", origin),
      fmt::arg("within", within.count()), fmt::arg("fb", SameKeys(keys, "f", "b")),
      fmt::arg("rs", SameKeys(keys, "r", "s")), fmt::arg("items", items));
}

Result<Lowered> LowerWithin(const Node& body, const DedupeConfig& config, const StepInput& input,
                            LowerContext& context) {
  const Node* keep = body.Find("keep");
  if (keep && config.keep == "last")
    return ConfigError(
        keep->mark, "with within: the first row of a key stays; leave keep out or say keep: first");
  if (!config.order_by.empty())
    return ConfigError(config.order_by[0].mark,
                       "with within: rows are in order of event time; leave order_by out");
  if (!input.event_time || !input.ordered) {
    return ConfigError(
        body.Find("within")->mark,
        fmt::format("within: needs event time; say event_time: on the extract above '{}'",
                    context.step));
  }
  const Schema& columns = input.rows->schema;
  std::vector<Term> keys = TRY(ReadList(config.key, columns, context));
  std::string late = fmt::format("{} < {}", kEventTimeColumn, kWatermarkColumn);
  relation::Fate fate = LateFate(context.step, late, std::string(kEventTimeColumn), "its time was");
  relation::Keyed keyed{.from = SiftOut(input.rows, {std::move(fate)}, {}, context.step),
                        .step = context.step};
  const auto after = [](Micros micros) {
    return fmt::format("{} + to_microseconds({})", kEventTimeColumn, micros.count());
  };
  keyed.pending = {{"due", {after(Micros(1))}}};
  std::string kept =
      fmt::format("{} AS \"time\", {} AS due", kEventTimeColumn, after(config.within + Micros(1)));
  for (const Term& key : keys) {
    keyed.pending.push_back({key.name, {key.sql}});
    kept += fmt::format(", {} AS {}", key.sql, key.name);
  }
  for (size_t i = 0; i < columns.size(); ++i)
    keyed.pending.push_back({fmt::format("c{}", i), {QuoteIdentifier(columns[i].name)}});
  keyed.fire = FireText(keys.size(), columns, config.within);
  keyed.keep = fmt::format("SELECT {} FROM ({{fire}})", kept);
  keyed.conserves = true;
  std::string items;
  for (const relation::Named& column : keyed.pending)
    items += fmt::format("{}{} AS {}", items.empty() ? "" : ", ", column.expr.sql, column.name);
  std::string from = relation::EmptyInput(columns);
  std::vector<relation::Bound> bound = BoundOf(keys);
  keyed.state = TRY(DescribeText(fmt::format("SELECT {} FROM {}", items, from), bound, context));
  keyed.kept = TRY(DescribeText(fmt::format("SELECT {} FROM {}", kept, from), bound, context));
  Schema schema = columns;
  return Lowered{relation::Make(std::move(keyed), std::move(schema), context.step, bound),
                 Reach::kKeyed};
}

Result<Lowered> LowerDedupe(const Node& body, const std::vector<StepInput>& inputs,
                            LowerContext& context) {
  DedupeConfig config = TRY(DedupeSpec().Bind(body));
  if (body.Find("within")) return LowerWithin(body, config, inputs[0], context);
  if (inputs[0].endless) {
    return ConfigError(context.mark, fmt::format("dedupe over '{}', which has no end, needs "
                                                 "within: how near in time two rows are the same",
                                                 inputs[0].step));
  }
  return LowerWhole(config, inputs[0], context);
}

}  // namespace

Verb DedupeVerb() { return {.facts = DedupeSpec().facts(), .lower = LowerDedupe, .mentions = {}}; }

}  // namespace sluice
