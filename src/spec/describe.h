// What people and tools read about a component, derived from its facts: reference text and JSON
// Schema.
#pragma once

#include <string>

#include "base/json.h"
#include "spec/field.h"

namespace sluice {

// Name, summary, then a line per key: shape, default, choices, help. Reserved keys are named last.
std::string Describe(const SpecFacts& facts);

// The JSON Schema of the value that a user writes for the component. Scalars may be strings
// everywhere, since `{{ }}` is.
Json JsonSchema(const SpecFacts& facts);

}  // namespace sluice
