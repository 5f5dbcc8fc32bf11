// The list of aggregates against DuckDB's own.
// Tests of sql/aggregates.
#include "sql/aggregates.h"

#include <gtest/gtest.h>

#include "sql/database.h"

namespace sluice::sql {
namespace {

TEST(Aggregates, AreThoseThatDuckDbKnows) {
  auto database = Database::Open({}).value();
  auto session = database->Connect().value();
  const Rows rows =
      session
          ->Query(
              "SELECT function_name, bool_or(function_type = 'aggregate') AND NOT "
              "bool_or(function_type IN ('scalar', 'macro')) FROM duckdb_functions() GROUP BY ALL")
          .value();
  ASSERT_GT(rows.rows.size(), 500u);
  for (const auto& row : rows.rows) {
    EXPECT_EQ(IsAggregate(row[0].text), row[1].text == "true") << row[0].text;
  }
}

TEST(Aggregates, NothingElseIsOne) {
  EXPECT_FALSE(IsAggregate(""));
  EXPECT_FALSE(IsAggregate("zzz"));
  EXPECT_TRUE(IsAggregate("sum"));
}

}  // namespace
}  // namespace sluice::sql
