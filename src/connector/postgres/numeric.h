// PostgreSQL's numeric in its binary form: digits of base 10,000 with a weight, and a scale that is
// only for showing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace sluice::postgres {

__extension__ typedef __int128 Int128;

enum class NumericFault : uint8_t { kNone, kNotANumber, kInfinite, kTooManyDigits, kMalformed };

// The value times 10^scale of `size` bytes; kTooManyDigits where it has more than `width` digits or
// digits beyond the scale.
NumericFault ReadNumeric(const char* bytes, size_t size, int width, int scale, Int128* value);

// Appends the binary form of value / 10^scale, without its length.
void WriteNumeric(Int128 value, int scale, std::vector<char>& into);

}  // namespace sluice::postgres
