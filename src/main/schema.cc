// sluice schema: JSON Schema for editors.
#include <cstdio>

#include "base/json_full.h"
#include "base/text.h"
#include "main/command.h"
#include "main/session.h"
#include "pipeline/json_schema.h"
#include "pipeline/output.h"
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

Result<Json> SchemaOfOutput(const std::string& pipeline, ProjectSession& session) {
  const PipelineFile file = TRY(ReadPipeline(session.files(), session.project(), pipeline));
  PlanRequest request;
  request.now = session.clock().Now();
  const Plan plan = TRY(session.MakePlanOf(file, request));
  if (plan.output.empty())
    return ConfigError({file.path, 1, 1}, "'" + plan.pipeline + "' says no output:");
  return OutputSchema(plan.pipeline, plan.output);
}

Result<int> ShowSchema(const Invocation& invocation) {
  auto session = TRY(ProjectSession::Open(invocation));
  Json schema = invocation.Has("--output")
                    ? TRY(SchemaOfOutput(invocation.Get("--output"), *session))
                    : TRY(SchemaOf(invocation.Get("what", "pipeline"), *session));
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
          .options = {ProjectOption(),
                      EnvOption(),
                      {"--output", "PIPELINE", "Of the output of this pipeline"}},
          .run = ShowSchema};
}

}  // namespace sluice
