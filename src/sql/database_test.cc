// Sessions, values, errors, attached files.
#include "sql/database.h"

#include <gtest/gtest.h>

namespace sluice::sql {
namespace {

TEST(DatabaseTest, OpensAndAnswers) {
  auto database = Database::Open({});
  ASSERT_TRUE(database.ok()) << Format(database.error());
  auto session = (*database)->Connect();
  ASSERT_TRUE(session.ok());
  auto rows = (*session)->Query("SELECT 1 AS a, 'x' AS b, DATE '2020-01-02' AS d");
  ASSERT_TRUE(rows.ok()) << Format(rows.error());
  EXPECT_EQ(Format(rows->schema), "(a INTEGER, b VARCHAR, d DATE)");
  EXPECT_EQ(rows->rows[0][2].text, "2020-01-02");
}

}  // namespace
}  // namespace sluice::sql
