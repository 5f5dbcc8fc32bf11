// Files: made whole or not at all, known by what they are and not by their path, and held against
// other processes. Other processes are this binary again, running one of the disabled tests.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "sql/database.h"

namespace sluice::sql {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;

class AttachTest : public ::testing::Test {
 protected:
  void SetUp() override {
    database_ = Open();
    if (getenv("SLUICE_TEST_FILE") != nullptr)
      return;  // the other process, which is killed: it would leave its folder
    std::string pattern = (fs::temp_directory_path() / "sluice_attach_XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override {
    database_.reset();
    fs::remove_all(folder_);
  }
  static std::unique_ptr<Database> Open() {
    auto opened = Database::Open({.memory_bytes = 0, .threads = 1, .temp_folder = ""});
    EXPECT_TRUE(opened.ok()) << Format(opened.error());
    return std::move(opened).value();
  }
  std::string Path(const std::string& name) const { return (folder_ / name).string(); }
  std::vector<std::string> Names() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder_))
      names.push_back(entry.path().filename().string());
    std::sort(names.begin(), names.end());
    return names;
  }
  void Run(std::string_view text) {
    auto session = database_->Connect();
    ASSERT_TRUE(session.ok());
    auto done = (*session)->Execute(text);
    ASSERT_TRUE(done.ok()) << Format(done.error());
  }
  std::string Attached(const std::string& path, const std::string& alias,
                       Access access = Access::kReadWrite) {
    auto attached = database_->Attach(path, alias, access);
    EXPECT_TRUE(attached.ok()) << Format(attached.error());
    return attached.ok() ? *attached : "";
  }
  Error Refused(const std::string& path, const std::string& alias,
                Access access = Access::kReadWrite) {
    auto attached = database_->Attach(path, alias, access);
    EXPECT_FALSE(attached.ok()) << path;
    return attached.ok() ? Error{} : attached.error();
  }
  // Runs a disabled test of this file in another process.
  static pid_t Start(const std::string& test, const std::string& path) {
    const pid_t child = fork();
    if (child != 0) return child;
    setenv("SLUICE_TEST_FILE", path.c_str(), 1);
    unsetenv("GTEST_TOTAL_SHARDS");  // it is nobody's share
    unsetenv("GTEST_SHARD_INDEX");
    const int nowhere = open("/dev/null", O_WRONLY);
    dup2(nowhere, 1);
    const std::string filter = "--gtest_filter=AttachTest.DISABLED_" + test;
    execl("/proc/self/exe", "sql_test", filter.c_str(), "--gtest_also_run_disabled_tests", nullptr);
    _exit(127);
  }
  static void End(pid_t child) {
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
  }
  static void WaitFor(const std::string& path) {
    while (!fs::exists(path))
      std::this_thread::sleep_for(std::chrono::milliseconds(2));  // looks again
  }

  fs::path folder_;
  std::unique_ptr<Database> database_;
};

TEST_F(AttachTest, CreatesAWholeFileAndKeepsItsRows) {
  const std::string path = Path("wh.duckdb");
  EXPECT_EQ(Attached(path, "wh"), "wh");
  EXPECT_EQ(Names(), std::vector<std::string>{"wh.duckdb"});
  EXPECT_GT(fs::file_size(path), 0U);
  Run("CREATE TABLE wh.t AS SELECT 7 AS a");
  ASSERT_TRUE(database_->Detach("wh").ok());
  EXPECT_TRUE(database_->Detach("wh").ok());
  EXPECT_EQ(Attached(path, "again", Access::kReadOnly), "again");
  auto session = database_->Connect();
  auto rows = (*session)->Query("SELECT a FROM again.t");
  ASSERT_TRUE(rows.ok());
  EXPECT_EQ(rows->rows[0][0].text, "7");
  EXPECT_FALSE((*session)->Execute("INSERT INTO again.t VALUES (8)").ok());
  const Error error = Refused(path, "wh");
  EXPECT_EQ(error.kind, ErrorKind::kRejected);
  EXPECT_THAT(error.message, HasSubstr("read-only as 'again'"));
}

TEST_F(AttachTest, OneFileByAnyPathIsOneAlias) {
  const std::string path = Path("wh.duckdb");
  EXPECT_EQ(Attached(path, "wh"), "wh");
  fs::create_hard_link(path, Path("hard.duckdb"));
  fs::create_symlink("wh.duckdb", Path("soft.duckdb"));
  EXPECT_EQ(Attached(path, "other"), "wh");
  EXPECT_EQ(Attached(Path("hard.duckdb"), "other"), "wh");
  EXPECT_EQ(Attached(Path("soft.duckdb"), "other", Access::kReadOnly), "wh");
  EXPECT_EQ(Attached(fs::relative(path).string(), "other"), "wh");
  EXPECT_EQ(Attached((folder_ / "." / ".." / folder_.filename() / "wh.duckdb").string(), "other"),
            "wh");
  EXPECT_THAT(Refused(Path("second.duckdb"), "WH").message, HasSubstr("that name is taken by"));
}

TEST_F(AttachTest, StrangeNames) {
  EXPECT_EQ(Attached(Path("a'b \"c\".duckdb"), "a\"b'"), "a\"b'");
  Run("CREATE TABLE \"a\"\"b'\".t AS SELECT 1");
  EXPECT_EQ(Attached(Path("sqlite:x"), "s"), "s");
  EXPECT_EQ(Attached(Path("no_suffix"), "n"), "n");
}

TEST_F(AttachTest, RefusesWhatIsNoDatabase) {
  std::ofstream(Path("text.duckdb")) << std::string(20000, 'x');
  std::ofstream(Path("empty.duckdb")).close();
  fs::create_directory(Path("folder.duckdb"));
  for (const char* name : {"text.duckdb", "empty.duckdb", "folder.duckdb"}) {
    const Error error = Refused(Path(name), "x");
    EXPECT_EQ(error.kind, ErrorKind::kRejected) << name;
    EXPECT_THAT(error.message, AllOf(HasSubstr(Path(name)), HasSubstr("give"))) << name;
  }
  const Error missing = Refused(Path("missing.duckdb"), "x", Access::kReadOnly);
  EXPECT_EQ(missing.kind, ErrorKind::kRejected);
  EXPECT_FALSE(fs::exists(Path("missing.duckdb")));
  const Error folder = Refused(Path("no/such/wh.duckdb"), "x");
  EXPECT_EQ(folder.kind, ErrorKind::kRejected);
  EXPECT_THAT(folder.message, HasSubstr("no/such' does not exist; create it"));
  EXPECT_EQ(Refused("/proc/wh.duckdb", "x").kind, ErrorKind::kRejected);
}

TEST_F(AttachTest, RefusesADamagedFile) {
  const std::string path = Path("wh.duckdb");
  Attached(path, "wh");
  Run("CREATE TABLE wh.t AS SELECT * FROM range(300000)");
  ASSERT_TRUE(database_->Detach("wh").ok());
  for (const auto size : {fs::file_size(path) / 2, uintmax_t{5000}}) {
    const std::string copy = Path("cut.duckdb");
    fs::copy_file(path, copy, fs::copy_options::overwrite_existing);
    fs::resize_file(copy, size);
    const Error error = Refused(copy, "cut");
    EXPECT_EQ(error.kind, ErrorKind::kRejected) << error.message;
    EXPECT_THAT(error.message, HasSubstr("restore it from a backup")) << error.message;
  }
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(12);
  file.write("\xff\x7f\x00\x00", 4);
  file.close();
  EXPECT_EQ(Refused(path, "wh").kind, ErrorKind::kRejected);
}

TEST_F(AttachTest, RefusesAnOrphanedLog) {
  std::ofstream(Path("wh.duckdb.wal")) << "old";
  const Error error = Refused(Path("wh.duckdb"), "wh");
  EXPECT_EQ(error.kind, ErrorKind::kRejected);
  EXPECT_THAT(error.message, HasSubstr("wh.duckdb.wal' without its file"));
  EXPECT_FALSE(fs::exists(Path("wh.duckdb")));
}

TEST_F(AttachTest, NamesTheProcessThatHoldsTheFile) {
  const std::string path = Path("wh.duckdb");
  const pid_t child = Start("Holds", path);
  WaitFor(path + ".held");
  const Error error = Refused(path, "wh");
  EXPECT_EQ(error.kind, ErrorKind::kTransient) << error.message;
  EXPECT_THAT(error.message,
              AllOf(HasSubstr("(PID " + std::to_string(child) + ")"), HasSubstr("'" + path + "'")));
  EXPECT_EQ(Refused(path, "wh", Access::kReadOnly).kind, ErrorKind::kTransient);
  ASSERT_TRUE(database_->HeldElsewhere());
  EXPECT_FALSE(database_->Holds(*database_->HeldElsewhere()));
  const FileIdentity file = *database_->HeldElsewhere();
  End(child);
  EXPECT_EQ(Attached(path, "wh"), "wh");
  EXPECT_FALSE(database_->HeldElsewhere());
  EXPECT_TRUE(database_->Holds(file));
}

TEST_F(AttachTest, DISABLED_Holds) {
  const std::string path = getenv("SLUICE_TEST_FILE");
  Attached(path, "wh");
  std::ofstream(path + ".held").close();
  std::this_thread::sleep_for(std::chrono::minutes(1));  // until it is killed
}

TEST_F(AttachTest, AKillWhileCreatingLeavesNothingThatDoesNotOpen) {
  const std::string path = Path("wh.duckdb");
  int killed_early = 0;
  for (int i = 0; i < 12; ++i) {
    const pid_t child = Start("Creates", path);
    WaitFor(path + ".begun");
    std::this_thread::sleep_for(
        std::chrono::microseconds(i * 700));  // a time that differs from try to try
    End(child);
    killed_early += fs::exists(path) ? 0 : 1;
    ASSERT_EQ(Attached(path, "wh"), "wh") << "killed after " << i * 700 << " µs";
    Run("CREATE TABLE wh.t AS SELECT 1 AS a");
    ASSERT_TRUE(database_->Detach("wh").ok());
    fs::remove(path + ".begun");
    fs::remove(path);
    EXPECT_EQ(Names(), std::vector<std::string>{}) << "what the killed one left is swept";
  }
  EXPECT_GT(killed_early, 0);
}

TEST_F(AttachTest, DISABLED_Creates) {
  const std::string path = getenv("SLUICE_TEST_FILE");
  std::ofstream(path + ".begun").close();
  (void)database_->Attach(path, "wh", Access::kReadWrite);
  std::this_thread::sleep_for(std::chrono::minutes(1));  // until it is killed
}

}  // namespace
}  // namespace sluice::sql
