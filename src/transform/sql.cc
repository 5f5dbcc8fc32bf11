// sql: one SELECT over the rows of steps, which its text names as tables.
#include <fmt/core.h>

#include <algorithm>
#include <set>

#include "base/text.h"
#include "relation/render.h"
#include "transform/builtin.h"
#include "transform/chance.h"
#include "transform/expression.h"

namespace sluice {
namespace {

struct SqlConfig {
  Written query, in;
};
Spec<SqlConfig> SqlSpec() {
  return Spec<SqlConfig>("sql", "Gives the rows of a SELECT over other steps.")
      .Main("query")
      .Expression(&SqlConfig::query, "query",
                  "A SELECT whose tables are steps, or a file ending in .sql.", Need::kRequired)
      .TextSlot(&SqlConfig::in, "in",
                "A connection: the text runs inside that database, over its tables only.")
      .Reserved("per", "Runs once per epoch of a stream.", "streams");
}

struct Query {
  Expanded expanded;
  sql::SelectFacts facts;
};

// Functions that read what no step has read: the run would not know of it.
bool ReadsOutside(const std::string& function) {
  static const std::set<std::string> kOthers = {
      "glob",          "parquet_scan",   "sniff_csv",        "sqlite_scan",
      "postgres_scan", "postgres_query", "mysql_scan",       "mysql_query",
      "iceberg_scan",  "delta_scan",     "st_read",          "sluice_scan",
      "query",         "query_table",    "parquet_metadata", "parquet_schema"};
  return StartsWith(function, "read_") || kOthers.contains(function);
}

// Cuts the semicolon at the end, with what comments follow it: the text goes into a subquery.
void CutEnd(std::string& text) {
  size_t last = std::string::npos;  // of what is neither blank nor comment
  for (size_t at = 0; at < text.size(); ++at) {
    if (text.compare(at, 2, "--") == 0) {
      at = std::min(text.find('\n', at), text.size());
    } else if (text.compare(at, 2, "/*") == 0) {
      at = std::min(text.find("*/", at + 2), text.size() - 2) + 1;
    } else if (text[at] == '\'' || text[at] == '"') {
      last = at = std::min(text.find(text[at], at + 1), text.size() - 1);
    } else if (std::string_view(" \t\r\n").find(text[at]) == std::string_view::npos) {
      last = at;
    }
  }
  if (last != std::string::npos && text[last] == ';') text.resize(last);
}

Result<Query> ReadQuery(const Written& written, LowerContext& context) {
  Query query{.expanded = TRY(context.expand(written)), .facts = {}};
  std::string& text = query.expanded.sql;
  CutEnd(text);
  int64_t offset = -1;
  auto facts = context.parser.Select(text, &offset);
  if (!facts.ok()) return PlaceError(facts.error(), written, offset);
  if (!facts->select) {
    return PlaceError(ConfigError({},
                                  "this is not one SELECT; a statement runs inside a database: say "
                                  "in: and the connection"),
                      written, 0);
  }
  for (const std::string& function : facts->table_functions) {
    if (!ReadsOutside(function)) continue;
    return PlaceError(
        ConfigError(
            {},
            fmt::format("{}(…) reads what no step has read; use an extract step and select from it",
                        function)),
        written, 0);
  }
  query.facts = std::move(*facts);
  return query;
}

Error UnknownStep(const std::string& table, const std::vector<StepInput>& inputs) {
  std::vector<std::string> steps;
  for (const StepInput& input : inputs) steps.push_back(input.step);
  std::string message = fmt::format("no step '{}'", table);
  if (auto nearest = Nearest(table, steps))
    message += fmt::format("; did you mean '{}'?", *nearest);
  else if (!steps.empty())
    message += "; there are: " + Join(steps, ", ");
  if (table.find('.') != std::string::npos)
    message += "; a table of a database is read by an extract step, or with in:";
  return ConfigError({}, message);
}

// The text with its tables, but not inside a subquery, which would quietly rename the second of two
// columns of one name.
std::string Prefixed(const std::string& with, const std::string& text) {
  if (with.empty() || !StartsWith(ToLower(text.substr(0, 5)), "with")) return with + " " + text;
  std::string rest(Trim(std::string_view(text).substr(4)));
  bool recursive = StartsWith(ToLower(rest.substr(0, 10)), "recursive");
  return (recursive ? "WITH RECURSIVE" + with.substr(4) : with) + ", " +
         (recursive ? rest.substr(9) : rest);
}

Status RefuseTwins(const Schema& schema, const Written& written) {
  std::set<std::string> names;
  for (const Column& column : schema) {
    if (names.insert(ToLower(column.name)).second) continue;
    return ConfigError(
        written.mark,
        fmt::format("the query gives two columns '{}'; name one of them with AS", column.name));
  }
  return Ok();
}

void Warn(const Query& query, const Written& written, LowerContext& context) {
  if (!context.warn) return;
  if (query.facts.unordered_limit) {
    context.warn(written.mark,
                 fmt::format("LIMIT without ORDER BY in step '{}': each run may give other rows",
                             context.step));
  }
  WarnOfChance(query.facts.functions, {}, context.step, written.mark, context.warn);
}

Result<Lowered> LowerSql(const Node& body, const std::vector<StepInput>& inputs,
                         LowerContext& context) {
  SqlConfig config = TRY(SqlSpec().Bind(body));
  Query query = TRY(ReadQuery(config.query, context));
  relation::Sql sql{.text = query.expanded.sql, .inputs = {}};
  std::string with;
  for (size_t i = 0; i < query.facts.tables.size(); ++i) {
    const std::string& table = query.facts.tables[i];
    auto named = [&](const StepInput& input) { return ToLower(input.step) == ToLower(table); };
    auto input = std::find_if(inputs.begin(), inputs.end(), named);
    if (input == inputs.end())
      return PlaceError(UnknownStep(table, inputs), config.query, query.facts.offsets[i]);
    if (std::any_of(sql.inputs.begin(), sql.inputs.end(),
                    [&](const auto& other) { return ToLower(other.first) == ToLower(table); })) {
      sql.once.clear();  // the same step under two spellings
      continue;
    }
    sql.inputs[table] = input->rows;
    if (query.facts.once.contains(table)) sql.once.insert(table);
    with += fmt::format("{}{} AS (SELECT * FROM {})", with.empty() ? "WITH " : ", ",
                        QuoteIdentifier(table), relation::EmptyInput(Visible(input->rows->schema)));
  }
  std::string before = with + " SELECT * FROM (";
  int64_t offset = -1;
  auto schema = DescribeText(before + sql.text + "\n) AS _sluice_sql", query.expanded.bound,
                             context, &offset);
  if (!schema.ok())
    return PlaceError(schema.error(), config.query, offset - static_cast<int64_t>(before.size()));
  auto raw = DescribeText(Prefixed(with, sql.text), query.expanded.bound, context);
  if (raw.ok()) TRY(RefuseTwins(*raw, config.query));
  Warn(query, config.query, context);
  return Lowered{
      relation::Make(std::move(sql), std::move(*schema), context.step, query.expanded.bound),
      Reach::kWhole};
}

Result<std::vector<std::string>> Mentions(const Node& body, LowerContext& context) {
  SqlConfig config = TRY(SqlSpec().Bind(body));
  return TRY(ReadQuery(config.query, context)).facts.tables;
}

}  // namespace

Verb SqlVerb() {
  return {.facts = SqlSpec().facts(),
          .min_inputs = 0,
          .max_inputs = -1,
          .lower = LowerSql,
          .mentions = Mentions};
}

}  // namespace sluice
