// The pipelines that one file with `for_each` stands for.
#pragma once

#include <string>
#include <vector>

#include "base/files.h"
#include "pipeline/project.h"

namespace sluice {

struct Each {
  Node document;  // without for_each, expanded
  Node entry;     // null where the file has no for_each
};

// One per entry; the document itself where it has no `for_each`. A list in a file is read from
// `folder` on.
Result<std::vector<Each>> ExpandForEach(const Node& document, Files& files,
                                        const std::string& folder);

// All that a node says, for fingerprints.
std::string TextOf(const Node& node);

}  // namespace sluice
