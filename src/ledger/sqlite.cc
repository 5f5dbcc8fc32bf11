// The only file that includes sqlite3.h.
#include "ledger/sqlite.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

namespace sluice::sqlite {
namespace {

constexpr int64_t kPatienceMicros = 30'000'000;  // how long another process may hold the file

// SQLite's own handler sleeps up to 100 ms at a time: too coarse for transactions of one.
int WaitAWhile(void*, int tried) {
  const int64_t wait = std::min<int64_t>(200 + 100 * static_cast<int64_t>(tried), 5'000);
  const int64_t waited = tried < 48 ? 200 * tried + 50 * static_cast<int64_t>(tried) * tried
                                    : 125'000 + 5'000 * static_cast<int64_t>(tried - 48);
  if (waited > kPatienceMicros) return 0;
  usleep(static_cast<useconds_t>(wait));
  return 1;
}

Error MakeError(const std::string& path, int code, std::string_view text) {
  switch (code & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return DamagedError(path, text);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return TransientError(
          fmt::format("ledger '{}' is in use by another process for too long ({})", path, text));
    case SQLITE_FULL:
      return RejectedError(
          fmt::format("ledger '{}': the disk is full: free some space and run again", path));
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
      return RejectedError(fmt::format(
          "ledger '{}' cannot be opened for writing ({}): check the folder and its permissions",
          path, text));
    case SQLITE_IOERR:
      return RejectedError(
          fmt::format("ledger '{}': the disk failed ({}, code {}): check the disk, then run again",
                      path, text, code));
    case SQLITE_NOMEM:
      return RejectedError(fmt::format("ledger '{}': out of memory", path));
    default:
      return InternalError(fmt::format("ledger '{}': {} (code {})", path, text, code));
  }
}

}  // namespace

Error DamagedError(const std::string& path, std::string_view why) {
  return RejectedError(
      fmt::format("ledger '{}' is damaged ({}): run `sluice doctor`, or move the file away and run "
                  "again; the destinations hold the "
                  "truth, only history and dead letters would be lost",
                  path, why));
}

void CloseConnection::operator()(sqlite3* connection) const { sqlite3_close_v2(connection); }
void FinalizeStatement::operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }

Query::~Query() {
  if (statement_ == nullptr) return;
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
}

Result<bool> Query::Next() {
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return connection_->LastError();
}

int64_t Query::Int(int column) const { return sqlite3_column_int64(statement_, column); }

std::string Query::Text(int column) const {
  const void* bytes = sqlite3_column_blob(statement_, column);
  const int size = sqlite3_column_bytes(statement_, column);
  return bytes == nullptr ? std::string()
                          : std::string(static_cast<const char*>(bytes), static_cast<size_t>(size));
}

// A failed bind (out of memory) leaves NULL, which the NOT NULL columns refuse in the step.
void Query::Bind(int at, int64_t value) { sqlite3_bind_int64(statement_, at, value); }

void Query::Bind(int at, std::string_view text) {
  sqlite3_bind_text64(statement_, at, text.data() == nullptr ? "" : text.data(), text.size(),
                      SQLITE_STATIC, SQLITE_UTF8);
}

void Query::Bind(int at, Blob blob) {
  sqlite3_bind_blob64(statement_, at, blob.bytes.data() == nullptr ? "" : blob.bytes.data(),
                      blob.bytes.size(), SQLITE_STATIC);
}

Result<Connection> Connection::Open(const std::string& path, Mode mode) {
  if (mode == Mode::kWrite) {
    // Letters hold user data. Only a file that we have just made is closed here: closing another
    // descriptor of a file that this process has open would drop SQLite's locks on it.
    const int made = ::open(path.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
    if (made >= 0) ::close(made);
  }
  sqlite3* handle = nullptr;
  // A reader opens for writing too: it may have to recover the log of a killed process.
  const int code =
      sqlite3_open_v2(path.c_str(), &handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr);
  Connection connection(path, handle);
  if (code != SQLITE_OK)
    return MakeError(path, code, handle == nullptr ? "out of memory" : sqlite3_errmsg(handle));
  sqlite3_busy_handler(handle, WaitAWhile, nullptr);
  sqlite3_extended_result_codes(handle, 1);
  // The log stays when the last one closes: moving it into the file would cost every short process
  // three syncs.
  sqlite3_db_config(handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  if (mode == Mode::kRead) TRY(connection.Script("PRAGMA query_only = 1"));
  return connection;
}

Result<Query> Connection::Prepare(std::string_view sql) {
  auto kept = kept_.find(sql);
  if (kept != kept_.end() && sqlite3_stmt_busy(kept->second.get()) == 0) {
    return Query(*this, kept->second.get(), nullptr);
  }
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v3(handle_.get(), sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  StatementHandle own(statement);
  if (code != SQLITE_OK) return LastError();
  if (kept != kept_.end()) return Query(*this, statement, std::move(own));
  kept_.emplace(std::string(sql), std::move(own));
  return Query(*this, statement, nullptr);
}

Status Connection::Script(const std::string& sql) {
  const int code = sqlite3_exec(handle_.get(), sql.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return LastError();
  return Ok();
}

Result<int64_t> Connection::Number(std::string_view sql) {
  Query query = TRY(Select(sql));
  if (!TRY(query.Next()))
    return InternalError(fmt::format("ledger '{}': no row from {}", path_, sql));
  return query.Int(0);
}

int64_t Connection::LastId() const { return sqlite3_last_insert_rowid(handle_.get()); }
int64_t Connection::Changes() const { return sqlite3_changes64(handle_.get()); }
uint64_t Connection::LogBytes() const {
  std::error_code none;
  const auto size = std::filesystem::file_size(path_ + "-wal", none);
  return none ? 0 : size;
}

int64_t Connection::TotalChanges() const { return sqlite3_total_changes64(handle_.get()); }
bool Connection::SyncFailed() const {
  const int code = sqlite3_extended_errcode(handle_.get());
  return code == SQLITE_IOERR_FSYNC || code == SQLITE_IOERR_DIR_FSYNC;
}
bool Connection::InTransaction() const { return sqlite3_get_autocommit(handle_.get()) == 0; }

Status Connection::SyncFile() {
  // Through SQLite's own descriptor: closing another one would drop its locks.
  sqlite3_file* file = nullptr;
  const int code = sqlite3_file_control(handle_.get(), "main", SQLITE_FCNTL_FILE_POINTER, &file);
  if (code != SQLITE_OK || file == nullptr || file->pMethods == nullptr) return LastError();
  if (const int failed = file->pMethods->xSync(file, SQLITE_SYNC_NORMAL); failed != SQLITE_OK) {
    return MakeError(path_, failed, "syncing the file");
  }
  const std::string parent = std::filesystem::path(path_).parent_path().string();
  const int folder =
      ::open(parent.empty() ? "." : parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0)
    return SystemError(fmt::format("opening the folder of ledger '{}'", path_), errno);
  const int synced = ::fsync(folder);
  const int why = errno;
  ::close(folder);
  if (synced != 0) return SystemError(fmt::format("syncing the folder of ledger '{}'", path_), why);
  return Ok();
}

Error Connection::LastError() const {
  return MakeError(path_, sqlite3_extended_errcode(handle_.get()), sqlite3_errmsg(handle_.get()));
}

}  // namespace sluice::sqlite
