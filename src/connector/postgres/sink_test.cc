// What each mode does to a table, what is refused and how, and that a lost answer or a server that
// falls over loses and repeats nothing.
#include <fmt/format.h>

#include <thread>

#include "connector/postgres/fixture_for_tests.h"

namespace sluice::postgres {
namespace {

const Schema kIdName{{"id", "BIGINT"}, {"name", "VARCHAR"}};

class SinkTest : public PostgresTest {};

TEST_F(SinkTest, CreatesTablesWithKeysAndComments) {
  Schema schema = kIdName;
  schema[1].description = "as it's called";
  ASSERT_TRUE(
      Write(LoadOf("t", Mode::kUpsert, schema, {"id"}), "SELECT 1 AS id, 'a' AS name").ok());
  EXPECT_EQ(
      One("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 't'::regclass"),
      "PRIMARY KEY (id)");
  EXPECT_EQ(One("SELECT col_description('t'::regclass, 2)"), "as it's called");
  EXPECT_EQ(One("SELECT id, name, _sluice_epoch FROM t"), "1|a|1");
}

TEST_F(SinkTest, AddsColumnsAndRefusesToNarrow) {
  Rows("CREATE TABLE t (id smallint)");
  const std::string refused =
      Refused(LoadOf("t", Mode::kAppend, kIdName), "SELECT 1 AS id, 'a' AS name");
  EXPECT_NE(refused.find("column 'id' of 't' is smallint, the rows have BIGINT"), std::string::npos)
      << refused;
  ASSERT_TRUE(Write(LoadOf("t", Mode::kAppend, {{"id", "TINYINT"}, {"name", "VARCHAR"}}),
                    "SELECT 1::TINYINT AS id, 'a' AS name")
                  .ok());
  EXPECT_EQ(One("SELECT * FROM t"), "1|a");
}

TEST_F(SinkTest, UpsertByIndexCountsWhatTheServerDid) {
  Rows(
      "CREATE TABLE t (id bigint PRIMARY KEY, name text, kept text DEFAULT 'k'); INSERT INTO t "
      "VALUES "
      "(1, 'old', 'mine'), (2, 'old', 'mine')");
  auto landed = Write(LoadOf("t", Mode::kUpsert, kIdName, {"id"}),
                      "SELECT i AS id, 'new' AS name FROM range(2, 5) r(i)");
  ASSERT_TRUE(landed.ok()) << Format(landed.error());
  EXPECT_EQ(landed->rows, 3u);
  EXPECT_EQ(landed->inserted, 2u);
  EXPECT_EQ(landed->updated, 1u);
  EXPECT_EQ(Rows("SELECT * FROM t ORDER BY id"),
            (std::vector<std::string>{"1|old|mine", "2|new|mine", "3|new|k", "4|new|k"}));
}

TEST_F(SinkTest, UpsertWithoutAnIndexIsTheSame) {
  Rows("CREATE TABLE t (id bigint, name text); INSERT INTO t VALUES (1, 'old'), (2, 'old')");
  auto landed = Write(LoadOf("t", Mode::kUpsert, kIdName, {"id"}),
                      "SELECT i AS id, 'new' AS name FROM range(2, 5) r(i)");
  ASSERT_TRUE(landed.ok()) << Format(landed.error());
  EXPECT_EQ(landed->inserted, 2u);
  EXPECT_EQ(landed->updated, 1u);
  EXPECT_EQ(Rows("SELECT * FROM t ORDER BY id"),
            (std::vector<std::string>{"1|old", "2|new", "3|new", "4|new"}));
}

TEST_F(SinkTest, AnUpsertThatComparesWritesOnlyWhatHasChanged) {
  for (const char* key : {"", " PRIMARY KEY"}) {
    Rows(
        fmt::format("DROP TABLE IF EXISTS t; CREATE TABLE t (id bigint{}, name text, doc json); "
                    "INSERT INTO t VALUES (1, 'same', '[1]'), (2, 'a', '[1]'), (3, NULL, '[1]')",
                    key));
    Load load = LoadOf("t", Mode::kUpsert, {{"id", "BIGINT"}, {"name", "VARCHAR"}, {"doc", "JSON"}},
                       {"id"});
    load.compared = std::vector<std::string>{"name"};
    auto landed =
        Write(load,
              "SELECT id, name, doc::JSON AS doc FROM (VALUES (1, 'same', '[1]'), (2, 'A', "
              "'[2]'), (3, NULL, '[2]'), (4, 'four', '[2]')) r(id, name, doc)");
    ASSERT_TRUE(landed.ok()) << Format(landed.error());
    EXPECT_EQ(landed->inserted, 1u);
    EXPECT_EQ(landed->updated, 1u);
    EXPECT_EQ(landed->unchanged, 1u);
    EXPECT_EQ(landed->touched, 1u);
    EXPECT_EQ(Rows("SELECT id, name, doc FROM t ORDER BY id"),
              (std::vector<std::string>{"1|same|[1]", "2|A|[2]", "3|NULL|[1]", "4|four|[2]"}));
  }
}

TEST_F(SinkTest, RepeatedKeysOfAnUpsert) {
  for (const char* key : {"", " PRIMARY KEY"}) {
    Rows(fmt::format("DROP TABLE IF EXISTS t; CREATE TABLE t (id bigint{}, name text)", key));
    Load load = LoadOf("t", Mode::kUpsert, kIdName, {"id"});
    auto equal = Write(load, "SELECT 1 AS id, 'a' AS name FROM range(3)");
    ASSERT_TRUE(equal.ok()) << Format(equal.error());
    EXPECT_EQ(equal->rows, 3u);
    EXPECT_EQ(equal->unchanged, 2u);
    EXPECT_EQ(equal->inserted, 1u);
    const std::string refused =
        Refused(load, "SELECT 1 AS id, 'n' || i AS name FROM range(2) r(i)");
    EXPECT_NE(refused.find("2 rows have id = '1', and nothing says which of them counts"),
              std::string::npos)
        << refused;
    EXPECT_EQ(One("SELECT * FROM t"), "1|a");
    // A hidden column that comes with the rows says which is later.
    load.order = {{"_sluice_offset", "BIGINT", true}};
    auto ordered =
        Write(load, "SELECT 1 AS id, 'n' || i AS name, i AS _sluice_offset FROM range(5) r(i)");
    ASSERT_TRUE(ordered.ok()) << Format(ordered.error());
    EXPECT_EQ(ordered->rows, 5u);
    EXPECT_EQ(ordered->updated, 5u);
    EXPECT_EQ(One("SELECT * FROM t"), "1|n4");
  }
}

TEST_F(SinkTest, NullKeysAreRefused) {
  const std::string refused = Refused(LoadOf("t", Mode::kUpsert, kIdName, {"id"}),
                                      "SELECT NULL::BIGINT AS id, 'a' AS name");
  EXPECT_NE(refused.find("the key 'id' is NULL in a row"), std::string::npos) << refused;
}

TEST_F(SinkTest, InsertRefusesWhatIsThere) {
  for (const char* key : {"", " PRIMARY KEY"}) {
    Rows(fmt::format(
        "DROP TABLE IF EXISTS t; CREATE TABLE t (id bigint{}, name text); INSERT INTO t "
        "VALUES (7, 'there')",
        key));
    const Load load = LoadOf("t", Mode::kInsert, kIdName, {"id"});
    const std::string refused = Refused(load, "SELECT i AS id, 'a' AS name FROM range(5, 9) r(i)");
    EXPECT_NE(refused.find("7"), std::string::npos) << refused;
    EXPECT_NE(refused.find("mode 'insert' refuses it"), std::string::npos) << refused;
    EXPECT_EQ(One("SELECT count(*) FROM t"), "1");
    ASSERT_TRUE(Write(load, "SELECT i AS id, 'a' AS name FROM range(3) r(i)").ok());
    EXPECT_EQ(One("SELECT count(*) FROM t"), "4");
  }
}

TEST_F(SinkTest, ReplaceTakesAllRowsOfAKey) {
  Rows("CREATE TABLE t (id bigint, name text); INSERT INTO t VALUES (1, 'a'), (1, 'b'), (2, 'c')");
  auto landed = Write(LoadOf("t", Mode::kReplace, kIdName, {"id"}),
                      "SELECT 1 AS id, 'n' || i AS name FROM range(3) r(i)");
  ASSERT_TRUE(landed.ok()) << Format(landed.error());
  EXPECT_EQ(landed->deleted, 2u);
  EXPECT_EQ(landed->inserted, 3u);
  EXPECT_EQ(Rows("SELECT * FROM t ORDER BY 1, 2"),
            (std::vector<std::string>{"1|n0", "1|n1", "1|n2", "2|c"}));
}

// "message|original" of each, sorted.
std::vector<std::string> RefusedBy(const Result<Landed>& landed) {
  if (!landed.ok()) return {Format(landed.error())};
  std::vector<std::string> texts;
  for (const Letter& letter : landed->refused)
    texts.push_back(letter.message + "|" + letter.original);
  std::sort(texts.begin(), texts.end());
  return texts;
}

TEST_F(SinkTest, RefusedRowsAreLeftOutInEveryMode) {
  for (const Mode mode : {Mode::kAppend, Mode::kInsert, Mode::kUpsert, Mode::kReplace,
                          Mode::kOverwrite, Mode::kReplacePartition}) {
    SCOPED_TRACE(NameOf(mode));
    Rows(
        "DROP TABLE IF EXISTS t; CREATE TABLE t (id bigint PRIMARY KEY, name varchar(5) CONSTRAINT "
        "no_x CHECK (name <> 'x')); INSERT INTO t VALUES (7, 'there')");
    const bool keyed = mode == Mode::kInsert || mode == Mode::kUpsert || mode == Mode::kReplace;
    Load load = LoadOf("t", mode, kIdName, {});
    if (keyed) load.key = {"id"};
    if (mode == Mode::kReplacePartition) load.partition = {{.column = "name", .value = {}}};
    load.on_refusal = OnRefusal::kReject;
    auto landed =
        Write(load,
              "SELECT i AS id, CASE i WHEN 3 THEN 'x' WHEN 900 THEN 'too long' WHEN 901 "
              "THEN NULL ELSE 'n' END AS name FROM range(10, 1000) r(i) UNION ALL BY NAME "
              "SELECT 3 AS id, 'x' AS name");
    ASSERT_TRUE(landed.ok()) << Format(landed.error());
    EXPECT_EQ(landed->rows, 989u);
    EXPECT_EQ(landed->inserted, 989u);
    const auto refused = RefusedBy(landed);
    ASSERT_EQ(refused.size(), 2u);
    EXPECT_NE(refused[0].find("SQLSTATE 22001: "), std::string::npos) << refused[0];
    EXPECT_NE(refused[0].find("|{\"id\":900,\"name\":\"too long\"}"), std::string::npos)
        << refused[0];
    EXPECT_NE(refused[1].find("SQLSTATE 23514, constraint no_x: "), std::string::npos)
        << refused[1];
    EXPECT_NE(refused[1].find("|{\"id\":3,\"name\":\"x\"}"), std::string::npos) << refused[1];
    EXPECT_EQ(One("SELECT count(*) FILTER (WHERE id >= 10), count(*) FILTER (WHERE id IN (3, 900)) "
                  "FROM t"),
              "989|0");
    EXPECT_EQ(One("SELECT count(*) FROM t WHERE id = 7"), mode == Mode::kOverwrite ? "0" : "1");
    EXPECT_EQ(One("SELECT count(*) FROM _sluice_epochs"), "1");
    Rows("DROP TABLE _sluice_epochs");
  }
}

TEST_F(SinkTest, RefusedRowsOfAKeyGoTogetherAndWhatIsThereStays) {
  Rows(
      "CREATE TABLE t (id bigint PRIMARY KEY, name text UNIQUE); INSERT INTO t VALUES (1, 'a'), "
      "(2, "
      "'b')");
  Load load = LoadOf("t", Mode::kUpsert, kIdName, {"id"});
  load.on_refusal = OnRefusal::kReject;
  load.order = {{"_sluice_offset", "BIGINT", true}};
  auto landed = Write(load,
                      "SELECT * FROM (VALUES (1, 'c', 0), (1, 'b', 1), (3, 'd', 2), (3, 'e', 3), "
                      "(NULL, 'f', 4)) v(id, name, _sluice_offset)");
  const auto refused = RefusedBy(landed);
  ASSERT_EQ(refused.size(), 3u) << refused.at(0);
  EXPECT_NE(refused[1].find("constraint t_name_key"), std::string::npos) << refused[1];
  EXPECT_EQ(Rows("SELECT * FROM t ORDER BY 1"), (std::vector<std::string>{"1|a", "2|b", "3|e"}));
}

TEST_F(SinkTest, InsertTakesTheFirstOfAKeyAndTheOthersAreRefused) {
  for (const char* key : {"", " PRIMARY KEY"}) {
    Rows(fmt::format(
        "DROP TABLE IF EXISTS t; CREATE TABLE t (id bigint{}, name text); INSERT INTO t "
        "VALUES (7, 'there')",
        key));
    Load load = LoadOf("t", Mode::kInsert, kIdName, {"id"});
    load.on_refusal = OnRefusal::kReject;
    auto landed = Write(load,
                        "SELECT i % 10 AS id, 'n' || i AS name, 'p' AS _sluice_partition, i AS "
                        "_sluice_offset FROM range(1, 15) r(i)");
    const auto refused = RefusedBy(landed);
    EXPECT_EQ(refused.size(), 5u);
    EXPECT_EQ(landed->refused.at(0).partition, "p");
    EXPECT_EQ(landed->refused.at(0).offset, 7);
    EXPECT_EQ(
        Rows("SELECT name FROM t ORDER BY id"),
        (std::vector<std::string>{"n10", "n1", "n2", "n3", "n4", "n5", "n6", "there", "n8", "n9"}));
  }
}

TEST_F(SinkTest, WhatNoTextHoldsAndWhatATriggerRaisesAreRefusedToo) {
  Rows(
      "CREATE TABLE t (id bigint, name text); CREATE FUNCTION no() RETURNS trigger LANGUAGE "
      "plpgsql "
      "AS $$ BEGIN IF NEW.id = 4 THEN RAISE EXCEPTION 'not four'; END IF; RETURN NEW; END $$; "
      "CREATE TRIGGER no BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION no()");
  Load load = LoadOf("t", Mode::kAppend, kIdName);
  load.on_refusal = OnRefusal::kReject;
  auto landed =
      Write(load,
            "SELECT i AS id, CASE i WHEN 2 THEN chr(0) ELSE 'n' END AS name FROM range(6) "
            "r(i)");
  const auto refused = RefusedBy(landed);
  ASSERT_EQ(refused.size(), 2u);
  EXPECT_NE(refused[0].find("SQLSTATE P0001: loading into 't': not four"), std::string::npos)
      << refused[0];
  EXPECT_NE(refused[1].find("has a NUL"), std::string::npos) << refused[1];
  EXPECT_EQ(One("SELECT count(*), sum(id) FROM t"), "4|9");
}

TEST_F(SinkTest, WhatIsNoRowsFaultFailsAllOfIt) {
  Rows("CREATE TABLE t (id bigint, name text)");
  Load load = LoadOf("t", Mode::kAppend, kIdName);
  load.on_refusal = OnRefusal::kReject;
  ASSERT_TRUE(sink_->Prepare({load}, {}).ok());
  for (const char* fault :
       {"ALTER TABLE t ADD must bigint NOT NULL GENERATED ALWAYS AS (id) STORED; ALTER TABLE t "
        "RENAME name TO nome",
        "DROP TABLE t"}) {
    auto landing = sink_->Begin(lane_, {load}, Visibility::kTarget, std::nullopt);
    ASSERT_TRUE(landing.ok());
    Rows(fault);
    auto landed = (*landing)->Write(0, "SELECT 1 AS id, 'a' AS name", {}, {});
    ASSERT_FALSE(landed.ok());
    EXPECT_NE(landed.error().kind, ErrorKind::kData) << landed.error().message;
    EXPECT_NE(landed.error().message.find("run again"), std::string::npos)
        << landed.error().message;
  }
}

TEST_F(SinkTest, BatchesAreStatementsOfOneTransaction) {
  Rows(
      "CREATE TABLE t (id bigint, name text); CREATE TABLE said (n bigint); CREATE FUNCTION say() "
      "RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO said SELECT count(*) FROM fresh; "
      "RETURN NULL; END $$; CREATE TRIGGER say AFTER INSERT ON t REFERENCING NEW TABLE AS fresh "
      "FOR "
      "EACH STATEMENT EXECUTE FUNCTION say()");
  Load load = LoadOf("t", Mode::kAppend, kIdName);
  load.batch_size = 4;
  auto landed = Write(load, "SELECT i AS id, 'n' AS name FROM range(10) r(i)");
  ASSERT_TRUE(landed.ok()) << Format(landed.error());
  EXPECT_EQ(landed->inserted, 10u);
  EXPECT_EQ(Rows("SELECT n FROM said ORDER BY n"), (std::vector<std::string>{"2", "4", "4"}));
  EXPECT_EQ(One("SELECT count(*), count(DISTINCT xmin::text) FROM t"), "10|1");
  load.mode = Mode::kOverwrite;
  ASSERT_TRUE(Write(load, "SELECT i AS id, 'n' AS name FROM range(7) r(i)").ok());
  EXPECT_EQ(One("SELECT count(*) FROM t"), "7");
}

TEST_F(SinkTest, OverwriteKeepsGrantsIndexesAndViews) {
  Rows(
      "CREATE TABLE t (id bigint PRIMARY KEY, name text); CREATE INDEX by_name ON t (name); CREATE "
      "VIEW v AS SELECT * FROM t; CREATE ROLE reader_of_" +
      database_ + "; GRANT SELECT ON t TO reader_of_" + database_ +
      "; INSERT INTO t VALUES (1, 'old'), (2, 'old')");
  auto other = server_->Connect(database_);
  Load load = LoadOf("t", Mode::kOverwrite, kIdName);
  ASSERT_TRUE(sink_->Prepare({load}, {}).ok());
  auto landing = sink_->Begin(lane_, {load}, Visibility::kTarget, std::nullopt);
  ASSERT_TRUE(landing.ok());
  auto landed = (*landing)->Write(0, "SELECT 3 AS id, 'new' AS name", {}, {});
  ASSERT_TRUE(landed.ok()) << Format(landed.error());
  EXPECT_EQ(landed->deleted, 2u);
  // No empty moment, and nobody waits.
  EXPECT_EQ(postgres::RowsOf(*other, "SET lock_timeout = '2s'; SELECT count(*) FROM v"),
            (std::vector<std::string>{"2"}));
  EpochRecord record{.lane = lane_, .epoch = (*landing)->epoch(), .fence = {1}, .run = {1}};
  ASSERT_TRUE((*landing)->Commit(record).ok());
  EXPECT_EQ(Rows("SELECT * FROM v"), (std::vector<std::string>{"3|new"}));
  EXPECT_EQ(One("SELECT has_table_privilege('reader_of_" + database_ + "', 't', 'SELECT')"), "t");
  EXPECT_EQ(One("SELECT count(*) FROM pg_indexes WHERE tablename = 't'"), "2");
}

TEST_F(SinkTest, ReplacesPartitions) {
  Rows(
      "CREATE TABLE t (day date, n bigint); INSERT INTO t VALUES ('2026-01-01', 1), ('2026-01-01', "
      "2), "
      "('2026-01-02', 3), (NULL, 4)");
  Load load = LoadOf("t", Mode::kReplacePartition, {{"day", "DATE"}, {"n", "BIGINT"}});
  load.partition = {{.column = "day", .value = sql::Bound{"p", "DATE", "2026-01-01"}}};
  const std::string refused = Refused(load, "SELECT DATE '2026-01-02' AS day, 9 AS n");
  EXPECT_NE(refused.find("a row has day = 2026-01-02, but the load replaces the partition day = "
                         "2026-01-01"),
            std::string::npos)
      << refused;
  auto landed = Write(load, "SELECT DATE '2026-01-01' AS day, 9 AS n");
  ASSERT_TRUE(landed.ok()) << Format(landed.error());
  EXPECT_EQ(landed->deleted, 2u);
  load.partition = {{.column = "day", .value = {}}};
  landed = Write(load, "SELECT NULL::DATE AS day, 8 AS n UNION ALL SELECT DATE '2026-01-02', 7");
  ASSERT_TRUE(landed.ok()) << Format(landed.error());
  EXPECT_EQ(landed->deleted, 2u);
  EXPECT_EQ(Rows("SELECT * FROM t ORDER BY day"),
            (std::vector<std::string>{"2026-01-01|9", "2026-01-02|7", "NULL|8"}));
}

TEST_F(SinkTest, ThroughTextWhereThereIsNoBinaryForm) {
  Rows("CREATE TABLE t (id bigint PRIMARY KEY, ip inet, span int4range, amount numeric)");
  const Schema schema{
      {"id", "BIGINT"}, {"ip", "VARCHAR"}, {"span", "VARCHAR"}, {"amount", "VARCHAR"}};
  for (const Mode mode : {Mode::kAppend, Mode::kUpsert, Mode::kOverwrite}) {
    auto landed = Write(
        LoadOf("t", mode, schema,
               mode == Mode::kUpsert ? std::vector<std::string>{"id"} : std::vector<std::string>{}),
        "SELECT 1 AS id, '10.0.0.1' AS ip, '[1,3]' AS span, '1e-30' AS amount");
    ASSERT_TRUE(landed.ok()) << Format(landed.error());
    EXPECT_EQ(landed->rows, 1u);
  }
  EXPECT_EQ(One("SELECT * FROM t"), "1|10.0.0.1|[1,4)|0.000000000000000000000000000001");
  const std::string refused =
      Refused(LoadOf("t", Mode::kAppend, schema),
              "SELECT 2 AS id, 'no address' AS ip, NULL AS span, NULL AS amount");
  EXPECT_NE(refused.find("invalid input syntax for type inet: \"no address\""), std::string::npos)
      << refused;
}

TEST_F(SinkTest, ARefusedBatchFailsWholeWithTheServersWords) {
  Rows("CREATE TABLE t (id bigint CHECK (id < 5), name varchar(3))");
  auto landed =
      Write(LoadOf("t", Mode::kAppend, kIdName), "SELECT i AS id, 'a' AS name FROM range(9) r(i)");
  ASSERT_FALSE(landed.ok());
  EXPECT_EQ(landed.error().kind, ErrorKind::kData);
  EXPECT_NE(landed.error().message.find("violates check constraint"), std::string::npos);
  landed = Write(LoadOf("t", Mode::kAppend, kIdName), "SELECT 1 AS id, 'long' AS name");
  ASSERT_FALSE(landed.ok());
  EXPECT_NE(landed.error().message.find("value too long for type character varying(3)"),
            std::string::npos);
  EXPECT_EQ(One("SELECT count(*) FROM t"), "0");
}

TEST_F(SinkTest, LoadsIntoTablesOnly) {
  Rows("CREATE VIEW v AS SELECT 1 AS id, 'a' AS name");
  EXPECT_NE(
      Refused(LoadOf("v", Mode::kAppend, kIdName), "SELECT 1 AS id, 'a' AS name").find("is a view"),
      std::string::npos);
}

TEST_F(SinkTest, StatementsRunInTheEpochsTransaction) {
  ASSERT_TRUE(sink_->Prepare({}, {}).ok());
  auto landing = sink_->Begin(lane_, {}, Visibility::kTarget, std::nullopt);
  ASSERT_TRUE(landing.ok());
  auto changed = (*landing)->Run(
      "CREATE TABLE t AS SELECT '$name' AS literal, CAST($name AS VARCHAR) AS value -- $name\n; "
      "INSERT INTO t "
      "VALUES ($$ $name $$, CAST($name AS TEXT))",
      {{"name", "VARCHAR", "it's"}}, {});
  ASSERT_TRUE(changed.ok()) << Format(changed.error());
  EXPECT_EQ(*changed, 1u);
  EXPECT_EQ(One("SELECT count(*) FROM pg_tables WHERE tablename = 't'"), "0");
  EpochRecord record{.lane = lane_, .epoch = (*landing)->epoch(), .fence = {1}, .run = {1}};
  ASSERT_TRUE((*landing)->Commit(record).ok());
  EXPECT_EQ(Rows("SELECT * FROM t"), (std::vector<std::string>{"$name|it's", " $name |it's"}));
  auto second = sink_->Begin(lane_, {}, Visibility::kTarget, std::nullopt);
  auto ended = (*second)->Run("COMMIT; SELECT 1", {}, {});
  ASSERT_FALSE(ended.ok());
  EXPECT_EQ(ended.error().kind, ErrorKind::kConfig);
}

TEST_F(SinkTest, GoesOnWhenTheServerWasRestarted) {
  const Load load = LoadOf("t", Mode::kAppend, kIdName);
  ASSERT_TRUE(Write(load, "SELECT 1 AS id, 'a' AS name").ok());
  auto landing = sink_->Begin(lane_, {load}, Visibility::kTarget, std::nullopt);
  ASSERT_TRUE((*landing)->Write(0, "SELECT 2 AS id, 'b' AS name", {}, {}).ok());
  server_->Restart();
  connection_ = server_->Connect(database_);
  EpochRecord record{.lane = lane_, .epoch = (*landing)->epoch(), .fence = {1}, .run = {1}};
  auto committed = (*landing)->Commit(record);
  ASSERT_FALSE(committed.ok());
  EXPECT_EQ(committed.error().kind, ErrorKind::kTransient) << Format(committed.error());
  landing->reset();
  auto last = sink_->Last(lane_);
  ASSERT_TRUE(last.ok()) << Format(last.error());
  EXPECT_EQ((*last)->epoch.value, 1);
  ASSERT_TRUE(Write(load, "SELECT 2 AS id, 'b' AS name").ok());
  EXPECT_EQ(Rows("SELECT id, name FROM t ORDER BY id"), (std::vector<std::string>{"1|a", "2|b"}));
}

TEST_F(SinkTest, AStopCancelsWhatTheServerDoes) {
  const Load load = LoadOf("t", Mode::kAppend, kIdName);
  ASSERT_TRUE(sink_->Prepare({load}, {}).ok());
  auto landing = sink_->Begin(lane_, {load}, Visibility::kTarget, std::nullopt);
  std::stop_source stop;
  std::thread stopper([&] {
    while (
        One("SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)%' AND pid <> "
            "pg_backend_pid()") == "0")
      std::this_thread::yield();  // waits for the statement to run
    stop.request_stop();
  });
  auto ran = (*landing)->Run("SELECT pg_sleep(600)", {}, stop.get_token());
  stopper.join();
  ASSERT_FALSE(ran.ok());
  EXPECT_EQ(ran.error().kind, ErrorKind::kCancelled);
  landing->reset();
  EXPECT_EQ(
      One("SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)%' AND state = "
          "'active' AND pid <> pg_backend_pid()"),
      "0");
}

TEST_F(SinkTest, AWrongPasswordIsToldWithoutIt) {
  ::setenv("SLUICE_WRONG_PASSWORD", "hunter2-secret", 1);
  settings_.password.text = "env:SLUICE_WRONG_PASSWORD";
  PostgresSink sink(settings_, Context());
  auto refused = sink.Last(lane_);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().kind, ErrorKind::kRejected);
  EXPECT_NE(refused.error().message.find("password authentication failed"), std::string::npos);
  EXPECT_EQ(refused.error().message.find("hunter2"), std::string::npos);
}

TEST_F(SinkTest, ATableThatVanishesInMidRunIsTold) {
  const Load load = LoadOf("t", Mode::kAppend, kIdName);
  ASSERT_TRUE(sink_->Prepare({load}, {}).ok());
  Rows("DROP TABLE t");
  auto landing = sink_->Begin(lane_, {load}, Visibility::kTarget, std::nullopt);
  auto landed = (*landing)->Write(0, "SELECT 1 AS id, 'a' AS name", {}, {});
  ASSERT_FALSE(landed.ok());
  EXPECT_NE(landed.error().message.find("was dropped while the run was under way"),
            std::string::npos);
}

TEST_F(SinkTest, ARoleNeedsNoRightsBeyondItsSchema) {
  Rows(
      fmt::format("CREATE ROLE plain_{0} LOGIN PASSWORD 'secret'; CREATE SCHEMA own; CREATE SCHEMA "
                  "_sluice_stage; GRANT ALL ON SCHEMA own, _sluice_stage TO plain_{0}",
                  database_));
  settings_.user.text = "plain_" + database_;
  settings_.schema = "own";
  sink_ = std::make_unique<PostgresSink>(settings_, Context());
  auto landed = Write(LoadOf("t", Mode::kUpsert, kIdName, {"id"}), "SELECT 1 AS id, 'a' AS name");
  ASSERT_TRUE(landed.ok()) << Format(landed.error());
  EXPECT_EQ(One("SELECT id, name FROM own.t"), "1|a");
  EXPECT_EQ(One("SELECT count(*) FROM own._sluice_epochs"), "1");
  auto denied = Write(LoadOf("public.t", Mode::kAppend, kIdName), "SELECT 1 AS id, 'a' AS name");
  ASSERT_FALSE(denied.ok());
  EXPECT_EQ(denied.error().kind, ErrorKind::kRejected);
  EXPECT_NE(denied.error().message.find("permission denied"), std::string::npos);
}

TEST_F(SinkTest, NoStageIsLeftBehind) {
  const Load load = LoadOf("t", Mode::kAppend, kIdName);
  ASSERT_TRUE(sink_->Prepare({load}, {}).ok());
  auto landing = sink_->Begin(lane_, {load}, Visibility::kStaging, std::nullopt);
  ASSERT_TRUE((*landing)->Write(0, "SELECT 1 AS id, 'a' AS name", {}, {}).ok());
  EpochRecord record{
      .lane = lane_, .epoch = (*landing)->epoch(), .fence = {1}, .run = {1}, .published = false};
  ASSERT_TRUE((*landing)->Commit(record).ok());
  landing->reset();
  const std::string count = "SELECT count(*) FROM pg_tables WHERE schemaname = '_sluice_stage'";
  EXPECT_EQ(One(count), "1");
  ASSERT_TRUE(sink_->Sweep(lane_, record.epoch).ok());
  EXPECT_EQ(One(count), "1");
  ASSERT_TRUE(sink_->Sweep(lane_, {0}).ok());
  EXPECT_EQ(One(count), "0");
}

}  // namespace
}  // namespace sluice::postgres
