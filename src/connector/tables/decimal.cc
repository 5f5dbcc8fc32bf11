// See decimal.h.
#include "connector/tables/decimal.h"

#include <algorithm>
#include <charconv>

namespace sluice::tables {

bool ReadDecimalText(std::string_view text, DecimalShape shape, Int128* value) {
  __extension__ typedef unsigned __int128 Unsigned;
  const bool negative = !text.empty() && text[0] == '-';
  if (negative || (!text.empty() && text[0] == '+')) text.remove_prefix(1);
  int exponent = 0;
  if (const size_t e = text.find_first_of("eE"); e != std::string_view::npos) {
    std::string_view power = text.substr(e + 1);
    if (!power.empty() && power[0] == '+') power.remove_prefix(1);
    const auto read = std::from_chars(power.data(), power.data() + power.size(), exponent);
    if (read.ec != std::errc() || read.ptr != power.data() + power.size() || power.empty())
      return false;
    text = text.substr(0, e);
  }
  // Digits without the point; `places` of them stand behind it.
  std::string digits;
  int places = 0;
  bool point = false;
  for (const char c : text) {
    if (c == '.' && !point) {
      point = true;
    } else if (c >= '0' && c <= '9') {
      digits += c;
      places += point ? 1 : 0;
    } else {
      return false;
    }
  }
  if (digits.empty()) return false;
  const size_t first = digits.find_first_not_of('0');
  *value = 0;
  if (first == std::string::npos) return true;
  if (exponent > 1000 || exponent < -1000) return false;
  int shift = shape.scale - places + exponent;
  while (shift < 0 && digits.back() == '0') digits.pop_back(), ++shift;
  if (shift < 0) return false;
  const int64_t width = static_cast<int64_t>(digits.size() - first) + shift;
  if (width > std::min(shape.width, 38)) return false;
  Unsigned total = 0;
  for (size_t i = first; i < digits.size(); ++i)
    total = total * 10 + static_cast<unsigned>(digits[i] - '0');
  for (int i = 0; i < shift; ++i) total *= 10;
  *value = negative ? -static_cast<Int128>(total) : static_cast<Int128>(total);
  return true;
}

std::string DecimalText(Int128 value, int scale) {
  __extension__ typedef unsigned __int128 Unsigned;
  const bool negative = value < 0;
  Unsigned left = negative ? -static_cast<Unsigned>(value) : static_cast<Unsigned>(value);
  std::string text;
  for (int place = 0; left != 0 || place <= scale; ++place) {
    if (place == scale && scale > 0) text += '.';
    text += static_cast<char>('0' + static_cast<int>(left % 10));
    left /= 10;
  }
  if (negative) text += '-';
  std::reverse(text.begin(), text.end());
  return text;
}

Int128 DecimalAt(const sql::VectorView& view, uint64_t row, int width) {
  if (width <= 4) return view.At<int16_t>(row);
  if (width <= 9) return view.At<int32_t>(row);
  if (width <= 18) return view.At<int64_t>(row);
  return view.At<Int128>(row);
}

}  // namespace sluice::tables
