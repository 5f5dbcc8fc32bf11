// window: one row per window and group. Over event time it is keyed state that fires when the
// watermark passes a window's end; on a batch without event time it is a GROUP BY. Both compute
// start = t - floormod(t - offset, size).
#include <fmt/core.h>

#include <algorithm>

#include "base/text.h"
#include "relation/render.h"
#include "transform/builtin.h"
#include "transform/expression.h"
#include "transform/late.h"

namespace sluice {
namespace {

using relation::Named;

struct WindowConfig {
  Micros tumbling{0};
  Written time;
  std::vector<NamedWritten> by, select;
  Micros offset{0};
  std::string timezone = "UTC";
};
Spec<WindowConfig> WindowSpec() {
  return Spec<WindowConfig>("window", "Gives one row per window of time and group.")
      .Duration(&WindowConfig::tumbling, "tumbling", "Windows of this size, one after the other.",
                Need::kRequired)
      .Expression(&WindowConfig::time, "time",
                  "The time of a row, where its source declares no event_time.")
      .Names(&WindowConfig::by, "by", "What makes a group besides the window.", Slot::kColumn,
             "column, list, or map name -> expression")
      .Names(&WindowConfig::select, "select", "Name -> aggregate.", Slot::kColumn,
             "map name -> aggregate", Need::kRequired)
      .Duration(&WindowConfig::offset, "offset",
                "Windows begin this much after a multiple of their size since 1970.")
      .Choice(&WindowConfig::timezone, "timezone", "The zone in which windows begin.", {"UTC"})
      .Reserved("sliding", "Windows that overlap: { size, every }.", "streams")
      .Reserved("session", "Windows that end with a pause: { gap }.", "streams")
      .Reserved("allowed_lateness", "How long a window that has fired takes late rows.", "streams")
      .Reserved("emit", "When a window is given: at its close or every so often.", "streams");
}

// What both ways of computing windows start from.
struct Windowing {
  std::string start;  // SQL, TIMESTAMP
  std::string end;
  std::vector<Term> keys, values;
  Schema columns;  // of the input, visible and hidden
};

// `micros`: SQL, BIGINT since 1970. floormod, so that times before 1970 work.
void SetBounds(Windowing& windowing, const std::string& micros, const WindowConfig& config) {
  int64_t size = config.tumbling.count(), offset = config.offset.count() % size;
  std::string start =
      fmt::format("({0} - ((({0} - {1}) % {2}) + {2}) % {2})", micros, offset, size);
  windowing.start = fmt::format("make_timestamp({})", start);
  windowing.end = fmt::format("make_timestamp({} + {})", start, size);
}

Result<std::string> TimeOfBatch(const WindowConfig& config, const Schema& columns,
                                LowerContext& context, std::vector<relation::Bound>& bound) {
  if (config.time.empty()) {
    return ConfigError(context.mark,
                       "window needs time: the column that says when a row happened (its source "
                       "declares no event_time)");
  }
  Term time = TRY(ReadTerm("time", config.time, columns, Place::kRow, context));
  Schema type = TRY(DescribeTerms({time}, relation::EmptyInput(Visible(columns)), "", context));
  bound = time.bound;
  if (type[0].type == "TIMESTAMP WITH TIME ZONE") return fmt::format("epoch_us({})", time.sql);
  if (StartsWith(type[0].type, "TIMESTAMP") || type[0].type == "DATE")
    return fmt::format("epoch_us(CAST({} AS TIMESTAMP))", time.sql);
  return ConfigError(
      config.time.mark,
      fmt::format("time '{}' is a {}, not a timestamp or date; cast it in a derive step before",
                  config.time.text, type[0].type));
}

Status CheckNames(const WindowConfig& config) {
  std::vector<NamedWritten> all = config.by;
  all.insert(all.end(), config.select.begin(), config.select.end());
  for (const NamedWritten& item : all) {
    if (ToLower(item.name) != "window_start" && ToLower(item.name) != "window_end") continue;
    return ConfigError(
        item.mark,
        fmt::format("'{}' is the name of a column that every window gives; choose another",
                    item.name));
  }
  for (const NamedWritten& item : config.select) {
    if (item.value.empty())
      return ConfigError(item.mark, fmt::format("'{}' needs an aggregate: {{ {}: sum(…) }}",
                                                item.name, item.name));
  }
  return RefuseRepeats(all);
}

// Columns of the result: window_start, window_end, keys, values.
Result<Schema> DescribeResult(const Windowing& windowing, LowerContext& context) {
  std::vector<Term> terms = windowing.keys;
  terms.insert(terms.end(), windowing.values.begin(), windowing.values.end());
  Schema described = TRY(DescribeTerms(terms, relation::EmptyInput(Visible(windowing.columns)),
                                       windowing.keys.empty() ? "" : "GROUP BY ALL", context));
  Schema schema = {{"window_start", "TIMESTAMP", false, ""},
                   {"window_end", "TIMESTAMP", false, ""}};
  schema.insert(schema.end(), described.begin(), described.end());
  return schema;
}

Result<Lowered> LowerBatch(Windowing windowing, const relation::Ref& rows,
                           std::vector<relation::Bound> bound, LowerContext& context) {
  Schema schema = TRY(DescribeResult(windowing, context));
  relation::Aggregate aggregate{
      rows,
      {{"window_start", {windowing.start}}, {"window_end", {windowing.end}}},
      ToNamed(windowing.values)};
  for (Named& key : ToNamed(windowing.keys)) aggregate.keys.push_back(std::move(key));
  return Lowered{
      relation::Make(std::move(aggregate), std::move(schema), context.step, std::move(bound)),
      Reach::kWhole};
}

// One select item as partial results and what makes a whole of them.
struct Partial {
  std::vector<Named> values;
  std::string whole;
};
Result<std::optional<Partial>> PartialOf(const Term& term, const std::string& type, size_t index,
                                         const Schema& columns, LowerContext& context) {
  std::optional<sql::PlainAggregate> plain = TRY(context.parser.Aggregate(term.sql));
  if (!plain) return std::optional<Partial>();
  std::string name = fmt::format("v{}", index), count = name + "n";
  const auto one = [&](std::string whole) {
    return std::optional(Partial{{{name, {term.sql}}}, std::move(whole)});
  };
  if (plain->function == "count_star" || plain->function == "count")
    return one(fmt::format("CAST(sum({}) AS BIGINT)", name));
  if (plain->function == "sum") return one(fmt::format("CAST(sum({}) AS {})", name, type));
  if (plain->function == "min" || plain->function == "max")
    return one(fmt::format("{}({})", plain->function, name));
  if (plain->function != "avg") return std::optional<Partial>();
  std::string sum = fmt::format("sum({})", plain->argument);
  auto summable =
      DescribeText(fmt::format("SELECT {} FROM {}", sum, relation::EmptyInput(Visible(columns))),
                   term.bound, context);
  if (type != "DOUBLE" || !summable.ok()) return std::optional<Partial>();
  return std::optional(
      Partial{{{name, {sum}}, {count, {fmt::format("count({})", plain->argument)}}},
              fmt::format("CAST(sum({}) AS DOUBLE) / CAST(sum({}) AS DOUBLE)", name, count)});
}

// Columns of the input that the aggregates read, in the input's order.
std::vector<std::string> Needed(const Windowing& windowing) {
  std::vector<std::string> needed;
  for (const Column& column : Visible(windowing.columns)) {
    bool used =
        std::any_of(windowing.values.begin(), windowing.values.end(), [&](const Term& term) {
          return std::any_of(term.facts.columns.begin(), term.facts.columns.end(),
                             [&](const std::string& name) {
                               return ToLower(name) == ToLower(column.name) ||
                                      StartsWith(ToLower(name), ToLower(column.name) + ".");
                             });
        });
    if (used) needed.push_back(column.name);
  }
  return needed;
}

struct Firing {
  std::string inner = "due AS _sluice_due, start AS _sluice_start";  // names of the state -> names
                                                                     // that the aggregates use
  std::string items = "_sluice_start AS window_start, _sluice_due AS window_end";
  std::string groups = "1, 2";
};
Firing FiringOf(const Windowing& windowing) {
  Firing firing;
  for (size_t i = 0; i < windowing.keys.size(); ++i) {
    firing.inner += fmt::format(", k{0} AS _sluice_k{0}", i);
    firing.items += fmt::format(", _sluice_k{} AS {}", i, QuoteIdentifier(windowing.keys[i].name));
    firing.groups += fmt::format(", {}", i + 3);
  }
  return firing;
}

Result<bool> UsePartials(relation::Keyed& keyed, Firing& firing, const Windowing& windowing,
                         const Schema& result, LowerContext& context) {
  std::vector<Partial> partials;
  for (size_t i = 0; i < windowing.values.size(); ++i) {
    const std::string& type = result[2 + windowing.keys.size() + i].type;
    auto partial = TRY(PartialOf(windowing.values[i], type, i, windowing.columns, context));
    if (!partial) return false;
    partials.push_back(std::move(*partial));
  }
  keyed.partial = true;
  for (size_t i = 0; i < partials.size(); ++i) {
    for (Named& value : partials[i].values) {
      firing.inner += ", " + value.name;
      keyed.pending_values.push_back(std::move(value));
    }
    firing.items +=
        fmt::format(", {} AS {}", partials[i].whole, QuoteIdentifier(windowing.values[i].name));
  }
  return true;
}

void UseRows(relation::Keyed& keyed, Firing& firing, const Windowing& windowing) {
  std::vector<std::string> needed = Needed(windowing);
  for (size_t i = 0; i < needed.size(); ++i) {
    keyed.pending.push_back({fmt::format("c{}", i), {QuoteIdentifier(needed[i])}});
    firing.inner += fmt::format(", c{} AS {}", i, QuoteIdentifier(needed[i]));
  }
  for (const Term& value : windowing.values)
    firing.items += fmt::format(", {} AS {}", value.sql, QuoteIdentifier(value.name));
}

Result<Lowered> LowerKeyed(const Windowing& windowing, const relation::Ref& rows,
                           const std::vector<relation::Bound>& bound, LowerContext& context) {
  Schema result = TRY(DescribeResult(windowing, context));
  std::string late = fmt::format("{} <= {}", windowing.end, kWatermarkColumn);
  relation::Fate fate = LateFate(context.step, late, windowing.end, "its window ended");
  relation::Keyed keyed{.from = SiftOut(rows, {std::move(fate)}, {}, context.step),
                        .step = context.step};
  keyed.pending = {{"due", {windowing.end}}, {"start", {windowing.start}}};
  for (size_t i = 0; i < windowing.keys.size(); ++i)
    keyed.pending.push_back({fmt::format("k{}", i), {windowing.keys[i].sql}});
  Firing firing = FiringOf(windowing);
  if (!TRY(UsePartials(keyed, firing, windowing, result, context)))
    UseRows(keyed, firing, windowing);
  keyed.fire = fmt::format("SELECT {} FROM (SELECT {} FROM {{rows}}) GROUP BY {}", firing.items,
                           firing.inner, firing.groups);
  std::string items;
  for (const std::vector<Named>* columns : {&keyed.pending, &keyed.pending_values}) {
    for (const Named& column : *columns)
      items += fmt::format("{}{} AS {}", items.empty() ? "" : ", ", column.expr.sql, column.name);
  }
  keyed.state = TRY(DescribeText(
      fmt::format("SELECT {} FROM {}{}", items, relation::EmptyInput(windowing.columns),
                  keyed.partial ? " GROUP BY ALL" : ""),
      bound, context));
  return Lowered{relation::Make(std::move(keyed), std::move(result), context.step, bound),
                 Reach::kKeyed};
}

Result<Lowered> LowerWindow(const Node& body, const std::vector<StepInput>& inputs,
                            LowerContext& context) {
  WindowConfig config = TRY(WindowSpec().Bind(body));
  const StepInput& input = inputs[0];
  if (config.tumbling.count() <= 0)
    return ConfigError(body.mark, "a window must be longer than 0s");
  TRY(CheckNames(config));
  if (input.event_time && !config.time.empty()) {
    return ConfigError(config.time.mark,
                       "time: is for rows without event time; here the extract's event_time says "
                       "when a row happened");
  }
  if (input.endless && !input.event_time) {
    return ConfigError(context.mark, fmt::format("a window over '{}', which has no end, needs "
                                                 "event time: say event_time: on its extract",
                                                 input.step));
  }
  Windowing windowing{
      .start = "", .end = "", .keys = {}, .values = {}, .columns = input.rows->schema};
  windowing.keys = TRY(ReadTerms(config.by, windowing.columns, Place::kRow, context));
  windowing.values = TRY(ReadTerms(config.select, windowing.columns, Place::kGroup, context));
  std::vector<relation::Bound> bound;
  std::string micros = fmt::format("epoch_us({})", kEventTimeColumn);
  if (!input.event_time) micros = TRY(TimeOfBatch(config, windowing.columns, context, bound));
  SetBounds(windowing, micros, config);
  Merge(bound, BoundOf(windowing.keys));
  Merge(bound, BoundOf(windowing.values));
  if (input.event_time) return LowerKeyed(windowing, input.rows, bound, context);
  return LowerBatch(std::move(windowing), input.rows, std::move(bound), context);
}

}  // namespace

Verb WindowVerb() { return {.facts = WindowSpec().facts(), .lower = LowerWindow, .mentions = {}}; }

}  // namespace sluice
