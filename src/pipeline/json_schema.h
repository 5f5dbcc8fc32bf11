// JSON Schema (draft 7) of sluice.yml and of pipeline files, for editors: which keys there are,
// what they take, and their help. It is derived from the specs and never stricter than `sluice
// check`.
#pragma once

#include "base/json.h"
#include "connector/registry.h"
#include "pipeline/project.h"
#include "transform/verb.h"

namespace sluice {

// `project`: its connections and what their kinds take become part of the schema.
Json PipelineSchema(const Project& project, const Connectors& connectors, const Verbs& verbs);
Json ProjectSchema(const Connectors& connectors);

}  // namespace sluice
