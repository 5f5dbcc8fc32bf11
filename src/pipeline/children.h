// The keys of `run` and `use`, for reference and schema.
#pragma once

#include "pipeline/template.h"
#include "spec/field.h"

namespace sluice {

SpecFacts RunFacts();
SpecFacts UseFacts();

// scope.cc: the scalars of an entry of for_each, as values.
Status AddEach(Scope& scope, const Node& each, const std::string& name);

}  // namespace sluice
