// sluice copy: one source to one destination without a project. It writes a pipeline and runs it,
// so that there is one code path.
#include <fmt/core.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "base/json.h"
#include "base/text.h"
#include "main/command.h"
#include "main/session.h"

namespace sluice {

namespace {

// "warehouse.duckdb:orders" is a table of a DuckDB file, anything else a path.
struct Place {
  std::string file, table;  // table empty: `file` is a path of files
};

Result<Place> ReadPlace(const std::string& text) {
  for (std::string_view ending : {".duckdb:", ".db:", ".ddb:"}) {
    size_t at = text.rfind(ending);
    if (at == std::string::npos) continue;
    Place place{text.substr(0, at + ending.size() - 1), text.substr(at + ending.size())};
    if (place.table.empty())
      return ConfigError({}, fmt::format("'{}' names no table: write {}:TABLE", text, place.file));
    return place;
  }
  for (std::string_view ending : {".duckdb", ".ddb"}) {
    if (EndsWith(text, ending))
      return ConfigError({}, fmt::format("'{}' names no table: write {}:TABLE", text, text));
  }
  if (text.find("://") != std::string::npos) {
    return ConfigError({}, fmt::format("'{}': URIs are not built yet: come with the databases; "
                                       "valid: FILE, GLOB, FILE.duckdb:TABLE",
                                       text));
  }
  return Place{text, ""};
}

std::string Absolute(const std::string& path) {
  std::string full = std::filesystem::absolute(path).lexically_normal().string();
  return EndsWith(path, "/") && !EndsWith(full, "/") ? full + "/" : full;
}

std::string StateFolder() {
  if (const char* state = std::getenv("XDG_STATE_HOME"); state && *state)
    return std::string(state) + "/sluice";
  if (const char* home = std::getenv("HOME"); home && *home)
    return std::string(home) + "/.local/state/sluice";
  return "/tmp/sluice-" + std::to_string(::getuid());
}

std::string Yaml(const Invocation& invocation, const Place& from, const Place& to) {
  std::string text = "steps:\n";
  if (from.table.empty()) {
    text += fmt::format(
        "  rows: {{ extract: {{ from: file, path: {}{} }} }}\n", QuoteJson(Absolute(from.file)),
        invocation.Has("--from-format") ? ", format: " + QuoteJson(invocation.Get("--from-format"))
                                        : "");
  } else {
    text += fmt::format("  rows: {{ extract: {{ from: source, table: {} }} }}\n",
                        QuoteJson(from.table));
  }
  if (invocation.Has("--where"))
    text += fmt::format("  kept: {{ filter: {{ where: {} }} }}\n",
                        QuoteJson(invocation.Get("--where")));
  if (invocation.Has("--select")) {
    std::string before = invocation.Has("--where") ? "kept" : "rows";
    text += fmt::format(
        "  chosen: {{ sql: {{ query: {} }} }}\n",
        QuoteJson(fmt::format("SELECT {} FROM {}", invocation.Get("--select"), before)));
  }
  std::string mode = invocation.Get("--mode", to.table.empty() ? "overwrite" : "append");
  text += fmt::format("  copied: {{ load: {{ {}, mode: {}",
                      to.table.empty() ? "into: file, path: " + QuoteJson(Absolute(to.file))
                                       : "into: target, table: " + QuoteJson(to.table),
                      QuoteJson(mode));
  if (invocation.Has("--key")) {
    std::string keys;
    for (const std::string& key : Split(invocation.Get("--key"), ','))
      keys += (keys.empty() ? "" : ", ") + QuoteJson(Trim(key));
    text += ", key: [" + keys + "]";
  }
  if (invocation.Has("--format")) text += ", format: " + QuoteJson(invocation.Get("--format"));
  if (!to.table.empty()) text += ", provenance: off";
  return text + " } }\n";
}

Node Scalar(const std::string& text) {
  Node node;
  node.kind = Node::Kind::kScalar;
  node.scalar = text;
  node.quoted = true;
  return node;
}

Connection DuckDb(const std::string& name, const std::string& path) {
  Connection connection{.name = name, .type = "duckdb", .node = {}};
  connection.node.kind = Node::Kind::kMap;
  connection.node.map = {{Scalar("type"), Scalar("duckdb")},
                         {Scalar("path"), Scalar(Absolute(path))}};
  return connection;
}

Result<int> Copy(const Invocation& invocation) {
  Place from = TRY(ReadPlace(invocation.Get("source")));
  Place to = TRY(ReadPlace(invocation.Get("destination")));
  std::string yaml = Yaml(invocation, from, to);
  std::string name = "copy_" + Fingerprint(yaml);
  Project project{.name = "copy",
                  .folder = std::filesystem::current_path().string(),
                  .connections = {},
                  .settings = {},
                  .memory_bytes = {},
                  .parallelism = 0};
  if (!from.table.empty()) project.connections["source"] = DuckDb("source", from.file);
  if (!to.table.empty()) project.connections["target"] = DuckDb("target", to.file);
  auto session = ProjectSession::Of(std::move(project), StateFolder());
  (void)session->WatchSignals();
  PipelineFile file =
      TRY(ParsePipeline(fmt::format("pipeline: {}\n{}", name, yaml), "sluice copy"));
  PlanRequest request;
  request.now = session->clock().Now();
  Plan plan = TRY(session->MakePlanOf(file, request));
  World world = TRY(session->world());
  RunOptions options;
  options.again = invocation.Has("--again");
  options.resync = invocation.Has("--resync");
  options.resync_hint = "the same command with --resync";
  return RunAndReport(*session, plan, world, options, invocation.Get("--output") == "json");
}

}  // namespace

Command CopyCommand() {
  return {
      .name = "copy",
      .summary = "Copy files or a table to a file or a table, without a project",
      .example = "sluice copy orders.csv warehouse.duckdb:orders",
      .arguments = {{"source", "FILE, 'GLOB' or FILE.duckdb:TABLE"},
                    {"destination", "FILE, FOLDER/ or FILE.duckdb:TABLE"}},
      .options = {OutputOption(),
                  {"--where", "SQL", "Only rows for which this holds"},
                  {"--select", "SQL", "What follows SELECT"},
                  {"--mode", "MODE", "append (tables), overwrite (files), insert, upsert, replace"},
                  {"--key", "COLUMNS", "Key of upsert and replace, separated by commas"},
                  {"--format", "FORMAT", "Of the files written: csv, ndjson or parquet"},
                  {"--from-format", "FORMAT", "Of the files read"},
                  {"--again", "", "Copy again what was already copied", Option::Kind::kFlag},
                  {"--resync", "",
                   "Go on from what the destination holds, after it was restored or its records "
                   "were deleted",
                   Option::Kind::kFlag}},
      .run = Copy};
}

}  // namespace sluice
