// Opening the ledger: cheap where the last close was in order, with a check of the whole file where
// it was not.
#include "ledger/store.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <filesystem>

#include "base/log.h"
#include "ledger/migrations.h"

namespace sluice {
namespace {

Status MakeFolderOf(const std::string& path) {
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  std::error_code failed;
  if (!folder.empty()) std::filesystem::create_directories(folder, failed);
  if (failed)
    return RejectedError(
        fmt::format("making the folder of ledger '{}': {}", path, failed.message()));
  return Ok();
}

Status CheckWhole(sqlite::Connection& connection) {
  sqlite::Query check = TRY(connection.Select("PRAGMA quick_check(1)"));
  if (!TRY(check.Next())) return Ok();
  const std::string answer = check.Text(0);
  if (answer == "ok") return Ok();
  return sqlite::DamagedError(connection.path(), answer);
}

}  // namespace

Presence::Presence(const std::string& path)
    : file_(::open((path + "-lock").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600)),
      clean_("clean " + Boot() + "\n") {
  alone_ = file_ >= 0 && ::flock(file_, LOCK_EX | LOCK_NB) == 0;
  if (!alone_) return;
  char left[128];
  const ssize_t size = ::pread(file_, left, sizeof left, 0);
  orderly_ = size > 0 && std::string_view(left, static_cast<size_t>(size)) == clean_;
  // From here on a kill leaves the file without its first letter (in place: a file that is cut and
  // written again is flushed by some file systems). Nothing of this needs a sync: a power cut
  // changes the boot.
  if (::pwrite(file_, "-", 1, 0) != 1) orderly_ = false;
}

Presence::~Presence() {
  if (file_ < 0) return;
  const bool last = opened_ && ::flock(file_, LOCK_EX | LOCK_NB) == 0;
  // Where this fails the next one to open looks the whole file through, that is all.
  if (last && ::pwrite(file_, clean_.data(), clean_.size(), 0) < 0)
    LogDebug("the ledger's lock file cannot be written");
  ::close(file_);
}

void Presence::Share() {
  opened_ = true;
  if (file_ >= 0) (void)::flock(file_, LOCK_SH | LOCK_NB);
}

Result<std::unique_ptr<Ledger>> Ledger::Open(const std::string& path) {
  std::unique_ptr<Ledger> ledger = TRY(LedgerStore::Open(path, LedgerMigrations()));
  return ledger;
}

Result<std::unique_ptr<LedgerStore>> LedgerStore::Open(
    const std::string& path, std::span<const std::string_view> migrations) {
  TRY(MakeFolderOf(path));
  auto presence = std::make_unique<Presence>(path);
  sqlite::Connection connection =
      TRY(sqlite::Connection::Open(path, sqlite::Connection::Mode::kWrite));
  const int64_t version = TRY(LedgerVersion(connection, migrations));
  // Nobody misses what a power cut takes from a file that nothing was kept in yet: the writer syncs
  // it before the first.
  const bool made = presence->alone() && version == 0;
  if (made) TRY(connection.Script("PRAGMA synchronous = OFF"));
  // A short log: the next process to open the file reads all of it.
  TRY(
      connection.Script("PRAGMA journal_mode = WAL; PRAGMA journal_size_limit = 4194304;"
                        "PRAGMA wal_autocheckpoint = 1000; PRAGMA cache_size = -16000"));
  TRY(Migrate(connection, migrations));
  if (presence->alone() && !presence->orderly() && !made) TRY(CheckWhole(connection));
  presence->Share();
  return std::unique_ptr<LedgerStore>(
      new LedgerStore(std::move(presence), path, std::move(connection),
                      made ? Writer::File::kUnsynced : Writer::File::kSynced));
}

LedgerStore::LedgerStore(std::unique_ptr<Presence> presence, std::string path,
                         sqlite::Connection writing, Writer::File file)
    : presence_(std::move(presence)),
      path_(std::move(path)),
      process_(ThisProcess()),
      writer_(std::move(writing), file) {}

Status LedgerStore::Flush() { return writer_.Flush(); }

}  // namespace sluice
