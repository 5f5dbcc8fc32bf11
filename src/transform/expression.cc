// See expression.h.
#include "transform/expression.h"

#include <fmt/core.h>

#include <algorithm>
#include <set>

#include "base/text.h"
#include "relation/render.h"
#include "transform/chance.h"

namespace sluice {
namespace {

// Names without parentheses that DuckDB reads as functions.
bool IsKeyword(std::string_view name) {
  static const std::set<std::string, std::less<>> kWords = {
      "current_date", "current_time", "current_timestamp", "localtime", "localtimestamp",
      "current_user", "user",         "session_user"};
  return kWords.contains(ToLower(name));
}

// A column's name alone is that column, even where it is a word of SQL, like at or order.
bool IsName(std::string_view text) {
  const auto part = [](char c) {
    return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  };
  if (text.empty() || (text[0] >= '0' && text[0] <= '9') ||
      !std::all_of(text.begin(), text.end(), part))
    return false;
  const std::string word = ToLower(text);
  return word != "null" && word != "true" && word != "false";
}

Error Refusal(const Written& written, int64_t offset, std::string message) {
  return PlaceError(ConfigError({}, std::move(message)), written, offset);
}

Status CheckColumns(const Term& term, const Schema& columns) {
  for (size_t i = 0; i < term.facts.columns.size(); ++i) {
    const std::string& column = term.facts.columns[i];
    std::string first = column.substr(0, column.find('.'));
    const Column* found = Find(
        columns, column.find('.') == std::string::npos || !Find(columns, column) ? first : column);
    if ((found && !found->hidden) || IsKeyword(first)) continue;
    Error error = UnknownColumn(first, columns);
    if (column.find('.') != std::string::npos &&
        Find(columns, column.substr(column.find('.') + 1))) {
      error.message =
          fmt::format("'{}': columns are written without the step's name here; write {}", column,
                      column.substr(column.find('.') + 1));
    }
    return PlaceError(std::move(error), term.written, term.facts.offsets[i]);
  }
  return Ok();
}

Status CheckContents(const Term& term, Place place) {
  const Written& written = term.written;
  if (term.facts.stars)
    return Refusal(
        written, 0,
        fmt::format("'{}': * and COLUMNS are for sql steps; name the columns", written.text));
  if (term.facts.subqueries)
    return Refusal(
        written, 0,
        fmt::format("'{}' holds a query of its own; use a join or an sql step", written.text));
  if (term.facts.windows)
    return Refusal(written, 0,
                   fmt::format("'{}' looks at other rows (OVER); use an sql step", written.text));
  if (place == Place::kGroup && !term.facts.aggregates) {
    return Refusal(written, 0,
                   fmt::format("'{}' is not an aggregate like sum(…) or count(*); a column that "
                               "makes the group goes under by:",
                               written.text));
  }
  if (place != Place::kGroup && term.facts.aggregates) {
    return Refusal(
        written, 0,
        fmt::format("'{}' is an aggregate; use an aggregate or window step", written.text));
  }
  return Ok();
}

}  // namespace

Error UnknownColumn(std::string_view column, const Schema& columns) {
  std::vector<std::string> names = VisibleNames(columns);
  std::string message = fmt::format("no column '{}' here", column);
  if (auto nearest = Nearest(column, names)) {
    message += fmt::format("; did you mean '{}'?", *nearest);
  } else {
    message += "; there are: " + Join(names, ", ");
  }
  return ConfigError({}, message);
}

Error PlaceError(Error error, const Written& written, int64_t offset) {
  if (!error.mark.file.empty() || error.mark.line > 0) return error;
  error.mark = written.mark;
  std::string_view before =
      std::string_view(written.text)
          .substr(0, offset < 0 ? 0 : std::min(static_cast<size_t>(offset), written.text.size()));
  // Behind a `{{ }}` the place in the file is no longer the place in the SQL.
  if (offset <= 0 || before.find("{{") != std::string_view::npos) return error;
  if (written.text.find('\n') !=
      std::string::npos) {  // a block: it begins on the line below its mark
    error.mark.line += 1 + static_cast<int>(std::count(before.begin(), before.end(), '\n'));
    error.mark.column = 0;
    return error;
  }
  error.mark.column += static_cast<int>(before.size()) + (written.quoted ? 1 : 0);
  return error;
}

Result<Term> ReadTerm(std::string name, const Written& written, const Schema& columns, Place place,
                      LowerContext& context) {
  Expanded expanded = TRY(context.expand(written));
  Term term{.name = std::move(name),
            .written = written,
            .sql = std::string(Trim(expanded.sql)),
            .bound = expanded.bound,
            .facts = {}};
  if (term.sql.empty())
    return ConfigError(written.mark, fmt::format("'{}' has no expression", term.name));
  if (IsName(term.sql) && (place == Place::kSides || Find(columns, term.sql) != nullptr))
    term.sql = QuoteIdentifier(term.sql);
  int64_t offset = -1;
  auto facts = context.parser.Expression(term.sql, &offset);
  if (!facts.ok()) {
    Error error = facts.error();
    if (error.message.find('\'') != 0)
      error.message = fmt::format("'{}': {}", written.text, error.message);
    return PlaceError(std::move(error), written, offset);
  }
  term.facts = std::move(*facts);
  TRY(CheckContents(term, place));
  if (place != Place::kSides) TRY(CheckColumns(term, columns));
  WarnOfChance(term.facts.functions, term.facts.columns, context.step, term.written.mark,
               context.warn);
  if (term.sql.find("--") != std::string::npos) term.sql += "\n";
  return term;
}

Status RefuseRepeats(const std::vector<NamedWritten>& names) {
  std::set<std::string> seen;
  for (const NamedWritten& name : names) {
    if (seen.insert(ToLower(name.name)).second) continue;
    return ConfigError(
        name.mark,
        fmt::format("'{}' is named twice (SQL does not tell upper from lower case)", name.name));
  }
  return Ok();
}

Result<std::vector<Term>> ReadTerms(const std::vector<NamedWritten>& written, const Schema& columns,
                                    Place place, LowerContext& context) {
  TRY(RefuseRepeats(written));
  std::vector<Term> terms;
  for (const NamedWritten& item : written) {
    if (!item.value.empty()) {
      terms.push_back(TRY(ReadTerm(item.name, item.value, columns, place, context)));
      continue;
    }
    Written alone{.text = item.name, .mark = item.mark};
    Term term = TRY(ReadTerm(item.name, alone, columns, place, context));
    if (term.facts.column.empty()) {
      return ConfigError(item.mark, fmt::format("the expression '{}' needs a name: {{ name: {} }}",
                                                item.name, item.name));
    }
    term.name = Find(columns, term.facts.column) ? Find(columns, term.facts.column)->name
                                                 : term.facts.column;
    terms.push_back(std::move(term));
  }
  return terms;
}

std::vector<sql::Bound> ToSql(const std::vector<relation::Bound>& bound) {
  std::vector<sql::Bound> values;
  for (const relation::Bound& value : bound) {
    values.push_back({.name = value.name,
                      .type = value.type,
                      .text = value.null ? std::nullopt : std::optional<std::string>(value.text)});
  }
  return values;
}

Result<Schema> DescribeText(const std::string& select, const std::vector<relation::Bound>& bound,
                            LowerContext& context, int64_t* offset) {
  return context.session.Describe(select, ToSql(bound), offset);
}

Result<Schema> DescribeTerms(const std::vector<Term>& terms, const std::string& from,
                             const std::string& tail, LowerContext& context) {
  auto select = [&](const std::vector<Term>& some) {
    std::string items;
    for (const Term& term : some) {
      items += fmt::format("{}{} AS {}", items.empty() ? "" : ", ", term.sql,
                           QuoteIdentifier(term.name));
    }
    return fmt::format("SELECT {} FROM {} {}", items, from, tail);
  };
  auto all = DescribeText(select(terms), BoundOf(terms), context);
  if (all.ok()) return all;
  for (const Term& term : terms) {
    int64_t offset = -1;
    auto one = DescribeText(select({term}), term.bound, context, &offset);
    if (one.ok()) continue;
    Error error = one.error();
    error.message = fmt::format("'{}': {}", term.written.text, error.message);
    bool inside = offset >= 7 && offset < 7 + static_cast<int64_t>(term.sql.size());
    return PlaceError(std::move(error), term.written, inside ? offset - 7 : -1);
  }
  return all;
}

Result<Total> MakeTotal(const Term& term, std::string_view name, const Schema& columns,
                        LowerContext& context) {
  if (context.on_row_error == OnRowError::kFail) return Total{term.sql, std::nullopt};
  sql::Fallible fallible = TRY(context.parser.MakeFallible(term.sql, name, columns));
  if (!fallible.can_fail) return Total{term.sql, std::nullopt};
  relation::Fate fate{.kind = relation::FateKind::kRejected,
                      .step = context.step,
                      .code = fallible.code,
                      .applies = {.sql = fallible.bad, .mark = term.written.mark},
                      .message = {.sql = fallible.message, .mark = term.written.mark}};
  return Total{fallible.value, std::move(fate)};
}

relation::Ref SiftOut(relation::Ref rows, std::vector<relation::Fate> fates,
                      std::vector<relation::Bound> bound, const std::string& step) {
  if (fates.empty()) return rows;
  Schema schema = rows->schema;
  return relation::Make(relation::Sift{.from = std::move(rows), .fates = std::move(fates)},
                        std::move(schema), step, std::move(bound));
}

std::vector<relation::Named> ToNamed(const std::vector<Term>& terms) {
  std::vector<relation::Named> named;
  for (const Term& term : terms) named.push_back({term.name, {term.sql, term.written.mark}});
  return named;
}

void Merge(std::vector<relation::Bound>& into, const std::vector<relation::Bound>& from) {
  for (const relation::Bound& value : from) {
    if (std::find(into.begin(), into.end(), value) == into.end()) into.push_back(value);
  }
}

std::vector<relation::Bound> BoundOf(const std::vector<Term>& terms) {
  std::vector<relation::Bound> bound;
  for (const Term& term : terms) Merge(bound, term.bound);
  return bound;
}

}  // namespace sluice
