// All verbs that only lower to relations, in the order of the documents.
#include "transform/builtin.h"

namespace sluice {

Verbs BuiltinVerbs() {
  return {MapVerb(),    DeriveVerb(), FilterVerb(), AggregateVerb(), JoinVerb(),
          LookupVerb(), SqlVerb(),    DedupeVerb(), WindowVerb(),    FunctionVerb()};
}

const Verb* Find(const Verbs& verbs, std::string_view name) {
  for (const Verb& verb : verbs) {
    if (verb.facts.name == name) return &verb;
  }
  return nullptr;
}

}  // namespace sluice
