// What each mode does to a table, what is refused and how: the same on every system of
// tables/system.h.
#include <fmt/format.h>

#include "connector/mysql/server_for_tests.h"
#include "connector/mysql/system.h"
#include "connector/sqlite/system.h"
#include "connector/tables/fixture_for_tests.h"

namespace sluice::tables {
namespace {

const Schema kIdName{{"id", "BIGINT"}, {"name", "VARCHAR"}};

class MergeTest : public TablesTest, public testing::WithParamInterface<std::string> {
 protected:
  void SetUp() override {
    if (GetParam() == "sqlite") {
      UseSystem(sqlite::MakeSystem({.path = "t.db"}, probe_.Path("t.db"), *probe_.files), "main");
      return;
    }
    mysql::TestServer* const server = mysql::TestServer::Shared();
    if (server == nullptr) GTEST_SKIP() << "no server";
    const std::string database = server->NewDatabase();
    UseSystem(mysql::MakeSystem(server->SettingsOf(database), Context()), database);
  }
  // A table of the two columns, with a primary key or without.
  void MakeTable(bool key, const std::string& more = "") {
    Rows("DROP TABLE IF EXISTS t");
    Rows(fmt::format("CREATE TABLE t (id BIGINT{}, name VARCHAR(100){})", key ? " PRIMARY KEY" : "",
                     more));
  }
  std::vector<std::string> Content(const std::string& columns = "id, name") {
    return Rows(fmt::format("SELECT {0} FROM t ORDER BY {0}", columns));
  }
};

using Texts = std::vector<std::string>;

TEST_P(MergeTest, CreatesTablesWithKeysAndTheEpoch) {
  const Load load = LoadOf("t", Mode::kUpsert, kIdName, {"id"});
  ASSERT_TRUE(Write(load, "SELECT 1 AS id, 'a' AS name").ok());
  EXPECT_EQ(Content("id, name, _sluice_epoch"), Texts{"1|a|1"});
  auto target = system_->FindTarget(*link_, *system_->ParseName("t"), {});
  ASSERT_TRUE(target.ok());
  EXPECT_TRUE((**target).HasUniqueKey({"id"}));
}

TEST_P(MergeTest, AddsColumnsAndRefusesToNarrow) {
  MakeTable(false);
  Load load = LoadOf("t", Mode::kAppend, {{"id", "BIGINT"}, {"name", "VARCHAR"}, {"n", "DOUBLE"}});
  ASSERT_TRUE(Write(load, "SELECT 1 AS id, 'a' AS name, 0.5::DOUBLE AS n").ok());
  EXPECT_EQ(Content("id, name, n"), Texts{"1|a|0.5"});
  const std::string refused =
      Refused(LoadOf("t", Mode::kAppend, {{"id", "VARCHAR"}}), "SELECT '007' AS id");
  EXPECT_NE(refused.find("the rows have VARCHAR: not every value would fit"), std::string::npos)
      << refused;
}

// "message|original" of each, sorted.
Texts RefusedBy(const Result<Landed>& landed) {
  if (!landed.ok()) return {Format(landed.error())};
  Texts texts;
  for (const Letter& letter : landed->refused)
    texts.push_back(letter.message + "|" + letter.original);
  std::sort(texts.begin(), texts.end());
  return texts;
}

TEST_P(MergeTest, RefusedRowsAreLeftOutInEveryMode) {
  for (const Mode mode : {Mode::kAppend, Mode::kInsert, Mode::kUpsert, Mode::kReplace,
                          Mode::kOverwrite, Mode::kReplacePartition}) {
    SCOPED_TRACE(NameOf(mode));
    MakeTable(true, " CHECK (name <> 'x')");
    Rows("INSERT INTO t VALUES (7, 'there')");
    const bool keyed = mode == Mode::kInsert || mode == Mode::kUpsert || mode == Mode::kReplace;
    Load load = LoadOf("t", mode, kIdName, {});
    if (keyed) load.key = {"id"};
    if (mode == Mode::kReplacePartition) load.partition = {{.column = "name", .value = {}}};
    load.on_refusal = OnRefusal::kReject;
    auto landed =
        Write(load,
              "SELECT i AS id, CASE i WHEN 900 THEN 'x' WHEN 901 THEN NULL ELSE 'n' END AS "
              "name FROM range(10, 1000) r(i) UNION ALL BY NAME SELECT 3 AS id, 'x' AS "
              "name");
    const Texts refused = RefusedBy(landed);
    ASSERT_EQ(refused.size(), 2u) << refused.at(0);
    EXPECT_NE(refused[0].find("error "), std::string::npos) << refused[0];
    EXPECT_NE(ToLower(refused[0]).find("constraint"), std::string::npos) << refused[0];
    for (const char* original : {"3", "900"}) {
      EXPECT_TRUE(std::any_of(refused.begin(), refused.end(), [&](const std::string& text) {
        return text.find(fmt::format("\"id\":{}", original)) != text.npos ||
               text.find(fmt::format("\"id\": {}", original)) != text.npos;
      })) << refused[0];
    }
    EXPECT_EQ(landed->rows, 989u);
    EXPECT_EQ(landed->inserted, 989u);
    EXPECT_EQ(One("SELECT count(*) FROM t WHERE id >= 10"), "989");
    EXPECT_EQ(One("SELECT count(*) FROM t WHERE id = 7"), mode == Mode::kOverwrite ? "0" : "1");
  }
}

TEST_P(MergeTest, RefusedRowsOfAKeyGoTogetherAndWhatIsThereStays) {
  MakeTable(true, " UNIQUE");
  Rows("INSERT INTO t VALUES (1, 'a'); INSERT INTO t VALUES (2, 'b')");
  Load load = LoadOf("t", Mode::kUpsert, kIdName, {"id"});
  load.on_refusal = OnRefusal::kReject;
  load.order = {{"_sluice_offset", "BIGINT", true}};
  auto landed = Write(load,
                      "SELECT * FROM (VALUES (1, 'c', 0), (1, 'b', 1), (3, 'd', 2), (3, 'e', 3), "
                      "(NULL, 'f', 4)) v(id, name, _sluice_offset)");
  const Texts refused = RefusedBy(landed);
  EXPECT_EQ(refused.size(), 3u) << refused.at(0);
  EXPECT_EQ(Content(), (Texts{"1|a", "2|b", "3|e"}));
}

TEST_P(MergeTest, InsertTakesTheFirstOfAKeyAndTheOthersAreRefused) {
  for (const bool key : {true, false}) {
    MakeTable(key);
    Rows("INSERT INTO t VALUES (7, 'there')");
    Load load = LoadOf("t", Mode::kInsert, kIdName, {"id"});
    load.on_refusal = OnRefusal::kReject;
    auto landed = Write(load,
                        "SELECT i % 10 AS id, 'n' || i AS name, 'p' AS _sluice_partition, i AS "
                        "_sluice_offset FROM range(1, 15) r(i)");
    EXPECT_EQ(RefusedBy(landed).size(), 5u);
    EXPECT_EQ(Content("id, name").at(7), "7|there");
    EXPECT_EQ(Content("id, name").at(1), "1|n1");
    EXPECT_EQ(landed->refused.at(0).offset, 7);
  }
}

TEST_P(MergeTest, WhatCannotBeSentIsRefusedToo) {
  MakeTable(false);
  Load load = LoadOf("t", Mode::kAppend, {{"id", "BIGINT"}, {"d", "DATE"}});
  load.on_refusal = OnRefusal::kReject;
  auto landed =
      Write(load, "SELECT i AS id, DATE '9990-01-01' + (i * 1500)::INT AS d FROM range(6) r(i)");
  const Texts refused = RefusedBy(landed);
  EXPECT_EQ(refused.size(), 3u) << refused.at(0);
  EXPECT_EQ(One("SELECT count(*) FROM t"), "3");
}

TEST_P(MergeTest, BatchesAreOneTransaction) {
  for (const Mode mode : {Mode::kAppend, Mode::kUpsert, Mode::kOverwrite}) {
    MakeTable(true, " NOT NULL");
    Load load = LoadOf("t", mode, kIdName, {});
    if (mode == Mode::kUpsert) load.key = {"id"};
    load.batch_size = 4;
    auto landed = Write(load, "SELECT i AS id, 'n' AS name FROM range(10) r(i)");
    ASSERT_TRUE(landed.ok()) << Format(landed.error());
    EXPECT_EQ(landed->inserted, 10u);
    EXPECT_EQ(One("SELECT count(*) FROM t"), "10");
    const std::string sixth =
        "SELECT if(i = 25, NULL, 'n') AS name, i AS id FROM range(20, 26) r(i)";
    EXPECT_NE(Refused(load, sixth), "it was taken");
    EXPECT_EQ(One("SELECT count(*) FROM t"), "10");
  }
}

TEST_P(MergeTest, UpsertIsTheSameWithAndWithoutAKeyOfTheTable) {
  for (const bool key : {true, false}) {
    MakeTable(key, ", kept VARCHAR(10) DEFAULT 'k'");
    Rows("INSERT INTO t VALUES (1, 'old', 'mine'), (2, 'old', 'mine')");
    auto landed = Write(LoadOf("t", Mode::kUpsert, kIdName, {"id"}),
                        "SELECT i AS id, 'new' AS name FROM range(2, 5) r(i)");
    ASSERT_TRUE(landed.ok()) << Format(landed.error());
    EXPECT_EQ(landed->rows, 3u);
    EXPECT_EQ(landed->inserted, 2u);
    EXPECT_EQ(landed->updated, 1u);
    EXPECT_EQ(Content("id, name, kept"), (Texts{"1|old|mine", "2|new|mine", "3|new|k", "4|new|k"}));
  }
}

TEST_P(MergeTest, AnUpsertThatComparesWritesOnlyWhatHasChanged) {
  for (const bool key : {true, false}) {
    MakeTable(key, ", seen BIGINT");
    Rows("INSERT INTO t VALUES (1, 'same', 1), (2, 'a', 1), (3, NULL, 1), (4, 'old', 1)");
    const Schema schema{{"id", "BIGINT"}, {"name", "VARCHAR"}, {"seen", "BIGINT"}};
    Load load = LoadOf("t", Mode::kUpsert, schema, {"id"});
    load.compared = std::vector<std::string>{"name"};
    // 'A' is not 'a', whatever the table's collation says.
    auto landed =
        Write(load,
              "SELECT * FROM (VALUES (1, 'same', 1), (2, 'A', 2), (3, NULL, 2), (4, 'new', "
              "2), (5, 'five', 2)) r(id, name, seen)");
    ASSERT_TRUE(landed.ok()) << Format(landed.error());
    EXPECT_EQ(landed->rows, 5u);
    EXPECT_EQ(landed->inserted, 1u);
    EXPECT_EQ(landed->updated, 2u);
    EXPECT_EQ(landed->unchanged, 1u);
    EXPECT_EQ(landed->touched, 1u);
    EXPECT_EQ(Content("id, name, seen"),
              (Texts{"1|same|1", "2|A|2", "3|NULL|1", "4|new|2", "5|five|2"}));
  }
}

TEST_P(MergeTest, RepeatedKeysOfAnUpsert) {
  for (const bool key : {true, false}) {
    MakeTable(key);
    Load load = LoadOf("t", Mode::kUpsert, kIdName, {"id"});
    auto equal = Write(load, "SELECT 1 AS id, 'a' AS name FROM range(3)");
    ASSERT_TRUE(equal.ok()) << Format(equal.error());
    EXPECT_EQ(equal->rows, 3u);
    EXPECT_EQ(equal->unchanged, 2u);
    EXPECT_EQ(equal->inserted, 1u);
    for (const char* names :
         {"'n' || i", "CASE WHEN i = 0 THEN 'x' END", "CASE i WHEN 0 THEN 'b' ELSE 'B' END"}) {
      const std::string refused =
          Refused(load, fmt::format("SELECT 1 AS id, {} AS name FROM range(2) r(i)", names));
      EXPECT_NE(refused.find("2 rows have id = '1', and nothing says which of them counts"),
                std::string::npos)
          << refused;
    }
    EXPECT_EQ(Content(), Texts{"1|a"});
    // A hidden column that comes with the rows says which is later.
    load.order = {{"_sluice_offset", "BIGINT", true}};
    auto ordered =
        Write(load, "SELECT 1 AS id, 'n' || i AS name, i AS _sluice_offset FROM range(5) r(i)");
    ASSERT_TRUE(ordered.ok()) << Format(ordered.error());
    EXPECT_EQ(ordered->rows, 5u);
    EXPECT_EQ(ordered->updated, 5u);
    EXPECT_EQ(Content(), Texts{"1|n4"});
  }
}

TEST_P(MergeTest, NullKeysAreRefused) {
  for (const Mode mode : {Mode::kUpsert, Mode::kInsert, Mode::kReplace}) {
    const std::string refused =
        Refused(LoadOf("t", mode, kIdName, {"id"}), "SELECT NULL::BIGINT AS id, 'a' AS name");
    EXPECT_NE(refused.find("NULL"), std::string::npos) << refused;
  }
}

TEST_P(MergeTest, InsertRefusesWhatIsThere) {
  for (const bool key : {true, false}) {
    MakeTable(key);
    Rows("INSERT INTO t VALUES (7, 'there')");
    const Load load = LoadOf("t", Mode::kInsert, kIdName, {"id"});
    EXPECT_NE(Refused(load, "SELECT i AS id, 'a' AS name FROM range(5, 9) r(i)")
                  .find("a row with id = '7' is there already; mode 'insert' refuses it"),
              std::string::npos);
    EXPECT_NE(Refused(load, "SELECT 1 AS id, 'a' AS name FROM range(2)").find("2 rows have id"),
              std::string::npos);
    EXPECT_EQ(One("SELECT count(*) FROM t"), "1");
    ASSERT_TRUE(Write(load, "SELECT i AS id, 'a' AS name FROM range(3) r(i)").ok());
    EXPECT_EQ(One("SELECT count(*) FROM t"), "4");
  }
}

TEST_P(MergeTest, ReplaceTakesAllRowsOfAKey) {
  MakeTable(false);
  Rows("INSERT INTO t VALUES (1, 'a'), (1, 'b'), (2, 'c')");
  auto landed = Write(LoadOf("t", Mode::kReplace, kIdName, {"id"}),
                      "SELECT 1 AS id, 'n' || i AS name FROM range(3) r(i)");
  ASSERT_TRUE(landed.ok()) << Format(landed.error());
  EXPECT_EQ(landed->deleted, 2u);
  EXPECT_EQ(landed->inserted, 3u);
  EXPECT_EQ(Content(), (Texts{"1|n0", "1|n1", "1|n2", "2|c"}));
}

TEST_P(MergeTest, KeysOfSeveralColumns) {
  Rows("CREATE TABLE t (a BIGINT, b VARCHAR(10), v VARCHAR(10))");
  Rows("INSERT INTO t VALUES (1, 'x', 'old'), (1, 'y', 'old'), (2, 'x', 'old')");
  const Schema schema{{"a", "BIGINT"}, {"b", "VARCHAR"}, {"v", "VARCHAR"}};
  ASSERT_TRUE(Write(LoadOf("t", Mode::kUpsert, schema, {"a", "b"}),
                    "SELECT * FROM (VALUES (1, 'y', 'up'), (2, 'y', 'up')) r(a, b, v)")
                  .ok());
  ASSERT_TRUE(Write(LoadOf("t", Mode::kReplace, schema, {"b", "a"}),
                    "SELECT * FROM (VALUES (2, 'x', 're'), (2, 'x', 're2')) r(a, b, v)")
                  .ok());
  EXPECT_EQ(Rows("SELECT a, b, v FROM t ORDER BY a, b, v"),
            (Texts{"1|x|old", "1|y|up", "2|x|re", "2|x|re2", "2|y|up"}));
}

TEST_P(MergeTest, OverwriteEmptiesEvenForNothing) {
  MakeTable(true);
  Rows("INSERT INTO t VALUES (1, 'a'), (2, 'b')");
  auto landed = Write(LoadOf("t", Mode::kOverwrite, kIdName),
                      "SELECT i AS id, 'n' AS name FROM range(1, 4) r(i)");
  ASSERT_TRUE(landed.ok()) << Format(landed.error());
  EXPECT_EQ(landed->deleted, 2u);
  EXPECT_EQ(landed->inserted, 3u);
  ASSERT_TRUE(
      Write(LoadOf("t", Mode::kOverwrite, kIdName), "SELECT 1 AS id, 'n' AS name WHERE false")
          .ok());
  EXPECT_EQ(One("SELECT count(*) FROM t"), "0");
}

TEST_P(MergeTest, PartitionsByValueAndFromTheRows) {
  const Schema schema{{"day", "DATE"}, {"n", "BIGINT"}};
  Rows("CREATE TABLE t (day DATE, n BIGINT)");
  Rows("INSERT INTO t VALUES ('2026-01-01', 1), ('2026-01-02', 2), (NULL, 3)");
  Load load = LoadOf("t", Mode::kReplacePartition, schema);
  load.partition = {{.column = "day", .value = sql::Bound{"d", "DATE", "2026-01-02"}}};
  const std::string refused = Refused(load, "SELECT DATE '2026-01-01' AS day, 9::BIGINT AS n");
  EXPECT_NE(refused.find("a row has day = 2026-01-01, but the load replaces the partition day = "
                         "2026-01-02"),
            std::string::npos)
      << refused;
  auto landed = Write(load, "SELECT DATE '2026-01-02' AS day, i AS n FROM range(10, 12) r(i)");
  ASSERT_TRUE(landed.ok()) << Format(landed.error());
  EXPECT_EQ(landed->deleted, 1u);
  EXPECT_EQ(landed->inserted, 2u);
  load.partition = {{.column = "day", .value = {}}};
  ASSERT_TRUE(
      Write(load, "SELECT * FROM (VALUES (NULL::DATE, 20), (DATE '2026-01-01', 21)) r(day, n)")
          .ok());
  EXPECT_EQ(Rows("SELECT n FROM t ORDER BY n"), (Texts{"10", "11", "20", "21"}));
  load.partition = {{.column = "n % 2", .value = {}}};
  ASSERT_TRUE(Write(load, "SELECT DATE '2026-02-01' AS day, 30::BIGINT AS n").ok());
  EXPECT_EQ(Rows("SELECT n FROM t ORDER BY n"), (Texts{"11", "21", "30"}));
}

TEST_P(MergeTest, StagedEpochsArePublishedInOrder) {
  MakeTable(true);
  Rows("INSERT INTO t VALUES (1, 'old')");
  Load load = LoadOf("t", Mode::kUpsert, kIdName, {"id"});
  load.order = {{"_sluice_offset", "BIGINT", true}};
  ASSERT_TRUE(sink_->Prepare({load}, {}).ok());
  for (int epoch = 0; epoch < 3; ++epoch) {
    auto landing = sink_->Begin(lane_, {load}, Visibility::kStaging, std::nullopt);
    ASSERT_TRUE(landing.ok()) << Format(landing.error());
    auto landed = (*landing)->Write(
        0,
        fmt::format("SELECT i AS id, 'e{0}' AS name, {0} AS _sluice_offset FROM range(1, 3) r(i)",
                    epoch),
        {}, {});
    ASSERT_TRUE(landed.ok()) << Format(landed.error());
    EpochRecord record{.lane = lane_, .epoch = (*landing)->epoch(), .fence = {1}, .run = {1}};
    record.published = false;
    ASSERT_TRUE((*landing)->Commit(record).ok());
  }
  EXPECT_EQ(Content(), Texts{"1|old"});
  EXPECT_EQ(system_->TablesWith(*link_, "_sluice_stage")->size(), 1u);
  Restart();
  std::vector<Landed> landed;
  auto landing = sink_->Publish(lane_, {load}, std::nullopt, landed, {});
  ASSERT_TRUE(landing.ok()) << Format(landing.error());
  EpochRecord record{.lane = lane_, .epoch = (*landing)->epoch(), .fence = {1}, .run = {1}};
  ASSERT_TRUE((*landing)->Commit(record).ok());
  EXPECT_EQ(landed.at(0).rows, 6u);
  EXPECT_EQ(landed.at(0).inserted, 1u);
  EXPECT_EQ(Content(), (Texts{"1|e2", "2|e2"}));
  EXPECT_TRUE(system_->TablesWith(*link_, "_sluice_stage")->empty());
}

TEST_P(MergeTest, AgainTakesBackWhatAnEpochPut) {
  const Load load = LoadOf("t", Mode::kAppend, kIdName);
  ASSERT_TRUE(Write(load, "SELECT 1 AS id, 'a' AS name").ok());
  ASSERT_TRUE(Write(load, "SELECT 2 AS id, 'b' AS name").ok());
  auto landing = sink_->Begin(lane_, {load}, Visibility::kTarget, std::nullopt);
  ASSERT_TRUE(landing.ok());
  ASSERT_TRUE(sink_->TakeBack(**landing, {load}, {{1}}).ok());
  ASSERT_TRUE((*landing)->Write(0, "SELECT 3 AS id, 'c' AS name", {}, {}).ok());
  EpochRecord record{.lane = lane_, .epoch = (*landing)->epoch(), .fence = {1}, .run = {1}};
  ASSERT_TRUE((*landing)->Commit(record).ok());
  EXPECT_EQ(Content(), (Texts{"2|b", "3|c"}));
}

TEST_P(MergeTest, PruneKeepsTheNewestAndWhatIsNeeded) {
  const Load load = LoadOf("t", Mode::kAppend, kIdName);
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(Write(load, "SELECT 1 AS id, 'a' AS name").ok());
  ASSERT_TRUE(sink_->Prune(lane_, 2, Needed::kNewest).ok());
  EXPECT_EQ(Rows("SELECT epoch FROM _sluice_epochs ORDER BY epoch"), (Texts{"4", "5"}));
  EXPECT_EQ(sink_->Last(lane_)->value().epoch.value, 5);
}

TEST_P(MergeTest, StatementsRunInTheEpochsTransaction) {
  MakeTable(true);
  ASSERT_TRUE(sink_->Prepare({LoadOf("t", Mode::kAppend, kIdName)}, {}).ok());
  {
    auto landing = sink_->Begin(lane_, {}, Visibility::kTarget, std::nullopt);
    ASSERT_TRUE(landing.ok());
    auto changed = (*landing)->Run(
        "-- two; statements\nINSERT INTO t VALUES (1, 'a;$v'), (2, 'b'); INSERT INTO t SELECT id + "
        "2, CAST($v AS VARCHAR) FROM t WHERE id <= CAST($n AS BIGINT)",
        {{"v", "VARCHAR", "it's; \\"}, {"n", "BIGINT", "2"}}, {});
    ASSERT_TRUE(changed.ok()) << Format(changed.error());
    EXPECT_EQ(*changed, 2u);
  }
  EXPECT_EQ(One("SELECT count(*) FROM t"), "0");  // not committed
  auto landing = sink_->Begin(lane_, {}, Visibility::kTarget, std::nullopt);
  ASSERT_TRUE(landing.ok());
  ASSERT_TRUE(
      (*landing)->Run("INSERT INTO t VALUES (1, $v)", {{"v", "VARCHAR", "it's; \\"}}, {}).ok());
  auto ended = (*landing)->Run("INSERT INTO t VALUES (2, 'x'); COMMIT", {}, {});
  ASSERT_FALSE(ended.ok());
  EXPECT_EQ(ended.error().kind, ErrorKind::kConfig) << Format(ended.error());
  EpochRecord record{.lane = lane_, .epoch = (*landing)->epoch(), .fence = {1}, .run = {1}};
  landing->reset();
  EXPECT_EQ(One("SELECT count(*) FROM t"), "0");
}

TEST_P(MergeTest, NaughtyNamesAndValuesAreData) {
  const std::string name = "odd \"na`me'; DROP TABLE t; -- [x]";
  Load load = LoadOf("\"odd \"\"table'; --\"", Mode::kUpsert, {{"id", "BIGINT"}, {name, "VARCHAR"}},
                     {"id"});
  const std::string value = R"('; DROP TABLE t; -- \ \' "`$n %s {} <>)";
  ASSERT_TRUE(Write(load, fmt::format("SELECT 1 AS id, {} AS {}", QuoteLiteral(value),
                                      QuoteIdentifier(name)))
                  .ok());
  ASSERT_TRUE(Write(load, fmt::format("SELECT 1 AS id, {} AS {}", QuoteLiteral(value + "2"),
                                      QuoteIdentifier(name)))
                  .ok());
  auto source = Table("\"odd \"\"table'; --\"");
  EXPECT_EQ(Read(*source), (std::vector<std::vector<std::string>>{{"1", value + "2"}}));
}

TEST_P(MergeTest, ManyRowsAndEveryLength) {
  MakeTable(true);
  Load load = LoadOf("t", Mode::kUpsert, {{"id", "BIGINT"}, {"name", "VARCHAR"}}, {"id"});
  auto landed = Write(load,
                      "SELECT i AS id, repeat('x', (i % 100)::INTEGER) AS name FROM "
                      "range(200000) r(i)");
  ASSERT_TRUE(landed.ok()) << Format(landed.error());
  EXPECT_EQ(landed->inserted, 200000u);
  landed = Write(load, "SELECT i AS id, 'y' AS name FROM range(100000, 300000) r(i)");
  ASSERT_TRUE(landed.ok()) << Format(landed.error());
  EXPECT_EQ(landed->inserted, 100000u);
  EXPECT_EQ(landed->updated, 100000u);
  EXPECT_EQ(One("SELECT count(*), sum(id), sum(length(name)) FROM t"),
            fmt::format("300000|{}|{}", 299999LL * 150000, 100000 / 100 * 4950 + 200000));
}

// Random tables: what goes in comes back, value by value.
TEST_P(MergeTest, RandomRowsComeBack) {
  const Texts values{
      "(random() * 2e9)::INTEGER",
      "((random() - 0.5) * 1.8e19)::BIGINT",
      "((random() - 0.5) * 65534)::SMALLINT",
      "(random() - 0.5) * pow(10, (random() * 600 - 300)::INTEGER)",
      "((random() - 0.5) * 1e13)::DECIMAL(15,2)",
      "((random() - 0.5) * 1e30)::DECIMAL(38,4)",
      "random() < 0.5",
      "DATE '1000-01-01' + (random() * 3286000)::INTEGER",
      "TIMESTAMP '1000-01-01' + to_microseconds((random() * 2.8e17)::BIGINT)",
      "TIMESTAMPTZ '1971-01-01 00:00:00+00' + to_microseconds((random() * 2e15)::BIGINT)",
      "TIME '00:00:00' + to_microseconds((random() * 86399999999)::BIGINT)",
      "uuid()",
      "list_aggregate(list_transform(range((random() * 30)::BIGINT), lambda x: chr(1 + (random() * "
      "(CASE WHEN x % 3 = 0 THEN 55000 ELSE 126 END))::INTEGER)), 'string_agg', '')",
      "unhex(md5(random()::VARCHAR))",
      "to_json({'a': random(), 'b': [random()::VARCHAR]})"};
  for (int table = 0; table < 8; ++table) {
    std::string columns = "i AS id";
    for (int column = 0; column < 6; ++column) {
      // Another choice for each table; a tenth of the values is NULL.
      const std::string& value =
          values[static_cast<size_t>(table * 7 + column * 4) % values.size()];
      columns += fmt::format(", CASE WHEN random() < 0.9 THEN {} END AS c{}", value, column);
    }
    Rows("DROP TABLE IF EXISTS back");
    auto changed = Changed(fmt::format("SELECT {} FROM range(500) r(i)", columns));
    ASSERT_TRUE(changed.ok()) << Format(changed.error()) << "\n" << columns;
    EXPECT_EQ(*changed, "0 lost, 0 made up of 500") << columns;
  }
}

// A walk over two columns finds every row once, however the range is cut.
TEST_P(MergeTest, WalksByCompositeKeys) {
  Rows("CREATE TABLE t (a BIGINT NOT NULL, b VARCHAR(10) NOT NULL, PRIMARY KEY (a, b))");
  for (int i = 0; i < 20; ++i) Rows(fmt::format("INSERT INTO t VALUES ({}, 'k''{}')", i / 7, i));
  auto source = Table("t");
  EXPECT_NE(TypesOf(*source).find("BIGINT"), std::string::npos);
  const auto whole = Read(*source);
  EXPECT_EQ(whole.size(), 20u);
  for (const uint64_t rows : {1u, 3u, 7u}) {
    auto again = Table("t");
    EXPECT_EQ(Read(*again, {.rows = rows}), whole);
  }
  auto shape = source->Describe(*probe_.session, {});
  EXPECT_NE(shape->describe.find("consistency: keys, by a, b"), std::string::npos)
      << shape->describe;
}

TEST_P(MergeTest, IncrementalReadsEqualCursorsOnce) {
  Rows("CREATE TABLE t (id BIGINT, at DATETIME)");
  for (int i = 0; i < 10; ++i)
    Rows(fmt::format("INSERT INTO t VALUES ({}, '2026-01-0{} 10:00:00')", i, 1 + i / 4));
  const auto by = [](bool key, int64_t lookback) {
    return [=](ExtractConfig& config) {
      config.incremental.emplace();
      config.incremental->cursor.text = "at";
      if (key) config.incremental->key.text = "id";
      config.incremental->lookback = std::chrono::microseconds(lookback);
    };
  };
  for (const bool key : {true, false}) {
    auto source = Table("t", by(key, 0));
    EXPECT_EQ(Read(*source, {.rows = 3}).size(), 10u);
  }
  auto source = Table("t", by(true, 0));
  auto range = source->Freeze({}, {.rows = 3}, {});
  ASSERT_TRUE(range.ok() && *range);
  Position position = source->After({}, **range);
  auto rest = probe_.ReadAll(*Table("t", by(true, 0)), {}, position);
  ASSERT_TRUE(rest.ok()) << Format(rest.error());
  EXPECT_EQ(RowsOf(*rest).size(), 7u);
  rest = probe_.ReadAll(*Table("t", by(true, 3'600'000'000)), {}, position);
  ASSERT_TRUE(rest.ok()) << Format(rest.error());
  EXPECT_EQ(RowsOf(*rest).size(), 10u);  // an hour before the first day's 10:00
  Rows("INSERT INTO t VALUES (10, NULL)");
  auto refused = Table("t", by(true, 0))->Freeze({}, {}, {});
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.error().message.find("1 rows of t in"), std::string::npos)
      << Format(refused.error());
}

TEST_P(MergeTest, AnIntervalTakesItsOwnRows) {
  Rows("CREATE TABLE t (id BIGINT, day DATE, at DATETIME)");
  Rows(
      "INSERT INTO t VALUES (1, '2026-01-02', '2026-01-02 23:59:59'), (2, '2026-01-03', "
      "'2026-01-03 00:00:00'), (3, '2026-01-03', '2026-01-03 23:59:59'), (4, '2026-01-04', "
      "'2026-01-04 00:00:00'), (5, NULL, NULL)");
  for (const char* column : {"day", "at"}) {
    auto source = From(
        [&](ExtractConfig& config) {
          config.table.text = "t";
          config.columns = {NamedWritten{.name = "id", .mark = {}, .value = {}}};
          config.interval.text = column;
        },
        [](ExtractRequest& request) {
          request.interval = {Micros{1'767'398'400'000'000}, Micros{1'767'484'800'000'000}};
        });
    EXPECT_EQ(Read(*source), (std::vector<std::vector<std::string>>{{"2"}, {"3"}})) << column;
  }
}

TEST_P(MergeTest, AQueryTakesValues) {
  MakeTable(true);
  Rows("INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c')");
  auto source = From(
      [](ExtractConfig& config) {
        config.query.text =
            "SELECT id, name FROM t WHERE id >= CAST($n AS BIGINT) AND name <> '$n' -- $n\n;";
      },
      [](ExtractRequest& request) {
        request.bound = {{"n", "BIGINT", "2"}};
      });
  EXPECT_EQ(Read(*source), (std::vector<std::vector<std::string>>{{"2", "b"}, {"3", "c"}}));
}

INSTANTIATE_TEST_SUITE_P(Systems, MergeTest, testing::Values("sqlite", "mysql"),
                         [](const auto& one) { return one.param; });

}  // namespace
}  // namespace sluice::tables
