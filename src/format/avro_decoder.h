// Records of Avro as rows, decoded into DuckDB's vectors in place.
//
// Invariant: no length, count or branch of the file is believed before it is held against the bytes
// that are left; what does not add up is an error that names the block's byte, never a row.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "data/block.h"
#include "data/schema.h"
#include "format/avro_file.h"

namespace sluice::format {

// Whether columns of that type can hold what the field has. kRejected with the columns and types.
Status FitAvro(const AvroFile& file, const Schema& schema);

// Fills `projected` of `schema` (as NativeOf lays them out) from blocks of the feed. REQUIRES:
// FitAvro of each file. A value of a right form that its column cannot hold, and a string that is
// no UTF-8, makes its record a letter ("type"). What has no vector of ours (lists, maps, structs)
// is given as JSON.
std::unique_ptr<Decoder> MakeAvroDecoder(
    std::shared_ptr<const std::map<std::string, std::shared_ptr<const AvroFile>>> files,
    const Schema& schema, const std::vector<uint64_t>& projected);

}  // namespace sluice::format
