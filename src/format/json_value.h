// What a number or a text of JSON means as a value of a column: exact or refused, never rounded
// into another value.
#pragma once

#include <charconv>
#include <cstdint>
#include <limits>
#include <string_view>
#include <type_traits>

#include "format/json_cursor.h"

namespace sluice::format {

enum class ValueFault : uint8_t { kNone, kType, kRange };

// An integer written with a fraction or an exponent ("1e3", "2.0"), where it is whole.
ValueFault WholeOfReal(std::string_view text, bool* negative, uint64_t* magnitude);
// Any finite double; what overflows is kRange.
ValueFault DoubleOf(std::string_view text, double* value);
// "2026-11-21": days since 1970.
ValueFault DateOf(std::string_view text, int32_t* days);
// "2026-11-21[T ]10:20[:30[.123456]][Z|±hh[[:]mm]]": microseconds since 1970, UTC where an offset
// is given.
ValueFault TimestampOf(std::string_view text, int64_t* micros);
// true, t, 1 / false, f, 0 and their like.
ValueFault BoolOf(std::string_view text, bool* value);

template <class T>
ValueFault IntegerOf(std::string_view text, T* value) {
  const char* at = text.data();
  const char* const end = at + text.size();
  bool negative = at < end && *at == '-';
  if (negative) ++at;
  uint64_t magnitude = 0;
  const char* const digits = at;
  while (at < end && IsDigit(*at)) magnitude = magnitude * 10 + static_cast<uint64_t>(*at++ - '0');
  if (at == digits) return ValueFault::kType;
  if (at < end || at - digits > 19) {
    negative = false;
    if (const ValueFault fault = WholeOfReal(text, &negative, &magnitude);
        fault != ValueFault::kNone)
      return fault;
  }
  constexpr auto kMax = static_cast<uint64_t>(std::numeric_limits<T>::max());
  if constexpr (std::is_signed_v<T>) {
    if (magnitude > kMax + (negative ? 1 : 0)) return ValueFault::kRange;
    *value = static_cast<T>(negative ? uint64_t{0} - magnitude : magnitude);
  } else {
    if (magnitude > kMax || (negative && magnitude != 0)) return ValueFault::kRange;
    *value = static_cast<T>(magnitude);
  }
  return ValueFault::kNone;
}

}  // namespace sluice::format
