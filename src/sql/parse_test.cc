// Tests of sql/parse.
#include "sql/parse.h"

#include <gmock/gmock.h>

namespace sluice::sql {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

class ParserTest : public testing::Test {
 protected:
  void SetUp() override {
    database_ = Database::Open({}).value();
    session_ = database_->Connect().value();
    parser_.emplace(*session_);
  }
  ExpressionFacts Facts(std::string_view text) {
    auto facts = parser_->Expression(text);
    EXPECT_TRUE(facts.ok()) << text << ": " << facts.error().message;
    return facts.ok() ? *facts : ExpressionFacts();
  }
  std::string Refused(std::string_view text, int64_t* offset = nullptr) {
    auto facts = parser_->Expression(text, offset);
    EXPECT_FALSE(facts.ok()) << text;
    return facts.ok() ? "" : facts.error().message;
  }
  SelectFacts Tables(std::string_view text) {
    auto facts = parser_->Select(text);
    EXPECT_TRUE(facts.ok()) << text << ": " << facts.error().message;
    return facts.ok() ? *facts : SelectFacts();
  }

  std::unique_ptr<Database> database_;
  std::unique_ptr<Session> session_;
  std::optional<Parser> parser_;
};

TEST_F(ParserTest, FindsColumnsWithTheirPlaces) {
  ExpressionFacts facts = Facts("lower(a) || t.b || a");
  EXPECT_THAT(facts.columns, ElementsAre("a", "t.b"));
  EXPECT_THAT(facts.offsets, ElementsAre(6, 12));
  EXPECT_THAT(facts.functions, UnorderedElementsAre("lower", "||"));
  EXPECT_EQ(facts.column, "");
  EXPECT_EQ(Facts("\"Order Id\"").column, "Order Id");
}

TEST_F(ParserTest, ALambdasOwnNamesAreNoColumns) {
  EXPECT_THAT(Facts("list_transform(l, lambda x, i: x + i + a)").columns, ElementsAre("l", "a"));
  EXPECT_THAT(Facts("j -> '$.x'").columns, ElementsAre("j"));
  EXPECT_THAT(Facts("[y * b FOR y IN l]").columns, UnorderedElementsAre("l", "b"));
}

TEST_F(ParserTest, TellsAggregatesWindowsSubqueriesAndStars) {
  EXPECT_TRUE(Facts("sum(a) FILTER (WHERE b) + 1").aggregates);
  EXPECT_TRUE(Facts("count(*)").aggregates);
  EXPECT_FALSE(Facts("count(*)").stars);
  EXPECT_FALSE(Facts("abs(a)").aggregates);
  EXPECT_TRUE(Facts("row_number() OVER (ORDER BY a)").windows);
  EXPECT_TRUE(Facts("a IN (SELECT b FROM t)").subqueries);
  EXPECT_TRUE(Facts("hash(COLUMNS(*))").stars);
}

TEST_F(ParserTest, RefusesWhatIsNotOneExpression) {
  int64_t offset = -1;
  EXPECT_THAT(Refused("a + ", &offset), HasSubstr("syntax error"));
  EXPECT_THAT(Refused("a b c", &offset), HasSubstr("syntax error"));
  EXPECT_EQ(offset, 4);
  EXPECT_THAT(Refused("a, b"), HasSubstr("not one SQL expression"));
  EXPECT_THAT(Refused("a FROM t"), HasSubstr("not one SQL expression"));
  EXPECT_THAT(Refused("a; SELECT 1"), HasSubstr("not one SQL expression"));
  EXPECT_THAT(Refused("a ORDER BY 1"), HasSubstr("not one SQL expression"));
  EXPECT_THAT(Refused("a WHERE b"), HasSubstr("not one SQL expression"));
  EXPECT_THAT(Refused("a AS b"), HasSubstr("the key is the name"));
}

TEST_F(ParserTest, FindsTheTablesOfASelect) {
  SelectFacts facts = Tables(
      "WITH x AS (SELECT * FROM orders) SELECT * FROM x JOIN main.customers USING (id) WHERE d = "
      "CAST($ds AS DATE)");
  EXPECT_TRUE(facts.select);
  EXPECT_THAT(facts.tables, UnorderedElementsAre("orders", "main.customers"));
  EXPECT_THAT(facts.once, UnorderedElementsAre("orders", "main.customers"));
  EXPECT_THAT(Tables("FROM a JOIN a AS b ON a.x = b.y").once, IsEmpty());
  EXPECT_THAT(Tables("SELECT (SELECT max(x) FROM u) FROM range(3) LIMIT 1").tables,
              ElementsAre("u"));
  EXPECT_THAT(Tables("SELECT 1 FROM range(3)").table_functions, ElementsAre("range"));
}

TEST_F(ParserTest, ARecursiveQueryReadsItsTablesMoreThanOnce) {
  SelectFacts facts = Tables(
      "WITH RECURSIVE r AS (SELECT id FROM seed UNION ALL SELECT e.id FROM r JOIN edges e ON e.up "
      "= r.id) SELECT * FROM r");
  EXPECT_THAT(facts.tables, UnorderedElementsAre("seed", "edges"));
  EXPECT_FALSE(facts.once.contains("edges"));
}

TEST_F(ParserTest, TellsStatementsAndUnorderedLimits) {
  EXPECT_FALSE(Tables("DELETE FROM a").select);
  EXPECT_FALSE(Tables("SELECT 1; SELECT 2").select);
  EXPECT_TRUE(Tables("SELECT * FROM a LIMIT 3").unordered_limit);
  EXPECT_FALSE(Tables("SELECT * FROM a ORDER BY x LIMIT 3").unordered_limit);
  int64_t offset = -1;
  EXPECT_FALSE(parser_->Select("SELECT * FORM a", &offset).ok());
  EXPECT_EQ(offset, 14);
}

TEST_F(ParserTest, DottedNamesWithTheirPlaces) {
  const std::string text =
      "SELECT w.orders.id, x.id FROM \"w\".orders JOIN (SELECT * FROM w.main.items) x ON x.id = "
      "orders.id WHERE EXISTS (FROM w.orders)";
  auto names = parser_->DottedNames(text);
  ASSERT_TRUE(names.ok());
  std::vector<std::string> found;
  for (const DottedName& name : *names) {
    std::string line = name.table ? "table" : "column";
    for (const std::string& part : name.parts) line += " " + part;
    found.push_back(line + " at " + text.substr(static_cast<size_t>(name.offset), 4));
  }
  EXPECT_THAT(found, ElementsAre("column w orders id at w.or", "column x id at x.id",
                                 "table w orders at \"w\".", "table w main items at w.ma",
                                 "column x id at x.id", "column orders id at orde",
                                 "table w orders at w.or"));
}

}  // namespace
}  // namespace sluice::sql
