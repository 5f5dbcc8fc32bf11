// What Open accepts, migrates and refuses.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>

#include "ledger/migrations.h"
#include "ledger/store.h"

namespace sluice {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class OpenTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "ledger-test-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
    path_ = folder_ + "/ledger.db";
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  void Script(const std::string& sql) {
    auto connection = sqlite::Connection::Open(path_, sqlite::Connection::Mode::kWrite);
    ASSERT_TRUE(connection.ok()) << connection.error().message;
    auto done = connection->Script(sql);
    ASSERT_TRUE(done.ok()) << done.error().message;
  }
  std::string Refusal() {
    auto opened = Ledger::Open(path_);
    if (opened.ok()) return "was opened";
    EXPECT_EQ(opened.error().kind, ErrorKind::kRejected);
    return opened.error().message;
  }

  std::string folder_, path_;
};

// What the first release wrote, as text: never edit it.
constexpr std::string_view kFirstRelease = R"sql(
PRAGMA journal_mode = WAL;
CREATE TABLE meta (key TEXT PRIMARY KEY NOT NULL, value NOT NULL) WITHOUT ROWID;
INSERT INTO meta VALUES ('flushes', 0);
CREATE TABLE revisions (revision TEXT NOT NULL, pipeline TEXT NOT NULL, at INTEGER NOT NULL, text TEXT NOT NULL,
  PRIMARY KEY (revision, pipeline));
CREATE TABLE runs (id INTEGER PRIMARY KEY AUTOINCREMENT, project TEXT NOT NULL, pipeline TEXT NOT NULL,
  revision TEXT NOT NULL, interval TEXT NOT NULL, status TEXT NOT NULL, started_at INTEGER NOT NULL,
  ended_at INTEGER NOT NULL DEFAULT 0, rejected INTEGER NOT NULL DEFAULT 0, error_kind TEXT NOT NULL DEFAULT '',
  error_message TEXT NOT NULL DEFAULT '', params TEXT NOT NULL, result TEXT NOT NULL DEFAULT '');
CREATE INDEX runs_of_pipeline ON runs (pipeline, id);
CREATE TABLE steps (run INTEGER NOT NULL, ordinal INTEGER NOT NULL, step TEXT NOT NULL, verb TEXT NOT NULL,
  rows_in INTEGER NOT NULL, rows_out INTEGER NOT NULL, filtered INTEGER NOT NULL, deduplicated INTEGER NOT NULL,
  rejected INTEGER NOT NULL, late INTEGER NOT NULL, skipped INTEGER NOT NULL, held INTEGER NOT NULL,
  duration INTEGER NOT NULL, PRIMARY KEY (run, ordinal)) WITHOUT ROWID;
CREATE TABLE lanes (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, project TEXT NOT NULL, pipeline TEXT NOT NULL,
  flow TEXT NOT NULL, interval TEXT NOT NULL);
CREATE TABLE epochs (lane INTEGER NOT NULL, epoch INTEGER NOT NULL, run INTEGER NOT NULL, decider TEXT NOT NULL,
  record TEXT NOT NULL, PRIMARY KEY (lane, epoch));
CREATE TABLE intents (lane INTEGER PRIMARY KEY, epoch INTEGER NOT NULL, ranges TEXT NOT NULL);
CREATE TABLE letter_batches (id INTEGER PRIMARY KEY AUTOINCREMENT, lane INTEGER NOT NULL, epoch INTEGER NOT NULL,
  visible INTEGER NOT NULL, run INTEGER NOT NULL, revision TEXT NOT NULL, at INTEGER NOT NULL,
  first_letter INTEGER NOT NULL DEFAULT 0, last_letter INTEGER NOT NULL DEFAULT -1, UNIQUE (lane, epoch));
CREATE INDEX letter_batches_of_run ON letter_batches (run);
CREATE TABLE letters (id INTEGER PRIMARY KEY AUTOINCREMENT, batch INTEGER NOT NULL, origin INTEGER NOT NULL,
  source TEXT NOT NULL, partition TEXT NOT NULL, offset INTEGER NOT NULL, line INTEGER NOT NULL, step TEXT NOT NULL,
  code TEXT NOT NULL, size INTEGER NOT NULL, message TEXT NOT NULL, original BLOB NOT NULL);
CREATE INDEX letters_of_origin ON letters (origin);
CREATE TABLE schemas (id INTEGER PRIMARY KEY AUTOINCREMENT, project TEXT NOT NULL, pipeline TEXT NOT NULL,
  step TEXT NOT NULL, at INTEGER NOT NULL, columns TEXT NOT NULL);
CREATE INDEX schemas_of_step ON schemas (project, pipeline, step, id);
CREATE TABLE actions (run INTEGER NOT NULL, step TEXT NOT NULL, fingerprint TEXT NOT NULL, done INTEGER NOT NULL,
  PRIMARY KEY (run, step)) WITHOUT ROWID;
CREATE TABLE leases (resource TEXT PRIMARY KEY NOT NULL, fence INTEGER NOT NULL, held INTEGER NOT NULL,
  run INTEGER NOT NULL, pid INTEGER NOT NULL, process TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE logs (id INTEGER PRIMARY KEY, run INTEGER NOT NULL, at INTEGER NOT NULL, level TEXT NOT NULL,
  step TEXT NOT NULL, message TEXT NOT NULL);
CREATE INDEX logs_of_run ON logs (run, id);
PRAGMA application_id = 1936487779;
PRAGMA user_version = 1;

INSERT INTO runs (project, pipeline, revision, interval, status, started_at, params)
  VALUES ('shop', 'orders', 'r1', 'stream', 'running', 5, '{}');
INSERT INTO lanes VALUES (1, 'shop/orders/main/stream', 'shop', 'orders', 'main', 'stream');
INSERT INTO epochs VALUES (1, 3, 1, 'lake', '{"format":1,"lane":["shop","orders","main","stream"],"epoch":3,"fence":1,
  "run":1,"fingerprint":"f","ranges":{},"position":{},"watermarks":{},"books":{},"final":false,"published":true}');
INSERT INTO letter_batches VALUES (1, 1, 3, 1, 1, 'r1', 5, 1, 1);
INSERT INTO letters VALUES (1, 1, 99, 'orders.csv', 'data/orders.csv', 0, 1, 'read', 'cast', 1, 'no number', x'ff');
INSERT INTO schemas VALUES (1, 'shop', 'orders', 'read', 5,
  '[{"name":"id","type":"BIGINT","hidden":false,"description":""}]');
)sql";

TEST_F(OpenTest, TheFirstReleasesFileOpens) {
  Script(std::string(kFirstRelease));
  auto ledger = Ledger::Open(path_);
  ASSERT_TRUE(ledger.ok()) << ledger.error().message;
  EXPECT_EQ((*ledger)->Runs({})->at(0).start.pipeline, "orders");
  EXPECT_EQ((*(*ledger)->Last({"shop", "orders", "main", "stream"}))->epoch, EpochId{3});
  EXPECT_EQ((*ledger)->Letters({})->at(0).letter.original, "\xff");
  EXPECT_EQ((*(*ledger)->Pinned("shop", "orders", "read"))->at(0).type, "BIGINT");
  EXPECT_EQ((*ledger)->KeepRunStart({"shop", "orders", "r1", "stream", "{}", Micros{6}})->value, 2);
}

TEST_F(OpenTest, MigrationsRunOnceInOrderAndAllOrNothing) {
  constexpr std::array<std::string_view, 2> kTwo{
      "CREATE TABLE t (a); INSERT INTO t VALUES (1)",
      "ALTER TABLE t ADD COLUMN b; UPDATE t SET b = a + 1"};
  constexpr std::array<std::string_view, 3> kBroken{kTwo[0], kTwo[1],
                                                    "INSERT INTO t VALUES (5, 6); nonsense"};
  auto connection = sqlite::Connection::Open(path_, sqlite::Connection::Mode::kWrite);
  ASSERT_TRUE(connection.ok());
  ASSERT_TRUE(Migrate(*connection, std::span(kTwo).first(1)).ok());
  EXPECT_EQ(*connection->Number("PRAGMA user_version"), 1);
  ASSERT_TRUE(Migrate(*connection, kTwo).ok());
  ASSERT_TRUE(Migrate(*connection, kTwo).ok());
  EXPECT_EQ(*connection->Number("PRAGMA user_version"), 2);
  EXPECT_EQ(*connection->Number("SELECT b FROM t"), 2);

  auto broken = Migrate(*connection, kBroken);
  ASSERT_FALSE(broken.ok());
  EXPECT_THAT(broken.error().message, HasSubstr("to version 3"));
  EXPECT_EQ(*connection->Number("PRAGMA user_version"), 2);
  EXPECT_EQ(*connection->Number("SELECT count(*) FROM t"), 1);
}

TEST_F(OpenTest, ANewerFileIsRefused) {
  const size_t kVersion = LedgerMigrations().size();
  ASSERT_TRUE(Ledger::Open(path_).ok());
  Script("PRAGMA user_version = 99");
  EXPECT_THAT(Refusal(),
              AllOf(HasSubstr("version 99"), HasSubstr("up to " + std::to_string(kVersion)),
                    HasSubstr("newer sluice")));
  Script("PRAGMA user_version = " + std::to_string(kVersion));
  EXPECT_TRUE(Ledger::Open(path_).ok());  // nothing was changed by the refusal
}

TEST_F(OpenTest, AnotherProgramsFileIsRefused) {
  Script("CREATE TABLE bookmarks (url)");
  EXPECT_THAT(Refusal(), HasSubstr("not a ledger"));
}

TEST_F(OpenTest, AFileThatIsNoDatabaseIsRefused) {
  std::ofstream(path_) << std::string(8192, 'x');
  EXPECT_THAT(Refusal(), AllOf(HasSubstr("is damaged"), HasSubstr("sluice doctor"),
                               HasSubstr("hold the truth")));
}

TEST_F(OpenTest, DamageAfterACrashIsFound) {
  {
    auto ledger = Ledger::Open(path_);
    ASSERT_TRUE(ledger.ok());
    for (int i = 0; i < 200; ++i) {
      ASSERT_TRUE((*ledger)
                      ->KeepRevision(std::to_string(i), "orders", std::string(2000, 'x'), Micros{1})
                      .ok());
    }
  }
  const auto size = std::filesystem::file_size(path_);
  ASSERT_GT(size, 100'000u);
  {
    std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
    for (uint64_t at = 40 * 4096; at + 4096 < size; at += 4096) {
      file.seekp(static_cast<std::streamoff>(at));
      file << std::string(64, '\xaa');
    }
  }
  EXPECT_TRUE(Ledger::Open(path_).ok());  // closed in order: not looked through again
  std::ofstream(path_ + "-lock") << "";   // what a crash leaves
  EXPECT_THAT(Refusal(), AllOf(HasSubstr("is damaged"), HasSubstr("sluice doctor")));
  EXPECT_THAT(Refusal(), HasSubstr("is damaged"));  // a refusal does not count as an orderly close
}

TEST_F(OpenTest, AFolderThatCannotBeMadeIsNamed) {
  std::ofstream(folder_ + "/file") << "";
  path_ = folder_ + "/file/store/ledger.db";
  EXPECT_THAT(Refusal(), HasSubstr("file/store/ledger.db"));
}

TEST_F(OpenTest, ASecondLedgerOfTheSameProcessWorks) {
  auto one = Ledger::Open(path_);
  auto two = Ledger::Open(path_);
  ASSERT_TRUE(one.ok() && two.ok());
  const RunId run = *(*one)->KeepRunStart({"p", "a", "", "", "{}", Micros{1}});
  EXPECT_EQ((*two)->Runs({})->at(0).id, run);
}

}  // namespace
}  // namespace sluice
