// What is SQLite's own: declared types and values of another class, numbers that would change on
// their way in, another program that holds the file.
#include "connector/sqlite/connector.h"
#include "connector/sqlite/database.h"
#include "connector/sqlite/system.h"
#include "connector/sqlite/types.h"
#include "connector/tables/fixture_for_tests.h"

namespace sluice::sqlite {
namespace {

class SqliteTest : public tables::TablesTest {
 protected:
  void SetUp() override {
    UseSystem(MakeSystem({.path = "t.db"}, probe_.Path("t.db"), *probe_.files), "main");
  }
};

NamedWritten Declared(const std::string& name, const std::string& type) {
  NamedWritten written;
  written.name = name;
  written.value.text = type;
  return written;
}

using Table2 = std::vector<std::vector<std::string>>;

TEST_F(SqliteTest, DeclaredTypes) {
  Rows(
      "CREATE TABLE t (a INTEGER, b UNSIGNED BIG INT, c VARCHAR(10), d TEXT, e REAL, f DOUBLE "
      "PRECISION, g BLOB, h BOOLEAN, i DATE, j DATETIME, k TIMESTAMP WITH TIME ZONE, l TIME, m "
      "DECIMAL(10,2), n UUID, o JSON, p NUMERIC(5), q, r DECIMAL TEXT(30,4))");
  Rows(
      "INSERT INTO t VALUES (-9223372036854775808, 9223372036854775807, 'é', '', 1e308, -1.5, "
      "X'00FF', 1, '9999-12-31', '2026-01-01T10:20:30.123456', '2026-01-01 00:00:00+02:00', "
      "'23:59:59.5', 12345678.91, '00112233-4455-6677-8899-aabbccddeeff', '{\"a\": [1]}', 99999, "
      "7, '12345678901234567890123456.1234')");
  auto source = Table("t");
  EXPECT_EQ(TypesOf(*source),
            "(a BIGINT, b BIGINT, c VARCHAR, d VARCHAR, e DOUBLE, f DOUBLE, g BLOB, h BOOLEAN, i "
            "DATE, j TIMESTAMP, k TIMESTAMP WITH TIME ZONE, l TIME, m DECIMAL(10,2), n UUID, o "
            "JSON, p DECIMAL(5,0), q BIGINT, r DECIMAL(30,4))");
  EXPECT_EQ(Read(*source),
            (Table2{{"-9223372036854775808", "9223372036854775807", "é", "", "1e+308", "-1.5",
                     "\\x00\\xFF", "true", "9999-12-31", "2026-01-01 10:20:30.123456",
                     "2025-12-31 22:00:00+00", "23:59:59.5", "12345678.91",
                     "00112233-4455-6677-8899-aabbccddeeff", "{\"a\": [1]}", "99999", "7",
                     "12345678901234567890123456.1234"}}));
}

TEST_F(SqliteTest, AValueOfAnotherClassIsABadRow) {
  Rows(
      "CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER, d DATE, m DECIMAL(4,1), s TEXT, b "
      "BOOLEAN)");
  Rows(
      "INSERT INTO t VALUES (1, 1, '2026-01-01', 1.5, 'a', 0), (2, 'many', NULL, NULL, NULL, "
      "NULL), "
      "(3, 1.5, NULL, NULL, NULL, NULL), (4, NULL, '2026-02-30', NULL, NULL, NULL), (5, NULL, "
      "20260101, NULL, NULL, NULL), (6, NULL, NULL, 1.55, NULL, NULL), (7, NULL, NULL, NULL, "
      "X'FF', NULL), (8, NULL, NULL, NULL, CAST(X'FF' AS TEXT), NULL), (9, NULL, NULL, NULL, NULL, "
      "2)");
  auto source = Table("t");
  EXPECT_EQ(Read(*source), (Table2{{"1", "1", "2026-01-01", "1.5", "a", "false"}}));
  const auto letters = Letters(*source);
  ASSERT_EQ(letters.size(), 8u);
  const auto has = [&](const std::string& words) {
    return std::any_of(letters.begin(), letters.end(), [&](const Letter& letter) {
      return letter.message.find(words) != std::string::npos;
    });
  };
  EXPECT_TRUE(
      has("column 'n': the value 'many' does not fit BIGINT; to read it, declare columns: { n: "
          "varchar }"));
  EXPECT_TRUE(has("column 'm': the value '1.55' does not fit DECIMAL(4,1)"));
  EXPECT_TRUE(has("column 's': the blob 'x'ff''"));
  EXPECT_EQ(letters[0].code, "type");
  EXPECT_NE(letters[0].original.find("{\"id\": \""), std::string::npos) << letters[0].original;
}

TEST_F(SqliteTest, DeclaredColumnsAreReadAsTheyAreDeclared) {
  Rows("CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER)");
  Rows("INSERT INTO t VALUES (1, 'many'), (2, 3)");
  auto source = Table("t", [](ExtractConfig& config) {
    config.columns = {Declared("n", "varchar"), Declared("id", "int")};
  });
  EXPECT_EQ(TypesOf(*source), "(n VARCHAR, id INTEGER)");
  EXPECT_EQ(Read(*source), (Table2{{"3", "2"}, {"many", "1"}}));
  auto wrong = Table("t", [](ExtractConfig& config) { config.columns = {Declared("n", "point")}; });
  EXPECT_NE(TypesOf(*wrong).find("a INTEGER is not read as point"), std::string::npos);
}

TEST_F(SqliteTest, TypesThatNothingDeclaresAreGuessedAndPinned) {
  Rows("CREATE TABLE t (a, b, c, d, e)");
  Rows("INSERT INTO t VALUES (1, 1.5, 'x', X'01', NULL), (2, 2, 3, X'02', NULL)");
  auto source = Table("t");
  EXPECT_EQ(TypesOf(*source), "(a BIGINT, b DOUBLE, c VARCHAR, d BLOB, e VARCHAR)");
  auto shape = source->Describe(*probe_.session, {});
  EXPECT_EQ(shape->guessed.size(), 5u);
  auto pinned = From([](ExtractConfig& config) { config.query.text = "SELECT a FROM t"; },
                     [](ExtractRequest& request) {
                       request.pinned = Schema{{"a", "DOUBLE"}};
                     });
  EXPECT_EQ(TypesOf(*pinned), "(a DOUBLE)");
}

TEST_F(SqliteTest, APrimaryKeyThatMayBeNullIsNotWalked) {
  Rows("CREATE TABLE t (id TEXT PRIMARY KEY, n INTEGER)");
  Rows("INSERT INTO t VALUES ('a', 1), (NULL, 2), (NULL, 3)");
  auto source = Table("t");
  EXPECT_EQ(Read(*source, {.rows = 1}).size(), 3u);
}

TEST_F(SqliteTest, EveryTypeIsTheSameOnItsWayInAndOut) {
  const std::string select =
      "SELECT true AS a, 127::TINYINT AS b, (-32768)::SMALLINT AS c, 2147483647 AS d, "
      "(-9223372036854775808)::BIGINT AS e, 18446744073709551615::UBIGINT AS f, 1.5::FLOAT AS g, "
      "0.1::DOUBLE AS h, 99999999999999.9::DECIMAL(15,1) AS i, "
      "12345678901234567890123456789012.123456::DECIMAL(38,6) AS j, 'ab' || chr(0) AS k, "
      "'\\x00\\xFF'::BLOB AS l, DATE '0001-01-01' AS m, TIME '23:59:59.999999' AS n, TIMESTAMP "
      "'2026-01-01 10:20:30.000001' AS o, TIMESTAMPTZ '2026-01-01 00:00:00+02' AS p, "
      "'00112233-4455-6677-8899-aabbccddeeff'::UUID AS q, '{\"a\": 1.50}'::JSON AS r, "
      "'Infinity'::DOUBLE AS s, NULL::DATE AS t";
  auto schema = probe_.session->Describe(select);
  ASSERT_TRUE(schema.ok());
  auto written = Write(LoadOf("t", Mode::kAppend, *schema), select);
  ASSERT_TRUE(written.ok()) << Format(written.error());
  auto again = Copy("t", "t2");
  ASSERT_TRUE(again.ok()) << Format(again.error());
  const std::string columns = "a,b,c,d,e,f,g,h,i,j,hex(k),hex(l),m,n,o,p,q,r,s,t";
  EXPECT_EQ(Rows("SELECT " + columns + " FROM t"), Rows("SELECT " + columns + " FROM t2"));
  EXPECT_EQ(One("SELECT j, typeof(f), m, o, p, hex(k) FROM t"),
            "12345678901234567890123456789012.123456|text|0001-01-01|2026-01-01 "
            "10:20:30.000001|2025-12-31 22:00:00+00:00|616200");
  auto source = Table("t");
  EXPECT_EQ(TypesOf(*source),
            "(a BOOLEAN, b BIGINT, c BIGINT, d BIGINT, e BIGINT, f DECIMAL(20,0), g DOUBLE, h "
            "DOUBLE, i DECIMAL(15,1), j DECIMAL(38,6), k VARCHAR, l BLOB, m DATE, n TIME, o "
            "TIMESTAMP, p TIMESTAMP WITH TIME ZONE, q UUID, r JSON, s DOUBLE, t DATE)");
}

TEST_F(SqliteTest, WhatSqliteWouldChangeIsRefused) {
  Rows("CREATE TABLE t (n DECIMAL(30,2), s STRING, id INTEGER PRIMARY KEY)");
  const auto refused = [&](const std::string& column, const std::string& type, const char* value) {
    return Refused(LoadOf("t", Mode::kAppend, {{column, type}}),
                   std::string("SELECT ") + value + "::" + type + " AS " + column);
  };
  EXPECT_NE(refused("n", "DECIMAL(20,2)", "123456789012345678.12").find("keeps 15 digits"),
            std::string::npos);
  EXPECT_EQ(refused("n", "DECIMAL(20,2)", "1234567890123.12"), "it was taken");
  EXPECT_NE(refused("s", "VARCHAR", "'007'").find("is STRING, the rows have VARCHAR"),
            std::string::npos);
  EXPECT_NE(refused("id", "BIGINT", "NULL").find("would make up a number for NULL"),
            std::string::npos);
  EXPECT_NE(refused("x", "DOUBLE", "'NaN'").find("would make NULL of a NaN"), std::string::npos);
  EXPECT_NE(refused("y", "DATE", "'12000-01-01'").find("is no day of the years 0 to 9999"),
            std::string::npos);
  EXPECT_NE(refused("y", "DATE", "'infinity'").find("is no day"), std::string::npos);
}

TEST_F(SqliteTest, ComputedColumnsAndViewsAreRefused) {
  Rows("CREATE TABLE t (a INTEGER, b INTEGER AS (a + 1)); CREATE VIEW v AS SELECT 1 AS a");
  const Schema schema{{"a", "BIGINT"}, {"b", "BIGINT"}};
  EXPECT_NE(Refused(LoadOf("t", Mode::kAppend, schema), "SELECT 1::BIGINT AS a, 2::BIGINT AS b")
                .find("is computed by the table"),
            std::string::npos);
  EXPECT_NE(Refused(LoadOf("v", Mode::kAppend, {{"a", "BIGINT"}}), "SELECT 1::BIGINT AS a")
                .find("is a view"),
            std::string::npos);
  EXPECT_NE(Refused(LoadOf("shop.t", Mode::kAppend, {{"a", "BIGINT"}}), "SELECT 1::BIGINT AS a")
                .find("has no schema but main"),
            std::string::npos);
}

TEST_F(SqliteTest, AHeldFileIsWaitedForAndThenTold) {
  Rows("CREATE TABLE t (id INTEGER, name TEXT)");
  const auto patient = MakeSystem({.path = "t.db", .wait = std::chrono::milliseconds(50)},
                                  probe_.Path("t.db"), *probe_.files);
  ASSERT_TRUE(link_->Begin().ok());
  tables::TableSink sink(patient, "main", Context());
  auto refused = sink.Prepare({LoadOf("new", Mode::kAppend, {{"id", "BIGINT"}})}, {});
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().kind, ErrorKind::kTransient) << Format(refused.error());
  ASSERT_TRUE(link_->Rollback().ok());
  EXPECT_TRUE(sink.Prepare({LoadOf("new", Mode::kAppend, {{"id", "BIGINT"}})}, {}).ok());
}

TEST_F(SqliteTest, AFileIsNotLockedWhileRowsAreComputed) {
  ASSERT_TRUE(Write(LoadOf("t", Mode::kAppend, {{"id", "BIGINT"}}), "SELECT 1::BIGINT AS id").ok());
  // The table is copied into itself: a lock of the reader would meet one of the writer.
  auto copied = Copy("t", "t");
  ASSERT_TRUE(copied.ok()) << Format(copied.error());
  EXPECT_EQ(One("SELECT count(*) FROM t"), "2");
}

TEST_F(SqliteTest, AFileOfSomethingElseIsTold) {
  probe_.Write("t.db", std::string(4096, 'x'));
  auto source = Table("t");
  auto shape = source->Describe(*probe_.session, {});
  ASSERT_FALSE(shape.ok());
  EXPECT_EQ(shape.error().kind, ErrorKind::kRejected) << Format(shape.error());
  EXPECT_NE(shape.error().message.find("file is not a database"), std::string::npos);
}

TEST_F(SqliteTest, AMissingFileIsNotMadeByLooking) {
  auto source = Table("t");
  auto shape = source->Describe(*probe_.session, {});
  ASSERT_FALSE(shape.ok());
  EXPECT_NE(shape.error().message.find("there is no SQLite file 't.db'"), std::string::npos);
  EXPECT_FALSE(*sink_->Target(LoadOf("t", Mode::kAppend, {})));
  EXPECT_FALSE(*sink_->Last(lane_));
  EXPECT_FALSE(probe_.files->Exists(probe_.Path("t.db")));
}

TEST(SqliteTypes, DigitsThatANumberKeeps) {
  for (const char* kept : {"1.5", "-0.00", "123456789012345", "0.000123456789012345",
                           "100000000000000000", "123456789012345678"})
    EXPECT_TRUE(KeepsDigits(kept)) << kept;
  for (const char* lost : {"1234567890123456.5", "0.1234567890123456", "12345678901234567890"})
    EXPECT_FALSE(KeepsDigits(lost)) << lost;
}

}  // namespace
}  // namespace sluice::sqlite
