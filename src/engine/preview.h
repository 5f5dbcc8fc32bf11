// `sluice preview`: the first rows of a step, computed as a run would compute them. Nothing is
// written anywhere.
#pragma once

#include <cstdint>
#include <stop_token>
#include <string>

#include "base/result.h"
#include "connector/registry.h"
#include "engine/world.h"
#include "pipeline/plan.h"

namespace sluice {

// REQUIRES: `step` is a step of the plan that gives rows (not an action). The sources are read from
// the start.
Result<sql::Rows> Preview(const Plan& plan, World& world, const std::string& step, uint64_t limit,
                          std::stop_token stop);

}  // namespace sluice
