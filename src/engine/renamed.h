// A lane outlives the names of its step and its pipeline. Renamed without a word, a step would be a
// new lane that appends everything once more; so a load that appends where only a step appended
// that is gone now has to say whether it is that one (renamed_from).
#pragma once

#include "engine/world.h"
#include "pipeline/plan.h"

namespace sluice {

// kConfig, with the place of the load. Loads that replace what is there may be new as often as they
// like.
Status RefuseRenamed(const Plan& plan, World& world);
// What the flow's loads append to, for the runs to come.
Status NoteAppenders(const Plan& plan, const Flow& flow, Ledger& ledger);

}  // namespace sluice
