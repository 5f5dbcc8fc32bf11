// join: rows of two steps side by side. Both sides are named by their steps, in the condition and
// in `select`.
#include <fmt/core.h>

#include <algorithm>
#include <set>

#include "base/text.h"
#include "relation/render.h"
#include "transform/builtin.h"
#include "transform/expression.h"

namespace sluice {
namespace {

using Kind = relation::Join::Kind;

struct JoinConfig {
  Written with;
  std::vector<Written> on;
  std::string type = "inner";
  std::vector<NamedWritten> select;
};
Spec<JoinConfig> JoinSpec() {
  return Spec<JoinConfig>("join", "Puts rows of two steps side by side.")
      .TextSlot(&JoinConfig::with, "with", "The other step.", Need::kRequired)
      .List(&JoinConfig::on, "on", "Columns of both sides, or a condition.", Slot::kColumn,
            "column, list or SQL condition", Need::kRequired)
      .Choice(&JoinConfig::type, "type", "Which rows stay without a partner.",
              {"inner", "left", "right", "full", "semi", "anti"})
      .Names(&JoinConfig::select, "select", "The columns it gives; absent: all of both.",
             Slot::kColumn, "list, or map name -> expression")
      .Reserved("within", "Joins two streams where their times are near.", "streams")
      .Reserved("as_of", "Joins with the last row before a time.", "streams");
}

Kind KindOf(const std::string& word) {
  static const std::vector<std::string> kWords = {"inner", "left", "right", "full", "semi", "anti"};
  return static_cast<Kind>(std::find(kWords.begin(), kWords.end(), word) - kWords.begin());
}

// The two sides and what joins them.
struct Sides {
  std::string left, right;  // names of the steps
  Schema left_columns, right_columns;
  Kind kind = Kind::kInner;
  std::vector<std::string> keys;  // columns of both that are equal
  std::string condition;
  std::vector<relation::Bound> bound;

  bool one_sided() const { return kind == Kind::kSemi || kind == Kind::kAnti; }
  bool IsKey(std::string_view name) const {
    return std::any_of(keys.begin(), keys.end(),
                       [&](const std::string& key) { return ToLower(key) == ToLower(name); });
  }
  std::string Left(const std::string& column) const {
    return QuoteIdentifier(left) + "." + QuoteIdentifier(column);
  }
  std::string Right(const std::string& column) const {
    return QuoteIdentifier(right) + "." + QuoteIdentifier(column);
  }
  // A key is one column of the result: of the side that has it.
  std::string Key(const std::string& column) const {
    if (kind == Kind::kFull) return fmt::format("coalesce({}, {})", Left(column), Right(column));
    return kind == Kind::kRight ? Right(column) : Left(column);
  }
};

// Where a reference points; an error names what is there.
Status CheckReference(const Sides& sides, const std::string& reference, bool semi_output,
                      const Written& written, int64_t offset) {
  size_t dot = reference.find('.');
  std::string first = reference.substr(0, dot);
  const auto side = [&](const std::string& step, const Schema& columns) -> Status {
    std::string column = reference.substr(dot + 1);
    if (Find(columns, column) || Find(columns, column.substr(0, column.find('.')))) return Ok();
    return PlaceError(
        UnknownColumn(column, columns).While(fmt::format("in the rows of '{}'", step)), written,
        offset);
  };
  if (dot != std::string::npos && ToLower(first) == ToLower(sides.left))
    return side(sides.left, sides.left_columns);
  if (dot != std::string::npos && ToLower(first) == ToLower(sides.right) && !semi_output)
    return side(sides.right, sides.right_columns);
  bool left = Find(sides.left_columns, first),
       right = !semi_output && Find(sides.right_columns, first);
  if (left && right && !sides.IsKey(first)) {
    return PlaceError(ConfigError({}, fmt::format("'{}' is a column of both; write {}.{} or {}.{}",
                                                  first, sides.left, first, sides.right, first)),
                      written, offset);
  }
  if (left || right) return Ok();
  Schema all = sides.left_columns;
  if (!semi_output) all.insert(all.end(), sides.right_columns.begin(), sides.right_columns.end());
  return PlaceError(UnknownColumn(reference, all), written, offset);
}

Status CheckReferences(const Sides& sides, const Term& term, bool semi_output) {
  for (size_t i = 0; i < term.facts.columns.size(); ++i) {
    TRY(CheckReference(sides, term.facts.columns[i], semi_output, term.written,
                       term.facts.offsets[i]));
  }
  return Ok();
}

Status AddKey(Sides& sides, const Term& term) {
  const std::string& name = term.facts.column;
  const Column* left = Find(sides.left_columns, name);
  const Column* right = Find(sides.right_columns, name);
  if (left && right) {
    sides.keys.push_back(left->name);
    return Ok();
  }
  const Schema& missing = left ? sides.right_columns : sides.left_columns;
  Error error = UnknownColumn(name, missing)
                    .While(fmt::format("in the rows of '{}'", left ? sides.right : sides.left));
  error.message +=
      fmt::format("; where names differ, write on: {}.{} = {}.…", sides.left, name, sides.right);
  return PlaceError(std::move(error), term.written, 0);
}

Status ReadOn(Sides& sides, const std::vector<Written>& on, LowerContext& context) {
  std::vector<std::string> parts;
  for (const Written& written : on) {
    Term term = TRY(ReadTerm("on", written, {}, Place::kSides, context));
    Merge(sides.bound, term.bound);
    if (!term.facts.column.empty()) {
      TRY(AddKey(sides, term));
      parts.push_back(sides.Left(sides.keys.back()) + " = " + sides.Right(sides.keys.back()));
      continue;
    }
    TRY(CheckReferences(sides, term, false));
    parts.push_back("(" + term.sql + ")");
  }
  sides.condition = Join(parts, " AND ");
  return Ok();
}

Result<std::vector<Term>> AllOfBoth(const Sides& sides, Mark mark) {
  std::vector<Term> terms;
  const auto add = [&](const std::string& name, std::string sql) {
    terms.push_back({.name = name,
                     .written = {.text = name, .mark = mark},
                     .sql = std::move(sql),
                     .bound = {},
                     .facts = {}});
  };
  std::vector<std::string> clashes;
  for (const Column& column : sides.left_columns)
    add(column.name, sides.IsKey(column.name) ? sides.Key(column.name) : sides.Left(column.name));
  if (sides.one_sided()) return terms;
  for (const Column& column : sides.right_columns) {
    if (sides.IsKey(column.name)) continue;
    if (Find(sides.left_columns, column.name)) clashes.push_back(column.name);
    add(column.name, sides.Right(column.name));
  }
  if (clashes.empty()) return terms;
  return ConfigError(
      mark,
      fmt::format("both '{}' and '{}' have {}; name what you want: select: {{ {}: {}.{}, … }}",
                  sides.left, sides.right, Join(clashes, ", "), sides.right + "_" + clashes[0],
                  sides.right, clashes[0]));
}

Result<std::vector<Term>> ReadSelect(const Sides& sides, const std::vector<NamedWritten>& select,
                                     LowerContext& context) {
  std::vector<Term> terms;
  std::set<std::string> names;
  for (const NamedWritten& item : select) {
    bool alone = item.value.empty();
    Written written = alone ? Written{.text = item.name, .mark = item.mark} : item.value;
    Term term = TRY(ReadTerm(item.name, written, {}, Place::kSides, context));
    TRY(CheckReferences(sides, term, sides.one_sided()));
    if (alone && term.facts.columns.size() == 1)
      term.name = term.facts.columns[0].substr(term.facts.columns[0].find('.') + 1);
    if (sides.IsKey(term.facts.column))
      term.sql = sides.one_sided() ? sides.Left(term.facts.column) : sides.Key(term.facts.column);
    if (!names.insert(ToLower(term.name)).second) {
      return ConfigError(item.mark,
                         fmt::format("'{}' is named twice; give one another name: {{ name: {} }}",
                                     term.name, item.name));
    }
    terms.push_back(std::move(term));
  }
  return terms;
}

Result<Lowered> LowerJoin(const Node& body, const std::vector<StepInput>& inputs,
                          LowerContext& context) {
  JoinConfig config = TRY(JoinSpec().Bind(body));
  if (inputs.size() != 2 || ToLower(inputs[0].step) == ToLower(inputs[1].step)) {
    return ConfigError(
        config.with.mark,
        fmt::format("'{}' cannot be joined with itself; put a derive or map step between",
                    inputs[0].step));
  }
  Sides sides{.left = inputs[0].step,
              .right = inputs[1].step,
              .left_columns = Visible(inputs[0].rows->schema),
              .right_columns = Visible(inputs[1].rows->schema),
              .kind = KindOf(config.type),
              .keys = {},
              .condition = {},
              .bound = {}};
  TRY(ReadOn(sides, config.on, context));
  std::vector<Term> terms = config.select.empty() ? TRY(AllOfBoth(sides, context.mark))
                                                  : TRY(ReadSelect(sides, config.select, context));
  std::string from =
      fmt::format("{} AS {} {} JOIN {} AS {}", relation::EmptyInput(sides.left_columns),
                  QuoteIdentifier(sides.left), ToLower(config.type),
                  relation::EmptyInput(sides.right_columns), QuoteIdentifier(sides.right));
  auto joined = DescribeText(fmt::format("SELECT 1 FROM {} ON {}", from, sides.condition),
                             sides.bound, context);
  if (!joined.ok()) {
    Error error = joined.error();
    error.message = fmt::format("'{}': {}", config.on[0].text, error.message);
    return PlaceError(std::move(error), config.on[0], -1);
  }
  // The columns need no condition, and values bound in it would have to be given to each.
  Schema schema = TRY(DescribeTerms(terms, from + " ON true", "", context));
  std::vector<relation::Bound> bound = BoundOf(terms);
  Merge(bound, sides.bound);
  relation::Join join{.kind = sides.kind,
                      .left = inputs[0].rows,
                      .right = inputs[1].rows,
                      .left_name = sides.left,
                      .right_name = sides.right,
                      .on = {sides.condition, config.on[0].mark},
                      .columns = ToNamed(terms)};
  return Lowered{relation::Make(std::move(join), std::move(schema), context.step, bound),
                 Reach::kWhole};
}

Result<std::vector<std::string>> Mentions(const Node& body, LowerContext&) {
  JoinConfig config = TRY(JoinSpec().Bind(body));
  return std::vector<std::string>{config.with.text};
}

}  // namespace

Verb JoinVerb() {
  return {.facts = JoinSpec().facts(), .max_inputs = 2, .lower = LowerJoin, .mentions = Mentions};
}

}  // namespace sluice
