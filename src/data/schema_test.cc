// Tests of data/schema.
#include "data/schema.h"

#include <gtest/gtest.h>

namespace sluice {
namespace {

Schema Orders() {
  return {{"Id", "BIGINT", false, "the key"},
          {"_sluice_time", "TIMESTAMP", true, ""},
          {"name", "VARCHAR", false, ""}};
}

TEST(SchemaTest, FindsAsSqlDoesWithoutCase) {
  const Schema schema = Orders();
  ASSERT_NE(Find(schema, "iD"), nullptr);
  EXPECT_EQ(Find(schema, "iD")->description, "the key");
  EXPECT_EQ(Find(schema, "i"), nullptr);
  EXPECT_EQ(Find(schema, ""), nullptr);
  EXPECT_TRUE(Find(schema, kEventTimeColumn)->hidden);
}

TEST(SchemaTest, HiddenColumnsAreNotVisible) {
  EXPECT_EQ(VisibleNames(Orders()), (std::vector<std::string>{"Id", "name"}));
  EXPECT_EQ(Format(Visible(Orders())), "(Id BIGINT, name VARCHAR)");
  EXPECT_EQ(Format(Schema{}), "()");
}

TEST(SchemaTest, OnlyPlainTypesAreFilledInPlace) {
  EXPECT_EQ(PhysicalOf("BOOLEAN"), Physical::kBool);
  EXPECT_EQ(PhysicalOf("TINYINT"), Physical::kInt8);
  EXPECT_EQ(PhysicalOf("SMALLINT"), Physical::kInt16);
  EXPECT_EQ(PhysicalOf("INTEGER"), Physical::kInt32);
  EXPECT_EQ(PhysicalOf(" bigint "), Physical::kInt64);
  EXPECT_EQ(PhysicalOf("UTINYINT"), Physical::kUint8);
  EXPECT_EQ(PhysicalOf("USMALLINT"), Physical::kUint16);
  EXPECT_EQ(PhysicalOf("UINTEGER"), Physical::kUint32);
  EXPECT_EQ(PhysicalOf("UBIGINT"), Physical::kUint64);
  EXPECT_EQ(PhysicalOf("FLOAT"), Physical::kFloat);
  EXPECT_EQ(PhysicalOf("Double"), Physical::kDouble);
  EXPECT_EQ(PhysicalOf("DATE"), Physical::kDate);
  EXPECT_EQ(PhysicalOf("TIMESTAMP"), Physical::kTimestamp);
  EXPECT_EQ(PhysicalOf("int8"), Physical::kInt64);  // Postgres' word: eight bytes
  for (const char* type :
       {"VARCHAR", "DECIMAL(18,3)", "HUGEINT", "TIMESTAMP WITH TIME ZONE", "TIMESTAMP_NS",
        "INTEGER[]", "STRUCT(a INTEGER)", "BLOB", "", "no such type"}) {
    EXPECT_EQ(PhysicalOf(type), Physical::kText) << type;
  }
}

}  // namespace
}  // namespace sluice
