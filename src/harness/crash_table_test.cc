// The crash table of docs/architecture.md, row by row: a process is killed with SIGKILL there,
// another one goes on, and every row and letter is there once.
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <set>

#include "base/text.h"
#include "harness/expect.h"
#include "harness/fakes.h"
#include "harness/scene.h"

namespace sluice::harness {
namespace {

// Kills this process the n-th time a milestone is reached.
class KillAt : public Observer {
 public:
  KillAt(Milestone milestone, int nth) : milestone_(milestone), left_(nth) {}
  void OnMilestone(const std::string&, Milestone milestone) override {
    if (milestone == milestone_ && --left_ == 0) kill(getpid(), SIGKILL);
  }

 private:
  Milestone milestone_;
  int left_;
};

constexpr char kRows[] = R"(
steps:
  orders:
    extract: { from: file, path: input/orders.ndjson, columns: { id: bigint, amount: varchar } }
  sound:
    map: { id: id, amount: CAST(amount AS INTEGER) }
    on_row_error: reject
  out: { load: { into: warehouse, table: orders } }
)";
constexpr char kOrders[] =
    "{\"id\":1,\"amount\":\"1\"}\n{\"id\":2,\"amount\":\"x\"}\n{\"id\":3,\"amount\":\"3\"}\n"
    "{\"id\":4,\"amount\":\"4\"}\n{\"id\":5,\"amount\":\"y\"}\n{\"id\":6,\"amount\":\"6\"}\n{"
    "\"id\":7,\"amount\":\"7\"}\n";

constexpr char kWindow[] = R"(
steps:
  events:
    extract: { from: file, path: input/events.ndjson, columns: { k: varchar, ts: timestamp }, event_time: ts, out_of_order: 1m }
  late: { window: { tumbling: 1m, by: k, select: { n: count(*) } } }
  out: { load: { into: warehouse, table: counts } }
)";
constexpr char kEvents[] =
    "{\"k\":\"a\",\"ts\":\"2026-01-01T00:00:10\"}\n{\"k\":\"a\",\"ts\":\"2026-01-01T00:01:10\"}\n"
    "{\"k\":\"b\",\"ts\":\"2026-01-01T00:00:50\"}\n{\"k\":\"a\",\"ts\":\"2026-01-01T00:03:10\"}\n"
    "{\"k\":\"a\",\"ts\":\"2026-01-01T00:02:10\"}\n{\"k\":\"b\",\"ts\":\"2026-01-01T00:00:20\"}\n"
    "{\"k\":\"b\",\"ts\":\"2026-01-01T00:05:00\"}\n";

constexpr char kTwoSinks[] = R"(
steps:
  orders:
    extract: { from: file, path: input/orders.ndjson, columns: { id: bigint, amount: varchar } }
  table: { load: { into: warehouse, table: orders } }
  files: { load: { into: file, path: lake/, format: parquet } }
)";

class CrashTable : public testing::Test {
 protected:
  CrashTable() : connectors_(BuiltinConnectors()), verbs_(BuiltinVerbs()) {
    std::string name = "/tmp/sluice-crash-XXXXXX";
    folder_ = mkdtemp(name.data());
    scene_ = std::make_unique<Scene>(folder_, connectors_, verbs_);
    Write("sluice.yml",
          "project: crash\nconnections:\n  warehouse: { type: duckdb, path: warehouse.duckdb }\n");
    Write("input/orders.ndjson", kOrders);
    Write("input/events.ndjson", kEvents);
  }
  ~CrashTable() override { std::filesystem::remove_all(folder_); }

  void Write(const std::string& path, const std::string& text) {
    ASSERT_TRUE(scene_->Write(path, text).ok());
  }
  void Pipeline(const std::string& text) { Write("pipelines/test.yml", text); }

  // A run in a process of its own, killed there.
  void RunAndKill(Milestone milestone, int nth) {
    pid_t child = fork();
    if (child == 0) {
      KillAt killer(milestone, nth);
      RunSpec spec{.limits = Limits{.rows = 3}, .observer = &killer};
      scene_->Run(spec);
      _exit(7);
    }
    int status = 0;
    waitpid(child, &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status))
        << "the run came to its end before milestone " << NameOf(milestone) << " number " << nth;
  }
  RunReport Restart() { return scene_->Run({.limits = Limits{.rows = 3}}); }
  std::string One(const std::string& select) {
    Result<sql::Rows> rows = scene_->Query(select);
    return rows.ok() ? rows->rows.at(0).at(0).text : Format(rows.error());
  }
  void ExpectOrders() {
    EXPECT_EQ(One("SELECT string_agg(id::VARCHAR, ',' ORDER BY id) FROM orders"), "1,3,4,6,7");
    Result<std::vector<LetterRow>> letters = scene_->Letters();
    ASSERT_TRUE(letters.ok());
    std::multiset<int64_t> lines;
    for (const LetterRow& row : *letters) lines.insert(row.letter.line);
    EXPECT_EQ(lines, (std::multiset<int64_t>{2, 5}));
  }
  void ExpectCounts() {
    EXPECT_EQ(One("SELECT string_agg(concat_ws('|', window_start, k, n), ' ' ORDER BY "
                  "window_start, k) FROM counts"),
              "2026-01-01 00:00:00|a|1 2026-01-01 00:00:00|b|1 2026-01-01 00:01:00|a|1 2026-01-01 "
              "00:02:00|a|1 "
              "2026-01-01 00:03:00|a|1 2026-01-01 00:05:00|b|1");
  }

  Connectors connectors_;
  Verbs verbs_;
  std::string folder_;
  std::unique_ptr<Scene> scene_;
};

// Rows 1, 3-5 and 9-12 differ only in the milestone.
class CrashOfRows : public CrashTable,
                    public testing::WithParamInterface<std::pair<Milestone, int>> {};

TEST_P(CrashOfRows, LeavesEveryRowAndLetterOnce) {
  Pipeline(kRows);
  RunAndKill(GetParam().first, GetParam().second);
  RunReport report = Restart();
  EXPECT_EQ(report.error, "");
  ExpectOrders();
}

INSTANTIATE_TEST_SUITE_P(
    Rows, CrashOfRows,
    testing::Values(std::pair(Milestone::kRecovered, 1), std::pair(Milestone::kFrozen, 1),
                    std::pair(Milestone::kFrozen, 2), std::pair(Milestone::kMoving, 1),
                    std::pair(Milestone::kMoving, 2), std::pair(Milestone::kMoved, 1),
                    std::pair(Milestone::kMoved, 2), std::pair(Milestone::kLettersHeld, 1),
                    std::pair(Milestone::kLettersHeld, 2), std::pair(Milestone::kDeciding, 1),
                    std::pair(Milestone::kDeciding, 2), std::pair(Milestone::kDecided, 1),
                    std::pair(Milestone::kDecided, 2), std::pair(Milestone::kNoted, 1),
                    std::pair(Milestone::kNoted, 2), std::pair(Milestone::kReleased, 1),
                    std::pair(Milestone::kReleased, 3)),
    [](const auto& test) {
      std::string name(NameOf(test.param.first));
      std::erase(name, '-');
      return name + std::to_string(test.param.second);
    });

TEST_F(CrashTable, Row02And07TheIntendedRangesAreTakenAgainAndAFollowerIsSkipped) {
  for (auto [milestone, nth] :
       {std::pair(Milestone::kIntended, 2), std::pair(Milestone::kFollowerCommitted, 2)}) {
    std::filesystem::remove_all(folder_ + "/lake");
    std::filesystem::remove_all(folder_ + "/.sluice");
    std::filesystem::remove(folder_ + "/warehouse.duckdb");
    Pipeline(kTwoSinks);
    RunAndKill(milestone, nth);
    RunReport report = Restart();
    EXPECT_EQ(report.exit, 0) << report.error;
    EXPECT_EQ(One("SELECT string_agg(id::VARCHAR, ',' ORDER BY id) FROM orders"), "1,2,3,4,5,6,7");
    EXPECT_EQ(One("SELECT string_agg(id::VARCHAR, ',' ORDER BY id) FROM read_parquet('" + folder_ +
                  "/lake/*.parquet')"),
              "1,2,3,4,5,6,7");
  }
}

TEST_F(CrashTable, Row06StateRowsOfAnUndecidedEpochAreTakenBack) {
  for (int nth : {1, 2, 3}) {
    std::filesystem::remove_all(folder_ + "/.sluice");
    std::filesystem::remove(folder_ + "/warehouse.duckdb");
    Pipeline(kWindow);
    RunAndKill(Milestone::kStateCommitted, nth);
    RunReport report = Restart();
    EXPECT_EQ(report.error, "");
    ExpectCounts();
  }
}

TEST_F(CrashTable, Row09ALostAnswerIsAskedForNeverGuessed) {
  for (bool happened : {true, false}) {
    std::filesystem::remove_all(folder_ + "/.sluice");
    std::filesystem::remove(folder_ + "/warehouse.duckdb");
    int commits = 0;
    LandingFault fault{.commit = [&](Landing& real, const EpochRecord& record) -> Status {
      if (++commits != 2) return real.Commit(record);
      if (happened) TRY(real.Commit(record));
      return UnsettledError("the connection was cut");
    }};
    Connectors faulty = WithLandingFault(connectors_, "duckdb", fault);
    Scene scene(folder_, faulty, verbs_);
    Pipeline(std::string("retry: { attempts: 3, delay: 1s }") + kRows);
    RunReport report = scene.Run({.limits = Limits{.rows = 3}});
    EXPECT_EQ(report.error, "");
    ExpectOrders();
  }
}

TEST_F(CrashTable, Row13RecoveryItselfMayBeKilled) {
  Pipeline(kRows);
  RunAndKill(Milestone::kDecided, 2);
  for (int i = 0; i < 3; ++i) RunAndKill(i == 1 ? Milestone::kNoted : Milestone::kRecovered, 1);
  RunReport report = Restart();
  EXPECT_EQ(report.error, "");
  ExpectOrders();
}

TEST_F(CrashTable, Row14ARestoredDestinationIsRefusedWithBothNumbersUntilResync) {
  Pipeline(kRows);
  RunAndKill(Milestone::kNoted, 1);
  std::filesystem::copy(folder_ + "/warehouse.duckdb", folder_ + "/backup");
  if (std::filesystem::exists(folder_ + "/warehouse.duckdb.wal"))
    std::filesystem::copy(folder_ + "/warehouse.duckdb.wal", folder_ + "/backup.wal");
  EXPECT_EQ(Restart().exit, 3);
  std::filesystem::remove(folder_ + "/warehouse.duckdb.wal");
  std::filesystem::rename(folder_ + "/backup", folder_ + "/warehouse.duckdb");
  if (std::filesystem::exists(folder_ + "/backup.wal"))
    std::filesystem::rename(folder_ + "/backup.wal", folder_ + "/warehouse.duckdb.wal");
  RunReport report = Restart();
  EXPECT_EQ(report.exit, 1);
  EXPECT_NE(report.error.find("knows epoch 1 of"), std::string::npos) << report.error;
  EXPECT_NE(report.error.find("ledger knows epoch 3"), std::string::npos) << report.error;
  EXPECT_NE(report.error.find("sluice resync test"), std::string::npos) << report.error;
  EXPECT_EQ(One("SELECT count(*) FROM orders"), "2") << "nothing may be loaded";
}

TEST_F(CrashTable, Row15ALostStateFileIsRefused) {
  Pipeline(kWindow);
  RunAndKill(Milestone::kReleased, 2);
  std::filesystem::remove_all(folder_ + "/.sluice/state");
  RunReport report = Restart();
  EXPECT_EQ(report.exit, 1);
  EXPECT_NE(report.error.find("state file"), std::string::npos) << report.error;
  EXPECT_NE(report.error.find("--again"), std::string::npos) << report.error;
}

TEST_F(CrashTable, AStateRowThatWasTakenOutOrRepeatedIsSeen) {
  for (const bool repeated : {false, true}) {
    std::filesystem::remove_all(folder_ + "/.sluice");
    std::filesystem::remove(folder_ + "/warehouse.duckdb");
    Pipeline(kWindow);
    RunAndKill(Milestone::kReleased, 2);
    {
      auto database = sql::Database::Open({});
      ASSERT_TRUE(database.ok());
      auto attached = (*database)->Attach(folder_ + "/.sluice/state/test.duckdb", "state",
                                          sql::Access::kReadWrite);
      ASSERT_TRUE(attached.ok());
      auto session = (*database)->Connect();
      ASSERT_TRUE(session.ok());
      auto table = (*session)->Query(
          "SELECT table_name FROM duckdb_tables() WHERE starts_with(table_name, 's_') AND "
          "estimated_size > 0");
      ASSERT_TRUE(table.ok() && !table->rows.empty());
      const std::string name = QuoteIdentifier(*attached) + ".main." + table->rows[0][0].text;
      auto changed = (*session)->Execute(
          repeated
              ? "INSERT INTO " + name + " SELECT * FROM " + name + " LIMIT 1"
              : "DELETE FROM " + name + " WHERE rowid = (SELECT max(rowid) FROM " + name + ")");
      ASSERT_TRUE(changed.ok()) << Format(changed.error());
    }
    RunReport report = Restart();
    EXPECT_EQ(report.exit, 1);
    EXPECT_NE(report.error.find("rows were taken out of it or put into it"), std::string::npos)
        << report.error;
  }
}

TEST_F(CrashTable, Row16ALostLedgerAdoptsTheDestinationsRecord) {
  Pipeline(kRows);
  RunAndKill(Milestone::kReleased, 2);
  for (const char* name : {"ledger.db", "ledger.db-wal", "ledger.db-shm"})
    std::filesystem::remove(folder_ + "/.sluice/" + name);
  RunReport report = Restart();
  EXPECT_EQ(report.exit, 0) << report.error << " the last epoch has no bad row";
  EXPECT_EQ(One("SELECT string_agg(id::VARCHAR, ',' ORDER BY id) FROM orders"), "1,3,4,6,7");
}

TEST_F(CrashTable, Row17AnotherDeciderIsRefused) {
  Pipeline(kRows);
  EXPECT_EQ(Restart().exit, 3);
  Write("sluice.yml",
        "project: crash\nconnections:\n  lake: { type: duckdb, path: lake.duckdb }\n");
  std::string moved = kRows;
  moved.replace(moved.find("into: warehouse"), 15, "into: lake");
  Pipeline(moved);
  RunReport report = Restart();
  EXPECT_EQ(report.exit, 1);
  EXPECT_NE(report.error.find("'warehouse' decided"), std::string::npos) << report.error;
}

}  // namespace
}  // namespace sluice::harness
