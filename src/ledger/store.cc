// Opening the ledger: cheap where the last close was clean, with a check of the whole file where it was not.
#include "ledger/store.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <filesystem>

#include "ledger/migrations.h"

namespace sluice {
namespace {

// The last one to close the file removes its log. A log that lies there while nobody has the file open is a crash's.
bool LastCloseWasUnclean(const std::string& path) {
  std::error_code none;
  const auto size = std::filesystem::file_size(path + "-wal", none);
  return !none && size > 0;
}

Status MakeFolderOf(const std::string& path) {
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  std::error_code failed;
  if (!folder.empty()) std::filesystem::create_directories(folder, failed);
  if (failed) return RejectedError(fmt::format("making the folder of ledger '{}': {}", path, failed.message()));
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

Presence::Presence(const std::string& path) : file_(::open((path + "-lock").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600)) {
  alone_ = file_ >= 0 && ::flock(file_, LOCK_EX | LOCK_NB) == 0;
}

Presence::~Presence() {
  if (file_ >= 0) ::close(file_);
}

void Presence::Share() {
  if (file_ >= 0) (void)::flock(file_, LOCK_SH | LOCK_NB);
}

Result<std::unique_ptr<Ledger>> Ledger::Open(const std::string& path) {
  std::unique_ptr<Ledger> ledger = TRY(LedgerStore::Open(path, LedgerMigrations()));
  return ledger;
}

Result<std::unique_ptr<LedgerStore>> LedgerStore::Open(const std::string& path,
                                                       std::span<const std::string_view> migrations) {
  TRY(MakeFolderOf(path));
  auto presence = std::make_unique<Presence>(path);
  const bool check = presence->alone() && LastCloseWasUnclean(path);
  sqlite::Connection connection = TRY(sqlite::Connection::Open(path, sqlite::Connection::Mode::kWrite));
  TRY(connection.Script("PRAGMA journal_mode = WAL; PRAGMA journal_size_limit = 16777216"));
  TRY(Migrate(connection, migrations));
  if (check) TRY(CheckWhole(connection));
  presence->Share();
  return std::unique_ptr<LedgerStore>(new LedgerStore(std::move(presence), path, std::move(connection)));
}

LedgerStore::LedgerStore(std::unique_ptr<Presence> presence, std::string path, sqlite::Connection writing)
    : presence_(std::move(presence)), path_(std::move(path)), process_(ThisProcess()), writer_(std::move(writing)) {}

Status LedgerStore::Flush() { return writer_.Flush(); }

}  // namespace sluice
