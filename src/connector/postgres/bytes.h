// Numbers in network order, as the binary form of COPY has them.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <vector>

namespace sluice::postgres {

template <class T>
T Swapped(T value) {
  if constexpr (sizeof(T) == 1) {
    return value;
  } else if constexpr (sizeof(T) == 2) {
    return std::bit_cast<T>(__builtin_bswap16(std::bit_cast<uint16_t>(value)));
  } else if constexpr (sizeof(T) == 4) {
    return std::bit_cast<T>(__builtin_bswap32(std::bit_cast<uint32_t>(value)));
  } else {
    return std::bit_cast<T>(__builtin_bswap64(std::bit_cast<uint64_t>(value)));
  }
}

template <class T>
T ReadBig(const char* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof(T));
  return Swapped(value);
}

template <class T>
void AppendBig(std::vector<char>& into, T value) {
  const T swapped = Swapped(value);
  const size_t at = into.size();
  into.resize(at + sizeof(T));
  std::memcpy(into.data() + at, &swapped, sizeof(T));
}

}  // namespace sluice::postgres
