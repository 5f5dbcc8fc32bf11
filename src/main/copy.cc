// sluice copy: one source to one destination without a project. It writes a pipeline and runs it,
// so that there is one code path.
#include <fmt/core.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "base/json.h"
#include "base/secret_store.h"
#include "base/text.h"
#include "main/command.h"
#include "main/place.h"
#include "main/session.h"

namespace sluice {

namespace {

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

std::string Yaml(const Invocation& invocation, const CopyPlace& from, const CopyPlace& to) {
  std::string text = "steps:\n";
  if (from.table.empty()) {
    const bool here = from.type.empty();
    text += fmt::format("  rows: {{ extract: {{ from: {}, path: {}{} }} }}\n",
                        here ? "file" : "source", QuoteJson(here ? Absolute(from.path) : from.path),
                        invocation.Has("--from-format")
                            ? ", format: " + QuoteJson(invocation.Get("--from-format"))
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
  const bool here = to.type.empty();
  text += fmt::format("  copied: {{ load: {{ {}, mode: {}",
                      to.table.empty() ? fmt::format("into: {}, path: {}", here ? "file" : "target",
                                                     QuoteJson(here ? Absolute(to.path) : to.path))
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
  return node;
}

Connection ConnectionOf(const std::string& name, const CopyPlace& place) {
  Connection connection{.name = name, .type = place.type, .node = {}};
  connection.node.kind = Node::Kind::kMap;
  connection.node.map = {{Scalar("type"), Scalar(place.type)}};
  for (const auto& [key, value] : place.keys)
    connection.node.map.push_back({Scalar(key), Scalar(key == "path" ? Absolute(value) : value)});
  return connection;
}

// The passwords of the two URIs; what else a connection refers to is as in a project.
class CopySecrets final : public Secrets {
 public:
  CopySecrets(std::unique_ptr<Secrets> others, const CopyPlace& from, const CopyPlace& to)
      : others_(std::move(others)), from_(from.password), to_(to.password) {}

  Result<Secret> Open(std::string_view text, const Mark& mark) override {
    if (text == SecretOf("source")) return from_;
    if (text == SecretOf("target")) return to_;
    return others_->Open(text, mark);
  }

 private:
  const std::unique_ptr<Secrets> others_;
  const Secret from_, to_;
};

Result<int> Copy(const Invocation& invocation) {
  const Connectors connectors = BuiltinConnectors();
  const CopyPlace from = TRY(ReadCopyPlace(invocation.Get("source"), "source", connectors));
  const CopyPlace to = TRY(ReadCopyPlace(invocation.Get("destination"), "target", connectors));
  std::string yaml = Yaml(invocation, from, to);
  // What is copied from elsewhere is another thing.
  std::string name = "copy_" + Fingerprint(yaml + from.shown + to.shown);
  Project project{.name = "copy",
                  .folder = std::filesystem::current_path().string(),
                  .connections = {},
                  .settings = {},
                  .memory_bytes = {},
                  .parallelism = 0};
  if (!from.type.empty()) project.connections["source"] = ConnectionOf("source", from);
  if (!to.type.empty()) project.connections["target"] = ConnectionOf("target", to);
  const std::string folder = project.folder;
  auto session = ProjectSession::Of(std::move(project), StateFolder());
  session->UseSecrets(std::make_unique<CopySecrets>(
      MakeSecrets(session->files(), folder, StateFolder() + "/secrets.json"), from, to));
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
      .summary = "Copy files or a table to files or a table, without a project",
      .example = "sluice copy orders.csv warehouse.duckdb:orders",
      .arguments =
          {{"source",
            "FILE, 'GLOB', FILE.duckdb:TABLE, postgres://USER:PASSWORD@HOST/DATABASE/TABLE, "
            "mysql://…, sqlite://FILE/TABLE, s3://BUCKET/PATH"},
           {"destination", "FILE, FOLDER/, FILE.duckdb:TABLE or a URI as above"}},
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
