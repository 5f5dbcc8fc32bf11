// lookup: columns of the one row of another step that has the same key. Every row of the input
// gives one row: the other side is grouped by its key first, so that a key which stands there twice
// is an error and never two rows.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "relation/render.h"
#include "transform/builtin.h"
#include "transform/expression.h"

namespace sluice {
namespace {

struct LookupConfig {
  Written from, table, as;
  std::vector<NamedWritten> key, select;
  std::string on_missing = "keep";
};
Spec<LookupConfig> LookupSpec() {
  return Spec<LookupConfig>("lookup", "Adds columns of the row of a table that has the same key.")
      .TextSlot(&LookupConfig::from, "from", "A step, or a connection whose table is read.",
                Need::kRequired)
      .TextSlot(&LookupConfig::table, "table", "The table, where `from` is a connection.")
      .Names(&LookupConfig::key, "key", "What finds the row: column, list, or { left: right }.",
             Slot::kText, "column, list or map left -> right", Need::kRequired)
      .Names(&LookupConfig::select, "select",
             "The columns it adds; absent: all of the table but the key.", Slot::kColumn,
             "list, or map name -> expression")
      .TextSlot(&LookupConfig::as, "as", "One struct column of that name holds what is added.")
      .Choice(&LookupConfig::on_missing, "on_missing", "What becomes of a row that finds none.",
              {"keep", "reject", "fail"})
      .Reserved("refresh", "How often a table is read again under a stream.", "streams");
}

struct Key {
  std::string left, right;
};

// What the lookup is about, its names settled.
struct Found {
  const StepInput& rows;
  const StepInput& table;
  Schema left, right;
  std::vector<Key> keys;
  std::vector<Term> terms;  // over the table
  std::string count;        // the hidden column that holds how many rows have the key

  std::string Value(size_t i) const { return fmt::format("{}_{}", count, i); }
  std::string KeyText() const {
    std::vector<std::string> parts;
    for (const Key& key : keys) {
      parts.push_back(fmt::format("{} || coalesce(CAST({} AS VARCHAR), 'NULL')",
                                  QuoteLiteral(key.right + " = "), QuoteIdentifier(key.left)));
    }
    return Join(parts, " || ', ' || ");
  }
};

Result<std::string> KeyColumn(const std::string& name, const Mark& mark, const StepInput& side,
                              const Schema& columns) {
  if (const Column* column = Find(columns, name)) return column->name;
  Error error = UnknownColumn(name, columns).While(fmt::format("key, in '{}'", side.step));
  return std::move(error).At(mark);
}

Result<std::vector<Key>> ReadKeys(const LookupConfig& config, const Found& found) {
  std::vector<Key> keys;
  for (const NamedWritten& item : config.key) {
    const Written& right = item.value.empty() ? Written{item.name, item.mark} : item.value;
    keys.push_back({TRY(KeyColumn(item.name, item.mark, found.rows, found.left)),
                    TRY(KeyColumn(right.text, right.mark, found.table, found.right))});
  }
  return keys;
}

Result<std::vector<Term>> ReadTerms(const LookupConfig& config, const Found& found,
                                    LowerContext& context) {
  if (!config.select.empty())
    return sluice::ReadTerms(config.select, found.right, Place::kRow, context);
  std::vector<NamedWritten> all;
  for (const Column& column : found.right) {
    const bool key = std::any_of(found.keys.begin(), found.keys.end(),
                                 [&](const Key& k) { return k.right == column.name; });
    if (!key) all.push_back({column.name, config.from.mark, {}});
  }
  if (all.empty()) {
    return ConfigError(config.from.mark,
                       fmt::format("'{}' has no columns besides the key: nothing to look up; to "
                                   "keep the rows whose key is there use a join, type: semi",
                                   found.table.step));
  }
  return sluice::ReadTerms(all, found.right, Place::kRow, context);
}

// The table with one row per key.
relation::Ref ByKey(const Found& found, const Schema& types) {
  relation::Aggregate aggregate{.from = found.table.rows, .keys = {}, .values = {}};
  Schema schema;
  for (const Key& key : found.keys) {
    aggregate.keys.push_back({key.right, {QuoteIdentifier(key.right), {}}});
    schema.push_back(*Find(found.right, key.right));
  }
  for (size_t i = 0; i < found.terms.size(); ++i) {
    aggregate.values.push_back(
        {found.Value(i), {fmt::format("any_value({})", found.terms[i].sql), {}}});
    schema.push_back({found.Value(i), types[i].type});
  }
  aggregate.values.push_back({found.count, {"count(*)", {}}});
  schema.push_back({found.count, "BIGINT"});
  return relation::Make(std::move(aggregate), std::move(schema), "", BoundOf(found.terms));
}

// Every row beside what its key finds, in hidden columns.
relation::Ref Beside(const Found& found, const relation::Ref& table, const std::string& step) {
  const std::string left = QuoteIdentifier("rows"), right = QuoteIdentifier("found");
  relation::Join join{.kind = relation::Join::Kind::kLeft,
                      .left = found.rows.rows,
                      .right = table,
                      .left_name = "rows",
                      .right_name = "found",
                      .on = {},
                      .columns = {}};
  Schema schema = found.left;
  for (const Column& column : found.left) {
    const std::string name = QuoteIdentifier(column.name);
    join.columns.push_back({column.name, {left + "." + name, {}}});
  }
  for (const Column& column : table->schema) {
    if (!StartsWith(column.name, found.count)) continue;
    join.columns.push_back({column.name, {right + "." + QuoteIdentifier(column.name), {}}});
    schema.push_back({column.name, column.type, true, ""});
  }
  std::vector<std::string> equal;
  for (const Key& key : found.keys) {
    equal.push_back(fmt::format("{}.{} = {}.{}", left, QuoteIdentifier(key.left), right,
                                QuoteIdentifier(key.right)));
  }
  join.on.sql = Join(equal, " AND ");
  return relation::Make(std::move(join), std::move(schema), step);
}

std::vector<relation::Fate> Fates(const Found& found, const LookupConfig& config,
                                  const std::string& step) {
  const auto fails = [&](const std::string& when, const std::string& message) {
    return relation::Fate{
        .step = step,
        .applies = {
            .sql = fmt::format("(CASE WHEN {} THEN error({}) ELSE false END)", when, message)}};
  };
  const std::string missing = QuoteIdentifier(found.count) + " IS NULL";
  const std::string none =
      QuoteLiteral(fmt::format("no row of '{}' has ", found.table.step)) + " || " + found.KeyText();
  std::vector<relation::Fate> fates;
  fates.push_back(fails(
      QuoteIdentifier(found.count) + " > 1",
      fmt::format("{} || {} || {}",
                  QuoteLiteral(
                      fmt::format("step '{}': several rows of '{}' have ", step, found.table.step)),
                  found.KeyText(),
                  QuoteLiteral("; a lookup needs one: put a dedupe before it, or use a join"))));
  if (config.on_missing == "fail")
    fates.push_back(fails(missing, QuoteLiteral(fmt::format("step '{}': ", step)) + " || " + none));
  if (config.on_missing == "reject") {
    fates.push_back({.kind = relation::FateKind::kRejected,
                     .step = step,
                     .code = "no_match",
                     .applies = {.sql = missing},
                     .message = {.sql = none}});
  }
  return fates;
}

Status RefuseClash(const std::string& name, const Mark& mark, const Found& found) {
  if (Find(found.left, name) == nullptr) return Ok();
  return ConfigError(
      mark, fmt::format("the rows have a column '{}' already; give what is found another name: "
                        "select: {{ {}_{}: {} }}",
                        name, found.table.step, name, name));
}

Result<relation::Ref> WithColumns(relation::Ref rows, const Found& found, const Schema& types,
                                  const LookupConfig& config, LowerContext& context) {
  relation::Project project;
  Schema schema = found.left;
  for (const Column& column : found.left)
    project.columns.push_back({column.name, {QuoteIdentifier(column.name), {}}});
  std::vector<std::string> fields;
  for (size_t i = 0; i < found.terms.size(); ++i) {
    const std::string value = QuoteIdentifier(found.Value(i));
    fields.push_back(QuoteLiteral(found.terms[i].name) + ": " + value);
    if (!config.as.empty()) continue;
    TRY(RefuseClash(found.terms[i].name, found.terms[i].written.mark, found));
    project.columns.push_back({found.terms[i].name, {value, {}}});
    schema.push_back({found.terms[i].name, types[i].type});
  }
  if (!config.as.empty()) {
    TRY(RefuseClash(config.as.text, config.as.mark, found));
    project.columns.push_back({config.as.text,
                               {fmt::format("CASE WHEN {} IS NOT NULL THEN {{{}}} END",
                                            QuoteIdentifier(found.count), Join(fields, ", ")),
                                config.as.mark}});
    std::vector<std::string> parts;
    for (const Column& type : types) parts.push_back(QuoteIdentifier(type.name) + " " + type.type);
    const Schema one = TRY(DescribeText(
        fmt::format("SELECT CAST(NULL AS STRUCT({}))", Join(parts, ", ")), {}, context));
    schema.push_back({config.as.text, one.at(0).type});
  }
  project.from = std::move(rows);
  return relation::Make(std::move(project), std::move(schema), context.step);
}

Result<Lowered> LowerLookup(const Node& body, const std::vector<StepInput>& inputs,
                            LowerContext& context) {
  const LookupConfig config = TRY(LookupSpec().Bind(body));
  if (inputs.size() != 2) {
    return ConfigError(config.from.mark,
                       "lookup needs rows of its own and another step to look them up in");
  }
  Found found{.rows = inputs[0],
              .table = inputs[1],
              .left = Visible(inputs[0].rows->schema),
              .right = Visible(inputs[1].rows->schema),
              .keys = {},
              .terms = {},
              .count = "_sluice_found_" + context.step};
  found.keys = TRY(ReadKeys(config, found));
  found.terms = TRY(ReadTerms(config, found, context));
  const Schema types =
      TRY(DescribeTerms(found.terms, relation::EmptyInput(found.right), "", context));
  relation::Ref rows = Beside(found, ByKey(found, types), context.step);
  const auto& join = std::get<relation::Join>(rows->op);
  auto described = DescribeText(
      fmt::format("SELECT 1 FROM {} AS rows JOIN {} AS found ON {}",
                  relation::EmptyInput(found.left), relation::EmptyInput(found.right), join.on.sql),
      {}, context);
  if (!described.ok()) return ConfigError(config.key.front().mark, described.error().message);
  rows = SiftOut(std::move(rows), Fates(found, config, context.step), {}, context.step);
  return Lowered{TRY(WithColumns(std::move(rows), found, types, config, context)), Reach::kWhole};
}

Result<std::vector<std::string>> Mentions(const Node& body, LowerContext&) {
  const LookupConfig config = TRY(LookupSpec().Bind(body));
  if (!config.table.empty()) {
    return ConfigError(config.table.mark, fmt::format("'table' needs a connection in from:, and "
                                                      "'{}' is none of sluice.yml",
                                                      config.from.text));
  }
  return std::vector<std::string>{config.from.text};
}

}  // namespace

Verb LookupVerb() {
  return {
      .facts = LookupSpec().facts(), .max_inputs = 2, .lower = LowerLookup, .mentions = Mentions};
}

}  // namespace sluice
