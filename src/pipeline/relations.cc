// Work that a database does over its own tables: `sql` with `in` that is a SELECT is read like any
// query of that connection, after the loads that write its tables; a load of mode view makes it a
// view there. `latest` is a view beside a table.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "connector/table_name.h"
#include "pipeline/planner.h"
#include "pipeline/template_scan.h"
#include "relation/render.h"

namespace sluice {
namespace {

const Node* QueryInside(const StepNode& step) {
  const bool inside = step.verb == "sql" && step.body.IsMap() && step.body.Find("in") != nullptr;
  const Node* query = inside ? step.body.Find("query") : nullptr;
  return query != nullptr && query->IsScalar() ? query : nullptr;
}

// The text with a NULL for each `{{ }}`, so that it can be parsed.
std::string Parseable(const std::string& text) {
  std::string out;
  for (const Piece& piece : ScanSql(text))
    out += piece.kind == Piece::Kind::kText ? piece.text : "NULL";
  return out;
}

// The tables that a SELECT names; nothing: it is none.
std::optional<std::vector<std::string>> TablesOf(sql::Parser& parser, const std::string& text) {
  const auto facts = parser.Select(Parseable(text));
  if (!facts.ok() || !facts->select) return std::nullopt;
  return facts->tables;
}

bool Writes(const StepNode& load, const std::string& connection, const std::string& table) {
  const Node* into = load.verb == "load" ? load.body.Find("into") : nullptr;
  const Node* target = into == nullptr ? nullptr : load.body.Find("table");
  return target != nullptr && into->scalar == connection &&
         ToLower(target->scalar) == ToLower(table);
}

Node Scalar(std::string text, const Mark& mark) {
  return Node{.kind = Node::Kind::kScalar, .scalar = std::move(text), .mark = mark};
}

// Values as literals: a view holds no parameters.
std::string Inlined(const Expanded& expanded) {
  std::string text = expanded.sql;
  for (const relation::Bound& bound : expanded.bound) {
    const std::string name = "$" + bound.name;
    const std::string literal = bound.null ? "NULL" : QuoteLiteral(bound.text);
    for (size_t at = text.find(name); at != std::string::npos;
         at = text.find(name, at + literal.size()))
      text.replace(at, name.size(), literal);
  }
  return text;
}

struct LatestConfig {
  Written view;
  std::vector<Written> key, order_by;
};

const Spec<LatestConfig>& LatestSpec() {
  static const Spec<LatestConfig> spec =
      Spec<LatestConfig>("latest", "A view with the newest row of each key.")
          .TextSlot(&LatestConfig::view, "view", "Its name.", Need::kRequired)
          .List(&LatestConfig::key, "key", "What makes a row itself.", Slot::kText,
                "column or list", Need::kRequired)
          .List(&LatestConfig::order_by, "order_by", "What makes a row newer.", Slot::kText,
                "column or list", Need::kRequired);
  return spec;
}

// The statement that makes a view; its schema too, where it is not that of the table beside it.
Result<std::string> MakeView(const Written& name, const std::string& select,
                             const std::string& beside) {
  auto parsed = ParseTableName(name.text, "");
  if (!parsed.ok()) return std::move(parsed).error().At(name.mark);
  std::string schema;
  if (!parsed->schema.empty() && !StartsWith(beside, parsed->schema + "."))
    schema = fmt::format("CREATE SCHEMA IF NOT EXISTS {}; ", QuoteIdentifier(parsed->schema));
  return fmt::format("{}CREATE OR REPLACE VIEW {} AS {}", schema, QuoteTable(name.text), select);
}

}  // namespace

Result<PipelineFile> WithSelectsInside(const Project& project, sql::Parser& parser,
                                       PipelineFile file) {
  for (StepNode& step : file.steps) {
    const Node* query = QueryInside(step);
    if (query == nullptr) continue;
    const Node in = *step.body.Find("in");
    if (!project.connections.contains(in.scalar)) continue;
    const auto tables = TablesOf(parser, query->scalar);
    if (!tables) continue;
    Node after{.kind = Node::Kind::kList, .mark = step.mark};
    if (const Node* said = step.step.Find("after")) {
      after.list = said->list;
      if (said->IsScalar()) after.list.push_back(*said);
    }
    for (const StepNode& load : file.steps) {
      const bool writes = std::any_of(tables->begin(), tables->end(), [&](const std::string& t) {
        return Writes(load, in.scalar, t);
      });
      if (writes && &load != &step) after.list.push_back(Scalar(load.name, step.mark));
    }
    Node body{.kind = Node::Kind::kMap, .mark = step.body.mark};
    body.map.push_back({Scalar("from", in.mark), in});
    body.map.push_back({Scalar("query", query->mark), *query});
    std::erase_if(step.step.map, [](const Node::Entry& entry) {
      return entry.key.scalar == "after" || entry.key.scalar == "from" || entry.key.scalar == "sql";
    });
    if (!after.list.empty()) step.step.map.push_back({Scalar("after", step.mark), after});
    step.verb = "extract";
    step.body = std::move(body);
    step.from.clear();
  }
  return file;
}

// The columns of a query over tables that this pipeline's loads have not made yet.
Result<SourceShape> ShapeFromLoads(Planning& planning, const Planned& step) {
  const Written query = step.node->body.Find("query") == nullptr
                            ? Written{}
                            : TRY(ReadWritten(*step.node->body.Find("query"), "query"));
  const auto tables = TablesOf(planning.parser, query.text);
  std::string with;
  for (const std::string& name : step.after) {
    const Planned& load = planning.Step(name);
    if (!load.load || !tables) continue;
    for (const std::string& table : *tables) {
      if (ToLower(table) != ToLower(load.load->load.target)) continue;
      if (table.find('.') != std::string::npos) continue;
      with += fmt::format("{}{} AS (SELECT * FROM {})", with.empty() ? "WITH " : ", ",
                          QuoteIdentifier(table), relation::EmptyInput(load.load->load.schema));
    }
  }
  if (with.empty()) return ConfigError(query.mark, "no load of this pipeline makes its tables");
  const Expanded expanded = TRY(planning.values.Sql(query));
  std::vector<sql::Bound> bound;
  for (const relation::Bound& b : expanded.bound)
    bound.push_back({b.name, b.type, b.null ? std::nullopt : std::optional(b.text)});
  Schema schema = TRY(planning.session.Describe(
      fmt::format("{} SELECT * FROM ({}) AS _query", with, expanded.sql), bound));
  return SourceShape{.schema = std::move(schema),
                     .guessed = {},
                     .replay = Replay::kSameRows,
                     .endless = false,
                     .ordered = false,
                     .describe = "a query over tables that this run will make"};
}

Status PlanView(Planning& planning, Planned& step, const Endpoint& endpoint) {
  const Planned* above = step.from.size() == 1 ? &planning.Step(step.from[0]) : nullptr;
  const Node* query =
      above == nullptr || !above->extract ? nullptr : above->node->body.Find("query");
  const Node* from = query == nullptr ? nullptr : above->node->body.Find("from");
  if (from == nullptr || from->scalar != endpoint.name) {
    return ConfigError(step.node->mark,
                       fmt::format("mode view takes a SELECT inside '{}': sql: {{ in: {}, query: "
                                   "SELECT … }} right above it; rows from elsewhere need a table",
                                   endpoint.name, endpoint.name));
  }
  for (const auto& [key, value] : step.node->body.map) {
    if (key.scalar == "into" || key.scalar == "table" || key.scalar == "mode") continue;
    return ConfigError(key.mark, fmt::format("'{}' means nothing for a view; it has into, table "
                                             "and mode",
                                             key.scalar));
  }
  const Node body = TRY(planning.values.Body(step.node->body, LoadSpec().facts()));
  const Node* table = body.Find("table");
  if (table == nullptr)
    return ConfigError(step.node->mark, "mode view needs 'table': the name of the view");
  const Written name = TRY(ReadWritten(*table, "table"));
  const Expanded select = TRY(planning.values.Sql(TRY(ReadWritten(*query, "query"))));
  Action action = TRY(ActionAt(planning, step, endpoint));
  action.statement = TRY(MakeView(name, Inlined(select), ""));
  action.fingerprint = Fingerprint(action.statement + "\x1f" + action.sink.key);
  step.sink = action.sink;
  step.action = std::move(action);
  return Ok();
}

Result<std::string> LatestView(Planning& planning, const LoadConfig& config, const Load& load) {
  if (config.latest.IsNull()) return std::string();
  const LatestConfig latest =
      TRY(LatestSpec().Bind(TRY(planning.values.Body(config.latest, LatestSpec().facts()))));
  if (load.mode != Mode::kAppend && load.mode != Mode::kInsert) {
    return ConfigError(
        config.latest.mark,
        fmt::format("'latest' is for a log of rows; mode {} keeps one row per key by "
                    "itself",
                    NameOf(load.mode)));
  }
  const auto names = [&](const std::vector<Written>& columns,
                         std::string_view suffix) -> Result<std::string> {
    std::string text;
    for (const Written& column : columns) {
      const Column* found = Find(load.schema, column.text);
      if (found == nullptr || found->hidden) {
        return ConfigError(
            column.mark,
            fmt::format("latest: '{}' is no column of the rows; columns: "
                        "{}",
                        EscapeControl(column.text), Join(VisibleNames(load.schema), ", ")));
      }
      text += (text.empty() ? "" : ", ") + QuoteIdentifier(found->name) + std::string(suffix);
    }
    return text;
  };
  const std::string key = TRY(names(latest.key, "")),
                    order = TRY(names(latest.order_by, " DESC NULLS LAST"));
  if (ToLower(latest.view.text) == ToLower(load.target)) {
    return ConfigError(latest.view.mark,
                       fmt::format("latest: the view '{}' has the name of the table; give it "
                                   "another: the table is the log, the view its newest rows",
                                   latest.view.text));
  }
  const std::string select = fmt::format(
      "SELECT DISTINCT ON ({}) * FROM {} ORDER BY {}, {}{}", key, QuoteTable(load.target), key,
      order, load.provenance ? ", \"_sluice_epoch\" DESC NULLS LAST" : "");
  return MakeView(latest.view, select, load.target);
}

}  // namespace sluice
