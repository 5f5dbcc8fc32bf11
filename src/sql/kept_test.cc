// Kept statements see what they must see: other values, a changed table, another session's line.
#include "sql/kept.h"

#include <gtest/gtest.h>

namespace sluice::sql {
namespace {

class KeptTest : public testing::Test {
 protected:
  void SetUp() override {
    auto opened = Database::Open({});
    ASSERT_TRUE(opened.ok());
    database_ = std::move(*opened);
    session_ = Connect();
    Run("CREATE TABLE t (a VARCHAR, n BIGINT)");
  }
  std::unique_ptr<Session> Connect() { return std::move(database_->Connect()).value(); }
  void Run(const std::string& text) {
    auto done = session_->Execute(text);
    ASSERT_TRUE(done.ok()) << Format(done.error());
  }
  void Insert(std::optional<std::string> a, const std::string& n) {
    auto done = ExecuteKept(*session_,
                            "INSERT INTO t (a, n) VALUES (CAST($a AS VARCHAR), "
                            "CAST(CAST($an AS VARCHAR) AS BIGINT))",
                            {{"a", "VARCHAR", std::move(a)}, {"an", "VARCHAR", n}});
    ASSERT_TRUE(done.ok()) << Format(done.error());
    EXPECT_EQ(*done, 1u);
  }
  std::string Find(const std::string& a) {
    auto rows = QueryKept(
        *session_, "SELECT string_agg(n, ',' ORDER BY n) FROM t WHERE a = CAST($a AS VARCHAR)",
        {{"a", "VARCHAR", a}});
    if (!rows.ok()) return Format(rows.error());
    return rows->rows.at(0).at(0).null ? "none" : rows->rows[0][0].text;
  }

  std::unique_ptr<Database> database_;
  std::unique_ptr<Session> session_;
};

TEST_F(KeptTest, EachRunHasItsOwnValues) {
  Insert("it's", "1");
  Insert("b", "2");
  Insert(std::nullopt, "3");
  Insert("b", "4");
  EXPECT_EQ(Find("b"), "2,4");
  EXPECT_EQ(Find("it's"), "1");
  EXPECT_EQ(Find("c"), "none");
  auto nulls = session_->Query("SELECT count(*) FROM t WHERE a IS NULL");
  EXPECT_EQ(nulls->rows.at(0).at(0).text, "1");
}

TEST_F(KeptTest, AChangedTableIsSeen) {
  Insert("b", "2");
  Run("ALTER TABLE t ADD COLUMN more VARCHAR DEFAULT 'x'");
  Insert("b", "3");
  EXPECT_EQ(Find("b"), "2,3");
  Run("DROP TABLE t; CREATE TABLE t (n BIGINT, a VARCHAR)");
  Insert("b", "4");
  EXPECT_EQ(Find("b"), "4");
  Run("DROP TABLE t");
  EXPECT_NE(Find("b").find("does not exist"), std::string::npos) << Find("b");
}

TEST_F(KeptTest, ALineComesBackAsNew) {
  for (const char* trace : {"CREATE TEMP TABLE mine (i INTEGER)", "SET search_path = 'stage.main'",
                            "BEGIN TRANSACTION"}) {
    session_ = Connect();
    Run(trace);
    if (std::string_view(trace) == "BEGIN TRANSACTION") Run("INSERT INTO t VALUES ('left', 1)");
    session_.reset();
    session_ = Connect();
    EXPECT_FALSE(session_->Query("SELECT * FROM mine").ok());
    EXPECT_EQ(Find("left"), "none") << trace;
  }
  ASSERT_TRUE(session_->Begin().ok());
  Insert("undone", "1");
  session_.reset();
  session_ = Connect();
  EXPECT_EQ(Find("undone"), "none");
  ASSERT_TRUE(session_->Begin().ok());
  Insert("done", "1");
  ASSERT_TRUE(session_->Commit().ok());
  session_.reset();
  session_ = Connect();
  EXPECT_EQ(Find("done"), "1");
  auto given = session_->Query("SELECT sluice_given(999, 0)");
  EXPECT_FALSE(given.ok());
}

}  // namespace
}  // namespace sluice::sql
