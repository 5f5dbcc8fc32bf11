// What of a condition goes to a system: every row for which it is true has to pass.
#include "connector/pushdown.h"

#include <gtest/gtest.h>

#include "base/text.h"
#include "connector/source_probe.h"
#include "sql/parse.h"

namespace sluice {
namespace {

class PushdownTest : public ::testing::Test {
 protected:
  std::string Pushed(const std::string& condition, const std::vector<sql::Bound>& bound = {}) {
    sql::Parser parser(*probe_.session);
    auto conjuncts = parser.Conjuncts(condition);
    EXPECT_TRUE(conjuncts.ok()) << condition;
    if (!conjuncts.ok()) return "";
    return ConditionText(*conjuncts, bound, pushdown_);
  }

  SourceProbe probe_;
  Pushdown pushdown_{.columns = {{"n", {"\"n\"", ComparedAs::kNumber}},
                                 {"t", {"\"t\"", ComparedAs::kText}},
                                 {"b", {"\"b\"", ComparedAs::kBoolean}},
                                 {"d", {"\"d\"", ComparedAs::kDate}},
                                 {"ts", {"\"ts\"", ComparedAs::kTimestamp}},
                                 {"tz", {"\"tz\"", ComparedAs::kTimestampZone}}},
                     .literal = QuoteLiteral};
};

TEST_F(PushdownTest, ComparisonsWithValues) {
  EXPECT_EQ(Pushed("n > 5"), "\"n\" > 5");
  EXPECT_EQ(Pushed("-2.50 <= N"), "\"n\" >= -2.50");
  EXPECT_EQ(Pushed("n BETWEEN 1 AND 3"), "(\"n\" >= 1 AND \"n\" <= 3)");
  EXPECT_EQ(Pushed("NOT (n > 1)"), "\"n\" <= 1");  // so DuckDB's parser turns it
  EXPECT_EQ(Pushed("n IN (1, 2)"), "\"n\" IN (1, 2)");
  EXPECT_EQ(Pushed("t = 'it''s'"), "\"t\" = 'it''s'");
  EXPECT_EQ(Pushed("b AND NOT b"), "\"b\" = true AND \"b\" = false");
  EXPECT_EQ(Pushed("d < DATE '2026-01-02'"), "\"d\" < date '2026-01-02'");
  EXPECT_EQ(Pushed("d < '2026-01-02'"), "\"d\" < date '2026-01-02'");
  EXPECT_EQ(Pushed("ts >= '2026-01-02 03:04:05.5'"), "\"ts\" >= timestamp '2026-01-02 03:04:05.5'");
  EXPECT_EQ(Pushed("tz >= DATE '2026-01-02'"), "\"tz\" >= timestamptz '2026-01-02 00:00:00+00'");
  EXPECT_EQ(Pushed("t IS NULL OR n IS NOT NULL"), "(\"t\" IS NULL OR \"n\" IS NOT NULL)");
}

TEST_F(PushdownTest, BoundValues) {
  EXPECT_EQ(Pushed("n = CAST($v AS BIGINT)", {{"v", "BIGINT", "7"}}), "\"n\" = 7");
  EXPECT_EQ(Pushed("t = CAST($v AS VARCHAR)", {{"v", "VARCHAR", "'; DROP"}}), "\"t\" = '''; DROP'");
  EXPECT_EQ(Pushed("n = CAST($v AS BIGINT)", {{"v", "BIGINT", std::nullopt}}), "");
  EXPECT_EQ(Pushed("n = CAST($v AS VARCHAR)", {{"v", "VARCHAR", "7"}}), "");
}

TEST_F(PushdownTest, WhatIsComparedOtherwiseStays) {
  for (const char* condition : {"t > 'a'",
                                "t <> 'a'",
                                "t LIKE 'a%'",
                                "n + 1 > 2",
                                "n = t",
                                "n = '5'",
                                "t = 5",
                                "n > 1e3",
                                "d < '2026-1-2'",
                                "d < TIMESTAMP '2026-01-02 03:04:05'",
                                "ts < '2026-01-02T03:04:05'",
                                "unknown = 1",
                                "n IS DISTINCT FROM 1",
                                "n IN (1, NULL)",
                                "n IN (1, 'a')",
                                "n = 1 OR t > 'a'",
                                "n IN (SELECT 1)",
                                "CASE WHEN n > 1 THEN b END",
                                "n NOT IN (1)",
                                "s.n = 1"})
    EXPECT_EQ(Pushed(condition), "") << condition;
  EXPECT_EQ(Pushed("n > 1 AND t > 'a'"), "\"n\" > 1");
  EXPECT_EQ(Pushed("(n > 1 AND t > 'a') OR n < 0"), "");
}

}  // namespace
}  // namespace sluice
