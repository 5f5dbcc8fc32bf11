// Rows written in the pipeline file itself: small inputs, examples, tests.
//
// Each row travels as one line of NDJSON through the same decoder as a file's, so that types, NULLs
// and refusals are the same. Quoted scalars are text, others are what JSON makes of them.
// Partitions are read in turn; a row's offset is its index.
#pragma once

#include <memory>

#include "base/result.h"
#include "connector/extract.h"
#include "connector/source.h"

namespace sluice {

Result<std::unique_ptr<Source>> MakeInlineSource(ExtractRequest request);

}  // namespace sluice
