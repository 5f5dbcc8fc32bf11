// See numeric.h.
#include "connector/postgres/numeric.h"

#include <array>

#include "connector/postgres/bytes.h"

namespace sluice::postgres {
namespace {

constexpr uint16_t kNegative = 0x4000, kNan = 0xC000, kPlusInfinity = 0xD000,
                   kMinusInfinity = 0xF000;
constexpr int kMaxDigits = 38;

constexpr std::array<Int128, 39> MakePowers() {
  std::array<Int128, 39> powers{};
  powers[0] = 1;
  for (size_t i = 1; i < powers.size(); ++i) powers[i] = powers[i - 1] * 10;
  return powers;
}
constexpr std::array<Int128, 39> kPowers = MakePowers();

}  // namespace

NumericFault ReadNumeric(const char* bytes, size_t size, int width, int scale, Int128* value) {
  if (size < 8) return NumericFault::kMalformed;
  const int count = ReadBig<int16_t>(bytes), weight = ReadBig<int16_t>(bytes + 2);
  const auto sign = ReadBig<uint16_t>(bytes + 4);
  if (sign == kNan) return NumericFault::kNotANumber;
  if (sign == kPlusInfinity || sign == kMinusInfinity) return NumericFault::kInfinite;
  if (count < 0 || size != 8 + 2 * static_cast<size_t>(count)) return NumericFault::kMalformed;
  Int128 total = 0;
  for (int i = 0; i < count; ++i) {
    const int digit = ReadBig<int16_t>(bytes + 8 + 2 * i);
    if (digit < 0 || digit > 9999) return NumericFault::kMalformed;
    if (digit == 0) continue;
    // The digit stands for digit * 10^exponent of the scaled value.
    const int exponent = 4 * (weight - i) + scale;
    if (exponent >= 0) {
      if (exponent > kMaxDigits) return NumericFault::kTooManyDigits;
      if (kPowers[static_cast<size_t>(kMaxDigits)] / kPowers[static_cast<size_t>(exponent)] < digit)
        return NumericFault::kTooManyDigits;
      total += digit * kPowers[static_cast<size_t>(exponent)];
      if (total >= kPowers[static_cast<size_t>(width)]) return NumericFault::kTooManyDigits;
    } else {
      if (exponent <= -4) return NumericFault::kTooManyDigits;
      const int part = static_cast<int>(kPowers[static_cast<size_t>(-exponent)]);
      if (digit % part != 0) return NumericFault::kTooManyDigits;
      total += digit / part;
    }
  }
  if (total >= kPowers[static_cast<size_t>(width)]) return NumericFault::kTooManyDigits;
  *value = sign == kNegative ? -total : total;
  return NumericFault::kNone;
}

void WriteNumeric(Int128 value, int scale, std::vector<char>& into) {
  const bool negative = value < 0;
  __extension__ typedef unsigned __int128 Unsigned;
  Unsigned left = negative ? -static_cast<Unsigned>(value) : static_cast<Unsigned>(value);
  // Groups of four digits that begin at the decimal point.
  std::array<int16_t, 24> groups{};  // the lowest first
  size_t count = 0;
  const int broken = scale % 4;   // digits of the lowest group
  int weight = -(scale + 3) / 4;  // of the lowest group
  if (broken != 0) {
    const auto part = static_cast<uint64_t>(kPowers[static_cast<size_t>(broken)]);
    const auto fill = static_cast<uint64_t>(kPowers[static_cast<size_t>(4 - broken)]);
    groups[count++] = static_cast<int16_t>(static_cast<uint64_t>(left % part) * fill);
    left /= part;
  }
  while (left > UINT64_MAX) {
    groups[count++] = static_cast<int16_t>(static_cast<uint64_t>(left % 10000));
    left /= 10000;
  }
  for (auto rest = static_cast<uint64_t>(left); rest != 0; rest /= 10000)
    groups[count++] = static_cast<int16_t>(rest % 10000);
  size_t low = 0;
  while (low < count && groups[low] == 0) ++low, ++weight;
  while (count > low && groups[count - 1] == 0) --count;
  const size_t digits = count - low;
  AppendBig<int16_t>(into, static_cast<int16_t>(digits));
  AppendBig<int16_t>(
      into, digits == 0 ? int16_t{0} : static_cast<int16_t>(weight + static_cast<int>(digits) - 1));
  AppendBig<uint16_t>(into, negative && digits != 0 ? kNegative : uint16_t{0});
  AppendBig<int16_t>(into, static_cast<int16_t>(scale));
  for (size_t i = count; i > low; --i) AppendBig<int16_t>(into, groups[i - 1]);
}

}  // namespace sluice::postgres
