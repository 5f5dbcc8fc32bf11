// Statements, bound values, results as text, errors and their places, stopping, and what one
// session may do at a time.
#include "sql/database.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

namespace sluice::sql {
namespace {

using ::testing::HasSubstr;

class DatabaseTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto opened = Database::Open({.memory_bytes = 500'000'000, .threads = 2, .temp_folder = ""});
    ASSERT_TRUE(opened.ok()) << Format(opened.error());
    database_ = std::move(opened).value();
    session_ = Connect();
  }
  std::unique_ptr<Session> Connect() {
    auto session = database_->Connect();
    EXPECT_TRUE(session.ok());
    return std::move(session).value();
  }
  Rows Query(std::string_view text, const std::vector<Bound>& bound = {}) {
    auto rows = session_->Query(text, bound);
    EXPECT_TRUE(rows.ok()) << Format(rows.error()) << "\n" << text;
    return rows.ok() ? std::move(rows).value() : Rows{};
  }
  std::string One(std::string_view text, const std::vector<Bound>& bound = {}) {
    const Rows rows = Query(text, bound);
    if (rows.rows.size() != 1 || rows.rows[0].size() != 1) return "(not one value)";
    return rows.rows[0][0].null ? "NULL" : rows.rows[0][0].text;
  }
  Error Fail(std::string_view text, const std::vector<Bound>& bound = {}) {
    auto done = session_->Execute(text, bound);
    EXPECT_FALSE(done.ok()) << text;
    return done.ok() ? Error{} : std::move(done).error();
  }

  std::unique_ptr<Database> database_;
  std::unique_ptr<Session> session_;
};

TEST_F(DatabaseTest, SettingsThatTheRestReliesOn) {
  EXPECT_EQ(One("SELECT current_setting('preserve_insertion_order')"), "false");
  EXPECT_EQ(One("SELECT current_setting('disabled_optimizers')"), "join_filter_pushdown");
  EXPECT_EQ(One("SELECT current_setting('TimeZone')"), "UTC");
  EXPECT_EQ(One("SELECT current_setting('autoload_known_extensions')"), "false");
  EXPECT_EQ(One("SELECT current_setting('memory_limit')"), "476.8 MiB");
  EXPECT_EQ(One("SELECT current_setting('threads')"), "2");
  EXPECT_EQ(One("SELECT current_setting('temp_directory')"), "");
}

TEST_F(DatabaseTest, StageIsSeenByAllSessions) {
  ASSERT_TRUE(session_->Execute("CREATE TABLE stage.t AS SELECT 42 AS a").ok());
  auto rows = Connect()->Query("SELECT a FROM stage.t");
  ASSERT_TRUE(rows.ok());
  EXPECT_EQ(rows->rows[0][0].text, "42");
}

TEST_F(DatabaseTest, CountsChangedRowsOfTheLastStatement) {
  const auto changed = [&](std::string_view text) {
    auto done = session_->Execute(text);
    EXPECT_TRUE(done.ok()) << text << Format(done.error());
    return done.ok() ? *done : 999;
  };
  EXPECT_EQ(changed("CREATE TABLE t (a INTEGER)"), 0U);
  EXPECT_EQ(changed("INSERT INTO t SELECT * FROM range(5)"), 5U);
  EXPECT_EQ(changed("UPDATE t SET a = 9 WHERE a > 2"), 2U);
  EXPECT_EQ(changed("INSERT INTO t VALUES (1); DELETE FROM t WHERE a = 9"), 2U);
  EXPECT_EQ(changed("COPY t TO '/dev/null' (FORMAT csv)"), 4U);
  EXPECT_EQ(changed("SELECT * FROM t"), 0U);
  EXPECT_EQ(changed(""), 0U);
  EXPECT_EQ(
      changed(
          "MERGE INTO t USING (VALUES (1), (77)) s(b) ON a = b WHEN MATCHED THEN UPDATE SET a = 5 "
          "WHEN NOT MATCHED THEN INSERT VALUES (b)"),
      3U);
}

TEST_F(DatabaseTest, BindsOnlyWhatAStatementUses) {
  const std::vector<Bound> bound{
      {"day", "DATE", "2026-11-21"}, {"n", "INTEGER", "7"}, {"none", "VARCHAR", {}}};
  EXPECT_EQ(One("SELECT CAST($day AS DATE) + CAST($n AS INTEGER)", bound), "2026-11-28");
  EXPECT_EQ(One("SELECT CAST($none AS VARCHAR)", bound), "NULL");
  EXPECT_EQ(One("CREATE TEMP TABLE t AS SELECT CAST($n AS INTEGER) AS n; SELECT n + CAST($n AS "
                "INTEGER) FROM t",
                bound),
            "14");
  EXPECT_EQ(One("SELECT 1", bound), "1");
}

TEST_F(DatabaseTest, BindsEveryType) {
  const std::vector<std::pair<std::string, std::string>> values{
      {"BOOLEAN", "true"},
      {"TINYINT", "-128"},
      {"HUGEINT", "170141183460469231731687303715884105727"},
      {"UHUGEINT", "340282366920938463463374607431768211455"},
      {"UBIGINT", "18446744073709551615"},
      {"FLOAT", "1.5"},
      {"DOUBLE", "1e-05"},
      {"DECIMAL(4,1)", "-12.5"},
      {"DECIMAL(9,2)", "0.01"},
      {"DECIMAL(18,3)", "-0.001"},
      {"DECIMAL(38,5)", "-123456789012345678901234.00001"},
      {"VARCHAR", "it's \"ü\""},
      {"BLOB", "a\\x00b"},
      {"BIT", "10110"},
      {"UUID", "f0000000-0000-4000-8000-0000000000ff"},
      {"DATE", "1969-12-31"},
      {"TIME", "23:59:59.000001"},
      {"TIMESTAMP", "2026-11-21 06:00:00.5"},
      {"TIMESTAMP_S", "2026-11-21 06:00:00"},
      {"TIMESTAMP_MS", "2026-11-21 06:00:00.123"},
      {"TIMESTAMP_NS", "2026-11-21 06:00:00.123456789"},
      {"TIMESTAMP WITH TIME ZONE", "2026-11-21 06:00:00+00"},
      {"TIME WITH TIME ZONE", "06:00:00+02"},
      {"INTERVAL", "1 year 2 days 00:00:03"},
      {"JSON", "{\"a\": [1, null]}"},
      {"INTEGER[]", "[1, NULL, 3]"},
      {"INTEGER[2]", "[1, 2]"},
      {"STRUCT(a INTEGER, \"b c\" VARCHAR[])", "{'a': 1, 'b c': [x, NULL]}"},
      {"MAP(VARCHAR, INTEGER)", "{k=1, l=2}"},
      {"ENUM('p', 'q''r')", "q'r"},
      {"STRUCT(\"select\" DATE, Ab INTEGER[][])", "{'select': 2020-01-01, 'Ab': [[1], []]}"}};
  for (const auto& [type, text] : values) {
    const std::vector<Bound> bound{{"v", type, text}};
    const std::string cast = "SELECT CAST($v AS " + type + ") AS v";
    const Rows rows = Query(cast, bound);
    ASSERT_EQ(rows.rows.size(), 1U) << type;
    EXPECT_EQ(rows.schema[0].type, type);
    EXPECT_EQ(rows.rows[0][0].text, One("SELECT CAST(CAST($v AS " + type + ") AS VARCHAR)", bound))
        << type;
    EXPECT_EQ(rows.rows[0][0].text, text) << type;
    EXPECT_EQ(One("SELECT typeof(CAST($v AS " + type + "))", bound), type);
    EXPECT_EQ(One("SELECT CAST($v AS " + type + ")", {{"v", type, {}}}), "NULL") << type;
  }
  EXPECT_EQ(One("SELECT union_value(k := 2)"), "2");
}

TEST_F(DatabaseTest, NamesTheValueThatIsMissing) {
  const Error error = Fail("SELECT CAST($dya AS DATE)", {{"day", "DATE", "2026-11-21"}});
  EXPECT_EQ(error.kind, ErrorKind::kConfig);
  EXPECT_EQ(error.message, "no value is given for '$dya'; did you mean '$day'?");
  EXPECT_EQ(Fail(std::string_view("SELECT 1\0x", 10)).kind, ErrorKind::kConfig);
}

TEST_F(DatabaseTest, DescribesWithoutRunning) {
  auto schema = session_->Describe(
      "WITH a AS (SELECT 1 AS i, error('ran') AS e) SELECT i, e, 1.50 AS d, [i] AS l, $x::DATE AS "
      "x FROM a",
      {{"x", "DATE", "2020-01-01"}});
  ASSERT_TRUE(schema.ok()) << Format(schema.error());
  EXPECT_EQ(Format(*schema), "(i INTEGER, e INTEGER, d DECIMAL(3,2), l INTEGER[], x DATE)");
  auto empty = session_->Describe("SELECT $x AS x, 1 AS a", {{"x", "DATE", {}}});
  ASSERT_FALSE(empty.ok());
  EXPECT_THAT(empty.error().message, HasSubstr("CAST($name AS type)"));
}

TEST_F(DatabaseTest, DescribeTellsWhereTheTextIsWrong) {
  const auto place = [&](std::string_view text) {
    int64_t offset = -2;
    auto schema = session_->Describe(text, {}, &offset);
    EXPECT_FALSE(schema.ok()) << text;
    if (schema.ok()) return int64_t{-3};
    EXPECT_EQ(schema.error().kind, ErrorKind::kConfig) << Format(schema.error());
    return offset;
  };
  EXPECT_EQ(place("SELECT a FROM (SELECT 1 AS b)"), 7);
  EXPECT_EQ(place("SELECT 'ü',\n  x FROM (SELECT 1 AS b)"), 15);  // bytes, not characters
  EXPECT_EQ(place("SELECT 1 +"), -1 + 11);
  EXPECT_EQ(place("SELECT 1 FORM t x"), 14);
  EXPECT_EQ(place("SELECT nosuch(1)"), 7);
  EXPECT_EQ(place("SELECT * FROM nosuch"), 14);
  EXPECT_EQ(place("SELECT * FROM read_csv('/no/such/*.csv')"), 14);
  int64_t offset = 5;
  ASSERT_TRUE(session_->Describe("SELECT 1", {}, &offset).ok());
  EXPECT_EQ(offset, -1);
}

TEST_F(DatabaseTest, SortsErrors) {
  EXPECT_EQ(Fail("SELEC 1").kind, ErrorKind::kConfig);
  EXPECT_EQ(Fail("SELECT x").kind, ErrorKind::kConfig);
  EXPECT_EQ(Fail("SELECT CAST(a AS INTEGER) FROM (VALUES ('x')) t(a)").kind, ErrorKind::kData);
  EXPECT_EQ(Fail("SELECT a + 1::UTINYINT FROM (VALUES (255::UTINYINT)) t(a)").kind,
            ErrorKind::kData);
  EXPECT_EQ(Fail("CREATE TABLE p (a INTEGER PRIMARY KEY); INSERT INTO p VALUES (1), (1)").kind,
            ErrorKind::kRejected);
  EXPECT_EQ(Fail("COPY (SELECT 1) TO '/no/such/folder/x.csv'").kind, ErrorKind::kRejected);
  EXPECT_EQ(Fail("INSTALL httpfs").kind, ErrorKind::kRejected);
  EXPECT_EQ(Fail("LOAD postgres").kind, ErrorKind::kRejected);
}

TEST_F(DatabaseTest, OutOfMemoryHasARemedy) {
  ASSERT_TRUE(session_->Execute("SET memory_limit = '30MB'").ok());
  const Error full = Fail(
      "CREATE TABLE big AS SELECT DISTINCT hash(i) AS h, repeat(i::VARCHAR, 40) AS t FROM "
      "range(500000) t(i)");
  EXPECT_EQ(full.kind, ErrorKind::kRejected) << full.message;
  EXPECT_THAT(full.message, HasSubstr("raise 'memory'"));
}

TEST_F(DatabaseTest, ClassifyReadsBothForms) {
  EXPECT_EQ(Classify("Binder Error: no column\nLINE 1: x"), ErrorKind::kConfig);
  EXPECT_EQ(Classify(R"({"exception_type":"Conversion","exception_message":"bad"})"),
            ErrorKind::kData);
  EXPECT_EQ(Classify("TransactionContext Error: Conflict on update!"), ErrorKind::kTransient);
  EXPECT_EQ(Classify("IO Error: Could not set lock on file \"x\": Conflicting lock is held in "
                     "/usr/bin/y (PID 12)."),
            ErrorKind::kTransient);
  EXPECT_EQ(Classify("INTERRUPT Error: Interrupted!"), ErrorKind::kCancelled);
  EXPECT_EQ(Classify("FATAL Error: gone"), ErrorKind::kInternal);
  EXPECT_EQ(Classify("something else"), ErrorKind::kInternal);
}

TEST_F(DatabaseTest, WritersOfOneRowConflict) {
  ASSERT_TRUE(session_->Execute("CREATE TABLE t AS SELECT 1 AS a").ok());
  auto other = Connect();
  ASSERT_TRUE(session_->Begin().ok());
  ASSERT_TRUE(other->Begin().ok());
  ASSERT_TRUE(session_->Execute("UPDATE t SET a = 2").ok());
  auto second = other->Execute("UPDATE t SET a = 3");
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().kind, ErrorKind::kTransient) << second.error().message;
  EXPECT_TRUE(other->Rollback().ok());
  EXPECT_TRUE(session_->Commit().ok());
  EXPECT_EQ(One("SELECT a FROM t"), "2");
}

TEST_F(DatabaseTest, SameNewKeyInTwoTransactionsFailsAtCommit) {
  ASSERT_TRUE(session_->Execute("CREATE TABLE k (a INTEGER PRIMARY KEY)").ok());
  auto other = Connect();
  ASSERT_TRUE(session_->Begin().ok());
  ASSERT_TRUE(other->Begin().ok());
  ASSERT_TRUE(session_->Execute("INSERT INTO k VALUES (1)").ok());
  ASSERT_TRUE(other->Execute("INSERT INTO k VALUES (1)").ok());
  EXPECT_TRUE(session_->Commit().ok());
  auto second = other->Commit();
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().kind, ErrorKind::kTransient) << second.error().message;
}

TEST_F(DatabaseTest, TransactionsRollBack) {
  ASSERT_TRUE(session_->Execute("CREATE TABLE t (a INTEGER)").ok());
  EXPECT_TRUE(session_->Rollback().ok());
  ASSERT_TRUE(session_->Begin().ok());
  ASSERT_TRUE(session_->Execute("INSERT INTO t VALUES (1)").ok());
  EXPECT_TRUE(session_->Rollback().ok());
  EXPECT_EQ(One("SELECT count(*) FROM t"), "0");
  EXPECT_FALSE(session_->Commit().ok());
}

constexpr std::string_view kEndless =
    "SELECT count(*) FROM range(1000000000) a, range(1000000000) b WHERE a.range + b.range = -1";

TEST_F(DatabaseTest, StopsARunningQuery) {
  std::stop_source source;
  std::jthread stopper([&] {
    std::this_thread::sleep_for(
        std::chrono::milliseconds(50));  // a time that differs from try to try
    source.request_stop();
  });
  auto done =
      session_->Query(kEndless, {}, source.get_token());  // returns only if it is interrupted
  ASSERT_FALSE(done.ok());
  EXPECT_EQ(done.error().kind, ErrorKind::kCancelled) << done.error().message;
  EXPECT_EQ(One("SELECT 5"), "5");
}

TEST_F(DatabaseTest, StopBeforeTheStartAndRightAtIt) {
  std::stop_source before;
  before.request_stop();
  auto never = session_->Execute("CREATE TABLE never (a INTEGER)", {}, before.get_token());
  ASSERT_FALSE(never.ok());
  EXPECT_EQ(never.error().kind, ErrorKind::kCancelled);
  EXPECT_EQ(One("SELECT count(*) FROM duckdb_tables() WHERE table_name = 'never'"), "0");
  for (int i = 0; i < 30; ++i) {  // some of these come before DuckDB has begun
    std::stop_source source;
    std::jthread stopper([&] {
      std::this_thread::sleep_for(
          std::chrono::microseconds(i * 20));  // a time that differs from try to try
      source.request_stop();
    });
    auto done = session_->Query(kEndless, {}, source.get_token());
    ASSERT_FALSE(done.ok());
    ASSERT_EQ(done.error().kind, ErrorKind::kCancelled);
    EXPECT_EQ(One("SELECT 5"), "5");
  }
}

TEST_F(DatabaseTest, AStopDoesNotTouchOtherSessions) {
  std::stop_source source;
  std::jthread other([&, session = Connect()] {
    auto done = session->Query(kEndless, {}, source.get_token());
    EXPECT_FALSE(done.ok());
  });
  source.request_stop();
  for (int i = 0; i < 50; ++i) EXPECT_EQ(One("SELECT count(*) FROM range(10000)"), "10000");
}

TEST_F(DatabaseTest, StreamGivesAllRowsInTheOrderAskedFor) {
  int64_t next = 99'999, columns = 0;
  auto done = session_->Stream("SELECT i, 'x' AS t FROM range(100000) r(i) ORDER BY i DESC",
                               [&](const Rows& rows) -> Status {
                                 columns = static_cast<int64_t>(rows.schema.size());
                                 for (const auto& row : rows.rows)
                                   EXPECT_EQ(row[0].text, std::to_string(next--));
                                 return Ok();
                               });
  ASSERT_TRUE(done.ok()) << Format(done.error());
  EXPECT_EQ(next, -1);
  EXPECT_EQ(columns, 2);
}

TEST_F(DatabaseTest, StreamTellsAnErrorThatComesLate) {
  size_t seen = 0;
  auto done = session_->Stream(
      "SELECT CASE WHEN i = 2900000 THEN error('boom') ELSE i END FROM range(3000000) r(i)",
      [&](const Rows& rows) -> Status {
        seen += rows.rows.size();
        return Ok();
      });
  ASSERT_FALSE(done.ok());
  EXPECT_THAT(done.error().message, HasSubstr("boom"));
  EXPECT_GT(seen, 0U);
  EXPECT_EQ(One("SELECT 1"), "1");
}

TEST_F(DatabaseTest, StreamEndsWithWhoTakesIt) {
  size_t taken = 0;
  auto done = session_->Stream(
      "SELECT i FROM range(100000000000) r(i)",
      [&](const Rows&) -> Status { return ++taken < 3 ? Ok() : Status(TransientError("enough")); });
  ASSERT_FALSE(done.ok());
  EXPECT_EQ(done.error().message, "enough");
  std::stop_source stop;
  done = session_->Stream(
      "SELECT i FROM range(100000000000) r(i)",
      [&](const Rows&) -> Status {
        stop.request_stop();
        return Ok();
      },
      stop.get_token());
  ASSERT_FALSE(done.ok());
  EXPECT_EQ(done.error().kind, ErrorKind::kCancelled);
  EXPECT_EQ(One("SELECT 1"), "1");
}

// Who takes nothing holds none of DuckDB's threads: a result that is not taken would else block a
// load.
TEST_F(DatabaseTest, StreamThatIsNotTakenLeavesTheThreadsToOthers) {
  auto other = Connect();
  size_t parts = 0;
  auto done = session_->Stream(
      "SELECT i, repeat('x', 100) FROM range(10000000) r(i)", [&](const Rows&) -> Status {
        if (++parts == 1) {
          for (int n = 0; n < 20; ++n)
            EXPECT_TRUE(other->Query("SELECT sum(hash(i)) FROM range(1000000) r(i)").ok());
        }
        return parts < 2000 ? Ok() : Status(TransientError("enough"));
      });
  EXPECT_EQ(parts, 2000U);
}

}  // namespace
}  // namespace sluice::sql
