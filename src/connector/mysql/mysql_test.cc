// What is MySQL's own: its types and their extremes, values that the server would change, a server
// that falls over or does not answer.
#include <fmt/format.h>

#include <thread>

#include "connector/mysql/connection.h"
#include "connector/mysql/server_for_tests.h"
#include "connector/mysql/system.h"
#include "connector/tables/fixture_for_tests.h"

namespace sluice::mysql {
namespace {

using Texts = std::vector<std::string>;
using Cells = std::vector<std::vector<std::string>>;

NamedWritten Declared(const std::string& name, const std::string& type) {
  NamedWritten written;
  written.name = name;
  written.value.text = type;
  return written;
}

class MysqlTest : public tables::TablesTest {
 protected:
  void SetUp() override {
    server_ = TestServer::Shared();
    if (server_ == nullptr) GTEST_SKIP() << "no server";
    database_ = server_->NewDatabase();
    UseSystem(MakeSystem(server_->SettingsOf(database_), Context()), database_);
  }
  std::string RefusedValue(const std::string& column, const std::string& type,
                           const std::string& value) {
    return Refused(LoadOf("t", Mode::kAppend, {{column, type}}),
                   fmt::format("SELECT {}::{} AS {}", value, type, column));
  }

  TestServer* server_ = nullptr;
  std::string database_;
};

TEST_F(MysqlTest, EveryTypeWithItsExtremes) {
  Rows(
      "CREATE TABLE t (a TINYINT, b SMALLINT UNSIGNED, c MEDIUMINT, d INT UNSIGNED, e BIGINT, f "
      "BIGINT UNSIGNED, g FLOAT, h DOUBLE, i DECIMAL(38,10), j DECIMAL(65,30), k BIT(1), l "
      "BIT(64), m YEAR, n DATE, o DATETIME(6), p TIMESTAMP(6) NULL, q TIME(6), r CHAR(5), s "
      "VARCHAR(20), u LONGTEXT, v ENUM('x','y'), w SET('x','y'), x BINARY(3), y LONGBLOB, z JSON, "
      "aa UUID, ab INET6, ac TINYINT(1), ad MEDIUMINT UNSIGNED) CHARACTER SET utf8mb4");
  Rows(
      "INSERT INTO t VALUES (-128, 65535, -8388608, 4294967295, -9223372036854775808, "
      "18446744073709551615, 3.40282346638528859811704183484516925440e38, 1.7976931348623157e308, "
      "-9999999999999999999999999999.9999999999, "
      "99999999999999999999999999999999999.999999999999999999999999999999, b'1', "
      "b'1111111111111111111111111111111111111111111111111111111111111111', 2155, '9999-12-31', "
      "'9999-12-31 23:59:59.999999', '2038-01-19 03:14:07.999999', '23:59:59.999999', 'ab', "
      "'😀é', repeat('x', 70000), 'y', 'x,y', x'00FF0A', x'5C4E', '{\"a\": [1, 2.50]}', "
      "'00112233-4455-6677-8899-aabbccddeeff', '::1', 1, 16777215)");
  Rows("INSERT INTO t (a) VALUES (NULL)");
  auto source = Table("t");
  EXPECT_EQ(TypesOf(*source),
            "(a TINYINT, b USMALLINT, c INTEGER, d UINTEGER, e BIGINT, f UBIGINT, g FLOAT, h "
            "DOUBLE, i DECIMAL(38,10), j VARCHAR, k BOOLEAN, l UBIGINT, m SMALLINT, n DATE, o "
            "TIMESTAMP, p TIMESTAMP WITH TIME ZONE, q TIME, r VARCHAR, s VARCHAR, u VARCHAR, v "
            "VARCHAR, w VARCHAR, x BLOB, y BLOB, z JSON, aa UUID, ab VARCHAR, ac TINYINT, ad "
            "UINTEGER)");
  Cells rows = Read(*source);
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0], (Texts{"-128",
                            "65535",
                            "-8388608",
                            "4294967295",
                            "-9223372036854775808",
                            "18446744073709551615",
                            "3.4028235e+38",
                            "1.7976931348623157e+308",
                            "-9999999999999999999999999999.9999999999",
                            "99999999999999999999999999999999999.999999999999999999999999999999",
                            "true",
                            "18446744073709551615",
                            "2155",
                            "9999-12-31",
                            "9999-12-31 23:59:59.999999",
                            "2038-01-19 03:14:07.999999+00",
                            "23:59:59.999999",
                            "ab",
                            "😀é",
                            std::string(70000, 'x'),
                            "y",
                            "x,y",
                            "\\x00\\xFF\\x0A",
                            "\\x5CN",
                            "{\"a\": [1, 2.50]}",
                            "00112233-4455-6677-8899-aabbccddeeff",
                            "::1",
                            "1",
                            "16777215"}));
  for (const std::string& value : rows[1]) EXPECT_EQ(value, "NULL");
  // And into a table of the same types, and into one that is created.
  Rows("CREATE TABLE t2 LIKE t");
  for (const char* to : {"t2", "t3"}) {
    auto copied = Copy("t", to);
    ASSERT_TRUE(copied.ok()) << Format(copied.error());
    // MySQL's BOOLEAN is a TINYINT(1), which may hold more.
    if (to == std::string("t3")) rows[0][10] = "1";
    auto again = Table(to);
    EXPECT_TRUE(Read(*again) == rows) << to;
  }
  EXPECT_EQ(Rows("SELECT HEX(x), HEX(y), k + 0, l + 0, HEX(s) FROM t2"),
            Rows("SELECT HEX(x), HEX(y), k + 0, l + 0, HEX(s) FROM t"));
}

TEST_F(MysqlTest, ZeroDatesAreBadRowsOrNull) {
  Rows("SET SESSION sql_mode = ''");
  Rows("CREATE TABLE t (id INT PRIMARY KEY, d DATE, at DATETIME)");
  Rows(
      "INSERT INTO t VALUES (1, '2026-01-01', '2026-01-01 00:00:00'), (2, '0000-00-00', NULL), (3, "
      "'2026-00-10', NULL), (4, NULL, '0000-00-00 00:00:00')");
  auto source = Table("t");
  EXPECT_EQ(Read(*source).size(), 1u);
  const auto letters = Letters(*source);
  ASSERT_EQ(letters.size(), 3u);
  EXPECT_NE(
      letters[0].message.find("is a zero date, which is no day; to read it, declare columns: "),
      std::string::npos)
      << letters[0].message;
  Settings lenient = server_->SettingsOf(database_);
  lenient.zero_dates = "as_null";
  UseSystem(MakeSystem(lenient, Context()), database_);
  auto nulls = Table("t");
  EXPECT_EQ(Read(*nulls), (Cells{{"1", "2026-01-01", "2026-01-01 00:00:00"},
                                 {"2", "NULL", "NULL"},
                                 {"3", "NULL", "NULL"},
                                 {"4", "NULL", "NULL"}}));
  auto texts = Table("t", [](ExtractConfig& config) {
    config.columns = {Declared("id", "int"), Declared("d", "varchar")};
  });
  EXPECT_EQ(Read(*texts)[1], (Texts{"2", "0000-00-00"}));
}

TEST_F(MysqlTest, TimesThatAreDurations) {
  Rows(
      "CREATE TABLE t (id INT PRIMARY KEY, q TIME); INSERT INTO t VALUES (1, '25:00:00'), (2, "
      "'-00:00:01'), (3, '10:00:00')");
  auto source = Table("t");
  EXPECT_EQ(Read(*source), (Cells{{"3", "10:00:00"}}));
  EXPECT_EQ(Letters(*source).size(), 2u);
  auto texts =
      Table("t", [](ExtractConfig& config) { config.columns = {Declared("q", "interval")}; });
  EXPECT_EQ(TypesOf(*texts), "(q INTERVAL)");
  EXPECT_EQ(Read(*texts), (Cells{{"-00:00:01"}, {"10:00:00"}, {"25:00:00"}}));
}

TEST_F(MysqlTest, AnUnmappedTypeIsRefusedByName) {
  Rows("CREATE TABLE t (id INT, p POINT)");
  auto source = Table("t");
  EXPECT_NE(TypesOf(*source).find("column 'p' of t is of the type point, which is not mapped"),
            std::string::npos)
      << TypesOf(*source);
}

TEST_F(MysqlTest, TheServersModesChangeNothing) {
  Rows("SET GLOBAL sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES,PAD_CHAR_TO_FULL_LENGTH'");
  Rows("CREATE TABLE t (id INT PRIMARY KEY, c CHAR(4))");
  EXPECT_EQ(Write(LoadOf("t", Mode::kUpsert, {{"id", "INTEGER"}, {"c", "VARCHAR"}}, {"id"}),
                  "SELECT 0 AS id, '\\''' AS c")
                .ok(),
            true);
  auto source = Table("t");
  EXPECT_EQ(Read(*source), (Cells{{"0", "\\'"}}));
  Rows("SET GLOBAL sql_mode = DEFAULT");
}

TEST_F(MysqlTest, WhatTheServerWouldChangeIsRefused) {
  Rows(
      "CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, s VARCHAR(3), n INT NOT NULL DEFAULT 7, "
      "at DATETIME(3), e ENUM('x'), y YEAR, ts TIMESTAMP NULL, l VARCHAR(10) CHARACTER SET latin1, "
      "g INT AS (n + 1), j JSON)");
  const auto has = [](const std::string& text, const std::string& words) {
    EXPECT_NE(text.find(words), std::string::npos) << text;
  };
  has(RefusedValue("s", "VARCHAR", "'abcd'"), "for column 's' at row 1");
  has(RefusedValue("id", "INTEGER", "NULL"), "is AUTO_INCREMENT");
  has(RefusedValue("n", "INTEGER", "NULL"), "is NOT NULL, and a row has NULL");
  has(RefusedValue("n", "BIGINT", "1"),
      "is int(11), the rows have BIGINT: not every value would fit");
  has(RefusedValue("at", "TIMESTAMP", "'2026-01-01 00:00:00.123456'"), "has 6 digits of a second");
  has(RefusedValue("e", "VARCHAR", "'z'"), "Data truncated for column 'e'");
  has(RefusedValue("y", "SMALLINT", "3000"), "Out of range value for column 'y'");
  has(RefusedValue("ts", "TIMESTAMPTZ", "'2100-01-01 00:00:00+00'"), "column 'ts'");
  has(RefusedValue("l", "VARCHAR", "'😀'"), "Incorrect string value");
  has(RefusedValue("g", "INTEGER", "1"), "is computed by the table");
  has(RefusedValue("j", "VARCHAR", "'{'"), "CONSTRAINT `t.j` failed");
  has(RefusedValue("d", "DOUBLE", "'NaN'"), "MySQL has no NaN");
  has(RefusedValue("d", "DOUBLE", "'-inf'"), "MySQL has no infinity");
  has(RefusedValue("day", "DATE", "'0044-03-15 (BC)'"), "is no day of the years 0 to 9999");
  EXPECT_EQ(One("SELECT count(*) FROM t"), "0");
}

TEST_F(MysqlTest, TablesWithoutTransactionsAndViewsAreRefused) {
  Rows("CREATE TABLE t (id BIGINT) ENGINE=MyISAM; CREATE VIEW v AS SELECT 1 AS id");
  EXPECT_NE(RefusedValue("id", "BIGINT", "1").find("has no transactions"), std::string::npos);
  EXPECT_NE(Refused(LoadOf("v", Mode::kAppend, {{"id", "BIGINT"}}), "SELECT 1::BIGINT AS id")
                .find("is a view"),
            std::string::npos);
}

TEST_F(MysqlTest, KeysAreComparedByteByByteInTablesThatAreCreated) {
  const Load load = LoadOf("t", Mode::kUpsert, {{"k", "VARCHAR"}, {"v", "BIGINT"}}, {"k"});
  auto landed =
      Write(load, "SELECT * FROM (VALUES ('a', 1), ('A', 2), ('a ', 3), ('ä', 4)) r(k, v)");
  ASSERT_TRUE(landed.ok()) << Format(landed.error());
  EXPECT_EQ(landed->inserted, 4u);
  // A table of the user's may say that they are one.
  Rows("CREATE TABLE ci (k VARCHAR(10) COLLATE utf8mb4_general_ci PRIMARY KEY, v BIGINT)");
  Load merged = load;
  merged.target = "ci";
  EXPECT_NE(
      Refused(merged, "SELECT * FROM (VALUES ('a', 1), ('A', 2)) r(k, v)").find("2 rows have k"),
      std::string::npos);
}

TEST_F(MysqlTest, AKeyOfAnotherIndexIsNotMergedInto) {
  Rows(
      "CREATE TABLE t (id BIGINT PRIMARY KEY, mail VARCHAR(20) UNIQUE); INSERT INTO t VALUES (1, "
      "'m')");
  const std::string refused =
      Refused(LoadOf("t", Mode::kUpsert, {{"id", "BIGINT"}, {"mail", "VARCHAR"}}, {"id"}),
              "SELECT 2 AS id, 'm' AS mail");
  EXPECT_NE(refused.find("Duplicate entry 'm'"), std::string::npos) << refused;
  EXPECT_EQ(Rows("SELECT * FROM t"), Texts{"1|m"});
}

TEST_F(MysqlTest, StatementsThatCommitAreRefused) {
  ASSERT_TRUE(sink_->Prepare({LoadOf("t", Mode::kAppend, {{"id", "BIGINT"}})}, {}).ok());
  auto landing = sink_->Begin(lane_, {}, Visibility::kTarget, std::nullopt);
  ASSERT_TRUE(landing.ok());
  for (const char* text :
       {"CREATE TABLE x (a INT)", "/* a */ truncate t", "INSERT INTO t VALUES (1, 1); COMMIT"}) {
    auto done = (*landing)->Run(text, {}, {});
    ASSERT_FALSE(done.ok()) << text;
    EXPECT_NE(done.error().message.find("MySQL commits at"), std::string::npos) << text;
  }
  auto temporary = (*landing)->Run(
      "CREATE TEMPORARY TABLE x AS SELECT 5 AS a; INSERT INTO t SELECT a, 1 FROM x; # done\n", {},
      {});
  ASSERT_TRUE(temporary.ok()) << Format(temporary.error());
  EXPECT_EQ(*temporary, 1u);
}

TEST_F(MysqlTest, ASharedLaneWaitsForACommitUnderWay) {
  const Load load = LoadOf("t", Mode::kAppend, {{"id", "BIGINT"}});
  ASSERT_TRUE(Write(load, "SELECT 1::BIGINT AS id").ok());
  // Someone holds the lane's lock, as a COMMIT on its way would.
  auto other = system_->Connect(tables::Use::kWrite, {});
  ASSERT_TRUE(other.ok());
  ASSERT_TRUE((*other)->Begin().ok());
  ASSERT_TRUE(system_->Lock(**other, "lane " + lane_.Key(), {}).ok());
  auto link = system_->Connect(tables::Use::kWrite, {});
  auto waited = system_->Settle(**link, "lane " + lane_.Key(), 0);
  ASSERT_FALSE(waited.ok());
  EXPECT_EQ(waited.error().kind, ErrorKind::kTransient) << Format(waited.error());
  // A process that hangs is ended.
  auto ended = system_->Settle(**link, "lane " + lane_.Key(), (*other)->process());
  EXPECT_TRUE(ended.ok()) << Format(ended.error());
  EXPECT_FALSE((*other)->Run("SELECT 1").ok());
}

TEST_F(MysqlTest, AFallenServerIsTransientAndLosesNothing) {
  const Load load = LoadOf("t", Mode::kAppend, {{"id", "BIGINT"}});
  ASSERT_TRUE(Write(load, "SELECT 1::BIGINT AS id").ok());
  auto landing = sink_->Begin(lane_, {load}, Visibility::kTarget, std::nullopt);
  ASSERT_TRUE(landing.ok());
  ASSERT_TRUE((*landing)->Write(0, "SELECT 2::BIGINT AS id", {}, {}).ok());
  server_->Restart();
  EpochRecord record{.lane = lane_, .epoch = (*landing)->epoch(), .fence = {1}, .run = {1}};
  auto committed = (*landing)->Commit(record);
  ASSERT_FALSE(committed.ok());
  EXPECT_EQ(committed.error().kind, ErrorKind::kTransient) << Format(committed.error());
  landing->reset();
  link_.reset();
  UseSystem(MakeSystem(server_->SettingsOf(database_), Context()), database_);
  ASSERT_TRUE(Write(load, "SELECT 3::BIGINT AS id").ok());
  EXPECT_EQ(Rows("SELECT id FROM t ORDER BY id"), (Texts{"1", "3"}));
}

TEST_F(MysqlTest, AStopEndsAStatementAtOnce) {
  auto link = system_->Connect(tables::Use::kWrite, {});
  ASSERT_TRUE(link.ok());
  const int64_t process = (*link)->process();
  const auto runs = [&] {
    return One(
        fmt::format("SELECT count(*) FROM information_schema.processlist WHERE id = {} AND "
                    "info LIKE '%benchmark%'",
                    process));
  };
  const auto becomes = [&](const std::string& wanted) {
    for (int i = 0; i < 200 && runs() != wanted; ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(50));  // looks again
    return runs() == wanted;
  };
  std::stop_source stop;
  std::jthread later([&] {
    EXPECT_TRUE(becomes("1"));
    stop.request_stop();
  });
  auto ended = (*link)->Run("SELECT benchmark(2000000000, md5('x'))", stop.get_token());
  later.join();
  ASSERT_FALSE(ended.ok());
  EXPECT_EQ(ended.error().kind, ErrorKind::kCancelled);
  EXPECT_TRUE((*link)->lost());
  link->reset();
  EXPECT_TRUE(becomes("0"));  // the server works no more for nobody
}

TEST_F(MysqlTest, LoginsThatFailSayWhy) {
  Settings wrong = server_->SettingsOf(database_);
  auto refused = Connect(wrong, Secret("wrong"), {}, {});
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().kind, ErrorKind::kRejected) << Format(refused.error());
  EXPECT_NE(refused.error().message.find("Access denied for user 'sluice'"), std::string::npos);
  wrong.database.text = "nothing";
  refused = Connect(wrong, Secret("secret"), {}, {});
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().kind, ErrorKind::kRejected) << Format(refused.error());
  wrong = server_->SettingsOf(database_);
  wrong.port = 1;
  refused = Connect(wrong, Secret("secret"), {}, {});
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().kind, ErrorKind::kTransient) << Format(refused.error());
  wrong = server_->SettingsOf(database_);
  wrong.tls = "require";
  refused = Connect(wrong, Secret("secret"), {}, {});
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.error().message.find("the server does not support TLS"), std::string::npos)
      << Format(refused.error());
}

TEST_F(MysqlTest, RangesOfALongKeyAreReadByEachReaderOnce) {
  Rows(
      "CREATE TABLE t (id BIGINT PRIMARY KEY, v INT); INSERT INTO t SELECT seq, 1 FROM "
      "seq_1_to_250000");
  auto source = Table("t");
  auto epochs = probe_.ReadAll(*source, {});
  ASSERT_TRUE(epochs.ok()) << Format(epochs.error());
  const auto rows = sluice::RowsOf(*epochs);
  EXPECT_EQ(rows.size(), 250000u);
  EXPECT_TRUE(std::adjacent_find(rows.begin(), rows.end()) == rows.end());
}

}  // namespace
}  // namespace sluice::mysql
