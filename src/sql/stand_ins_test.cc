// Stand-ins keep lengths, tell values apart, and come back as they were.
#include "sql/stand_ins.h"

#include <gtest/gtest.h>

namespace sluice::sql {
namespace {

TEST(StandInsTest, TwoTextsThatDifferInValuesOnlyAreOne) {
  const StandIns one("a + $v_1111111111111111 - $v_2222222222222222 + $v_1111111111111111");
  const StandIns two("a + $v_abcdefabcdefabcd - $v_0123456789abcdef + $v_abcdefabcdefabcd");
  EXPECT_EQ(one.text(), two.text());
  EXPECT_EQ(one.text().size(), 67u);
  EXPECT_EQ(two.Back("x v_0000000000000001 y v_0000000000000000"),
            "x v_0123456789abcdef y v_abcdefabcdefabcd");
  const StandIns same("a + $v_1111111111111111 - $v_1111111111111111 + $v_1111111111111111");
  EXPECT_NE(one.text(), same.text());
}

TEST(StandInsTest, WhatIsNoneStays) {
  for (const char* text : {"$v_", "$v_short", "$w_1111111111111111", "v_1111111111111111",
                           "$v_1111111111111111 v_0000000000000000"}) {
    const StandIns none(text);
    EXPECT_EQ(none.text(), text);
    EXPECT_EQ(none.Back("v_0000000000000000"), "v_0000000000000000");
  }
}

}  // namespace
}  // namespace sluice::sql
