// What a pipeline's `output` is to tools: a JSON object, and its JSON Schema.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "pipeline/plan.h"

namespace sluice {

Json OutputJson(const std::vector<OutputValue>& output);
Json OutputSchema(const std::string& pipeline, const std::vector<OutputValue>& output);

}  // namespace sluice
