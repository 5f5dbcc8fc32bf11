// What a user types as a query, and what DuckDB gets of it.
#include "main/query_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sluice {
namespace {

using ::testing::HasSubstr;

class QueryTextTest : public ::testing::Test {
 protected:
  QueryTextTest()
      : database_(sql::Database::Open({}).value()), session_(database_->Connect().value()) {}

  Result<QueryText> Read(const std::string& typed) {
    return QueryText::Read(typed, {{"warehouse", "file_1"}, {"Big shop", "file_2"}}, *session_);
  }
  std::string Text(const std::string& typed) {
    auto query = Read(typed);
    return query.ok() ? query->text() : "refused: " + Format(query.error());
  }

  std::unique_ptr<sql::Database> database_;
  std::unique_ptr<sql::Session> session_;
};

TEST_F(QueryTextTest, ConnectionsNameTheirFiles) {
  EXPECT_EQ(Text("SELECT 1;"), "SELECT 1");
  EXPECT_EQ(Text("FROM orders"), "FROM orders");
  EXPECT_EQ(Text("FROM warehouse.orders ;\n"), "FROM \"file_1\".orders");
  EXPECT_EQ(Text("FROM \"Warehouse\".main.orders o, (FROM \"big shop\".t)"),
            "FROM \"file_1\".main.orders o, (FROM \"file_2\".t)");
  EXPECT_EQ(Text("SELECT warehouse.orders.id FROM warehouse.orders"),
            "SELECT \"file_1\".orders.id FROM \"file_1\".orders");
  EXPECT_EQ(Text("DESCRIBE warehouse.orders"), "DESCRIBE \"file_1\".orders");
  EXPECT_EQ(Text("SUMMARIZE FROM warehouse.orders"), "SUMMARIZE FROM \"file_1\".orders");
  EXPECT_EQ(Text("show tables"), "show tables");
}

TEST_F(QueryTextTest, OtherNamesStayAsTheyAre) {
  for (const char* text :
       {"SELECT warehouse.id FROM t AS warehouse", "FROM other.orders", "SELECT 'warehouse.orders'",
        "SELECT warehouse.a.b FROM t", "WITH warehouse AS (SELECT 1) FROM warehouse"}) {
    EXPECT_EQ(Text(text), text);
  }
}

TEST_F(QueryTextTest, WritesAreRefused) {
  for (const char* text :
       {"DELETE FROM t", "SELECT 1; DROP TABLE t", "COPY t TO 'x'", "SHOW TABLES; DROP TABLE t",
        "SELECT sluice_keep(1, 0)", "FROM sluice_scan(1)", "  ;", "", "BEGIN",
        "CALL pragma_version()", "EXPLAIN ANALYZE DELETE FROM t"}) {
    auto query = Read(text);
    ASSERT_FALSE(query.ok()) << text;
    EXPECT_EQ(query.error().kind, ErrorKind::kConfig) << text;
  }
}

TEST_F(QueryTextTest, PlacesAreThoseOfWhatWasTyped) {
  auto query = Read("SELECT 1,\n  x FROM warehouse.orders JOIN warehouse.t ON y");
  ASSERT_TRUE(query.ok());
  const std::string text = query->text();
  EXPECT_EQ(query->PlaceOf(static_cast<int64_t>(text.find("x FROM"))), (Mark{"query", 2, 3}));
  EXPECT_EQ(query->PlaceOf(static_cast<int64_t>(text.find("\"file_1\".t"))),
            (Mark{"query", 2, 32}));
  EXPECT_EQ(query->PlaceOf(static_cast<int64_t>(text.find(" ON y") + 4)), (Mark{"query", 2, 47}));
  EXPECT_EQ(query->PlaceOf(0), (Mark{"query", 1, 1}));
  EXPECT_EQ(query->PlaceOf(-1), Mark{});
  auto wrong = Read("SELECT 1 +\n FROM FROM");
  ASSERT_FALSE(wrong.ok());
  EXPECT_EQ(wrong.error().mark.file, "query");
}

TEST_F(QueryTextTest, KnowsWhatReadsFiles) {
  EXPECT_TRUE(Read("FROM read_csv('x.csv')")->reads_files());
  EXPECT_TRUE(Read("FROM 'x.parquet'")->reads_files());
  EXPECT_FALSE(Read("FROM range(3), orders")->reads_files());
}

}  // namespace
}  // namespace sluice
