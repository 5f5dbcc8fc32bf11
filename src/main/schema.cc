// sluice schema: JSON Schema for editors.
#include <cstdio>

#include "base/json_full.h"
#include "base/text.h"
#include "main/command.h"
#include "main/session.h"
#include "pipeline/json_schema.h"
#include "spec/describe.h"

namespace sluice {

namespace {

Result<Json> SchemaOf(const std::string& what, ProjectSession& session) {
  const Connectors& connectors = session.connectors();
  if (what == "pipeline") return PipelineSchema(session.project(), connectors, session.verbs());
  if (what == "project") return ProjectSchema(connectors);
  if (const Connector* connector = Find(connectors, what); connector && !connector->built_in)
    return JsonSchema(connector->connection);
  std::vector<std::string> known{"pipeline", "project"};
  for (const Connector& connector : connectors) {
    if (!connector.built_in) known.push_back(connector.type);
  }
  auto near = Nearest(what, known);
  return ConfigError(
      {}, "there is no schema of '" + what + "'" +
              (near ? "; did you mean '" + *near + "'?" : "; valid: " + Join(known, ", ")));
}

Result<int> ShowSchema(const Invocation& invocation) {
  auto session = TRY(ProjectSession::Open(invocation));
  Json schema = TRY(SchemaOf(invocation.Get("what", "pipeline"), *session));
  std::printf("%s\n", schema.dump(2).c_str());
  return kExitOk;
}

}  // namespace

Command SchemaCommand() {
  return {.name = "schema",
          .summary = "Print the JSON Schema of pipeline files, of sluice.yml or of a connection",
          .example = "sluice schema pipeline > pipeline.schema.json",
          .arguments = {{"what", "pipeline (default), project, or a type of connection",
                         Argument::Count::kOptional}},
          .options = {ProjectOption()},
          .run = ShowSchema};
}

}  // namespace sluice
