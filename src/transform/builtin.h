// The verbs, one function and one file each; builtin.cc lists them.
#pragma once

#include "transform/verb.h"

namespace sluice {

Verb MapVerb();
Verb DeriveVerb();
Verb FilterVerb();
Verb AggregateVerb();
Verb JoinVerb();
Verb LookupVerb();
Verb SqlVerb();
Verb DedupeVerb();
Verb WindowVerb();
Verb FunctionVerb();

}  // namespace sluice
