// A decimal, as the whole number of its smallest digits, in a column of DuckDB's.
#pragma once

#include "data/block.h"

namespace sluice {

// REQUIRES: the value has no more digits than the slot's type.
template <class Int128>
void PutDecimal(ColumnSlot& slot, uint64_t row, Int128 value) {
  switch (slot.type) {
    case Physical::kDecimal16:
      static_cast<int16_t*>(slot.values)[row] = static_cast<int16_t>(value);
      break;
    case Physical::kDecimal32:
      static_cast<int32_t*>(slot.values)[row] = static_cast<int32_t>(value);
      break;
    case Physical::kDecimal64:
      static_cast<int64_t*>(slot.values)[row] = static_cast<int64_t>(value);
      break;
    default:
      static_cast<Int128*>(slot.values)[row] = value;
  }
}

}  // namespace sluice
