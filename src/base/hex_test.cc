// Every byte there and back, and what is no number.
#include "base/hex.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace sluice {
namespace {

TEST(Hex, KnowsItsDigitsAndNoOthers) {
  const std::string digits = "0123456789abcdef", upper = "0123456789ABCDEF";
  for (int c = 0; c < 256; ++c) {
    const char digit = static_cast<char>(c);
    const size_t at = std::min(digits.find(digit), upper.find(digit));
    EXPECT_EQ(HexDigit(digit), at == std::string::npos ? -1 : static_cast<int>(at)) << c;
  }
}

TEST(Hex, ReadsEveryByteInBothCases) {
  for (int byte = 0; byte < 256; ++byte) {
    EXPECT_EQ(HexByte(fmt::format("x{:02x}", byte), 1), byte);
    EXPECT_EQ(HexByte(fmt::format("{:02X}x", byte), 0), byte);
    EXPECT_EQ(DecodePercent(fmt::format("a%{:02X}b", byte)),
              "a" + std::string(1, static_cast<char>(byte)) + "b");
  }
  for (const std::string_view none : {"", "a", "g0", "0g", "-1", "+1", " 1"})
    EXPECT_EQ(HexByte(none, 0), -1) << none;
  EXPECT_EQ(HexByte("00", 1), -1);
  EXPECT_EQ(HexByte("00", 99), -1);
}

TEST(Hex, APercentThatIsNoneStays) {
  for (const std::string_view text : {"%", "100%", "%4", "%zz", "%%", "%-1", "a%2", "%2g"})
    EXPECT_EQ(DecodePercent(text), text);
  EXPECT_EQ(DecodePercent("%2541"), "%41");  // once
  EXPECT_EQ(DecodePercent("%e6%97%A5"), "日");
}

}  // namespace
}  // namespace sluice
