// sluice connectors: what can be connected; sluice connections: what this project connects.
#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "base/json_full.h"
#include "base/text.h"
#include "connector/extract.h"
#include "connector/load.h"
#include "main/command.h"
#include "main/probe.h"
#include "main/session.h"
#include "main/table.h"
#include "spec/describe.h"

namespace sluice {

namespace {

std::string Uses(const Connector& connector) {
  const bool reads = !connector.extract_keys.empty(), writes = !connector.load_keys.empty();
  return reads && writes ? "extract, load" : reads ? "extract" : "load";
}

// The fields of `facts` that the connector takes, as one component.
SpecFacts Only(SpecFacts facts, const std::vector<std::string>& keys,
               const std::vector<std::string>& common) {
  std::erase_if(facts.fields, [&](const FieldFacts& field) {
    const auto in = [&](const std::vector<std::string>& words) {
      return std::find(words.begin(), words.end(), field.name) != words.end();
    };
    return !in(keys) && !in(common);
  });
  return facts;
}

Result<int> ShowConnector(const Connector& connector) {
  std::printf("%s: %s\n", connector.type.c_str(), connector.summary.c_str());
  if (connector.built_in) {
    std::printf("  Built in: `%s` is named as it is, without a connection.\n",
                connector.type.c_str());
  } else {
    std::printf("\nIn sluice.yml, besides `type: %s`:\n%s", connector.type.c_str(),
                Describe(connector.connection).c_str());
  }
  if (!connector.extract_keys.empty()) {
    std::printf(
        "\n%s",
        Describe(Only(ExtractSpec().facts(), connector.extract_keys, CommonExtractKeys())).c_str());
  }
  if (!connector.load_keys.empty()) {
    std::printf("\n%s",
                Describe(Only(LoadSpec().facts(), connector.load_keys, CommonLoadKeys())).c_str());
  }
  return kExitOk;
}

Result<int> ShowConnectors(const Invocation& invocation) {
  const Connectors connectors = BuiltinConnectors();
  if (invocation.Has("type")) {
    const Connector* connector = Find(connectors, invocation.Get("type"));
    if (connector != nullptr) return ShowConnector(*connector);
    std::vector<std::string> types;
    for (const Connector& one : connectors) types.push_back(one.type);
    const auto near = Nearest(invocation.Get("type"), types);
    return ConfigError(
        {}, "no connector is called '" + invocation.Get("type") + "'" +
                (near ? "; did you mean '" + *near + "'?" : "; there are: " + Join(types, ", ")));
  }
  std::vector<std::vector<std::string>> rows;
  for (const Connector& connector : connectors) {
    if (invocation.Get("--output") == "json") {
      std::printf("%s\n", Json{{"type", connector.type},
                               {"summary", connector.summary},
                               {"built_in", connector.built_in},
                               {"extract", connector.extract_keys},
                               {"load", connector.load_keys}}
                              .dump()
                              .c_str());
    }
    rows.push_back({connector.type, Uses(connector), connector.summary});
  }
  if (invocation.Get("--output") != "json")
    std::fputs(FormatTable({"type", "verbs", "what"}, rows).c_str(), stdout);
  return kExitOk;
}

Result<std::vector<const Connection*>> Chosen(const Invocation& invocation,
                                              const Project& project) {
  if (invocation.Has("name"))
    return std::vector{TRY(FindConnection(project, invocation.Get("name")))};
  std::vector<const Connection*> all;
  for (const auto& [name, connection] : project.connections) all.push_back(&connection);
  return all;
}

Result<int> Connections(const Invocation& invocation) {
  const std::string action = invocation.Get("action", "list");
  if (action != "list" && action != "test")
    return ConfigError({}, "'" + action + "' is unknown; valid: list, test");
  auto session = TRY(ProjectSession::Open(invocation));
  const bool json = invocation.Get("--output") == "json";
  std::vector<std::vector<std::string>> rows;
  int failed = 0;
  for (const Connection* connection : TRY(Chosen(invocation, session->project()))) {
    if (action == "list") {
      if (json)
        std::printf("%s\n",
                    Json{{"name", connection->name}, {"type", connection->type}}.dump().c_str());
      rows.push_back(
          {connection->name, connection->type,
           fmt::format("{}:{}", FileName(connection->node.mark.file), connection->node.mark.line)});
      continue;
    }
    const Probed probed = ProbeConnection(*session, *connection);
    failed += !probed.ok;
    if (json) {
      std::printf("%s\n", Json{{"name", connection->name},
                               {"type", connection->type},
                               {"ok", probed.ok},
                               {"message", probed.message},
                               {"duration_ms", probed.took.count() / 1000}}
                              .dump()
                              .c_str());
    }
    rows.push_back({connection->name, connection->type, probed.ok ? "ok" : "FAILED",
                    FormatDuration(probed.took), probed.message});
  }
  if (json) return failed == 0 ? kExitOk : kExitFailed;
  if (rows.empty()) {
    std::printf("no connections: add them to sluice.yml under connections:\n");
    return kExitOk;
  }
  if (action == "list") {
    std::fputs(FormatTable({"name", "type", "where"}, rows).c_str(), stdout);
    return kExitOk;
  }
  for (const auto& row : rows)  // no table: a message is never cut
    std::printf("%-6s %s (%s, %s): %s\n", row[2].c_str(), row[0].c_str(), row[1].c_str(),
                row[3].c_str(), row[4].c_str());
  return failed == 0 ? kExitOk : kExitFailed;
}

}  // namespace

Command ConnectorsCommand() {
  return {.name = "connectors",
          .summary = "List what can be read and written, or the keys of one",
          .example = "sluice connectors file",
          .arguments = {{"type", "One of them, with its keys", Argument::Count::kOptional}},
          .options = {OutputOption()},
          .run = ShowConnectors};
}

Command ConnectionsCommand() {
  return {.name = "connections",
          .summary = "List the project's connections, or try them",
          .example = "sluice connections test warehouse",
          .arguments = {{"action", "list (default) or test", Argument::Count::kOptional},
                        {"name", "Only this one", Argument::Count::kOptional}},
          .options = {ProjectOption(), EnvOption(), OutputOption()},
          .run = Connections};
}

}  // namespace sluice
