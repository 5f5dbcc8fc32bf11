// Decimals between their text and the whole number of their smallest digit.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "data/schema.h"
#include "sql/pour.h"

namespace sluice::tables {

__extension__ typedef __int128 Int128;

// "-12.5", "1e3" as a number of `shape`'s smallest digits. False: no number, or not a value of it.
bool ReadDecimalText(std::string_view text, DecimalShape shape, Int128* value);
// The value times 10^-scale, with all digits of the scale.
std::string DecimalText(Int128 value, int scale);
// The number at `row` of a vector of DECIMAL(width, …).
Int128 DecimalAt(const sql::VectorView& view, uint64_t row, int width);

}  // namespace sluice::tables
