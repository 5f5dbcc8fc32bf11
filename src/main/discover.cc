// sluice discover: what can be read through a connection, and a pipeline that reads it.
#include <fmt/core.h>

#include <algorithm>
#include <cstdio>
#include <set>

#include "base/files.h"
#include "base/json.h"
#include "base/json_full.h"
#include "base/text.h"
#include "main/command.h"
#include "main/session.h"
#include "main/table.h"

namespace sluice {
namespace {

Result<std::vector<FoundTable>> Find(ProjectSession& session, const Connection& connection,
                                     const std::string& schema) {
  const Connector* connector = sluice::Find(session.connectors(), connection.type);
  if (connector == nullptr || !connector->discover) {
    return ConfigError(
        connection.node.mark,
        fmt::format("what a connection of type '{}' holds cannot be listed", connection.type));
  }
  if (connector->check) TRY(connector->check(connection.node));
  return connector->discover(connection.node, schema, TRY(session.context()));
}

Json ToJson(const FoundTable& table) {
  Json columns = Json::array();
  for (const FoundColumn& column : table.columns) {
    columns.push_back({{"name", column.name},
                       {"system_type", column.shown},
                       {"type", column.type.empty() ? Json() : Json(column.type)}});
  }
  return {{"schema", table.schema},
          {"name", table.name},
          {"kind", table.kind},
          {"reads_as", table.written},
          {"rows_estimate", table.rows ? Json(*table.rows) : Json()},
          {"bytes", table.bytes ? Json(*table.bytes) : Json()},
          {"key", table.key},
          {"columns", columns}};
}

void Print(const FoundTable& table) {
  std::string line = EscapeControl(table.written) + " (" + table.kind;
  if (table.rows) line += fmt::format(", about {} rows", *table.rows);
  if (table.bytes) line += ", " + FormatBytes(*table.bytes);
  if (!table.key.empty()) line += ", key " + EscapeControl(Join(table.key, ", "));
  std::printf("%s)\n", line.c_str());
  for (const FoundColumn& column : table.columns) {
    std::printf("  %-24s %-28s %s\n", EscapeControl(column.name).c_str(),
                EscapeControl(column.shown).c_str(),
                column.type.empty() ? "not mapped: cast it in a query" : column.type.c_str());
  }
}

// A name of a step or a file, out of a table's; each once.
std::string NameFor(const std::string& name, std::set<std::string>& taken) {
  std::string plain;
  for (const char c : ToLower(name)) {
    const bool known = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (known) {
      plain += c;
    } else if (!plain.empty() && plain.back() != '_') {
      plain += '_';
    }
  }
  if (plain.empty() || (plain[0] >= '0' && plain[0] <= '9')) plain = "t" + plain;
  plain = plain.substr(0, 40);
  std::string once = plain;
  for (int number = 2; !taken.insert(once).second; ++number)
    once = fmt::format("{}_{}", plain, number);
  return once;
}

bool IsTable(const FoundTable& table) { return table.kind == "table" || table.kind == "view"; }

// Only where a column is not mapped: the others, and what has been left out.
std::string ColumnsText(const FoundTable& table) {
  std::vector<std::string> columns, without;
  for (const FoundColumn& column : table.columns) {
    if (column.type.empty())
      without.push_back(column.name);
    else
      columns.push_back(fmt::format("{}: {}", QuoteJson(column.name), QuoteJson(column.type)));
  }
  if (without.empty() || columns.empty()) return "";
  return fmt::format(",\n        columns: {{ {} }}", Join(columns, ", "));
}

std::string StepsText(const Connection& connection, const std::string& into,
                      const FoundTable& table, const std::string& name) {
  std::string text;
  if (table.rows) text += fmt::format("  # about {} rows\n", *table.rows);
  for (const FoundColumn& column : table.columns) {
    if (!column.type.empty()) continue;
    text += fmt::format("  # left out: {}, of the type {}; a query can cast it\n",
                        EscapeControl(column.name), EscapeControl(column.shown));
  }
  text +=
      fmt::format("  read_{}:\n    extract: {{ from: {}, {}: {}{} }}\n", name, connection.name,
                  IsTable(table) ? "table" : "path", QuoteJson(table.written), ColumnsText(table));
  // Another destination is another load, with records of its own.
  text += fmt::format("  load_{0}{1}:\n    from: read_{0}\n    load: {{ ", name,
                      into.empty() ? "" : "_into_" + into);
  if (into.empty()) {
    text += fmt::format("into: file, path: \"{}/{}.parquet\", mode: overwrite }}\n",
                        connection.name, name);
  } else {
    text += fmt::format("into: {}, table: {}, mode: overwrite }}\n", into, name);
  }
  return text;
}

Result<std::vector<const FoundTable*>> Chosen(const Invocation& invocation,
                                              const std::vector<FoundTable>& tables) {
  std::vector<const FoundTable*> chosen;
  std::vector<std::string> names;
  for (const FoundTable& table : tables) names.push_back(table.written);
  if (invocation.Has("--all")) {
    for (const FoundTable& table : tables) chosen.push_back(&table);
  }
  for (const std::string& name : invocation.All("--write")) {
    const auto found = std::find(names.begin(), names.end(), name);
    if (found == names.end()) {
      const auto near = Nearest(name, names);
      return ConfigError({}, fmt::format("there is no '{}'; {}", EscapeControl(name),
                                         near ? fmt::format("did you mean '{}'?", *near)
                                              : "without --write all that is there is listed"));
    }
    chosen.push_back(&tables[static_cast<size_t>(found - names.begin())]);
  }
  if (chosen.empty()) return ConfigError({}, "there is nothing to write: no table was found");
  return chosen;
}

Result<int> Write(const Invocation& invocation, ProjectSession& session,
                  const Connection& connection, const std::vector<FoundTable>& tables) {
  const std::string into = invocation.Get("--into");
  if (!into.empty()) TRY(FindConnection(session.project(), into));
  const std::string name = connection.name + "_tables";
  const std::string path = JoinPath(session.project().folder, "pipelines/" + name + ".yml");
  if (session.files().Exists(path) && !invocation.Has("--force")) {
    return ConfigError({}, fmt::format("'pipelines/{}.yml' is there already; --force writes over "
                                       "it",
                                       name));
  }
  std::string text = fmt::format(
      "# Written by sluice discover {}. Yours from here on: change it as you like.\n"
      "pipeline: {}\nsteps:\n",
      connection.name, name);
  std::set<std::string> taken;
  for (const FoundTable* table : TRY(Chosen(invocation, tables)))
    text += StepsText(connection, into, *table, NameFor(table->name, taken));
  TRY(session.files().MakeFolders(ParentFolder(path)));
  TRY(WriteAtomically(session.files(), path, text));
  std::printf("wrote pipelines/%s.yml\n\nNow: sluice run %s\n", name.c_str(), name.c_str());
  return kExitOk;
}

Result<int> Discover(const Invocation& invocation) {
  auto session = TRY(ProjectSession::Open(invocation));
  const Connection& connection =
      *TRY(FindConnection(session->project(), invocation.Get("connection")));
  const std::string schema = invocation.Get("--schema");
  const std::vector<FoundTable> tables = TRY(Find(*session, connection, schema));
  if (invocation.Has("--write") || invocation.Has("--all"))
    return Write(invocation, *session, connection, tables);
  for (const FoundTable& table : tables) {
    if (invocation.Get("--output") == "json") {
      std::printf("%s\n", ToJson(table).dump().c_str());
    } else {
      Print(table);
    }
  }
  if (tables.empty() && invocation.Get("--output") != "json") {
    std::printf("nothing to read%s\n",
                schema.empty() ? "" : (" in schema '" + EscapeControl(schema) + "'").c_str());
  }
  return kExitOk;
}

}  // namespace

Command DiscoverCommand() {
  return {
      .name = "discover",
      .summary = "List what a connection holds, or write a pipeline that reads it",
      .example = "sluice discover shop_db --write orders",
      .arguments = {{"connection", "A connection of sluice.yml"}},
      .options = {ProjectOption(),
                  EnvOption(),
                  OutputOption(),
                  {"--schema", "SCHEMA", "Only of this schema"},
                  {"--write", "TABLE", "Write a pipeline that reads it; may be repeated",
                   Option::Kind::kList},
                  {"--all", "", "Write one that reads all of them", Option::Kind::kFlag},
                  {"--into", "CONNECTION", "Where the pipeline loads; without it Parquet files"},
                  {"--force", "", "Write over a pipeline of that name", Option::Kind::kFlag}},
      .run = Discover};
}

}  // namespace sluice
