// The binary form of COPY into DuckDB's vectors, in place. A block is whole rows, without COPY's
// header and trailer; a row has the projected columns and no others.
//
// A value that DuckDB's type cannot hold (NaN in a DECIMAL, a timestamp after the year 294246)
// makes its row a letter; what is not the binary form is kInternal, because the server does not
// send it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "connector/postgres/types.h"
#include "data/block.h"

namespace sluice::postgres {

struct DecodedColumn {
  std::string name;
  ReadAs read;
};

// `columns`: those that the blocks hold. `table`: for letters. `checked`: the server has checked
// that its texts are UTF-8.
enum class Encoding : uint8_t { kChecked, kUnchecked };
std::unique_ptr<Decoder> MakeCopyDecoder(std::vector<DecodedColumn> columns, std::string table,
                                         Encoding encoding);

}  // namespace sluice::postgres
