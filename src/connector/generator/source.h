// Rows out of nothing but a seed and an index: the same ones on every machine, in every cut, in any
// order of reading.
//
// Row i goes to partition i % partitions; its columns are i, partition, key in [0, keys), value in
// [0, 1000) and ts = start + i * every - jitter, jitter in [0, disorder].
#pragma once

#include <memory>

#include "base/result.h"
#include "connector/extract.h"
#include "connector/source.h"

namespace sluice {

Result<std::unique_ptr<Source>> MakeGeneratorSource(ExtractRequest request);

}  // namespace sluice
