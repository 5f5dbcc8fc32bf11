// `extract`: asks the source for its columns and makes them a relation. A row whose event time is
// missing has a fate here, before anything can depend on its time.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "connector/cursor.h"
#include "pipeline/for_each.h"
#include "pipeline/paths.h"
#include "pipeline/planner.h"
#include "pipeline/reserved.h"

namespace sluice {
namespace {

using relation::Ref;

Error UnknownColumn(const Written& written, std::string_view what, const Schema& schema) {
  const auto names = VisibleNames(schema);
  std::string message = fmt::format("{} '{}' is no column", what, EscapeControl(written.text));
  if (const auto nearest = Nearest(written.text, names))
    message += fmt::format("; did you mean '{}'?", *nearest);
  else
    message += fmt::format("; columns: {}", Join(names, ", "));
  return ConfigError(written.mark, std::move(message));
}

// What a fingerprint covers of an extract: what changes its rows, except which files and which
// interval, which the range itself names.
std::string Identity(const Node& body) {
  std::vector<std::string> parts;
  for (const auto& [key, value] : body.map) {
    const bool ranged = key.scalar == "path" || key.scalar == "rows" || key.scalar == "count" ||
                        key.scalar == "allow_empty" || key.scalar == "idle_after";
    if (!ranged) parts.push_back(key.scalar + "\x1f" + TextOf(value));
  }
  std::sort(parts.begin(), parts.end());
  return Join(parts, "\n");
}

Status CheckModes(Planning& planning, const Node& body, const ExtractConfig& config) {
  if (config.incremental && !config.interval.empty()) {
    return ConfigError(config.interval.mark,
                       "an extract reads by 'interval' or by 'incremental', never both");
  }
  if (config.incremental && planning.request.date) {
    return ConfigError(body.Find("incremental")->mark,
                       "--date with 'incremental': a cursor knows only what changed since last "
                       "time; for a day's rows use 'interval'");
  }
  if (config.event_time.empty()) {
    for (const std::string_view key : {"out_of_order", "on_null_time", "idle_after"}) {
      const Node* node = body.Find(key);
      if (node != nullptr)
        return ConfigError(node->mark,
                           fmt::format("'{}' needs 'event_time', the column it is about", key));
    }
  }
  return Ok();
}

// The first run has no cursor yet.
Status CheckInitial(const Node& node, const ExtractConfig& config) {
  const IncrementalConfig& incremental = *config.incremental;
  if (incremental.initial && !incremental.initial->text.empty()) return Ok();
  return ConfigError(node.mark,
                     fmt::format("a query with {{{{ cursor }}}} needs 'initial', where the first "
                                 "run starts: incremental: {{ cursor: {}, initial: … }}",
                                 incremental.cursor.text));
}

Result<ExtractRequest> MakeRequest(Planning& planning, Planned& step, const Node& body,
                                   const Endpoint&) {
  ExtractRequest request;
  request.step = step.node->name;
  request.config = TRY(ExtractSpec().Bind(body));
  TRY(CheckModes(planning, body, request.config));
  if (!request.config.query.empty()) {
    const Expanded query =
        TRY(request.config.incremental ? planning.values.Query(request.config.query, kCursorMark)
                                       : planning.values.Sql(request.config.query));
    request.config.query.text = query.sql;
    for (const relation::Bound& b : query.bound) {
      request.bound.push_back(
          {b.name, b.type, b.null ? std::nullopt : std::optional<std::string>(b.text)});
    }
  }
  if (UsesCursor(request)) TRY(CheckInitial(*body.Find("incremental"), request.config));
  if (!request.config.interval.empty()) {
    planning.values.use_interval();
    request.interval = std::pair(planning.interval.start, planning.interval.end);
  }
  if (planning.request.pinned) request.pinned = TRY(planning.request.pinned(request.step));
  return request;
}

Status CheckEventTime(Planned& step, const ExtractConfig& config) {
  if (config.event_time.empty()) return Ok();
  PlannedExtract& extract = *step.extract;
  const Column* column = Find(extract.shape.schema, config.event_time.text);
  if (!extract.shape.ordered) {
    return ConfigError(
        config.event_time.mark,
        fmt::format(
            "event_time needs rows in an order, and {} has none; inline and generator have one",
            extract.connector->type));
  }
  if (column == nullptr)
    return UnknownColumn(config.event_time, "event_time", extract.shape.schema);
  if (column->type != "TIMESTAMP") {
    return ConfigError(
        config.event_time.mark,
        fmt::format(
            "event_time '{}' is a {}; it must be a TIMESTAMP (columns: {{ {}: timestamp }})",
            column->name, column->type, column->name));
  }
  if (const Node* idle = step.node->body.Find("idle_after"); idle && !extract.shape.endless) {
    return ConfigError(idle->mark,
                       "'idle_after' is for a source without an end; a partition that is read to "
                       "its end holds nothing back");
  }
  extract.event_time =
      sql::EventTime{.column = column->name, .out_of_order = config.out_of_order, .watermarks = {}};
  return Ok();
}

// The column that a range goes by must be there, read or not.
Status CheckRangeColumn(const PlannedExtract& extract, const ExtractConfig& config) {
  if (!config.select.empty()) return Ok();
  const Written& column = config.incremental ? config.incremental->cursor : config.interval;
  if (column.empty() || Find(extract.shape.schema, column.text) != nullptr) return Ok();
  return UnknownColumn(column, config.incremental ? "cursor" : "interval", extract.shape.schema);
}

Schema WithHidden(const PlannedExtract& extract) {
  Schema schema = extract.shape.schema;
  const auto add = [&](std::string_view name, const char* type) {
    schema.push_back({std::string(name), type, true, ""});
  };
  if (extract.shape.ordered) {
    add(kPartitionColumn, "VARCHAR");
    add(kOffsetColumn, "BIGINT");
  } else if (extract.shape.named) {
    add(kPartitionColumn, "VARCHAR");
  }
  if (extract.event_time) {
    add(kEventTimeColumn, "TIMESTAMP");
    add(kWatermarkColumn, "TIMESTAMP");
  }
  return schema;
}

Ref SiftNullTimes(Ref rows, const PlannedExtract& extract) {
  const std::string name = QuoteIdentifier(extract.event_time->column);
  relation::Fate fate;
  fate.step = extract.step;
  fate.code = "null_time";
  fate.kind = extract.on_null_time == "reject" ? relation::FateKind::kRejected
                                               : relation::FateKind::kFiltered;
  fate.applies.sql = fmt::format("({} IS NULL)", name);
  const std::string message =
      QuoteLiteral(fmt::format("event time '{}' is null", extract.event_time->column));
  if (extract.on_null_time == "reject") fate.message.sql = message;
  if (extract.on_null_time == "fail")
    fate.applies.sql =
        fmt::format("(CASE WHEN {} IS NULL THEN error({}) ELSE false END)", name, message);
  Schema schema = rows->schema;
  return relation::Make(relation::Sift{.from = std::move(rows), .fates = {fate}}, std::move(schema),
                        extract.step);
}

// By what is in a row, so that neither epochs nor another run choose other ones.
Ref SiftShare(Ref rows, double share, const std::string& step) {
  constexpr int64_t kParts = 1'000'000;
  std::vector<std::string> names;
  for (const std::string& name : VisibleNames(rows->schema)) names.push_back(QuoteIdentifier(name));
  relation::Fate fate;
  fate.step = step;
  fate.kind = relation::FateKind::kFiltered;
  fate.applies.sql = fmt::format("(hash({}) % {} >= {})", Join(names, ", "), kParts,
                                 static_cast<int64_t>(share * static_cast<double>(kParts)));
  Schema schema = rows->schema;
  return relation::Make(relation::Sift{.from = std::move(rows), .fates = {fate}}, std::move(schema),
                        step);
}

Result<Ref> Select(Ref rows, const std::vector<Written>& names, const std::string& step) {
  relation::Project project;
  Schema schema;
  for (const Written& name : names) {
    const Column* column = Find(rows->schema, name.text);
    if (column == nullptr || column->hidden) return UnknownColumn(name, "select:", rows->schema);
    if (Find(schema, column->name) != nullptr)
      return ConfigError(name.mark, fmt::format("select: '{}' is named twice", name.text));
    project.columns.push_back({column->name, {QuoteIdentifier(column->name), name.mark}});
    schema.push_back(*column);
  }
  for (const Column& column : rows->schema) {
    if (column.hidden) schema.push_back(column);
  }
  project.from = std::move(rows);
  return relation::Make(std::move(project), std::move(schema), step);
}

}  // namespace

Status PlanExtract(Planning& planning, Planned& step) {
  const Node& written = step.node->body;
  if (!written.IsMap())
    return ConfigError(step.node->mark, "'extract' takes a map: { from: connection, … }");
  const Node* from = written.Find("from");
  if (from == nullptr)
    return ConfigError(step.node->mark,
                       "extract needs 'from': a connection's name, or file, inline, generator");
  const Endpoint endpoint = TRY(FindEndpoint(planning, TRY(ReadWritten(*from, "from"))));
  if (endpoint.connector->extract_keys.empty() || !endpoint.connector->source) {
    return ConfigError(from->mark, fmt::format("'{}' cannot be read: {} is no source",
                                               endpoint.name, endpoint.connector->type));
  }
  const SpecFacts facts = ExtractSpec().facts();
  for (const auto& [key, value] : written.map) {
    const auto known =
        std::find_if(facts.fields.begin(), facts.fields.end(),
                     [&name = key.scalar](const FieldFacts& f) { return f.name == name; });
    if (known == facts.fields.end() || !known->comes_with.empty()) TRY(MatchFields(facts, written));
  }
  TRY(CheckEndpointKeys(written, endpoint, CommonExtractKeys(), &Connector::extract_keys,
                        planning.connectors));
  (void)planning.values.TakeAwaited();
  const Node body = TRY(planning.values.Body(written, facts, {"query"}));
  if (const auto awaited = planning.values.TakeAwaited(); !awaited.empty()) {
    return ConfigError(step.node->mark,
                       fmt::format("'{}' is known only in the run, and an extract's columns before "
                                   "it: it can stand in query:, not here",
                                   *awaited.begin()));
  }
  PlannedExtract extract;
  extract.step = step.node->name;
  extract.connector = endpoint.connector;
  extract.connection = endpoint.connection;
  extract.request = TRY(MakeRequest(planning, step, body, endpoint));
  extract.request.names_files = LoadsNameFiles(planning);
  auto source =
      MakeSource(*endpoint.connector, endpoint.connection, extract.request, planning.context);
  if (!source.ok()) return std::move(source).error().At(step.node->mark);
  extract.shape = TRY(ShapeOf(planning, step, extract.request, **source));
  extract.on_null_time = extract.request.config.on_null_time;
  step.extract = std::move(extract);
  if (step.skip == Skip::kNo) TRY(CheckFallback(planning, step));
  const ExtractConfig& config = step.extract->request.config;
  TRY(CheckEventTime(step, config));
  TRY(CheckRangeColumn(*step.extract, config));
  Ref rows =
      relation::Make(relation::Input{step.node->name}, WithHidden(*step.extract), step.node->name);
  if (step.extract->event_time) rows = SiftNullTimes(std::move(rows), *step.extract);
  if (config.sample_rows && step.extract->shape.endless) {
    return ConfigError(written.Find("sample")->mark,
                       "a number of rows is for a source with an end; here say a share, like "
                       "sample: 5%");
  }
  if (config.sample_share) rows = SiftShare(std::move(rows), *config.sample_share, step.node->name);
  if (!config.select.empty()) rows = TRY(Select(std::move(rows), config.select, step.node->name));
  step.identity = Identity(body);
  step.output = StepInput{.step = step.node->name,
                          .rows = std::move(rows),
                          .endless = step.extract->shape.endless,
                          .event_time = step.extract->event_time.has_value(),
                          .ordered = step.extract->shape.ordered};
  return Ok();
}

}  // namespace sluice
