// The only door to SQLite: connections, statements, errors as values. A statement is prepared once
// per connection and kept; a Query gives it back when destroyed. A connection and what it prepared
// are used by one thread at a time.
#pragma once

#include <concepts>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace sluice::sqlite {

struct Blob {
  std::string_view bytes;
};

struct CloseConnection {
  void operator()(sqlite3* connection) const;
};
struct FinalizeStatement {
  void operator()(sqlite3_stmt* statement) const;
};
using StatementHandle = std::unique_ptr<sqlite3_stmt, FinalizeStatement>;

class Connection;

// A statement with its values bound, stepped row by row. What is bound must outlive it.
class Query {
 public:
  Query(const Connection& connection, sqlite3_stmt* statement, StatementHandle own)
      : connection_(&connection), statement_(statement), own_(std::move(own)) {}
  Query(Query&& other) noexcept
      : connection_(other.connection_),
        statement_(std::exchange(other.statement_, nullptr)),
        own_(std::move(other.own_)) {}
  Query& operator=(Query&&) = delete;
  ~Query();

  Result<bool> Next();  // false: no more rows
  int64_t Int(int column) const;
  std::string Text(int column) const;  // the bytes of a text or blob; empty for NULL

 private:
  friend class Connection;
  void Bind(int at, int64_t value);
  void Bind(int at, std::string_view text);
  void Bind(int at, Blob blob);
  template <std::integral Number>
  void Bind(int at, Number value) {
    Bind(at, static_cast<int64_t>(value));
  }

  const Connection* connection_;
  sqlite3_stmt* statement_;
  StatementHandle own_;  // only where the kept one is in use further up the stack
};

class Connection {
 public:
  enum class Mode : uint8_t { kWrite, kRead };

  // Creates the file (readable by its owner only) where Mode is kWrite.
  static Result<Connection> Open(const std::string& path, Mode mode);

  template <class... Values>
  Result<Query> Select(std::string_view sql, const Values&... values) {
    Query query = TRY(Prepare(sql));
    int at = 0;
    (query.Bind(++at, values), ...);
    return query;
  }
  template <class... Values>
  Status Execute(std::string_view sql, const Values&... values) {
    Query query = TRY(Select(sql, values...));
    while (TRY(query.Next())) {
    }
    return Ok();
  }
  // Several statements without values, not kept.
  Status Script(const std::string& sql);
  Result<int64_t> Number(std::string_view sql);  // the first column of the first row

  int64_t LastId() const;
  int64_t Changes() const;  // of the last statement
  int64_t TotalChanges() const;
  bool InTransaction() const;
  uint64_t LogBytes() const;  // of the write-ahead log
  bool SyncFailed() const;    // the last error was that of an fsync
  const std::string& path() const { return path_; }
  // Syncs the file and its folder, for a file that was made without.
  Status SyncFile();
  // kTransient where another process holds the file too long, kRejected for a damaged file or a
  // full disk.
  Error LastError() const;

 private:
  Connection(std::string path, sqlite3* handle) : path_(std::move(path)), handle_(handle) {}
  Result<Query> Prepare(std::string_view sql);

  std::string path_;
  std::unique_ptr<sqlite3, CloseConnection> handle_;
  std::map<std::string, StatementHandle, std::less<>> kept_;  // destroyed before the handle
};

// What a user of a damaged ledger is told.
Error DamagedError(const std::string& path, std::string_view why);

}  // namespace sluice::sqlite
