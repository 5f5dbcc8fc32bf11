// A native partition that is replaced as a whole: the new table has all that the old one had, no
// reader sees neither, and what a new table could not stand in for is deleted and inserted.
#include "connector/postgres/replacement.h"

#include <fmt/format.h>

#include "connector/postgres/fixture_for_tests.h"

namespace sluice::postgres {
namespace {

const Schema kDayN{{"day", "DATE"}, {"n", "BIGINT"}};
const std::string kNew = "SELECT DATE '2026-01-01' AS day, i AS n FROM range(10, 13) r(i)";

class ReplacementTest : public PostgresTest {
 protected:
  void Days() {
    Rows(
        "CREATE TABLE t (day date, n bigint NOT NULL) PARTITION BY LIST (day); CREATE TABLE t1 "
        "PARTITION OF t FOR VALUES IN ('2026-01-01'); CREATE TABLE t2 PARTITION OF t FOR VALUES IN "
        "('2026-01-02'); INSERT INTO t VALUES ('2026-01-01', 1), ('2026-01-01', 2), ('2026-01-02', "
        "3)");
  }
  Load Day(const std::string& day = "2026-01-01", const std::string& type = "DATE") {
    Load load = LoadOf("t", Mode::kReplacePartition, kDayN);
    load.partition = {{.column = "day", .value = sql::Bound{"p", type, day}}};
    return load;
  }
  std::string Oid(const std::string& table) { return One("SELECT '" + table + "'::regclass::oid"); }
  // All that the catalog says of t1 and its columns, indexes and constraints, without numbers.
  std::vector<std::string> Description() {
    return Rows(
        "SELECT 'column', attname, format_type(atttypid, atttypmod), attnotnull, attstorage, "
        "attcompression, attacl::text, col_description(attrelid, attnum), (SELECT "
        "pg_get_expr(adbin, adrelid) FROM pg_attrdef WHERE adrelid = attrelid AND adnum = attnum) "
        "FROM pg_attribute WHERE attrelid = 't1'::regclass AND attnum > 0 AND NOT attisdropped "
        "UNION ALL SELECT 'index', indexrelid::regclass::text, pg_get_indexdef(indexrelid), "
        "indisprimary, NULL, NULL, obj_description(indexrelid), (SELECT inhparent::regclass::text "
        "FROM pg_inherits WHERE inhrelid = indexrelid), NULL FROM pg_index WHERE indrelid = "
        "'t1'::regclass UNION ALL SELECT 'constraint', conname, pg_get_constraintdef(oid), "
        "conislocal, NULL, NULL, obj_description(oid), coninhcount::text, NULL FROM pg_constraint "
        "WHERE conrelid = 't1'::regclass UNION ALL SELECT 'table', pg_get_expr(relpartbound, oid), "
        ""
        "(SELECT string_agg(a::text, ',' ORDER BY a::text) FROM unnest(relacl) AS a), "
        "relispartition, NULL, NULL, obj_description(oid), reloptions::text, "
        "relowner::regrole::text FROM pg_class WHERE oid = 't1'::regclass ORDER BY 1, 2, 3");
  }
  std::string Why(const Load& load) {
    auto manner = sink_->Manner(load);
    return manner.ok() ? *manner : Format(manner.error());
  }
  // Tables that are ours and should be gone.
  std::string Left() {
    return One(
        "SELECT count(*) FROM pg_class WHERE relname LIKE '\\_sluice\\_%' AND relname NOT "
        "LIKE '\\_sluice\\_epoch%'");
  }
};

TEST_F(ReplacementTest, TheNewTableHasAllThatTheOldOneHad) {
  const std::string role = "reader_of_" + database_;
  const std::string make =
      "; CREATE TABLE t (gone int, day date, n bigint CHECK (n > 0), s text DEFAULT 'it''s', twice "
      "bigint GENERATED ALWAYS AS (n * 2) STORED, PRIMARY KEY (day, n)) PARTITION BY LIST (day); "
      "CREATE TABLE t1 PARTITION OF t FOR VALUES IN ('2026-01-01') WITH (fillfactor = 70, "
      "toast.autovacuum_enabled = off); CREATE TABLE t2 PARTITION OF t FOR VALUES IN "
      "('2026-01-02'); ALTER TABLE t DROP gone; CREATE INDEX by_s ON t (lower(s)); CREATE UNIQUE "
      "INDEX \"Odd ' name\" ON t1 (n DESC) INCLUDE (s) WITH (fillfactor = 50) WHERE n > 1; ALTER "
      "TABLE t1 ADD CONSTRAINT local CHECK (n < 1000); ALTER TABLE t1 ALTER s SET STORAGE "
      "external; "
      "COMMENT ON TABLE t1 IS 'first''s'; COMMENT ON COLUMN t1.s IS 'a text'; COMMENT ON INDEX "
      "\"Odd ' name\" IS 'odd'; COMMENT ON CONSTRAINT t1_pkey ON t1 IS 'the key'; COMMENT ON "
      "CONSTRAINT local ON t1 IS 'own'; GRANT SELECT ON t1 TO PUBLIC; ";
  const std::string grant = "GRANT SELECT, INSERT ON t1 TO " + role +
                            " WITH GRANT OPTION; GRANT UPDATE (s) ON t1 TO " + role +
                            "; ALTER DEFAULT PRIVILEGES GRANT DELETE ON TABLES TO " + role;
  ASSERT_EQ(Join(Rows("CREATE ROLE " + role + make + grant), ""), "");
  Rows("INSERT INTO t VALUES ('2026-01-01', 1), ('2026-01-01', 2), ('2026-01-02', 3)");
  const auto before = Description();
  ASSERT_GT(before.size(), 10u) << before[0];
  const std::string old = Oid("t1"), other = Oid("t2");
  auto landed = Write(Day(), kNew);
  ASSERT_TRUE(landed.ok()) << Format(landed.error());
  EXPECT_EQ(landed->rows, 3u);
  EXPECT_EQ(landed->deleted, 2u);
  EXPECT_NE(Oid("t1"), old);
  EXPECT_EQ(Oid("t2"), other);
  EXPECT_EQ(Description(), before);
  EXPECT_EQ(Rows("SELECT * FROM t ORDER BY day, n"),
            (std::vector<std::string>{"2026-01-01|10|it's|20", "2026-01-01|11|it's|22",
                                      "2026-01-01|12|it's|24", "2026-01-02|3|it's|6"}));
  EXPECT_EQ(Left(), "0");
}

TEST_F(ReplacementTest, RangesOfOneValueAndTexts) {
  Rows(
      "CREATE TABLE t (day date, n bigint) PARTITION BY RANGE (day); CREATE TABLE t1 PARTITION OF "
      "t FOR VALUES FROM ('2026-01-01') TO ('2026-01-02')");
  std::string old = Oid("t1");
  ASSERT_TRUE(Write(Day(), kNew).ok());
  EXPECT_NE(Oid("t1"), old);
  Rows(
      "DROP TABLE t; CREATE TABLE t (day varchar(9), n bigint) PARTITION BY LIST (day); CREATE "
      "TABLE t1 PARTITION OF t FOR VALUES IN ('a, b''s')");
  old = Oid("t1");
  Load load = Day("a, b's", "VARCHAR");
  load.schema[0].type = "VARCHAR";
  auto landed = Write(load, "SELECT 'a, b''s' AS day, 5 AS n");
  ASSERT_TRUE(landed.ok()) << Format(landed.error());
  EXPECT_NE(Oid("t1"), old);
  EXPECT_EQ(One("SELECT * FROM t"), "a, b's|5");
}

TEST_F(ReplacementTest, AnOldSnapshotSeesRowsToo) {
  Days();
  auto reader = server_->Connect(database_);
  // It has looked at something, but not at this table.
  postgres::RowsOf(*reader, "BEGIN ISOLATION LEVEL REPEATABLE READ");
  postgres::RowsOf(*reader, "SELECT count(*) FROM pg_class");
  const std::string old = Oid("t1");
  ASSERT_TRUE(Write(Day(), kNew).ok());
  EXPECT_NE(Oid("t1"), old);
  EXPECT_EQ(postgres::RowsOf(*reader, "SELECT count(*), sum(n) FROM t WHERE day = '2026-01-01'"),
            (std::vector<std::string>{"3|33"}));
}

TEST_F(ReplacementTest, ALongReaderIsNotWaitedFor) {
  Days();
  auto reader = server_->Connect(database_);
  postgres::RowsOf(*reader, "BEGIN ISOLATION LEVEL REPEATABLE READ");
  const std::string sum = "SELECT sum(n) FROM t";
  EXPECT_EQ(postgres::RowsOf(*reader, sum), (std::vector<std::string>{"6"}));
  const std::string old = Oid("t1");
  auto landed = Write(Day(), kNew);
  ASSERT_TRUE(landed.ok()) << Format(landed.error());
  EXPECT_EQ(landed->deleted, 2u);
  EXPECT_EQ(Oid("t1"), old);
  EXPECT_EQ(One(sum), "36");
  EXPECT_EQ(postgres::RowsOf(*reader, sum), (std::vector<std::string>{"6"}));
  EXPECT_EQ(Left(), "0");
}

TEST_F(ReplacementTest, ReadersWaitForNothingBeforeTheCommitAndARollbackLeavesNothing) {
  Days();
  const std::string old = Oid("t1");
  const Load load = Day();
  ASSERT_TRUE(sink_->Prepare({load}, {}).ok());
  auto landing = sink_->Begin(lane_, {load}, Visibility::kTarget, std::nullopt);
  ASSERT_TRUE(landing.ok());
  ASSERT_TRUE((*landing)->Write(0, kNew, {}, {}).ok());
  EXPECT_EQ(Rows("SET lock_timeout = '2s'; SELECT sum(n) FROM t"), (std::vector<std::string>{"6"}));
  EXPECT_EQ(Rows("INSERT INTO t VALUES ('2026-01-02', 4) RETURNING n"),
            (std::vector<std::string>{"4"}));
  landing->reset();
  EXPECT_EQ(Left(), "0");
  EXPECT_EQ(Oid("t1"), old);
  EXPECT_EQ(One("SELECT sum(n) FROM t"), "10");
}

TEST_F(ReplacementTest, ARowOfAnotherPartitionIsRefused) {
  Days();
  const std::string refused = Refused(Day(), kNew + " UNION ALL SELECT DATE '2026-01-02', 77");
  EXPECT_NE(refused.find("a row is of another partition than day = 2026-01-01"), std::string::npos)
      << refused;
  EXPECT_NE(refused.find("77"), std::string::npos) << refused;
  EXPECT_EQ(One("SELECT sum(n) FROM t"), "6");
  EXPECT_EQ(Left(), "0");
}

TEST_F(ReplacementTest, TwoLoadsOfOneTable) {
  Days();
  Load replaced = Day(), added = LoadOf("public.t", Mode::kAppend, kDayN);
  added.step = "more";
  ASSERT_TRUE(sink_->Prepare({replaced, added}, {}).ok());
  auto landing = sink_->Begin(lane_, {replaced, added}, Visibility::kTarget, std::nullopt);
  ASSERT_TRUE((*landing)->Write(0, kNew, {}, {}).ok());
  ASSERT_TRUE((*landing)->Write(1, "SELECT DATE '2026-01-01' AS day, 100 AS n", {}, {}).ok());
  EpochRecord record{.lane = lane_, .epoch = (*landing)->epoch(), .fence = {1}, .run = {1}};
  ASSERT_TRUE((*landing)->Commit(record).ok());
  EXPECT_EQ(One("SELECT sum(n) FROM t"), "136");
}

struct Bond {
  std::string made, why;
};

TEST_F(ReplacementTest, WhatANewTableCouldNotStandInForStays) {
  const std::vector<Bond> bonds{
      {"CREATE TABLE rest PARTITION OF t DEFAULT", "it has a default partition"},
      {"ALTER TABLE t ADD PRIMARY KEY (day, n); CREATE TABLE u (day date, n bigint, FOREIGN KEY "
       "(day, n) REFERENCES t)",
       "it has foreign keys"},
      {"CREATE TABLE v (n bigint PRIMARY KEY); INSERT INTO v SELECT generate_series(1, 20); ALTER "
       "TABLE t ADD FOREIGN KEY (n) REFERENCES v",
       "it has foreign keys"},
      {"CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE "
       "TRIGGER g BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()",
       "it has triggers"},
      {"CREATE VIEW w AS SELECT * FROM t1", "other objects depend on its partition"},
      {"CREATE FUNCTION f(x t1) RETURNS bigint LANGUAGE sql AS 'SELECT x.n'",
       "other objects depend on its partition"},
      {"CREATE SEQUENCE q OWNED BY t1.n", "other objects depend on its partition"},
      {"ALTER TABLE t1 ENABLE ROW LEVEL SECURITY", "it has rules or row security"},
      {"CREATE PUBLICATION p FOR TABLE t WITH (publish = 'insert')",
       "it is published to subscribers"},
      {"ALTER TABLE t1 ALTER n SET STATISTICS 500", "its partition has settings"},
      {"ALTER TABLE t1 REPLICA IDENTITY FULL", "its partition has settings"},
      {"ALTER TABLE t DETACH PARTITION t1; ALTER TABLE t ATTACH PARTITION t1 FOR VALUES IN "
       "('2026-01-01', '2026-01-05')",
       "its partition t1 holds other values too"},
      {"ALTER TABLE t DETACH PARTITION t1; DROP TABLE t1; CREATE TABLE t1 PARTITION OF t FOR "
       "VALUES "
       "IN ('2026-01-01') PARTITION BY HASH (n); CREATE TABLE t11 PARTITION OF t1 FOR VALUES WITH "
       "(MODULUS 1, REMAINDER 0)",
       "its partition t1 is partitioned itself"},
      {"DROP TABLE t; CREATE TABLE t (day date, n bigint) PARTITION BY RANGE (day); CREATE TABLE "
       "t1 "
       "PARTITION OF t FOR VALUES FROM ('2026-01-01') TO ('2026-01-03')",
       "its partition t1 holds other values too"},
      {"DROP TABLE t; CREATE TABLE t (day date, n bigint) PARTITION BY HASH (day); CREATE TABLE t1 "
       "PARTITION OF t FOR VALUES WITH (MODULUS 1, REMAINDER 0)",
       "it is partitioned by hash"},
      {"DROP TABLE t; CREATE TABLE t (day date, n bigint) PARTITION BY RANGE (day, n); CREATE "
       "TABLE "
       "t1 PARTITION OF t FOR VALUES FROM ('2026-01-01', 0) TO ('2026-01-02', 0)",
       "it is partitioned by several columns"},
      {"DROP TABLE t; CREATE TABLE t (day date, n bigint) PARTITION BY RANGE ((n + 1)); CREATE "
       "TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (1000)",
       "it is partitioned by an expression"},
      {"DROP TABLE t; CREATE TABLE t (day date, n bigint) PARTITION BY RANGE (n); CREATE TABLE t1 "
       "PARTITION OF t FOR VALUES FROM (0) TO (1000)",
       "it is partitioned by n and nothing else"},
      {"DROP TABLE t; CREATE TABLE t (day timestamp, n bigint) PARTITION BY LIST (day); CREATE "
       "TABLE "
       "t1 PARTITION OF t FOR VALUES IN ('2026-01-01')",
       "its column day is timestamp without time zone, the value DATE"},
  };
  for (const Bond& bond : bonds) {
    SCOPED_TRACE(bond.made);
    Days();
    const std::string done = Join(Rows(bond.made), "; ");
    ASSERT_EQ(done, "");
    const std::string why = Why(Day());
    EXPECT_NE(why.find("DELETE and INSERT: " + bond.why), std::string::npos) << why;
    const std::string old = Oid("t1");
    auto landed = Write(Day(), kNew);
    ASSERT_TRUE(landed.ok()) << Format(landed.error());
    EXPECT_EQ(Oid("t1"), old);
    EXPECT_EQ(One("SELECT sum(n) FROM t WHERE day = '2026-01-01'"), "33");
    database_ = server_->NewDatabase();
    connection_ = server_->Connect(database_);
    settings_ = server_->SettingsOf(database_);
    sink_ = std::make_unique<PostgresSink>(settings_, Context());
  }
}

TEST_F(ReplacementTest, ThePlanSaysWhichItIs) {
  Days();
  EXPECT_NE(Why(Day()).find("attaches a new table in place of its partition t1"), std::string::npos)
      << Why(Day());
  Load load = Day();
  load.partition[0].value.reset();
  EXPECT_EQ(Why(load), "DELETE and INSERT: only the rows say which values are replaced");
  load = Day("2026-01-07");
  EXPECT_EQ(Why(load), "DELETE and INSERT: it has no partition for the value");
  load = Day();
  load.on_refusal = OnRefusal::kReject;
  EXPECT_EQ(Why(load),
            "DELETE and INSERT: its rows are taken in pieces (on_row_error, batch_size)");
  load = Day();
  load.target = "plain";
  EXPECT_EQ(Why(load), "");  // it will be made
  Rows("CREATE TABLE plain (day date, n bigint)");
  EXPECT_EQ(Why(load), "");
}

TEST_F(ReplacementTest, TextsThatAreEqualOtherwise) {
  Rows(
      "CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false); "
      "CREATE TABLE t (day text COLLATE loose, n bigint) PARTITION BY LIST (day); CREATE TABLE t1 "
      "PARTITION OF t FOR VALUES IN ('a')");
  Load load = Day("a", "VARCHAR");
  load.schema[0].type = "VARCHAR";
  EXPECT_EQ(Why(load), "DELETE and INSERT: its column takes different texts as equal");
  Rows("INSERT INTO t VALUES ('A', 1)");
  ASSERT_TRUE(Write(load, "SELECT 'a' AS day, 2 AS n").ok());
  EXPECT_EQ(One("SELECT * FROM t"), "a|2");
}

}  // namespace
}  // namespace sluice::postgres
