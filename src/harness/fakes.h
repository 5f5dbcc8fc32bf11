// Connectors with faults that cannot be had from the real ones at will.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "connector/registry.h"

namespace sluice::harness {

// Wraps every sink of `type`: `commit` is called in place of Landing::Commit, with the real one to
// call (or not).
using CommitFault = std::function<Status(Landing& real, const EpochRecord& record)>;
Connectors WithCommitFault(Connectors connectors, const std::string& type, CommitFault commit);

}  // namespace sluice::harness
