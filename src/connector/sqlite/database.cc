// See database.h. The only file of the connectors that includes sqlite3.h.
#include "connector/sqlite/database.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <chrono>
#include <cmath>
#include <thread>
#include <utility>

#include "base/text.h"
#include "connector/pieces.h"
#include "connector/sqlite/types.h"
#include "connector/tables/sending.h"

namespace sluice::sqlite {
namespace {

using tables::Answer;
using tables::CellKind;
using tables::SentColumn;
using tables::Shape;
using tables::Value;

constexpr int kStepsBetweenLooks = 10'000;  // of SQLite's machine, between looks at the stop token

struct Freed {
  void operator()(sqlite3* handle) const { sqlite3_close_v2(handle); }
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using Statement = std::unique_ptr<sqlite3_stmt, Freed>;

ErrorKind KindOf(int code) {
  switch (code & 0xff) {
    case SQLITE_ERROR:
      return ErrorKind::kConfig;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_SCHEMA:
      return ErrorKind::kTransient;
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
    case SQLITE_TOOBIG:
      return ErrorKind::kData;
    case SQLITE_INTERRUPT:
      return ErrorKind::kCancelled;
    case SQLITE_MISUSE:
    case SQLITE_RANGE:
      return ErrorKind::kInternal;
    default:
      return ErrorKind::kRejected;
  }
}

std::string_view BytesOf(sqlite3_stmt* statement, int column) {
  const void* bytes = sqlite3_column_blob(statement, column);
  const auto size = static_cast<size_t>(sqlite3_column_bytes(statement, column));
  return bytes == nullptr ? std::string_view()
                          : std::string_view(static_cast<const char*>(bytes), size);
}

class File final : public Database {
 public:
  File(std::string shown, std::chrono::microseconds wait) : shown_(std::move(shown)), wait_(wait) {}

  Status OpenFile(const std::string& path, tables::Use use) {
    sqlite3* handle = nullptr;
    const int create = use == tables::Use::kWrite ? SQLITE_OPEN_CREATE : 0;
    const int code = sqlite3_open_v2(path.c_str(), &handle,
                                     SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | create, nullptr);
    handle_.reset(handle);
    if (code != SQLITE_OK) return LastError();
    sqlite3_extended_result_codes(handle, 1);
    sqlite3_busy_handler(handle, OnBusy, this);
    sqlite3_progress_handler(handle, kStepsBetweenLooks, OnProgress, this);
    // "x" is a column, or an error: never a text because no column has that name.
    sqlite3_db_config(handle, SQLITE_DBCONFIG_DQS_DML, 0, nullptr);
    TRY(Run("PRAGMA cache_size = -65536", {}));
    if (use == tables::Use::kRead) TRY(Run("PRAGMA query_only = 1", {}));
    TRY(Run("SELECT count(*) FROM sqlite_master", {}));  // a file of something else is told here
    return Ok();
  }

  Result<Answer> Run(const std::string& text, std::stop_token stop) override {
    stop_ = std::move(stop);
    const char* tail = nullptr;
    return Step(TRY(Prepare(text.c_str(), &tail)).get());
  }

  Result<uint64_t> RunScript(const std::string& text, std::stop_token stop) override {
    stop_ = std::move(stop);
    uint64_t changed = 0;
    const char* rest = text.c_str();
    while (true) {
      const char* tail = nullptr;
      const Statement statement = TRY(Prepare(rest, &tail));
      if (statement == nullptr && tail == rest) return changed;
      rest = tail;
      if (statement == nullptr) continue;  // only a comment
      TRY(RefuseEnd(statement.get()));
      changed = TRY(Step(statement.get())).changed;
    }
  }

  Status Begin() override { return Plain("BEGIN IMMEDIATE"); }

  Status Commit() override {
    auto done = Plain("COMMIT");
    if (done.ok()) return done;
    Error error = std::move(done).error();
    if ((sqlite3_extended_errcode(handle_.get()) & 0xff) == SQLITE_IOERR)
      error.kind = ErrorKind::kUnsettled;
    return std::move(error).While("committing");
  }

  Status Rollback() override {
    reading_.reset();
    if (sqlite3_get_autocommit(handle_.get()) != 0) return Ok();
    return Plain("ROLLBACK");
  }

  Status StartRead(const std::string& text, std::stop_token stop) override {
    stop_ = std::move(stop);
    const char* tail = nullptr;
    reading_ = TRY(Prepare(text.c_str(), &tail));
    return Ok();
  }

  Result<bool> Read(Block& block, std::stop_token stop) override {
    stop_ = std::move(stop);
    while (block.bytes.size() < kPieceBlockBytes) {
      if (stop_.stop_requested()) return CancelledError();
      const int code = sqlite3_step(reading_.get());
      if (code != SQLITE_ROW) {
        auto error = code == SQLITE_DONE ? std::optional<Error>() : LastError();
        reading_.reset();  // at once: it holds a lock of the file
        if (error) return *error;
        return false;
      }
      for (int i = 0; i < sqlite3_column_count(reading_.get()); ++i) AppendCell(block.bytes, i);
      ++block.records;
    }
    return true;
  }

  Result<uint64_t> Fill(const std::string& table, const std::vector<SentColumn>& columns,
                        std::optional<int64_t> epoch, const tables::Outgoing& rows,
                        std::stop_token stop) override;

  Result<std::vector<DeclaredColumn>> ColumnsOf(const std::string& select) override {
    const char* tail = nullptr;
    const Statement statement = TRY(Prepare(select.c_str(), &tail));
    std::vector<DeclaredColumn> columns;
    for (int i = 0; i < sqlite3_column_count(statement.get()); ++i) {
      const char* declared = sqlite3_column_decltype(statement.get(), i);
      columns.push_back(
          {sqlite3_column_name(statement.get(), i), declared == nullptr ? "" : declared});
    }
    return columns;
  }

  Result<std::string> CollationOf(const std::string& table, const std::string& column) override {
    const char* collation = nullptr;
    if (sqlite3_table_column_metadata(handle_.get(), "main", table.c_str(), column.c_str(), nullptr,
                                      &collation, nullptr, nullptr, nullptr) != SQLITE_OK)
      return LastError();
    return std::string(collation == nullptr ? "BINARY" : collation);
  }

  bool duplicate() const override {
    return refused_ == SQLITE_CONSTRAINT_UNIQUE || refused_ == SQLITE_CONSTRAINT_PRIMARYKEY ||
           refused_ == SQLITE_CONSTRAINT_ROWID;
  }
  std::string code() const override {
    return refused_ == SQLITE_OK ? "" : fmt::format("SQLite error {}", refused_);
  }
  bool lost() const override { return false; }

  Result<Statement> Prepare(const char* text, const char** tail) {
    sqlite3_stmt* statement = nullptr;
    const int code = sqlite3_prepare_v2(handle_.get(), text, -1, &statement, tail);
    Statement owned(statement);
    if (code != SQLITE_OK) return LastError();
    return owned;
  }

  Error LastError() {
    refused_ = handle_ == nullptr ? SQLITE_NOMEM : sqlite3_extended_errcode(handle_.get());
    const char* said = handle_ == nullptr ? "out of memory" : sqlite3_errmsg(handle_.get());
    Error error = RejectedError(fmt::format("'{}': {}", shown_, EscapeControl(said)));
    error.kind = KindOf(refused_);
    if (error.kind == ErrorKind::kCancelled) return CancelledError();
    if (error.kind == ErrorKind::kTransient) error.message += "; another program holds the file";
    if ((refused_ & 0xff) == SQLITE_FULL) error.message += "; free some space and run again";
    return error;
  }

 private:
  static int OnBusy(void* self, int tried) {
    auto* const file = static_cast<File*>(self);
    const auto now = std::chrono::steady_clock::now();
    if (tried == 0) file->busy_since_ = now;
    if (now - file->busy_since_ > file->wait_ || file->stop_.stop_requested()) return 0;
    std::this_thread::sleep_for(std::chrono::milliseconds(std::min(tried + 1, 25)));
    return 1;
  }
  static int OnProgress(void* self) {
    return static_cast<File*>(self)->stop_.stop_requested() ? 1 : 0;
  }

  Status Plain(const char* text) {
    stop_ = {};
    if (sqlite3_exec(handle_.get(), text, nullptr, nullptr, nullptr) == SQLITE_OK) return Ok();
    return LastError();
  }

  Result<Answer> Step(sqlite3_stmt* statement) {
    if (stop_.stop_requested()) return CancelledError();
    Answer answer;
    int code = SQLITE_DONE;
    while (statement != nullptr && (code = sqlite3_step(statement)) == SQLITE_ROW) {
      std::vector<Value> row;
      for (int i = 0; i < sqlite3_column_count(statement); ++i) {
        const bool null = sqlite3_column_type(statement, i) == SQLITE_NULL;
        const char* const text = reinterpret_cast<const char*>(sqlite3_column_text(statement, i));
        const auto size = static_cast<size_t>(sqlite3_column_bytes(statement, i));
        row.push_back(null || text == nullptr ? Value() : Value(std::string(text, size)));
      }
      answer.rows.push_back(std::move(row));
    }
    if (code != SQLITE_DONE) return LastError();
    if (statement != nullptr && sqlite3_stmt_readonly(statement) == 0)
      answer.changed = static_cast<uint64_t>(sqlite3_changes64(handle_.get()));
    return answer;
  }

  static Status RefuseEnd(sqlite3_stmt* statement) {
    const std::string text = ToLower(Trim(sqlite3_sql(statement)));
    for (const char* word : {"begin", "commit", "end", "rollback", "savepoint", "release"}) {
      const std::string_view after =
          std::string_view(text).substr(std::min(text.size(), std::string_view(word).size()));
      if (StartsWith(text, word) && (after.empty() || after[0] == ' ' || after[0] == ';')) {
        return ConfigError({},
                           "the statement ends the transaction it runs in; leave BEGIN, COMMIT and "
                           "ROLLBACK out: the step is one transaction by itself");
      }
    }
    return Ok();
  }

  void AppendCell(std::vector<char>& into, int column) {
    sqlite3_stmt* const statement = reading_.get();
    switch (sqlite3_column_type(statement, column)) {
      case SQLITE_NULL:
        return tables::AppendNull(into);
      case SQLITE_INTEGER:
        return tables::AppendWhole(into, sqlite3_column_int64(statement, column));
      case SQLITE_FLOAT:
        return tables::AppendReal(into, sqlite3_column_double(statement, column));
      case SQLITE_TEXT: {
        sqlite3_column_text(statement, column);  // as UTF-8, whatever the file has
        return tables::AppendBytes(into, CellKind::kText, BytesOf(statement, column));
      }
      default:
        return tables::AppendBytes(into, CellKind::kBlob, BytesOf(statement, column));
    }
  }

  const std::string shown_;
  const std::chrono::microseconds wait_;
  std::unique_ptr<sqlite3, Freed> handle_;
  Statement reading_;  // gone before the handle
  std::stop_token stop_;
  std::chrono::steady_clock::time_point busy_since_;
  int refused_ = SQLITE_OK;
};

// Rows into a prepared INSERT.
class Inserting final : public tables::KeepingVessel {
 public:
  Inserting(File& file, Statement statement, const std::vector<SentColumn>& columns)
      : file_(file), statement_(std::move(statement)), columns_(columns) {
    for (const SentColumn& column : columns_) {
      const bool decimal = ReadDecimal(column.cast).has_value();
      plans_.push_back({.shape = tables::ShapeOf(column.cast),
                        .zoned = column.cast == "TIMESTAMP WITH TIME ZONE",
                        .number = decimal && AffinityOf(column.to.shown) == Affinity::kNumeric});
    }
  }

 private:
  struct Plan {
    Shape shape;
    bool zoned, number;
  };

  Status Put(std::span<const sql::VectorView> columns, uint64_t rows) override {
    const MutexLock lock(mutex_);
    for (uint64_t row = 0; row < rows; ++row) {
      for (size_t i = 0; i < columns_.size(); ++i) TRY(Bind(i, columns[i], row));
      const int code = sqlite3_step(statement_.get());
      if (code != SQLITE_DONE) return file_.LastError();
      sqlite3_reset(statement_.get());
    }
    return Ok();
  }

  Status Bind(size_t column, const sql::VectorView& view, uint64_t row) {
    sqlite3_stmt* const to = statement_.get();
    const int at = static_cast<int>(column) + 1;
    if (view.Null(row)) {
      sqlite3_bind_null(to, at);
      return columns_[column].to.numbered ? MadeUp(column) : Ok();
    }
    switch (plans_[column].shape) {
      case Shape::kBool:
        sqlite3_bind_int(to, at, view.At<bool>(row) ? 1 : 0);
        return Ok();
      case Shape::kWhole:
        sqlite3_bind_int64(to, at, view.At<int64_t>(row));
        return Ok();
      case Shape::kUnsigned:
        return Text(column, std::to_string(view.At<uint64_t>(row)), SQLITE_TRANSIENT);
      case Shape::kFloat:
        return Real(column, static_cast<double>(view.At<float>(row)));
      case Shape::kDouble:
        return Real(column, view.At<double>(row));
      case Shape::kMoment:
        TRY(tables::CheckMoment(columns_[column], view.Text(row)));
        if (plans_[column].zoned)
          return Text(column, std::string(view.Text(row)) + "+00:00", SQLITE_TRANSIENT);
        return Text(column, view.Text(row), SQLITE_STATIC);
      case Shape::kText:
        if (plans_[column].number && !KeepsDigits(view.Text(row))) return Digits(column, view, row);
        return Text(column, view.Text(row), SQLITE_STATIC);
      case Shape::kBlob: {
        const std::string_view bytes = view.Text(row);
        sqlite3_bind_blob64(to, at, bytes.data(), bytes.size(), SQLITE_STATIC);
        return Ok();
      }
    }
    return Ok();
  }

  Status Text(size_t column, std::string_view text, sqlite3_destructor_type lives) {
    sqlite3_bind_text64(statement_.get(), static_cast<int>(column) + 1, text.data(), text.size(),
                        lives, SQLITE_UTF8);
    return Ok();
  }
  Status Real(size_t column, double value) {
    if (std::isnan(value)) {
      return DataError(
          fmt::format("column '{}': SQLite would make NULL of a NaN; make it one, or "
                      "filter it out (NOT isnan(…))",
                      columns_[column].name));
    }
    sqlite3_bind_double(statement_.get(), static_cast<int>(column) + 1, value);
    return Ok();
  }
  Status MadeUp(size_t column) const {
    return DataError(fmt::format(
        "column '{}' is the table's INTEGER PRIMARY KEY: SQLite would make up a number for NULL; "
        "give every row one, or leave the column out",
        columns_[column].name));
  }
  Status Digits(size_t column, const sql::VectorView& view, uint64_t row) const {
    return DataError(fmt::format(
        "column '{}': SQLite keeps 15 digits of a number in a column declared {}, and {} has more; "
        "declare it DECIMAL TEXT(…), which keeps them as a text",
        columns_[column].name, columns_[column].to.shown, view.Text(row)));
  }

  Mutex mutex_;
  File& file_;
  const Statement statement_;
  const std::vector<SentColumn> columns_;
  std::vector<Plan> plans_;
};

Result<uint64_t> File::Fill(const std::string& table, const std::vector<SentColumn>& columns,
                            std::optional<int64_t> epoch, const tables::Outgoing& rows,
                            std::stop_token stop) {
  std::vector<std::string> names, values;
  for (const SentColumn& column : columns) {
    names.push_back(QuoteIdentifier(column.name));
    values.push_back(fmt::format("?{}", values.size() + 1));
  }
  if (epoch) {
    names.push_back(QuoteIdentifier(kEpochColumn));
    values.push_back(std::to_string(*epoch));
  }
  stop_ = stop;
  const std::string text =
      fmt::format("INSERT INTO {} ({}) VALUES ({})", table, Join(names, ", "), Join(values, ", "));
  const char* tail = nullptr;
  auto statement = TRY(Prepare(text.c_str(), &tail));
  // Without a transaction each row would be one.
  const bool own = sqlite3_get_autocommit(handle_.get()) != 0;
  if (own) TRY(Plain("BEGIN"));
  stop_ = stop;
  auto poured = tables::Pour(std::make_shared<Inserting>(*this, std::move(statement), columns),
                             columns, rows, std::move(stop));
  if (own) TRY(Plain(poured.ok() ? "COMMIT" : "ROLLBACK"));
  return poured;
}

}  // namespace

Result<std::unique_ptr<Database>> Open(const std::string& path, const std::string& shown,
                                       const Settings& settings, tables::Use use) {
  auto file = std::make_unique<File>(shown, settings.wait);
  TRY(file->OpenFile(path, use).While("opening an SQLite file"));
  return std::unique_ptr<Database>(std::move(file));
}

}  // namespace sluice::sqlite
