// What our correctness leans on in DuckDB and its documentation does not promise. A test that fails
// after an upgrade names the place that must be thought over.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "sql/database.h"
#include "sql/duckdb_1_5.h"
#include "sql/tap.h"

namespace sluice::sql {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class DuckdbFactsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "sluice_facts_XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    auto opened = Database::Open({.memory_bytes = 0, .threads = 2, .temp_folder = ""});
    ASSERT_TRUE(opened.ok()) << Format(opened.error());
    database_ = std::move(opened).value();
    session_ = std::move(database_->Connect()).value();
  }
  void TearDown() override {
    session_.reset();
    database_.reset();
    fs::remove_all(folder_);
  }
  std::string One(const std::string& text) {
    auto rows = session_->Query(text);
    EXPECT_TRUE(rows.ok()) << Format(rows.error()) << "\n" << text;
    if (!rows.ok() || rows->rows.size() != 1) return "(no value)";
    return rows->rows[0][0].null ? "NULL" : rows->rows[0][0].text;
  }
  void Run(const std::string& text) {
    auto done = session_->Execute(text);
    ASSERT_TRUE(done.ok()) << Format(done.error()) << "\n" << text;
  }
  void Attach(const std::string& name) {
    auto attached =
        database_->Attach((folder_ / (name + ".duckdb")).string(), name, Access::kReadWrite);
    ASSERT_TRUE(attached.ok()) << Format(attached.error());
  }

  fs::path folder_;
  std::unique_ptr<Database> database_;
  std::unique_ptr<Session> session_;
};

TEST_F(DuckdbFactsTest, ATransactionWritesOneAttachedFile) {
  Attach("a");
  Attach("b");
  Run("CREATE TABLE a.t (i INTEGER); CREATE TABLE b.t (i INTEGER); CREATE TABLE stage.t (i "
      "INTEGER)");
  ASSERT_TRUE(session_->Begin().ok());
  Run("CREATE TEMP TABLE free AS SELECT 1 AS i; INSERT INTO a.t SELECT i FROM free");
  auto second = session_->Execute("INSERT INTO b.t VALUES (1)");
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().kind, ErrorKind::kInternal);
  EXPECT_THAT(second.error().message, HasSubstr("only write to a single attached database"));
  ASSERT_TRUE(session_->Rollback().ok());
  ASSERT_TRUE(session_->Begin().ok());
  Run("INSERT INTO a.t VALUES (1)");
  EXPECT_FALSE(session_->Execute("INSERT INTO stage.t VALUES (1)").ok())
      << "a database in memory counts as well";
  ASSERT_TRUE(session_->Rollback().ok());
  ASSERT_TRUE(session_->Begin().ok());
  Run("INSERT INTO a.t SELECT i FROM b.t UNION ALL SELECT 5 UNION ALL SELECT i FROM stage.t");
  EXPECT_TRUE(session_->Commit().ok()) << "reading others is free";
  EXPECT_EQ(One("SELECT count(*) FROM a.t"), "1");
}

// Which rows does an expression below or above a tap see? Its values are counted by a tap of its
// own.
TEST_F(DuckdbFactsTest, AnExpressionBelowATapIsEvaluatedForRowsThatDie) {
  Run("CREATE TABLE stage.t AS SELECT i AS x FROM range(100000) t(i)");
  const auto evaluated = [&](const std::string& shape) {
    auto keep = database_->taps().Add(1000);
    auto costly = database_->taps().Add(1000);
    EXPECT_EQ(One(fmt::format(fmt::runtime(shape), keep->number(), costly->number())), "10000");
    EXPECT_EQ(keep->Total(), 100000U);
    return costly->Total();
  };
  const std::string fate = "CASE WHEN x % 10 = 0 THEN 0 ELSE 1 END";
  EXPECT_EQ(evaluated("SELECT sum(e::INTEGER) FROM (SELECT sluice_keep({1}, 0) AS e, x FROM "
                      "stage.t) WHERE sluice_keep({0}, " +
                      fate + ")"),
            100000U)
      << "a volatile one stays below";
  EXPECT_EQ(evaluated("SELECT sum(e::INTEGER) FROM (SELECT sluice_keep({1}, 0) AS e FROM (SELECT x "
                      "FROM stage.t WHERE sluice_keep({0}, " +
                      fate + ")))"),
            10000U)
      << "put above the tap it sees survivors only";
}

// Speed leans on this, not correctness: the filter is pushed below a projection of pure
// expressions.
TEST_F(DuckdbFactsTest, APureExpressionBelowATapIsEvaluatedForSurvivorsOnly) {
  // One that fails for the rows that the tap removes tells where DuckDB evaluates it.
  Run("CREATE TABLE stage.t AS SELECT CASE WHEN i % 10 = 0 THEN '7' ELSE 'x' END AS x FROM "
      "range(100000) t(i)");
  const auto sum = [&](std::string_view barrier) {
    auto tap = database_->taps().Add(1000);
    return session_->Query(
        fmt::format("SELECT sum(e) FROM (SELECT CAST(x AS INTEGER) AS e, x FROM stage.t {}) "
                    "WHERE sluice_keep({}, CASE WHEN x = '7' THEN 0 ELSE 1 END)",
                    barrier, tap->number()));
  };
  auto pushed = sum("");
  ASSERT_TRUE(pushed.ok()) << "it was evaluated below the tap: " << Format(pushed.error());
  EXPECT_EQ(pushed->rows[0][0].text, "70000");
  EXPECT_FALSE(sum("LIMIT 4611686018427387904").ok())
      << "a barrier holds the tap above the projection";
}

TEST_F(DuckdbFactsTest, AnInterruptBeforeTheStartIsLost) {
  duckdb_database instance = nullptr;
  duckdb_connection connection = nullptr;
  ASSERT_EQ(duckdb_open(nullptr, &instance), DuckDBSuccess);
  ASSERT_EQ(duckdb_connect(instance, &connection), DuckDBSuccess);
  duckdb_interrupt(connection);
  EXPECT_EQ(duckdb_query(connection, "SELECT sum(i) FROM range(1000000) t(i)", nullptr),
            DuckDBSuccess);
  duckdb_disconnect(&connection);
  duckdb_close(&instance);
}

TEST_F(DuckdbFactsTest, OddArithmeticIsNoError) {
  EXPECT_EQ(One("SELECT 1 // 0"), "NULL");
  EXPECT_EQ(One("SELECT 1 % 0"), "NULL");
  EXPECT_EQ(One("SELECT 1 / 0"), "inf");
}

TEST_F(DuckdbFactsTest, MergeTakesDuplicateKeysOfTheSource) {
  Run("CREATE TABLE t AS SELECT 1 AS k, 0 AS v");
  auto done = session_->Execute(
      "MERGE INTO t USING (VALUES (1, 5), (1, 6)) s(k, v) ON t.k = s.k WHEN MATCHED THEN UPDATE "
      "SET v = s.v");
  EXPECT_TRUE(done.ok()) << "if it refuses them now, loads need not dedupe their stage for it";
}

TEST_F(DuckdbFactsTest, ParametersWorkWhereLoadsUseThem) {
  const std::vector<Bound> bound{{"n", "INTEGER", "3"},
                                 {"path", "VARCHAR", (folder_ / "x.parquet").string()}};
  const auto run = [&](const std::string& text) {
    auto done = session_->Execute(text, bound);
    EXPECT_TRUE(done.ok()) << Format(done.error()) << text;
  };
  run("CREATE TABLE t AS SELECT i FROM range(10) t(i) WHERE i < CAST($n AS INTEGER)");
  run("INSERT INTO t SELECT CAST($n AS INTEGER)");
  run("DELETE FROM t WHERE i = CAST($n AS INTEGER)");
  run("COPY (SELECT i + CAST($n AS INTEGER) AS i FROM t) TO '" + (folder_ / "x.parquet").string() +
      "' (FORMAT parquet)");
  auto rows = session_->Query("SELECT sum(i) FROM read_parquet(CAST($path AS VARCHAR))", bound);
  ASSERT_TRUE(rows.ok()) << Format(rows.error());
  EXPECT_EQ(rows->rows[0][0].text, "12");
  EXPECT_FALSE(session_->Execute("CREATE VIEW v AS SELECT CAST($n AS INTEGER)", bound).ok());
}

TEST_F(DuckdbFactsTest, AnOrderSurvivesAProjectionAboveIt) {
  Run("CREATE TABLE stage.t AS SELECT hash(i) AS h FROM range(130000) t(i)");
  auto rows = session_->Query("SELECT h, h % 7 FROM (SELECT h FROM stage.t ORDER BY h)");
  ASSERT_TRUE(rows.ok());
  std::vector<uint64_t> values;
  for (const auto& row : rows->rows) values.push_back(std::stoull(row[0].text));
  EXPECT_TRUE(std::is_sorted(values.begin(), values.end()));
}

TEST_F(DuckdbFactsTest, SwappingATableLeavesNoMomentWithoutIt) {
  Attach("a");
  Run("CREATE TABLE a.t AS SELECT 1 AS i; CREATE TABLE a.next AS SELECT 2 AS i");
  auto reader = std::move(database_->Connect()).value();
  ASSERT_TRUE(reader->Begin().ok());
  ASSERT_TRUE(reader->Query("SELECT i FROM a.t").ok());
  ASSERT_TRUE(session_->Begin().ok());
  Run("DROP TABLE a.t; ALTER TABLE a.next RENAME TO t");
  ASSERT_TRUE(session_->Commit().ok());
  auto old = reader->Query("SELECT i FROM a.t");
  ASSERT_TRUE(old.ok()) << Format(old.error());
  EXPECT_EQ(old->rows[0][0].text, "1");
  EXPECT_EQ(One("SELECT i FROM a.t"), "2");
}

TEST_F(DuckdbFactsTest, ReadOnlyTransactionWritesNothing) {
  ASSERT_TRUE(session_->Execute("CREATE TABLE stage.t (i INTEGER); CREATE SEQUENCE stage.s").ok());
  for (const char* text : {"INSERT INTO stage.t VALUES (1)", "SELECT nextval('stage.s')",
                           "CREATE TABLE stage.u (i INTEGER)"}) {
    ASSERT_TRUE(session_->Execute("BEGIN TRANSACTION READ ONLY").ok());
    auto done = session_->Execute(text);
    ASSERT_FALSE(done.ok()) << text;
    EXPECT_THAT(done.error().message, HasSubstr("read-only mode")) << text;
    ASSERT_TRUE(session_->Rollback().ok());
  }
}

}  // namespace
}  // namespace sluice::sql
