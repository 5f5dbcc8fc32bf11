// Our own reader of NDJSON: one object per line, decoded into DuckDB's vectors in place.
//
// Every line gives either a row or a letter, and which of the two depends on that line and the
// schema alone: not on the columns that are asked for, not on its neighbours, not on where a block
// was cut.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "data/block.h"
#include "data/schema.h"

namespace sluice::format {

inline constexpr size_t kMaxRecordBytes =
    size_t{16} << 20;  // a longer line becomes a letter, without being held
inline constexpr size_t kMaxOriginalBytes = size_t{64} << 10;  // of a bad line that a letter keeps

// Fills `projected` of `schema`. Blocks are whole lines (the last one of a file may lack its line
// feed); a block with `cut_off` holds only the beginning of its one line.
//  - A missing key and null are NULL; of a repeated key the last one counts; keys that no column
//  names are ignored.
//  - A number in a VARCHAR is its text, an object or array its JSON. Columns that decoders cannot
//  fill get text.
//  - Letters: "malformed" (not JSON, not an object, not UTF-8, too long), "type" (a value that its
//  column cannot hold).
std::unique_ptr<Decoder> MakeNdjsonDecoder(const Schema& schema,
                                           const std::vector<uint64_t>& projected);

// The same, where a key that is neither a column nor among `others` is an error of its record.
std::unique_ptr<Decoder> MakeStrictNdjsonDecoder(const Schema& schema,
                                                 const std::vector<uint64_t>& projected,
                                                 std::vector<std::string> others);

}  // namespace sluice::format
