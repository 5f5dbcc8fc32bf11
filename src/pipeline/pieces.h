// `use`: the steps of a file of their own, put in place of the step that uses them.
#pragma once

#include <string>

#include "base/files.h"
#include "pipeline/project.h"

namespace sluice {

// The last step of a piece takes the name of the step that uses it, the others get it as a prefix;
// inside the piece they are called as they are written there. `with` gives the piece's params.
Status InlinePieces(PipelineFile& file, Files& files, const std::string& folder);

// pipeline_file.cc: one step of a map of steps.
Result<StepNode> ReadStep(const Node& key, const Node& value, const std::vector<StepNode>& above);

}  // namespace sluice
