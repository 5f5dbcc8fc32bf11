// Decimals are exact, or refused.
#include "connector/tables/decimal.h"

#include <gtest/gtest.h>

namespace sluice::tables {
namespace {

std::string Through(std::string_view text, int width, int scale) {
  Int128 value = 0;
  if (!ReadDecimalText(text, {width, scale}, &value)) return "no";
  return DecimalText(value, scale);
}

TEST(Decimal, ReadsEveryWayToWriteOne) {
  EXPECT_EQ(Through("12.5", 4, 2), "12.50");
  EXPECT_EQ(Through("-0.01", 4, 2), "-0.01");
  EXPECT_EQ(Through("+7", 4, 0), "7");
  EXPECT_EQ(Through(".5", 4, 2), "0.50");
  EXPECT_EQ(Through("1e3", 6, 2), "1000.00");
  EXPECT_EQ(Through("1.25E-1", 6, 3), "0.125");
  EXPECT_EQ(Through("0e99", 4, 2), "0.00");
  EXPECT_EQ(Through("1.5000", 4, 1), "1.5");
  EXPECT_EQ(Through("99999999999999999999999999999999999999", 38, 0),
            "99999999999999999999999999999999999999");
  EXPECT_EQ(Through("-9999999999999999999999999999.9999999999", 38, 10),
            "-9999999999999999999999999999.9999999999");
}

TEST(Decimal, RefusesWhatIsNone) {
  for (const char* text : {"", "-", ".", "1.2.3", "abc", "1e", "e5", "1 ", "0x1", "NaN", "--1"})
    EXPECT_EQ(Through(text, 10, 2), "no") << text;
  EXPECT_EQ(Through("1.234", 4, 2), "no");  // more digits than it keeps
  EXPECT_EQ(Through("100", 4, 2), "no");    // too great
  EXPECT_EQ(Through("1e38", 38, 0), "no");
  EXPECT_EQ(Through("1e999999999", 38, 0), "no");
  EXPECT_EQ(Through("1e99999999999", 38, 0), "no");
}

}  // namespace
}  // namespace sluice::tables
