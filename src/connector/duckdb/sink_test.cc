// Every mode with its counts; epochs that are undone; what excludes what.
#include "connector/duckdb/sink.h"

#include <fmt/format.h>

#include <gtest/gtest.h>

#include <filesystem>
#include <future>

#include "base/clock.h"
#include "base/text.h"

namespace sluice::duckdb {
namespace {

const std::stop_token kNever;

template <class T>
T Must(Result<T> result) {
  if (!result.ok()) {
    ADD_FAILURE() << Format(result.error());
    std::abort();
  }
  return std::move(result).value();
}

class DuckdbSinkTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    folder_ = testing::TempDir() + "duckdb_sink_" + test->name();
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
    Reopen();
  }
  void TearDown() override {
    sink_.reset();
    database_.reset();
    std::filesystem::remove_all(folder_);
  }

  void Reopen() {
    sink_.reset();
    database_.reset();
    database_ = Must(sql::Database::Open({}));
    sink_ = NewSink();
  }
  std::unique_ptr<DuckdbSink> NewSink() {
    return std::make_unique<DuckdbSink>(
        DatabaseFile("w.duckdb", folder_ + "/w.duckdb", *files_, *database_), *clock_);
  }

  static Load MakeLoad(Mode mode, std::vector<std::string> key = {}) {
    return {.step = "out",
            .target = "shop.orders",
            .mode = mode,
            .key = std::move(key),
            .schema = {{"id", "INTEGER"}, {"day", "DATE"}, {"v", "VARCHAR"}}};
  }
  static Load MakePartition(std::optional<std::string> day) {
    Load load = MakeLoad(Mode::kReplacePartition);
    load.partition.push_back({.column = "day"});
    if (day) load.partition[0].value = sql::Bound{"ds", "DATE", day};
    return load;
  }
  static std::string Values(const std::string& rows) {
    return "SELECT CAST(id AS INTEGER) AS id, CAST(day AS DATE) AS day, CAST(v AS VARCHAR) AS v "
           "FROM (VALUES " +
           rows + ") t(id, day, v)";
  }
  static EpochRecord RecordOf(const Lane& lane, EpochId epoch, int64_t fence = 1,
                              std::string identity = "") {
    EpochRecord record{
        .lane = lane, .epoch = epoch, .fence = {fence}, .run = {7}, .fingerprint = "f1"};
    record.ranges["orders"].cuts.push_back({"orders.csv", "0", "10", std::move(identity)});
    return record;
  }

  Result<Landed> TryLoad(const Load& load, const std::string& select, std::string identity = "") {
    TRY(sink_->Prepare({load}, kNever));
    auto landing = TRY(sink_->Begin(lane_, {load}, Visibility::kTarget, std::nullopt));
    auto landed = TRY(landing->Write(0, select, {}, kNever));
    TRY(landing->Commit(RecordOf(lane_, landing->epoch(), 1, std::move(identity))));
    return landed;
  }
  Landed DoLoad(const Load& load, const std::string& rows) {
    return Must(TryLoad(load, Values(rows)));
  }
  EpochId StageRows(const Load& load, const std::string& rows) {
    Must(sink_->Prepare({load}, kNever));
    auto landing = Must(sink_->Begin(lane_, {load}, Visibility::kStaging, std::nullopt));
    Must(landing->Write(0, Values(rows), {}, kNever));
    EpochRecord record = RecordOf(lane_, landing->epoch());
    record.published = false;
    Must(landing->Commit(record));
    return landing->epoch();
  }
  Landed DoPublish(const Load& load) {
    std::vector<Landed> landed;
    auto landing = Must(sink_->Publish(lane_, {load}, std::nullopt, landed, kNever));
    Must(landing->Commit(RecordOf(lane_, landing->epoch())));
    return landed.at(0);
  }

  // "1 2026-01-01 a;2 …" in order of all columns.
  std::string Content(const std::string& columns = "id, day, v",
                      const std::string& table = "shop.orders") {
    DatabaseFile file("w.duckdb", folder_ + "/w.duckdb", *files_, *database_);
    auto session = Must(file.Open());
    const auto rows =
        Must(session->Query("SELECT " + columns + " FROM " + QuoteIdentifier(file.alias()) + "." +
                            table + " ORDER BY ALL"));
    std::string text;
    for (const auto& row : rows.rows) {
      if (!text.empty()) text += ";";
      for (size_t i = 0; i < row.size(); ++i)
        text += (i ? " " : "") + (row[i].null ? std::string("NULL") : row[i].text);
    }
    return text;
  }
  void Sql(const std::string& text) {
    DatabaseFile file("w.duckdb", folder_ + "/w.duckdb", *files_, *database_);
    auto session = Must(file.Open());
    Must(session->Execute("USE " + QuoteIdentifier(file.alias()) + ".main; " + text));
  }

  int64_t CountStageTables() {
    auto session = Must(database_->Connect());
    return Must(QueryNumber(
        *session, "SELECT count(*) FROM duckdb_tables() WHERE schema_name = '_sluice_stage'"));
  }

  std::string folder_;
  std::unique_ptr<Files> files_ = LocalFiles();
  std::unique_ptr<Clock> clock_ = SystemClock();
  std::unique_ptr<sql::Database> database_;
  std::unique_ptr<DuckdbSink> sink_;
  Lane lane_{"shop", "daily", "out", "stream"};
};

TEST_F(DuckdbSinkTest, LookingCreatesNothing) {
  EXPECT_FALSE(Must(sink_->Target(MakeLoad(Mode::kAppend))));
  EXPECT_FALSE(Must(sink_->Last(lane_)));
  EXPECT_TRUE(Must(sink_->Loaded(lane_)).empty());
  EXPECT_TRUE(sink_->Sweep(lane_, {}).ok());
  EXPECT_FALSE(files_->Exists(folder_ + "/w.duckdb"));
}

TEST_F(DuckdbSinkTest, AppendAddsRowsWithTheirEpochAndRecord) {
  const Landed landed = Must(TryLoad(MakeLoad(Mode::kAppend),
                                     Values("(1,'2026-01-01','a'),(2,'2026-01-02','b')"), "id-1"));
  EXPECT_EQ(landed.rows, 2u);
  EXPECT_EQ(landed.inserted, 2u);
  EXPECT_EQ(Content("*"), "1 2026-01-01 a 1;2 2026-01-02 b 1");
  Must(TryLoad(MakeLoad(Mode::kAppend), Values("(1,'2026-01-01','a')"), "id-2"));
  EXPECT_EQ(Content("*"), "1 2026-01-01 a 1;1 2026-01-01 a 2;2 2026-01-02 b 1");
  Reopen();
  const auto last = Must(sink_->Last(lane_));
  ASSERT_TRUE(last);
  EXPECT_EQ(last->epoch.value, 2);
  EXPECT_EQ(last->ranges.at("orders").cuts.at(0).identity, "id-2");
  const auto loaded = Must(sink_->Loaded(lane_));
  ASSERT_EQ(loaded.size(), 2u);
  EXPECT_EQ(loaded[0].identity, "id-1");
  EXPECT_EQ(loaded[0].epoch.value, 1);
  EXPECT_EQ(loaded[1].fingerprint, "f1");
  EXPECT_FALSE(Must(sink_->Last({"shop", "daily", "out", "other"})));
  EXPECT_EQ(
      Content("epoch, fence, run, identities, targets, final, published", "main._sluice_epochs"),
      "1 1 7 [id-1] [shop.orders] false true;2 1 7 [id-2] [shop.orders] false true");
}

TEST_F(DuckdbSinkTest, ALandingThatIsDroppedLeavesNothing) {
  const Load load = MakeLoad(Mode::kAppend);
  DoLoad(load, "(1,'2026-01-01','a')");
  {
    auto landing = Must(sink_->Begin(lane_, {load}, Visibility::kTarget, std::nullopt));
    Must(landing->Write(0, Values("(2,'2026-01-01','b')"), {}, kNever));
    EXPECT_EQ(Content(), "1 2026-01-01 a");
  }
  EXPECT_EQ(Content(), "1 2026-01-01 a");
  EXPECT_EQ(Must(sink_->Last(lane_))->epoch.value, 1);
  Reopen();
  DoLoad(load, "(2,'2026-01-01','b')");
  EXPECT_EQ(Content(), "1 2026-01-01 a;2 2026-01-01 b");
}

TEST_F(DuckdbSinkTest, InsertRefusesAKeyThatIsThereOrComesTwice) {
  const Load load = MakeLoad(Mode::kInsert, {"id"});
  EXPECT_EQ(DoLoad(load, "(1,'2026-01-01','a'),(2,'2026-01-01','b')").inserted, 2u);
  auto there = TryLoad(load, Values("(3,'2026-01-01','c'),(2,'2026-01-01','x')"));
  ASSERT_FALSE(there.ok());
  EXPECT_EQ(there.error().kind, ErrorKind::kData);
  EXPECT_NE(there.error().message.find("a row with id = '2' is there already"), std::string::npos)
      << there.error().message;
  auto twice = TryLoad(load, Values("(5,'2026-01-01','c'),(5,'2026-01-01','c')"));
  ASSERT_FALSE(twice.ok());
  EXPECT_NE(twice.error().message.find("2 rows have id = '5'"), std::string::npos)
      << twice.error().message;
  EXPECT_EQ(Content("id"), "1;2");
}

TEST_F(DuckdbSinkTest, UpsertCountsWhatItInsertsAndUpdates) {
  const Load load = MakeLoad(Mode::kUpsert, {"id"});
  DoLoad(load, "(1,'2026-01-01','a'),(2,'2026-01-01','b')");
  const Landed landed =
      DoLoad(load, "(2,'2026-01-02','x'),(3,'2026-01-02','c'),(3,'2026-01-02','c')");
  EXPECT_EQ(landed.rows, 3u);
  EXPECT_EQ(landed.inserted, 1u);
  EXPECT_EQ(landed.updated, 1u);
  EXPECT_EQ(landed.unchanged, 1u);
  EXPECT_EQ(Content("*"), "1 2026-01-01 a 1;2 2026-01-02 x 2;3 2026-01-02 c 2");
}

TEST_F(DuckdbSinkTest, UpsertRefusesDifferentRowsWithOneKey) {
  const Load load = MakeLoad(Mode::kUpsert, {"id", "day"});
  auto landed =
      TryLoad(load, Values("(2,'2026-01-02','x'),(2,'2026-01-02','y'),(2,'2026-01-03','z')"));
  ASSERT_FALSE(landed.ok());
  EXPECT_EQ(landed.error().kind, ErrorKind::kData);
  EXPECT_NE(landed.error().message.find("2 rows have id = '2', day = '2026-01-02'"),
            std::string::npos)
      << landed.error().message;
  EXPECT_EQ(Content(), "");
}

TEST_F(DuckdbSinkTest, NullKeysAreRefusedByName) {
  for (const Mode mode : {Mode::kInsert, Mode::kUpsert, Mode::kReplace}) {
    auto landed =
        TryLoad(MakeLoad(mode, {"id"}), Values("(NULL,'2026-01-02','x'),(2,'2026-01-02','y')"));
    ASSERT_FALSE(landed.ok());
    EXPECT_EQ(landed.error().kind, ErrorKind::kData);
    EXPECT_NE(landed.error().message.find("the key 'id' is NULL in 1 of 2 rows"), std::string::npos)
        << landed.error().message;
  }
}

TEST_F(DuckdbSinkTest, UpsertLeavesColumnsThatTheRowsLack) {
  Sql("CREATE SCHEMA shop; CREATE TABLE shop.orders (id INTEGER PRIMARY KEY, note VARCHAR DEFAULT "
      "'new', v VARCHAR); "
      "INSERT INTO shop.orders VALUES (1, 'kept', 'a'), (2, 'two', 'b')");
  Load load = MakeLoad(Mode::kUpsert, {"id"});
  const Landed landed = DoLoad(load, "(1,'2026-01-01','x'),(3,'2026-01-01','y')");
  EXPECT_EQ(landed.updated, 1u);
  EXPECT_EQ(landed.inserted, 1u);
  EXPECT_EQ(Content("*"), "1 kept x 2026-01-01;2 two b NULL;3 new y 2026-01-01");
}

TEST_F(DuckdbSinkTest, ReplaceTakesAllRowsOfAKey) {
  const Load load = MakeLoad(Mode::kReplace, {"id"});
  DoLoad(load, "(1,'2026-01-01','a'),(1,'2026-01-01','b'),(2,'2026-01-01','c')");
  const Landed landed =
      DoLoad(load, "(1,'2026-01-02','d'),(3,'2026-01-02','e'),(3,'2026-01-02','e')");
  EXPECT_EQ(landed.deleted, 2u);
  EXPECT_EQ(landed.inserted, 3u);
  EXPECT_EQ(Content(), "1 2026-01-02 d;2 2026-01-01 c;3 2026-01-02 e;3 2026-01-02 e");
}

TEST_F(DuckdbSinkTest, OverwriteShowsReadersTheOldOrTheNew) {
  const Load load = MakeLoad(Mode::kOverwrite);
  DoLoad(load, "(1,'2026-01-01','a'),(2,'2026-01-01','b')");
  {
    auto landing = Must(sink_->Begin(lane_, {load}, Visibility::kTarget, std::nullopt));
    const Landed landed = Must(landing->Write(0, Values("(9,'2026-01-01','z')"), {}, kNever));
    EXPECT_EQ(landed.deleted, 2u);
    EXPECT_EQ(landed.inserted, 1u);
    EXPECT_EQ(Content("id"), "1;2");
    Must(landing->Commit(RecordOf(lane_, landing->epoch())));
  }
  EXPECT_EQ(Content("*"), "9 2026-01-01 z 2");
  EXPECT_EQ(Must(TryLoad(load, Values("(1,'2026-01-01','z')") + " WHERE false")).deleted, 1u);
  EXPECT_EQ(Content(), "");
}

TEST_F(DuckdbSinkTest, OverwriteKeepsTheConstraintsOfAUsersTable) {
  Sql("CREATE SCHEMA shop; CREATE TABLE shop.orders (id INTEGER PRIMARY KEY, day DATE, v VARCHAR "
      "NOT NULL); "
      "INSERT INTO shop.orders VALUES (1, NULL, 'a')");
  DoLoad(MakeLoad(Mode::kOverwrite), "(1,'2026-01-01','b')");
  EXPECT_EQ(Content("*"), "1 2026-01-01 b");
  auto landed = TryLoad(MakeLoad(Mode::kOverwrite), Values("(1,'2026-01-01',NULL)"));
  ASSERT_FALSE(landed.ok());
  EXPECT_EQ(landed.error().kind, ErrorKind::kRejected) << landed.error().message;
}

TEST_F(DuckdbSinkTest, ReplacePartitionOfAGivenValue) {
  DoLoad(MakeLoad(Mode::kAppend), "(1,'2026-01-01','a'),(2,'2026-01-02','b'),(3,'2026-01-02','c')");
  const Landed landed = DoLoad(MakePartition("2026-01-02"), "(4,'2026-01-02','d')");
  EXPECT_EQ(landed.deleted, 2u);
  EXPECT_EQ(landed.inserted, 1u);
  EXPECT_EQ(Content("id"), "1;4");
  EXPECT_EQ(
      Must(TryLoad(MakePartition("2026-01-02"), Values("(4,'2026-01-02','d')") + " WHERE false"))
          .deleted,
      1u);
  EXPECT_EQ(Content("id"), "1");
  auto other =
      TryLoad(MakePartition("2026-01-02"), Values("(4,'2026-01-02','d'),(5,'2026-01-03','e')"));
  ASSERT_FALSE(other.ok());
  EXPECT_EQ(other.error().kind, ErrorKind::kData);
  EXPECT_NE(other.error().message.find(
                "a row has day = 2026-01-03, but the load replaces the partition day = 2026-01-02"),
            std::string::npos)
      << other.error().message;
  EXPECT_EQ(Content("id"), "1");
}

TEST_F(DuckdbSinkTest, ReplacePartitionOfTheValuesInTheRows) {
  DoLoad(MakeLoad(Mode::kAppend),
         "(1,'2026-01-01','a'),(2,'2026-01-02','b'),(3,NULL,'c'),(7,'2026-02-02','m')");
  const Landed landed =
      DoLoad(MakePartition(std::nullopt), "(4,'2026-01-02','d'),(5,NULL,'e'),(6,NULL,'f')");
  EXPECT_EQ(landed.deleted, 2u);
  EXPECT_EQ(landed.inserted, 3u);
  EXPECT_EQ(Content("id"), "1;4;5;6;7");
  Load by_month = MakePartition(std::nullopt);
  by_month.partition[0].column = "date_trunc('month', day)";
  EXPECT_EQ(DoLoad(by_month, "(9,'2026-01-20','d')").deleted, 2u);
  EXPECT_EQ(Content("id"), "5;6;7;9");
}

TEST_F(DuckdbSinkTest, StagedEpochsArePublishedAsOne) {
  Load load = MakeLoad(Mode::kUpsert, {"id"});
  load.order = {{"day", "DATE"}};
  DoLoad(load, "(1,'2026-01-01','a')");
  const EpochId first = StageRows(load, "(1,'2026-01-02','b'),(2,'2026-01-02','c')");
  const EpochId second = StageRows(load, "(2,'2026-01-03','d')");
  EXPECT_EQ(Content("id"), "1");
  EXPECT_EQ(CountStageTables(), 1);
  EXPECT_FALSE(Must(sink_->Last(lane_))->published);
  Must(sink_->Sweep(lane_, second));  // pending: nothing to take away
  Reopen();
  const Landed landed = DoPublish(load);
  EXPECT_EQ(landed.rows, 3u);
  EXPECT_EQ(landed.inserted, 1u);
  EXPECT_EQ(landed.updated, 2u);
  EXPECT_EQ(Content("id, v, _sluice_epoch"),
            fmt::format("1 b {};2 d {}", first.value, second.value));
  EXPECT_EQ(CountStageTables(), 0);
}

TEST_F(DuckdbSinkTest, StagedRowsOfOneKeyAreRefusedWhereNoOrderTellsThemApart) {
  const Load load = MakeLoad(Mode::kUpsert, {"id"});
  StageRows(load, "(2,'2026-01-02','c')");
  StageRows(load, "(2,'2026-01-03','d')");
  std::vector<Landed> landed;
  auto published = sink_->Publish(lane_, {load}, std::nullopt, landed, kNever);
  ASSERT_FALSE(published.ok());
  EXPECT_NE(published.error().message.find("2 rows have id = '2'"), std::string::npos)
      << published.error().message;
}

TEST_F(DuckdbSinkTest, PruningLeavesTheNewestAndWhatIdentifiesLoads) {
  const Load load = MakeLoad(Mode::kAppend);
  Must(TryLoad(load, Values("(1,'2026-01-01','a')"), "a.csv:1"));
  for (int i = 0; i < 4; ++i) Must(TryLoad(load, Values("(2,'2026-01-01','b')")));
  const Lane theirs = lane_;
  lane_.flow = "other";
  Must(TryLoad(load, Values("(3,'2026-01-01','c')")));
  lane_ = theirs;
  const int64_t last = Must(sink_->Last(lane_))->epoch.value;
  Must(sink_->Prune(lane_, 2, Needed::kIdentities));
  Must(sink_->Prune(lane_, 2, Needed::kIdentities));
  EXPECT_EQ(Content("flow, epoch, identities", "main._sluice_epochs"),
            "other 6 [];out 1 ['a.csv:1'];out 4 [];out 5 []");
  EXPECT_EQ(Must(sink_->Loaded(lane_)).size(), 1u);
  Must(sink_->Prune(lane_, 0, Needed::kNewest));
  EXPECT_EQ(Content("flow, epoch", "main._sluice_epochs"), "other 6;out 5");
  EXPECT_EQ(Must(sink_->Last(lane_))->epoch.value, last);
  EXPECT_EQ(Content("id"), "1;2;2;2;2;3");
}

TEST_F(DuckdbSinkTest, PruningKeepsWhatIsNotPublished) {
  const Load load = MakeLoad(Mode::kUpsert, {"id"});
  StageRows(load, "(1,'2026-01-01','a')");
  StageRows(load, "(2,'2026-01-01','a')");
  Must(sink_->Prune(lane_, 1, Needed::kNewest));
  EXPECT_EQ(Content("epoch", "main._sluice_epochs"), "1;2");
}

TEST_F(DuckdbSinkTest, PublishingNothingStagedEmptiesAnOverwrite) {
  const Load load = MakeLoad(Mode::kOverwrite);
  DoLoad(load, "(1,'2026-01-01','a')");
  EXPECT_EQ(DoPublish(load).deleted, 1u);
  EXPECT_EQ(Content(), "");
}

TEST_F(DuckdbSinkTest, APublicationThatIsDroppedStaysPending) {
  const Load load = MakeLoad(Mode::kOverwrite);
  DoLoad(load, "(1,'2026-01-01','a')");
  StageRows(load, "(2,'2026-01-01','b')");
  {
    std::vector<Landed> landed;
    auto landing = Must(sink_->Publish(lane_, {load}, std::nullopt, landed, kNever));
  }
  Reopen();
  EXPECT_EQ(Content("id"), "1");
  EXPECT_FALSE(Must(sink_->Last(lane_))->published);
  EXPECT_EQ(DoPublish(load).rows, 1u);
  EXPECT_EQ(Content("id"), "2");
}

TEST_F(DuckdbSinkTest, SweepTakesStagedEpochsAfterTheDecidedOne) {
  const Load load = MakeLoad(Mode::kAppend);
  const EpochId first = StageRows(load, "(1,'2026-01-01','a')");
  StageRows(load, "(2,'2026-01-01','b')");
  for (int i = 0; i < 2; ++i) {
    Must(sink_->Sweep(lane_, first));
    EXPECT_EQ(Must(sink_->Last(lane_))->epoch, first);
  }
  EXPECT_EQ(DoPublish(load).rows, 1u);
  EXPECT_EQ(Content("id"), "1");
}

TEST_F(DuckdbSinkTest, ALaterRunOfTheLaneShutsAnEarlierOneOut) {
  const Load load = MakeLoad(Mode::kAppend);
  Must(sink_->Prepare({load}, kNever));
  auto old_run = Must(sink_->Begin(lane_, {load}, Visibility::kTarget, std::nullopt));
  Must(old_run->Write(0, Values("(1,'2026-01-01','old')"), {}, kNever));
  auto sink = NewSink();
  const auto too_early = sink->Begin(lane_, {load}, Visibility::kTarget, std::nullopt);
  ASSERT_FALSE(too_early.ok());
  EXPECT_EQ(too_early.error().kind, ErrorKind::kTransient);
  EXPECT_TRUE(too_early.error().contended) << too_early.error().message;
  old_run.reset();
  auto new_run = Must(sink->Begin(lane_, {load}, Visibility::kTarget, std::nullopt));
  Must(new_run->Write(0, Values("(1,'2026-01-01','new')"), {}, kNever));
  Must(new_run->Commit(RecordOf(lane_, new_run->epoch(), 2)));
  auto again = Must(sink_->Begin(lane_, {load}, Visibility::kTarget, std::nullopt));
  auto fenced = again->Commit(RecordOf(lane_, again->epoch(), 1));
  ASSERT_FALSE(fenced.ok());
  EXPECT_EQ(fenced.error().kind, ErrorKind::kRejected);
  EXPECT_NE(fenced.error().message.find("its fence is 2, ours 1"), std::string::npos);
  again.reset();
  EXPECT_EQ(Content("v"), "new");
}

TEST_F(DuckdbSinkTest, LoadsByKeyIntoOneTableComeOneAfterTheOther) {
  const Load load = MakeLoad(Mode::kUpsert, {"id"});
  Must(sink_->Prepare({load}, kNever));
  const Lane other{"shop", "daily", "out", "2026-01-02/2026-01-03"};
  auto first = Must(sink_->Begin(lane_, {load}, Visibility::kTarget, std::nullopt));
  auto second = Must(sink_->Begin(other, {load}, Visibility::kTarget, std::nullopt));
  Must(first->Write(0, Values("(1,'2026-01-01','a')"), {}, kNever));
  std::stop_source given_up;
  given_up.request_stop();
  EXPECT_EQ(second->Write(0, Values("(1,'2026-01-01','b')"), {}, given_up.get_token()).error().kind,
            ErrorKind::kCancelled);
  second.reset();
  second = Must(sink_->Begin(other, {load}, Visibility::kTarget, std::nullopt));
  auto waiting = std::async(std::launch::async, [&] {
    return second->Write(0, Values("(1,'2026-01-01','b')"), {}, kNever);
  });
  Must(first->Commit(RecordOf(lane_, first->epoch())));
  EXPECT_EQ(Must(waiting.get()).updated, 1u);
  Must(second->Commit(RecordOf(other, second->epoch())));
  EXPECT_EQ(Content("id, v"), "1 b");
}

TEST_F(DuckdbSinkTest, PartitionsGivenByValueLoadAtTheSameTime) {
  const Load one = MakePartition("2026-01-01"), two = MakePartition("2026-01-02");
  Must(sink_->Prepare({one}, kNever));
  const Lane other{"shop", "daily", "out", "2026-01-02/2026-01-03"};
  auto first = Must(sink_->Begin(lane_, {one}, Visibility::kTarget, std::nullopt));
  auto second = Must(sink_->Begin(other, {two}, Visibility::kTarget, std::nullopt));
  Must(first->Write(0, Values("(1,'2026-01-01','a')"), {}, kNever));
  Must(second->Write(0, Values("(2,'2026-01-02','b')"), {}, kNever));
  Must(second->Commit(RecordOf(other, second->epoch())));
  Must(first->Commit(RecordOf(lane_, first->epoch())));
  EXPECT_EQ(Content("id"), "1;2");
}

TEST_F(DuckdbSinkTest, TakingBackDeletesWhatThoseEpochsPutThere) {
  const Load load = MakeLoad(Mode::kAppend);
  Must(TryLoad(load, Values("(1,'2026-01-01','a')"), "one"));
  Must(TryLoad(load, Values("(2,'2026-01-01','b')"), "two"));
  auto landing = Must(sink_->Begin(lane_, {load}, Visibility::kTarget, std::nullopt));
  Must(sink_->TakeBack(*landing, {load}, {EpochId{1}}));
  Must(landing->Write(0, Values("(1,'2026-01-01','A')"), {}, kNever));
  EXPECT_EQ(Content("v"), "a;b");
  Must(landing->Commit(RecordOf(lane_, landing->epoch(), 1, "one")));
  EXPECT_EQ(Content("v"), "A;b");
  const auto loaded = Must(sink_->Loaded(lane_));
  ASSERT_EQ(loaded.size(), 2u);
  EXPECT_EQ(loaded[0].identity, "one");
  EXPECT_EQ(loaded[0].epoch.value, 3);
}

TEST_F(DuckdbSinkTest, TakingBackNeedsProvenance) {
  Load load = MakeLoad(Mode::kAppend);
  load.provenance = false;
  DoLoad(load, "(1,'2026-01-01','a')");
  EXPECT_EQ(Content("*"), "1 2026-01-01 a");
  auto landing = Must(sink_->Begin(lane_, {load}, Visibility::kTarget, std::nullopt));
  auto taken = sink_->TakeBack(*landing, {load}, {EpochId{1}});
  ASSERT_FALSE(taken.ok());
  EXPECT_EQ(taken.error().kind, ErrorKind::kRejected);
}

TEST_F(DuckdbSinkTest, ColumnsAreAddedAndNothingIsNarrowed) {
  Sql("CREATE SCHEMA shop; CREATE TABLE shop.orders (id BIGINT, extra INTEGER); INSERT INTO "
      "shop.orders VALUES (1, 5)");
  DoLoad(MakeLoad(Mode::kAppend), "(2,'2026-01-01','b')");
  EXPECT_EQ(Content("id, extra, day, v"), "1 5 NULL NULL;2 NULL 2026-01-01 b");
  Load load = MakeLoad(Mode::kAppend);
  load.schema[0].type = "DOUBLE";
  load.mark = {"p.yml", 4, 3};
  auto narrow = sink_->Prepare({load}, kNever);
  ASSERT_FALSE(narrow.ok());
  EXPECT_EQ(narrow.error().kind, ErrorKind::kConfig);
  EXPECT_NE(
      narrow.error().message.find("column 'id' of 'shop.orders' is BIGINT, the rows have DOUBLE"),
      std::string::npos)
      << narrow.error().message;
  EXPECT_EQ(narrow.error().mark.line, 4);
}

TEST_F(DuckdbSinkTest, WideningIsByValueNotByName) {
  EXPECT_TRUE(Widens("INTEGER", "BIGINT"));
  EXPECT_TRUE(Widens("INTEGER", "DOUBLE"));
  EXPECT_TRUE(Widens("UINTEGER", "BIGINT"));
  EXPECT_TRUE(Widens("BIGINT", "VARCHAR"));
  EXPECT_TRUE(Widens("DECIMAL(10,2)", "DECIMAL(12,4)"));
  EXPECT_TRUE(Widens("DATE", "TIMESTAMP"));
  EXPECT_FALSE(Widens("BIGINT", "INTEGER"));
  EXPECT_FALSE(Widens("BIGINT", "DOUBLE"));
  EXPECT_FALSE(Widens("BIGINT", "UBIGINT"));
  EXPECT_FALSE(Widens("DECIMAL(12,4)", "DECIMAL(12,5)"));
  EXPECT_FALSE(Widens("VARCHAR", "INTEGER"));
  EXPECT_FALSE(Widens("INTEGER[]", "VARCHAR"));
  EXPECT_FALSE(Widens("TIMESTAMP", "DATE"));
}

TEST_F(DuckdbSinkTest, AStatementRunsInsideTheFile) {
  const Load load = MakeLoad(Mode::kAppend);
  Must(sink_->Prepare({load}, kNever));
  {
    auto landing = Must(sink_->Begin(lane_, {}, Visibility::kTarget, std::nullopt));
    Must(landing->Run("CREATE TABLE totals (n INTEGER)", {}, kNever));
    EXPECT_EQ(Must(landing->Run("INSERT INTO totals SELECT CAST($n AS INTEGER)",
                                {{"n", "INTEGER", "4"}}, kNever)),
              1u);
    Must(landing->Commit(RecordOf(lane_, landing->epoch())));
  }
  EXPECT_EQ(Content("*", "main.totals"), "4");
  auto landing = Must(sink_->Begin(lane_, {}, Visibility::kTarget, std::nullopt));
  auto ended = landing->Run("DELETE FROM totals; COMMIT", {}, kNever);
  ASSERT_FALSE(ended.ok());
  EXPECT_EQ(ended.error().kind, ErrorKind::kConfig);
}

TEST_F(DuckdbSinkTest, WrongLoadsAreRefusedBeforeAnythingIsCreated) {
  EXPECT_EQ(sink_->Prepare({MakeLoad(Mode::kReplace)}, kNever).error().message,
            "mode 'replace' replaces the rows of the keys that come: it needs 'key'; to replace "
            "the whole table, did you "
            "mean 'overwrite'?");
  EXPECT_EQ(
      sink_->Prepare({MakeLoad(Mode::kUpsert, {"idd"})}, kNever).error().message,
      "the key 'idd' is not a column of the rows; did you mean 'id'? the rows have: id, day, v");
  Load reserved = MakeLoad(Mode::kAppend);
  reserved.target = "_sluice_epochs";
  EXPECT_EQ(sink_->Prepare({reserved}, kNever).error().kind, ErrorKind::kConfig);
  EXPECT_FALSE(files_->Exists(folder_ + "/w.duckdb"));
}

TEST_F(DuckdbSinkTest, StoppingEndsAWrite) {
  const Load load = MakeLoad(Mode::kAppend);
  Must(sink_->Prepare({load}, kNever));
  auto landing = Must(sink_->Begin(lane_, {load}, Visibility::kTarget, std::nullopt));
  std::stop_source stop;
  stop.request_stop();
  auto landed = landing->Write(0, Values("(1,'2026-01-01','a')"), {}, stop.get_token());
  ASSERT_FALSE(landed.ok());
  EXPECT_EQ(landed.error().kind, ErrorKind::kCancelled);
}

TEST_F(DuckdbSinkTest, ImagesOfTheLastRunsStayAndNoneOfWhatWasUndone) {
  Load load = MakeLoad(Mode::kUpsert, {"id"});
  load.keeps_before = true;
  for (int64_t run = 1; run <= 14; ++run) {
    Must(sink_->Prepare({load}, kNever));
    auto landing = Must(sink_->Begin(lane_, {load}, Visibility::kTarget, std::nullopt));
    Must(landing->Write(0, Values(fmt::format("(1, '2026-01-01', 'v{}')", run)), {}, kNever));
    EpochRecord record = RecordOf(lane_, landing->epoch());
    record.run = {run};
    if (run < 14) Must(landing->Commit(record));
  }
  const std::string what =
      R"(count(*), min(kind), min("table"), min(key), bool_or("row" LIKE '%"v":"v2"%'), )"
      R"(bool_or("row" LIKE '%"v":"v3"%'))";
  EXPECT_EQ(Content(what, "main._sluice_before"), R"(12 changed shop.orders {"id":"1"} true true)");
  Must(sink_->Prune(lane_, 1000, Needed::kIdentities));
  EXPECT_EQ(Content(what, "main._sluice_before"),
            R"(10 changed shop.orders {"id":"1"} false true)");
}

}  // namespace
}  // namespace sluice::duckdb
