// Digits of hexadecimal numbers, and bytes that a URI or a path writes as %XX.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace sluice {

// 0 to 15; -1: no digit.
constexpr int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// The byte whose two digits begin at `at`; -1: there are none.
constexpr int HexByte(std::string_view text, size_t at) {
  if (at >= text.size() || text.size() - at < 2) return -1;
  const int high = HexDigit(text[at]), low = HexDigit(text[at + 1]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

// Each %XX as its byte; a % that no two digits follow stays as it is.
std::string DecodePercent(std::string_view text);

}  // namespace sluice
