// The one door to DuckDB: one in-memory instance per process, to which warehouse and state files
// are attached.
//
// Invariants: a file is attached at most once in a process, whatever path names it (device +
// inode), and nothing else in the process opens or closes it while it is attached (closing any
// descriptor of it would drop DuckDB's lock). A new file is created under a temporary name, synced
// and renamed, so that a kill never leaves one that cannot be opened. A Session is one connection,
// used by one thread, with at most one transaction that writes at most one attached file.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "data/schema.h"

namespace sluice::sql {

// A value given to a statement. It is referred to as `$name` in the text, always inside `CAST($name
// AS type)`.
struct Bound {
  std::string name;
  std::string type;
  std::optional<std::string> text;  // as DuckDB casts it from VARCHAR; nullopt: NULL

  auto operator<=>(const Bound&) const = default;
};

struct Cell {
  std::string text;
  bool null = false;

  auto operator<=>(const Cell&) const = default;
};
// A small result, all in memory, each value as DuckDB prints it.
struct Rows {
  Schema schema;
  std::vector<std::vector<Cell>> rows;
};

struct DatabaseOptions {
  uint64_t memory_bytes =
      0;                    // DuckDB's memory_limit; 0: DuckDB's own default (80 % of the machine)
  int threads = 0;          // 0: cores
  std::string temp_folder;  // for spilling; empty: no spilling
};

class Scans;      // sql/scan.h: table functions over our own decoders
class Taps;       // sql/tap.h: counting and diverting inside a query
class Vessels;    // sql/pour.h: rows of a query handed to us
class Exchanges;  // sql/exchange.h: rows of a query answered by us
class Turns;      // sql/turns.h: who may write what, one after the other
class Session;

enum class Access : uint8_t { kReadWrite, kReadOnly };

// A file is itself under every path: device and inode.
struct FileIdentity {
  uint64_t device = 0, inode = 0;

  auto operator<=>(const FileIdentity&) const = default;
};

class Database {  // any thread
 public:
  static Result<std::unique_ptr<Database>> Open(const DatabaseOptions& options);
  virtual ~Database() = default;

  virtual Result<std::unique_ptr<Session>> Connect() = 0;
  // Makes the file at `path` visible as `alias` to all sessions; creates it where it is missing
  // (kReadWrite). Attaching the same file again gives the alias it already has. A file held by
  // another process: kTransient, the message names its pid.
  virtual Result<std::string> Attach(const std::string& path, const std::string& alias,
                                     Access access) = 0;
  virtual Status Detach(const std::string& alias) = 0;
  virtual bool Holds(const FileIdentity& file) = 0;  // whether it is attached
  // The file that the last Attach was refused because another process has it open; nullopt: it was
  // not.
  virtual std::optional<FileIdentity> HeldElsewhere() = 0;
  virtual Scans& scans() = 0;
  virtual Taps& taps() = 0;
  virtual Vessels& vessels() = 0;
  virtual Exchanges& exchanges() = 0;
  virtual Turns& turns() = 0;
};

class Session {  // one thread; except Interrupt
 public:
  virtual ~Session() = default;

  // Runs one or more statements separated by `;`; the bound values may be used by each. Returns the
  // rows that the last one changed (INSERT, DELETE, UPDATE, COPY: count), 0 for others. Interrupted
  // every 20 ms once `stop` is requested (kCancelled).
  virtual Result<uint64_t> Execute(std::string_view text, const std::vector<Bound>& bound = {},
                                   std::stop_token stop = {}) = 0;
  // Execute, but a statement that would begin or end a transaction is refused (kConfig).
  virtual Result<uint64_t> ExecuteInside(std::string_view text,
                                         const std::vector<Bound>& bound = {},
                                         std::stop_token stop = {}) = 0;
  virtual Result<Rows> Query(std::string_view text, const std::vector<Bound>& bound = {},
                             std::stop_token stop = {}) = 0;
  // Gives the rows of one SELECT as they come, some thousand at a time. DuckDB computes at most
  // about a megabyte ahead of who takes them, and none of its threads waits for him. An error of
  // `take` ends the query.
  virtual Status Stream(std::string_view text, const std::function<Status(const Rows&)>& take,
                        std::stop_token stop = {}) = 0;
  // The columns that a SELECT gives, without running it. An error of the user's SQL is kConfig;
  // where it names a place, `error_offset` (if given) receives the byte offset in `text`, else -1.
  virtual Result<Schema> Describe(std::string_view text, const std::vector<Bound>& bound = {},
                                  int64_t* error_offset = nullptr) = 0;
  // The columns of a table, as the session's transaction sees it; nullopt: there is none of that
  // name (but perhaps a view). Far cheaper than any statement.
  virtual Result<std::optional<Schema>> Table(const std::string& catalog, const std::string& schema,
                                              const std::string& name) = 0;
  // The name that DuckDB gives a type; kConfig where the text is none.
  virtual Result<std::string> Type(std::string_view text) = 0;
  // The text as DuckDB's parser sees it, in JSON (json_serialize_sql).
  virtual Result<std::string> Tree(std::string_view text) = 0;
  // Share of the running query that is done, 0..1, or -1. Any thread.
  virtual double Progress() = 0;

  virtual Status Begin() = 0;
  virtual Status Commit() = 0;  // an I/O error here is kUnsettled: committed or not, ask the record
  virtual Status Rollback() = 0;  // fine where no transaction is open
};

// What DuckDB's message says the receiver must do: conflicts and locks kTransient, constraints and
// permissions kRejected, conversion and range errors kData, parser, binder and catalog errors
// kConfig, interrupts kCancelled, out of memory kRejected.
ErrorKind Classify(std::string_view duckdb_message);

std::string LibraryVersion();

}  // namespace sluice::sql
