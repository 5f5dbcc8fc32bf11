// `load`: one target, exact. The rows go on to the step below as they came.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "pipeline/paths.h"
#include "pipeline/planner.h"
#include "pipeline/reserved.h"
#include "relation/render.h"

namespace sluice {
namespace {

Error NoColumn(const Mark& mark, std::string_view what, const std::string& name,
               const Schema& schema) {
  const auto names = VisibleNames(schema);
  std::string message = fmt::format("{} '{}' is no column of the rows", what, EscapeControl(name));
  if (const auto nearest = Nearest(name, names))
    message += fmt::format("; did you mean '{}'?", *nearest);
  else
    message += fmt::format("; columns: {}", Join(names, ", "));
  return ConfigError(mark, std::move(message));
}

Status CheckMode(const Mode mode, const Node& body, const LoadConfig& config, bool endless) {
  const Node* node = body.Find("mode");
  const Mark mark = node != nullptr ? node->mark : body.mark;
  const bool by_key = mode == Mode::kInsert || mode == Mode::kUpsert || mode == Mode::kReplace;
  if (mode == Mode::kReplace && config.key.empty()) {
    return ConfigError(
        mark, "mode replace without 'key' has nothing to replace by; did you mean overwrite?");
  }
  if (by_key && config.key.empty())
    return ConfigError(mark,
                       fmt::format("mode {} needs 'key': what makes a row itself", NameOf(mode)));
  if (!by_key && !config.key.empty()) {
    return ConfigError(
        config.key.front().mark,
        fmt::format("'key' is for insert, upsert and replace; mode {} has none", NameOf(mode)));
  }
  if (mode == Mode::kReplacePartition && config.partition.empty()) {
    return ConfigError(mark,
                       "mode replace_partition needs 'partition', like { day: \"{{ ds }}\" }");
  }
  if (mode != Mode::kReplacePartition && !config.partition.empty()) {
    return ConfigError(
        config.partition.front().mark,
        fmt::format("'partition' is for replace_partition; the mode is {}", NameOf(mode)));
  }
  if (endless && (mode == Mode::kOverwrite || mode == Mode::kReplacePartition)) {
    return ConfigError(
        mark,
        fmt::format(
            "mode {} replaces when the run ends, and this source has no end; use append or upsert",
            NameOf(mode)));
  }
  return Ok();
}

Result<std::vector<std::string>> ReadKey(const LoadConfig& config, const Schema& schema) {
  std::vector<std::string> key;
  for (const Written& name : config.key) {
    const Column* column = Find(schema, name.text);
    if (column == nullptr || column->hidden) return NoColumn(name.mark, "key", name.text, schema);
    if (std::find(key.begin(), key.end(), column->name) != key.end()) {
      return ConfigError(name.mark, fmt::format("key '{}' is named twice", column->name));
    }
    key.push_back(column->name);
  }
  return key;
}

// The columns by which an upsert tells that a row has changed.
Status ReadCompared(const LoadConfig& config, Load& load) {
  if (config.compare.empty() && config.ignore.empty()) return Ok();
  const Mark& mark = (config.compare.empty() ? config.ignore : config.compare).front().mark;
  if (load.mode != Mode::kUpsert) {
    return ConfigError(
        mark, fmt::format("'{}' is for upsert; the mode is {}",
                          config.compare.empty() ? "ignore" : "compare", NameOf(load.mode)));
  }
  if (config.compare.empty())
    return ConfigError(mark, "'ignore' says what compare leaves out: add compare: all");
  const std::string& word = config.compare.front().text;
  const bool all = config.compare.size() == 1 && (word == "all" || word == "checksum") &&
                   Find(load.schema, word) == nullptr;
  if (!all && !config.ignore.empty())
    return ConfigError(config.ignore.front().mark,
                       "'ignore' beside a list of compared columns: the list says it already");
  std::vector<std::string> ignored;
  for (const Written& name : config.ignore) {
    const Column* column = Find(load.schema, name.text);
    if (column == nullptr) return NoColumn(name.mark, "ignore", name.text, load.schema);
    if (std::find(load.key.begin(), load.key.end(), column->name) != load.key.end())
      return ConfigError(name.mark, fmt::format("ignore: '{}' is of the key", column->name));
    ignored.push_back(column->name);
  }
  load.by_checksum = all && word == "checksum";
  load.compared.emplace();
  for (const Column& column : load.schema) {
    const bool key = std::find(load.key.begin(), load.key.end(), column.name) != load.key.end();
    const bool out = std::find(ignored.begin(), ignored.end(), column.name) != ignored.end();
    if (all && !key && !out) load.compared->push_back(column.name);
  }
  for (const Written& name : config.compare) {
    if (all) break;
    const Column* column = Find(load.schema, name.text);
    if (column == nullptr) return NoColumn(name.mark, "compare", name.text, load.schema);
    load.compared->push_back(column->name);
  }
  return Ok();
}

// The type of the column or expression that a partition goes by.
Result<std::string> TermType(Planning& planning, const NamedWritten& term, const Schema& schema) {
  if (const Column* column = Find(schema, term.name)) return column->type;
  const auto facts = planning.parser.Expression(term.name);
  if (!facts.ok())
    return ConfigError(term.mark,
                       fmt::format("partition '{}' is neither a column nor an expression: {}",
                                   EscapeControl(term.name), facts.error().message));
  for (const std::string& column : facts->columns) {
    if (Find(schema, column) == nullptr) return NoColumn(term.mark, "partition", column, schema);
  }
  auto described = planning.session.Describe(
      fmt::format("SELECT {} AS term FROM {}", term.name, relation::EmptyInput(Visible(schema))));
  if (!described.ok())
    return ConfigError(term.mark, fmt::format("partition '{}': {}", EscapeControl(term.name),
                                              described.error().message));
  return described->front().type;
}

Result<PartitionTerm> ReadTerm(Planning& planning, const NamedWritten& written,
                               const Schema& schema) {
  PartitionTerm term;
  const Column* column = Find(schema, written.name);
  term.column = column != nullptr ? column->name : written.name;
  const std::string type = TRY(TermType(planning, written, schema));
  if (written.value.empty()) return term;
  const relation::Bound value = TRY(planning.values.Value(written.value));
  if (value.null)
    return ConfigError(written.value.mark,
                       fmt::format("partition '{}': the value is NULL", written.name));
  auto rows = planning.session.Query(
      fmt::format("SELECT CAST(CAST({} AS {}) AS VARCHAR)", relation::Refer(value), type),
      {{value.name, value.type, value.text}});
  if (!rows.ok() || rows->rows[0][0].null) {
    return ConfigError(written.value.mark,
                       fmt::format("partition '{}' is a {}; '{}' is none", written.name, type,
                                   EscapeControl(value.text)));
  }
  const relation::Bound cast = relation::MakeBound(type, rows->rows[0][0].text);
  term.value = sql::Bound{cast.name, cast.type, cast.text};
  return term;
}

Result<uint64_t> ReadBatchSize(const LoadConfig& config, const Node& body) {
  if (config.batch_size >= 0) return static_cast<uint64_t>(config.batch_size);
  return ConfigError(body.Find("batch_size")->mark,
                     fmt::format("batch_size {} is none; valid: a number of rows, or 0: as many as "
                                 "there are",
                                 config.batch_size));
}

Status CheckColumns(const Planned& step, const Schema& schema) {
  if (schema.empty())
    return ConfigError(step.node->mark,
                       fmt::format("step '{}' would load rows without columns", step.node->name));
  for (const Column& column : schema) {
    if (!StartsWith(ToLower(column.name), "_sluice")) continue;
    return ConfigError(
        step.node->mark,
        fmt::format("column '{}' is ours; leave it out with map or select", column.name));
  }
  return Ok();
}

Status FindTarget(Load& load, const LoadConfig& config, const Endpoint& endpoint,
                  const Mark& mark) {
  const auto& keys = endpoint.connector->load_keys;
  const auto takes = [&](std::string_view key) {
    return std::find(keys.begin(), keys.end(), key) != keys.end();
  };
  load.target = takes("table") ? config.table.text : config.path.text;
  if (!load.target.empty()) return Ok();
  return ConfigError(mark, fmt::format("load into {} needs '{}'", endpoint.name,
                                       takes("table") ? "table" : "path"));
}

// The window that the rows come from one by one, if any.
bool ComesFromWindow(const Planning& planning, const Planned& load) {
  for (const Planned* step = &load; step->from.size() == 1;) {
    step = &planning.steps.at(step->from[0]);
    const std::string& verb = step->node->verb;
    if (verb == "window") return true;
    if (verb == "aggregate" || verb == "join" || verb == "lookup" || verb == "sql") return false;
  }
  return false;
}

// By what a row of a key is later than another: its place in its source; where rows wait for event
// time, that first, for in its order they are given; of windows, their start.
Schema OrderOf(const Planning& planning, const Planned& step, const StepInput& input) {
  Schema order;
  const Schema& schema = input.rows->schema;
  const auto add = [&](std::string_view name) {
    if (const Column* column = Find(schema, name)) order.push_back(*column);
  };
  if (ComesFromWindow(planning, step)) {
    add("window_start");
  } else if (input.ordered) {
    const auto upstream = Upstream(planning, step.node->name);
    const bool keyed = std::any_of(upstream.begin(), upstream.end(), [&](const std::string& name) {
      return planning.steps.at(name).reach == Reach::kKeyed;
    });
    if (keyed) add(kEventTimeColumn);
    add(kPartitionColumn);
    add(kOffsetColumn);
  }
  return order;
}

// Rows that nothing is done with between two databases of one kind need not be read by us.
Result<std::vector<std::string>> FindRelay(const Planning& planning, const PlannedLoad& load,
                                           Sink& sink) {
  std::vector<std::string> none;
  const auto* input = std::get_if<relation::Input>(&load.rows->op);
  if (input == nullptr || input->step != load.input) return none;
  const auto above = planning.steps.find(load.input);
  if (above == planning.steps.end() || !above->second.extract) return none;
  const PlannedExtract& extract = *above->second.extract;
  if (extract.event_time || extract.shape.wire.empty()) return none;
  std::vector<std::string> wire;
  for (const Column& column : load.load.schema) {
    const Column* read = Find(extract.shape.schema, column.name);
    if (read == nullptr) return none;
    wire.push_back(extract.shape.wire.at(static_cast<size_t>(read - extract.shape.schema.data())));
    if (wire.back().empty()) return none;
  }
  return TRY(sink.TakesRelay(load.load, wire)) ? wire : none;
}

}  // namespace

namespace {

Status CheckKeepsBefore(const Load& load, const PlannedSink& sink, const Mark& mark) {
  if (load.mode == Mode::kAppend || load.mode == Mode::kInsert) {
    return ConfigError(mark, fmt::format("provenance: before keeps the rows that a load changes or "
                                         "removes, and mode '{}' leaves all as they are; leave it "
                                         "out",
                                         NameOf(load.mode)));
  }
  if (sink.capabilities.keeps_before) return Ok();
  return ConfigError(mark, fmt::format("provenance: before is built for duckdb so far; {} takes: "
                                       "on, off",
                                       sink.connector->type));
}

}  // namespace

Status PlanLoad(Planning& planning, Planned& step) {
  const Node& written = step.node->body;
  if (!written.IsMap())
    return ConfigError(step.node->mark, "'load' takes a map: { into: connection, table: … }");
  const Node* into = written.Find("into");
  if (into == nullptr)
    return ConfigError(step.node->mark, "load needs 'into': a connection's name, or file");
  const Endpoint endpoint = TRY(FindEndpoint(planning, TRY(ReadWritten(*into, "into"))));
  if (endpoint.connector->load_keys.empty() || !endpoint.connector->sink) {
    return ConfigError(into->mark, fmt::format("'{}' cannot be written: {} is no sink",
                                               endpoint.name, endpoint.connector->type));
  }
  if (const Node* mode = written.Find("mode"); mode != nullptr && mode->scalar == "view")
    return PlanView(planning, step, endpoint);
  const SpecFacts facts = LoadSpec().facts();
  const Node body =
      TRY(planning.values.Body(written, facts, {"partition", "mode", "path", "latest"}));
  if (const Node* mode = body.Find("mode"))
    TRY(ParseMode(TRY(ReadWritten(*mode, "mode")).text, mode->mark));
  LoadConfig config = TRY(LoadSpec().Bind(body));
  TRY(CheckEndpointKeys(body, endpoint, CommonLoadKeys(), &Connector::load_keys,
                        planning.connectors));
  const StepInput input = TRY(InputOf(planning, step));

  Load load;
  load.step = step.node->name;
  load.mark = step.node->mark;
  load.mode = TRY(ParseMode(config.mode, step.node->mark));
  load.schema = Visible(input.rows->schema);
  load.format = config.format;
  load.compression = config.compression;
  load.provenance = config.provenance != "off";
  load.keeps_before = config.provenance == "before";
  load.batch_size = TRY(ReadBatchSize(config, body));
  load.paths = TRY(ReadPaths(planning, config.path, *input.rows, input.endless));
  TRY(FindTarget(load, config, endpoint, step.node->mark));
  TRY(CheckMode(load.mode, body, config, input.endless));
  TRY(CheckColumns(step, load.schema));
  load.key = TRY(ReadKey(config, load.schema));
  TRY(ReadCompared(config, load));
  if (load.by_checksum && endpoint.connector->type != "duckdb") {
    return ConfigError(config.compare.front().mark,
                       fmt::format("compare: checksum is for duckdb; in {} say compare: all, which "
                                   "writes the same rows",
                                   endpoint.connector->type));
  }
  if (load.mode == Mode::kUpsert) load.order = OrderOf(planning, step, input);
  if (load.mode == Mode::kUpsert && load.order.empty() && input.endless) {
    return ConfigError(step.node->mark,
                       "upsert from a source without an end needs to know which row of a key is "
                       "the later; keep window_start in the rows");
  }
  for (const NamedWritten& term : config.partition)
    load.partition.push_back(TRY(ReadTerm(planning, term, load.schema)));

  load.latest = TRY(LatestView(planning, config, load));

  PlannedSink sink{
      .key = endpoint.connector->sink_key(endpoint.connection, config, planning.project.folder),
      .name = endpoint.name,
      .connector = endpoint.connector,
      .connection = endpoint.connection,
      .capabilities = {}};
  auto opened = endpoint.connector->sink(endpoint.connection, {load}, planning.context);
  if (!opened.ok()) return std::move(opened).error().At(step.node->mark);
  sink.capabilities = TRY((*opened)->Describe());
  const auto& modes = sink.capabilities.modes;
  if (std::find(modes.begin(), modes.end(), load.mode) == modes.end()) {
    std::vector<std::string> names;
    for (const Mode mode : modes) names.emplace_back(NameOf(mode));
    const Node* mode = body.Find("mode");
    return ConfigError(mode != nullptr ? mode->mark : step.node->mark,
                       fmt::format("{} cannot {}; it takes: {}", endpoint.connector->type,
                                   NameOf(load.mode), Join(names, ", ")));
  }
  if (load.keeps_before) TRY(CheckKeepsBefore(load, sink, body.Find("provenance")->mark));
  step.load = PlannedLoad{.load = std::move(load),
                          .input = step.from.size() == 1 ? step.from[0] : "",
                          .sink = sink.key,
                          .rows = input.rows,
                          .renamed_from = config.renamed_from};
  step.load->relay = TRY(FindRelay(planning, *step.load, **opened));
  step.load_config = config;
  step.sink = std::move(sink);
  step.output = input;
  step.output->step = step.node->name;
  return Ok();
}

}  // namespace sluice
