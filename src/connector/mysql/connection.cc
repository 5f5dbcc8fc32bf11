// See connection.h.
#include "connector/mysql/connection.h"

#include <errmsg.h>
#include <fmt/format.h>
#include <mysql.h>
#include <mysqld_error.h>
#include <signal.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <thread>
#include <utility>

#include "base/delayed.h"
#include "base/text.h"
#include "connector/mysql/pipe.h"
#include "connector/mysql/rows_text.h"
#include "connector/pieces.h"
#include "connector/tables/statement.h"

namespace sluice::mysql {
namespace {

using tables::Answer;
using tables::CellKind;
using tables::SentColumn;
using tables::Value;

constexpr size_t kPipeBytes = 8 << 20;
constexpr int kBinary = 63;  // the character set of what is no text
constexpr int kUnknownType = 242;
constexpr unsigned kQueryTimeout = 3024;  // MySQL's own ER_STATEMENT_TIMEOUT

// A write to a socket that is closed raises SIGPIPE: here it is an error like others.
class QuietPipe {
 public:
  QuietPipe() {
    sigemptyset(&set_);
    sigaddset(&set_, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &set_, &before_);
  }
  ~QuietPipe() {
    constexpr timespec kNow{};
    if (sigismember(&before_, SIGPIPE) == 0) {
      while (sigtimedwait(&set_, nullptr, &kNow) > 0) {
      }
    }
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  QuietPipe(const QuietPipe&) = delete;
  QuietPipe& operator=(const QuietPipe&) = delete;

 private:
  sigset_t set_, before_;
};

struct Freed {
  void operator()(MYSQL* handle) const {
    const QuietPipe quiet;
    mysql_close(handle);
  }
  void operator()(MYSQL_RES* result) const { mysql_free_result(result); }
};
using Held = std::unique_ptr<MYSQL_RES, Freed>;

bool IsLost(unsigned code) {
  for (const unsigned lost : {CR_SERVER_GONE_ERROR, CR_SERVER_LOST, CR_SERVER_LOST_EXTENDED}) {
    if (code == lost) return true;
  }
  return code == ER_SERVER_SHUTDOWN || code == 1927;  // the server has ended the connection
}

ErrorKind KindOf(unsigned code, std::string_view state) {
  if (IsLost(code)) return ErrorKind::kTransient;
  switch (code) {
    case CR_CONNECTION_ERROR:
    case CR_CONN_HOST_ERROR:
    case CR_UNKNOWN_HOST:
    case ER_CON_COUNT_ERROR:
    case ER_LOCK_WAIT_TIMEOUT:
    case ER_LOCK_DEADLOCK:
    case ER_TABLE_DEF_CHANGED:
    case ER_QUERY_INTERRUPTED:
      return ErrorKind::kTransient;
    case ER_DBACCESS_DENIED_ERROR:
    case ER_ACCESS_DENIED_ERROR:
    case ER_BAD_DB_ERROR:
    case ER_TABLEACCESS_DENIED_ERROR:
    case ER_COLUMNACCESS_DENIED_ERROR:
    case ER_SPECIFIC_ACCESS_DENIED_ERROR:
    case ER_NOT_ALLOWED_COMMAND:
      return ErrorKind::kRejected;
    default:
      break;
  }
  const std::string_view kind = state.substr(0, 2);
  if (kind == "40" || kind == "08") return ErrorKind::kTransient;
  // What a trigger signals, a check of MySQL's, a row that no partition takes: of a row as well.
  if (kind == "22" || kind == "23" || state == "45000") return ErrorKind::kData;
  if (code == 3819 || code == ER_NO_PARTITION_FOR_GIVEN_VALUE ||
      code == ER_TRUNCATED_WRONG_VALUE_FOR_FIELD)
    return ErrorKind::kData;
  return kind == "42" ? ErrorKind::kConfig : ErrorKind::kRejected;
}

// The name of a result's type, as the catalog would write it.
std::string ShownType(const MYSQL_FIELD& field) {
  MARIADB_CONST_STRING extra{};
  for (const auto kind : {MARIADB_FIELD_ATTR_DATA_TYPE_NAME, MARIADB_FIELD_ATTR_FORMAT_NAME}) {
    if (mariadb_field_attr(&extra, &field, kind) == 0 && extra.length > 0)
      return std::string(extra.str, extra.length);
  }
  const bool bytes = field.charsetnr == kBinary;
  const bool is_unsigned = (field.flags & UNSIGNED_FLAG) != 0;
  const auto whole = [&](const char* name) {
    return std::string(name) + (is_unsigned ? " unsigned" : "");
  };
  if ((field.flags & ENUM_FLAG) != 0) return "enum";
  if ((field.flags & SET_FLAG) != 0) return "set";
  switch (static_cast<int>(field.type)) {
    case MYSQL_TYPE_DECIMAL:
    case MYSQL_TYPE_NEWDECIMAL:
      return fmt::format("decimal({},{})",
                         field.length - (field.decimals > 0 ? 1 : 0) - (is_unsigned ? 0 : 1),
                         field.decimals);
    case MYSQL_TYPE_TINY:
      return whole("tinyint");
    case MYSQL_TYPE_SHORT:
      return whole("smallint");
    case MYSQL_TYPE_INT24:
      return whole("mediumint");
    case MYSQL_TYPE_LONG:
      return whole("int");
    case MYSQL_TYPE_LONGLONG:
      return whole("bigint");
    case MYSQL_TYPE_FLOAT:
      return "float";
    case MYSQL_TYPE_DOUBLE:
      return "double";
    case MYSQL_TYPE_NULL:
      return "null";
    case MYSQL_TYPE_TIMESTAMP:
    case MYSQL_TYPE_TIMESTAMP2:
      return "timestamp";
    case MYSQL_TYPE_DATE:
    case MYSQL_TYPE_NEWDATE:
      return "date";
    case MYSQL_TYPE_TIME:
    case MYSQL_TYPE_TIME2:
      return "time";
    case MYSQL_TYPE_DATETIME:
    case MYSQL_TYPE_DATETIME2:
      return "datetime";
    case MYSQL_TYPE_YEAR:
      return "year";
    case MYSQL_TYPE_BIT:
      return fmt::format("bit({})", field.length);
    case MYSQL_TYPE_JSON:
      return "json";
    case MYSQL_TYPE_STRING:
      return bytes ? "binary" : "char";
    case MYSQL_TYPE_VARCHAR:
    case MYSQL_TYPE_VAR_STRING:
      return bytes ? "varbinary" : "varchar";
    case MYSQL_TYPE_TINY_BLOB:
    case MYSQL_TYPE_MEDIUM_BLOB:
    case MYSQL_TYPE_LONG_BLOB:
    case MYSQL_TYPE_BLOB:
      return bytes ? "longblob" : "longtext";
    case MYSQL_TYPE_GEOMETRY:
      return "geometry";
    case kUnknownType:
      return "vector";
    default:
      return fmt::format("type {}", static_cast<int>(field.type));
  }
}

// What "Records: 3  Deleted: 0  Skipped: 0  Warnings: 0" says.
struct LoadCounts {
  uint64_t records = 0, deleted = 0, skipped = 0, warnings = 0;
};
LoadCounts ReadCounts(const char* info) {
  LoadCounts counts;
  if (info == nullptr) return counts;
  unsigned long records = 0, deleted = 0, skipped = 0, warnings = 0;
  std::sscanf(info, "Records: %lu Deleted: %lu Skipped: %lu Warnings: %lu", &records, &deleted,
              &skipped, &warnings);
  return {records, deleted, skipped, warnings};
}

// kConfig for statements that MySQL commits at, or that end the transaction by themselves; else how
// many there are.
Result<size_t> RefuseEnds(const std::string& text) {
  constexpr tables::Quoting kQuoting{.quotes = "'\"`", .backslashes = true, .hashes = true};
  constexpr std::array<std::string_view, 20> kEnds{
      "ALTER",    "ANALYZE", "BEGIN",    "COMMIT",   "CREATE", "DROP",   "FLUSH",
      "GRANT",    "INSTALL", "LOCK",     "OPTIMIZE", "RENAME", "REPAIR", "REVOKE",
      "ROLLBACK", "START",   "TRUNCATE", "UNLOCK",   "XA",     "CHECK"};
  const std::vector<std::string> beginnings = tables::Beginnings(text, kQuoting);
  for (const std::string& beginning : beginnings) {
    const std::string first = beginning.substr(0, beginning.find(' '));
    const bool temporary = beginning.find(" TEMPORARY") != std::string::npos;
    if (temporary || std::find(kEnds.begin(), kEnds.end(), first) == kEnds.end()) continue;
    return ConfigError(
        {},
        fmt::format("MySQL commits at {}, and the step is one transaction with its record: keep "
                    "such statements out of it; tables are made by hand, or by a load",
                    beginning));
  }
  return beginnings.size();
}

class MysqlConnection final : public Connection {
 public:
  MysqlConnection(std::string shown, std::function<void(int64_t)> kill)
      : shown_(std::move(shown)), kill_(std::move(kill)) {}
  ~MysqlConnection() override {
    // What a reader has not taken would be read to its end.
    if (reading_ != nullptr) Shut();
    reading_.reset();
    handle_.reset();
    if (cancelled_ && kill_) kill_(process_);
  }

  Status Open(const Settings& settings, const Secret& password, const std::stop_token& stop) {
    TRY(NeedLibrary("libmariadb"));
    static const bool kReady = mysql_library_init(0, nullptr, nullptr) == 0;
    handle_.reset(kReady ? mysql_init(nullptr) : nullptr);
    if (handle_ == nullptr) return InternalError("libmariadb has no memory for a connection");
    if (stop.stop_requested()) return CancelledError();
    SetOptions(settings);
    const bool socket = StartsWith(settings.host.text, "/");
    const QuietPipe quiet;
    if (mysql_real_connect(handle_.get(), socket ? nullptr : settings.host.text.c_str(),
                           settings.user.text.c_str(), std::string(password.Open()).c_str(),
                           settings.database.text.c_str(), static_cast<unsigned>(settings.port),
                           socket ? settings.host.text.c_str() : nullptr,
                           CLIENT_FOUND_ROWS | CLIENT_LOCAL_FILES) == nullptr) {
      Error error = LastError();
      return std::move(error).While("connecting to " + shown_);
    }
    // The library would go on in the clear where the server has no TLS.
    const bool must = settings.tls == "require" || settings.tls == "verify";
    if (must && mysql_get_ssl_cipher(handle_.get()) == nullptr) {
      return RejectedError(
          fmt::format("connecting to {}: the server does not support TLS, and the "
                      "connection says tls: {}",
                      shown_, settings.tls));
    }
    process_ = static_cast<int64_t>(mysql_thread_id(handle_.get()));
    const char* version = mysql_get_server_info(handle_.get());
    mariadb_ = version != nullptr && std::string_view(version).find("MariaDB") != std::string::npos;
    mysql_set_local_infile_handler(handle_.get(), &OnFileOpened, &OnFileRead, &OnFileClosed,
                                   &OnFileError, this);
    return Configure(settings, stop);
  }

  Result<Answer> Run(const std::string& text, std::stop_token stop) override {
    TRY(Send(text, stop));
    const Cancelling cancelling(*this, stop);
    const QuietPipe quiet;
    Answer answer;
    const Held result(mysql_store_result(handle_.get()));
    if (result == nullptr && mysql_field_count(handle_.get()) != 0) return Refused(stop);
    if (result == nullptr) {
      answer.changed = mysql_affected_rows(handle_.get());
      return answer;
    }
    const unsigned count = mysql_num_fields(result.get());
    while (MYSQL_ROW row = mysql_fetch_row(result.get())) {
      const unsigned long* lengths = mysql_fetch_lengths(result.get());
      std::vector<Value> values;
      for (unsigned i = 0; i < count; ++i)
        values.push_back(row[i] == nullptr ? Value() : Value(std::string(row[i], lengths[i])));
      answer.rows.push_back(std::move(values));
    }
    return answer;
  }

  Result<uint64_t> RunScript(const std::string& text, std::stop_token stop) override {
    const size_t statements = TRY(RefuseEnds(text));
    const bool open = (handle_->server_status & SERVER_STATUS_IN_TRANS) != 0;
    mysql_set_server_option(handle_.get(), MYSQL_OPTION_MULTI_STATEMENTS_ON);
    auto changed = RunAll(text, statements, stop);
    if (!lost_) mysql_set_server_option(handle_.get(), MYSQL_OPTION_MULTI_STATEMENTS_OFF);
    const uint64_t rows = TRY(std::move(changed));
    if (open && (handle_->server_status & SERVER_STATUS_IN_TRANS) == 0) {
      return ConfigError({},
                         "a statement (of a procedure) has ended the transaction it runs in; the "
                         "step is one transaction with its record: leave such statements out");
    }
    return rows;
  }

  Status Begin() override { return Plain("START TRANSACTION"); }

  Status Commit() override {
    auto done = Plain("COMMIT");
    if (done.ok()) return done;
    Error error = std::move(done).error();
    if (lost_) error.kind = ErrorKind::kUnsettled;
    return std::move(error).While("committing");
  }

  Status Rollback() override {
    if (lost_ || (handle_->server_status & SERVER_STATUS_IN_TRANS) == 0) return Ok();
    return Plain("ROLLBACK");
  }

  Status StartRead(const std::string& text, std::stop_token stop) override {
    TRY(Send(text, stop));
    reading_.reset(mysql_use_result(handle_.get()));
    if (reading_ == nullptr) return Refused(stop);
    bytes_.clear();
    const unsigned count = mysql_num_fields(reading_.get());
    const MYSQL_FIELD* fields = mysql_fetch_fields(reading_.get());
    for (unsigned i = 0; i < count; ++i) bytes_.push_back(IsBytes(ReadType(ShownType(fields[i]))));
    return Ok();
  }

  Result<bool> Read(Block& block, std::stop_token stop) override {
    const Cancelling cancelling(*this, stop);
    const QuietPipe quiet;
    while (block.bytes.size() < kPieceBlockBytes) {
      const MYSQL_ROW row = mysql_fetch_row(reading_.get());
      if (row == nullptr) {
        if (mysql_errno(handle_.get()) != 0) return Refused(stop);
        reading_.reset();
        return false;
      }
      const unsigned long* lengths = mysql_fetch_lengths(reading_.get());
      for (size_t i = 0; i < bytes_.size(); ++i) {
        if (row[i] == nullptr) {
          tables::AppendNull(block.bytes);
        } else {
          tables::AppendBytes(block.bytes, bytes_[i] ? CellKind::kBlob : CellKind::kText,
                              {row[i], lengths[i]});
        }
      }
      ++block.records;
    }
    return true;
  }

  Result<uint64_t> Fill(const std::string& table, const std::vector<SentColumn>& columns,
                        std::optional<int64_t> epoch, const tables::Outgoing& rows,
                        std::stop_token stop) override;

  Result<std::vector<ResultColumn>> ColumnsOf(const std::string& select,
                                              std::stop_token stop) override {
    TRY(Send(select, stop));
    const Held result(mysql_store_result(handle_.get()));
    if (result == nullptr) return Refused(stop);
    std::vector<ResultColumn> columns;
    const MYSQL_FIELD* fields = mysql_fetch_fields(result.get());
    for (unsigned i = 0; i < mysql_num_fields(result.get()); ++i)
      columns.push_back({fields[i].name, ShownType(fields[i])});
    return columns;
  }

  bool mariadb() const override { return mariadb_; }
  int error_number() const override { return static_cast<int>(code_); }
  std::string code() const override { return code_ == 0 ? "" : fmt::format("error {}", code_); }
  bool duplicate() const override { return code_ == ER_DUP_ENTRY || code_ == 1586; }
  bool lost() const override { return lost_; }
  int64_t process() const override { return process_; }

 private:
  // While it lives a stop closes the socket.
  class Cancelling {
   public:
    Cancelling(MysqlConnection& connection, const std::stop_token& stop)
        : callback_(stop, [&connection] { connection.Shut(); }) {}

   private:
    std::stop_callback<std::function<void()>> callback_;
  };

  void Shut() { ::shutdown(mysql_get_socket(handle_.get()), SHUT_RDWR); }

  void SetOptions(const Settings& settings) {
    MYSQL* const handle = handle_.get();
    const auto seconds = static_cast<unsigned>(
        std::max<int64_t>(1, (settings.connect_timeout.count() + 999'999) / 1'000'000));
    const unsigned tcp = MYSQL_PROTOCOL_TCP, local = 1;
    const my_bool yes = 1, no = 0;
    mysql_options(handle, MYSQL_OPT_CONNECT_TIMEOUT, &seconds);
    if (!StartsWith(settings.host.text, "/")) mysql_options(handle, MYSQL_OPT_PROTOCOL, &tcp);
    mysql_options(handle, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    mysql_options(handle, MYSQL_OPT_RECONNECT, &no);
    mysql_options(handle, MYSQL_OPT_LOCAL_INFILE, &local);
    mysql_optionsv(handle, MYSQL_OPT_CONNECT_ATTR_ADD, "program_name", "sluice");
    // None that hands the password over as it is.
    mysql_options(handle, MARIADB_OPT_RESTRICTED_AUTH,
                  "mysql_native_password,caching_sha2_password,sha256_password,client_ed25519");
    if (settings.tls == "off") return;
    mysql_ssl_set(handle, nullptr, nullptr,
                  settings.tls_root.empty() ? nullptr : settings.tls_root.c_str(), nullptr,
                  nullptr);
    mysql_options(handle, MYSQL_OPT_SSL_ENFORCE, settings.tls == "prefer" ? &no : &yes);
    mysql_options(handle, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, settings.tls == "verify" ? &yes : &no);
  }

  Status Configure(const Settings& settings, const std::stop_token& stop) {
    // The strict mode is ours, whatever the server's: nothing is cut or made up. Long timeouts:
    // rows may take their time to be computed.
    TRY(
        Run("SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO,"
            "NO_ENGINE_SUBSTITUTION,ERROR_FOR_DIVISION_BY_ZERO', time_zone = '+00:00', "
            "net_read_timeout = 28800, net_write_timeout = 28800, wait_timeout = 28800, "
            "lock_wait_timeout = 30, innodb_lock_wait_timeout = 30, group_concat_max_len = 1048576",
            stop));
    TRY(Run("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED", stop));
    if (settings.statement_timeout.count() == 0) return Ok();
    limit_ = settings.statement_timeout;
    const double limit = static_cast<double>(settings.statement_timeout.count()) / 1e6;
    TRY(Run(mariadb_ ? fmt::format("SET SESSION max_statement_time = {:.3f}", limit)
                     : fmt::format("SET SESSION max_execution_time = {:.0f}", limit * 1000),
            stop));
    return Ok();
  }

  Status Plain(const std::string& text) {
    TRY(Run(text, {}));
    return Ok();
  }

  Status Send(const std::string& text, const std::stop_token& stop) {
    if (stop.stop_requested()) return CancelledError();
    if (lost_) return TransientError("the connection to " + shown_ + " is lost");
    const Cancelling cancelling(*this, stop);
    const QuietPipe quiet;
    code_ = 0;
    if (mysql_real_query(handle_.get(), text.data(), text.size()) == 0) return Ok();
    return Refused(stop);
  }

  Result<uint64_t> RunAll(const std::string& text, size_t statements, const std::stop_token& stop) {
    TRY(Send(text, stop));
    const Cancelling cancelling(*this, stop);
    const QuietPipe quiet;
    uint64_t changed = 0;
    int next = 0;
    for (size_t i = 0; next == 0; ++i) {
      const Held result(mysql_store_result(handle_.get()));
      if (result == nullptr && mysql_field_count(handle_.get()) != 0) return Refused(stop);
      // A comment after the last statement is one more to the server.
      if (i < statements)
        changed = result == nullptr ? mysql_affected_rows(handle_.get()) : uint64_t{0};
      next = mysql_next_result(handle_.get());
      if (next > 0) return Refused(stop);
    }
    return changed;
  }

  Error LastError() {
    code_ = mysql_errno(handle_.get());
    lost_ = lost_ || IsLost(code_);
    const std::string said = EscapeControl(mysql_error(handle_.get()));
    Error error = RejectedError(lost_ ? fmt::format("{}: {}", shown_, said) : said);
    error.kind = KindOf(code_, mysql_sqlstate(handle_.get()));
    if (code_ == ER_NOT_ALLOWED_COMMAND || code_ == 3948 || code_ == 4166) {
      error.message +=
          "; rows are sent with LOAD DATA LOCAL: let the server take it (SET GLOBAL local_infile = "
          "1)";
    }
    if ((code_ == ER_STATEMENT_TIMEOUT || code_ == kQueryTimeout) && limit_.count() > 0)
      error.message += "; the connection's statement_timeout is " + FormatDuration(limit_);
    return error;
  }

  // A stop that closed the socket is no error of the server's.
  Error Refused(const std::stop_token& stop) {
    Error error = LastError();
    if (!stop.stop_requested()) return error;
    lost_ = cancelled_ = true;
    return CancelledError();
  }

  // What the server asks us to read is never a file: only rows, and only when we send some.
  static int OnFileOpened(void** opened, const char*, void* self) {
    *opened = self;
    return static_cast<MysqlConnection*>(self)->pipe_ == nullptr ? 1 : 0;
  }
  static int OnFileRead(void* self, char* buffer, unsigned size) {
    Pipe* const pipe = static_cast<MysqlConnection*>(self)->pipe_;
    return pipe == nullptr ? -1 : pipe->Read({buffer, size});
  }
  static void OnFileClosed(void*) {}
  static int OnFileError(void*, char* message, unsigned size) {
    std::snprintf(message, size, "the rows ended before their end");
    return CR_UNKNOWN_ERROR;
  }

  Status RefuseWarnings(const LoadCounts& counts, uint64_t sent) {
    if (counts.warnings == 0 && counts.skipped == 0 && counts.deleted == 0) {
      if (counts.records == sent) return Ok();
      return InternalError(
          fmt::format("{} rows were sent, and the server took {}", sent, counts.records));
    }
    const Answer warnings = TRY(Run("SHOW WARNINGS LIMIT 3", {}));
    std::vector<std::string> said;
    for (const auto& row : warnings.rows) {
      if (code_ == 0 || row.at(1) == std::to_string(ER_DUP_ENTRY))
        code_ = static_cast<unsigned>(std::stoul(row.at(1).value_or("0")));
      said.push_back(EscapeControl(row.at(2).value_or("")));
    }
    return DataError(fmt::format("the server would not take the rows as they are: {}",
                                 said.empty() ? "it left some out" : Join(said, "; ")));
  }

  const std::string shown_;
  const std::function<void(int64_t)> kill_;
  std::unique_ptr<MYSQL, Freed> handle_;
  Held reading_;             // gone before the handle
  std::vector<bool> bytes_;  // of the columns that are read: no texts
  Pipe* pipe_ = nullptr;     // of the Fill that is under way
  int64_t process_ = 0;
  unsigned code_ = 0;
  std::chrono::microseconds limit_{0};  // of a statement; 0: none
  bool mariadb_ = false, lost_ = false, cancelled_ = false;
};

// DuckDB's workers make the text, a thread of its own sends it.
class Sending final : public tables::KeepingVessel {
 public:
  Sending(const RowsText& text, Pipe& pipe, std::stop_token stop)
      : text_(text), pipe_(pipe), stop_(std::move(stop)) {}

 private:
  Status Put(std::span<const sql::VectorView> columns, uint64_t rows) override {
    std::vector<char> bytes;
    bytes.reserve(rows * 64);
    TRY(text_.Append(columns, rows, bytes));
    if (pipe_.Push(std::move(bytes), stop_)) return Ok();
    return stop_.stop_requested() ? CancelledError() : TransientError("the server takes no more");
  }

  const RowsText& text_;
  Pipe& pipe_;
  const std::stop_token stop_;
};

Result<uint64_t> MysqlConnection::Fill(const std::string& table,
                                       const std::vector<SentColumn>& columns,
                                       std::optional<int64_t> epoch, const tables::Outgoing& rows,
                                       std::stop_token stop) {
  if (stop.stop_requested()) return CancelledError();
  const RowsText text(columns);
  std::vector<std::string> quoted;
  for (const SentColumn& column : columns) quoted.push_back(QuoteName(column.name));
  const std::string load = fmt::format(
      "LOAD DATA LOCAL INFILE 'rows' INTO TABLE {} CHARACTER SET utf8mb4 FIELDS TERMINATED BY "
      "'\\t' "
      "ESCAPED BY '\\\\' LINES TERMINATED BY '\\n' {}",
      table, text.Target(quoted, epoch ? fmt::format("{} = {}", kEpochColumn, *epoch) : ""));
  Pipe pipe(kPipeBytes);
  pipe_ = &pipe;
  Status loaded = Ok();
  LoadCounts counts;
  std::jthread sender([&] {
    loaded = Send(load, {});
    if (loaded.ok()) counts = ReadCounts(mysql_info(handle_.get()));
    pipe.Leave();
  });
  auto poured = tables::Pour(std::make_shared<Sending>(text, pipe, stop), columns, rows, stop);
  if (poured.ok()) {
    pipe.Close();
  } else {
    pipe.Break();
  }
  sender.join();
  pipe_ = nullptr;
  // What made the rows end is told, not that they ended.
  const bool ours = poured.ok() || poured.error().message == "the server takes no more";
  if (!loaded.ok() && ours) return std::move(loaded).error();
  const uint64_t sent = TRY(std::move(poured));
  TRY(RefuseWarnings(counts, sent));
  return sent;
}

}  // namespace

Result<std::unique_ptr<Connection>> Connect(const Settings& settings, const Secret& password,
                                            std::function<void(int64_t)> kill,
                                            std::stop_token stop) {
  auto connection = std::make_unique<MysqlConnection>(settings.Shown(), std::move(kill));
  TRY(connection->Open(settings, password, stop));
  return std::unique_ptr<Connection>(std::move(connection));
}

}  // namespace sluice::mysql
