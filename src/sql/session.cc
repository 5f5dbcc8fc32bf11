// One connection. Statements run one after the other: each is prepared only when those before it
// have run, because it may need what they made.
#include "sql/session.h"

#include <fmt/format.h>

#include <set>
#include <utility>

#include "base/text.h"
#include "sql/cell.h"
#include "sql/classify.h"
#include "sql/kept.h"
#include "sql/stand_ins.h"

namespace sluice::sql {
namespace {

const char* OrEmpty(const char* text) { return text == nullptr ? "" : text; }

Status RefuseNul(std::string_view text) {
  if (text.find('\0') == std::string_view::npos) return Ok();
  return ConfigError({}, "the SQL contains a NUL byte; remove it");
}

Error MissingValue(std::string_view name, const std::vector<Bound>& bound) {
  std::vector<std::string> known;
  for (const Bound& value : bound) known.push_back("$" + value.name);
  const auto nearest = Nearest("$" + std::string(name), known);
  return ConfigError({}, fmt::format("no value is given for '${}'; {}", name,
                                     nearest         ? fmt::format("did you mean '{}'?", *nearest)
                                     : known.empty() ? std::string("no values are given here")
                                                     : "known are " + Join(known, ", ")));
}

class DuckSession final : public Session {
 public:
  DuckSession(Line line, Shared& shared) : line_(std::move(line)), shared_(shared) {}
  ~DuckSession() override {
    if (as_new_ && !in_transaction_) shared_.idle.Give(std::move(line_));
  }

  Result<uint64_t> Execute(std::string_view text, const std::vector<Bound>& bound,
                           std::stop_token stop) override {
    return Changed(TRY(RunAll(text, bound, stop)));
  }

  Result<uint64_t> ExecuteInside(std::string_view text, const std::vector<Bound>& bound,
                                 std::stop_token stop) override {
    return Changed(TRY(RunAll(text, bound, stop, Control::kRefused)));
  }

  Result<Rows> Query(std::string_view text, const std::vector<Bound>& bound,
                     std::stop_token stop) override {
    auto result = TRY(RunAll(text, bound, stop));
    return Read(result);
  }

  Status Stream(std::string_view text, const std::function<Status(const Rows&)>& take,
                std::stop_token stop) override {
    TRY(RefuseNul(text));
    as_new_ = false;
    StatementHandle statement;
    if (duckdb_prepare(line_.connection.get(), std::string(text).c_str(), statement.out()) ==
        DuckDBError)
      return Failed(OrEmpty(duckdb_prepare_error(statement.get())));
    if (stop.stop_requested()) return CancelledError();
    ResultHandle result;
    const Interrupter::Watch watch(shared_.interrupter, line_.connection.get(), stop);
    if (duckdb_execute_prepared_streaming(statement.get(), result.out()) == DuckDBError)
      return Failed(OrEmpty(duckdb_result_error(result.out())));
    const std::vector<TypeHandle> types = TypesOf(result);
    Rows rows{.schema = SchemaOf(result, types), .rows = {}};
    while (TRY(Fetch(result, types, rows))) {
      TRY(take(rows));
      rows.rows.clear();
    }
    return Ok();
  }

  Result<Schema> Describe(std::string_view text, const std::vector<Bound>& bound,
                          int64_t* error_offset) override {
    if (error_offset != nullptr) *error_offset = -1;
    TRY(RefuseNul(text));
    StatementHandle statement;
    if (duckdb_prepare(line_.connection.get(), std::string(text).c_str(), statement.out()) ==
        DuckDBError) {
      const char* message = OrEmpty(duckdb_prepare_error(statement.get()));
      if (error_offset != nullptr) *error_offset = ReadComplaint(message).position;
      return OfUserSql(ErrorFrom(message));
    }
    TRY(Bind(statement.get(), bound));
    return SchemaOf(statement.get());
  }

  Result<std::optional<Schema>> Table(const std::string& catalog, const std::string& schema,
                                      const std::string& name) override {
    for (const std::string* part : {&catalog, &schema, &name}) TRY(RefuseNul(*part));
    TableDescriptionHandle table;
    if (duckdb_table_description_create_ext(line_.connection.get(), catalog.c_str(), schema.c_str(),
                                            name.c_str(), table.out()) == DuckDBError) {
      return std::optional<Schema>();
    }
    Schema columns;
    for (idx_t i = 0; i < duckdb_table_description_get_column_count(table.get()); ++i) {
      const TextHandle column(duckdb_table_description_get_column_name(table.get(), i));
      const TypeHandle type(duckdb_table_description_get_column_type(table.get(), i));
      columns.push_back({column.get(), NameOfType(type.get()), false, ""});
    }
    return std::optional<Schema>(std::move(columns));
  }

  Result<std::string> Type(std::string_view text) override {
    if (auto known = shared_.known.types.Find(text)) return *std::move(known);
    const Schema one =
        TRY(Describe(fmt::format("SELECT CAST(NULL AS {}) AS c", text), {}, nullptr));
    if (one.size() != 1 || one[0].name != "c")
      return ConfigError({}, fmt::format("'{}' is more than a type", text));
    shared_.known.types.Keep(text, one[0].type);
    return one[0].type;
  }

  Result<std::string> Tree(std::string_view text) override {
    const StandIns stand_ins(text);
    if (auto known = shared_.known.trees.Find(stand_ins.text())) return stand_ins.Back(*known);
    const Rows rows =
        TRY(Query("SELECT json_serialize_sql(CAST($text AS VARCHAR), skip_null := true)",
                  {{.name = "text", .type = "VARCHAR", .text = stand_ins.text()}}, {}));
    if (rows.rows.size() != 1 || rows.rows[0].size() != 1)
      return InternalError("DuckDB's parser gave no answer");
    shared_.known.trees.Keep(stand_ins.text(), rows.rows[0][0].text);
    return stand_ins.Back(rows.rows[0][0].text);
  }

  Result<Rows> QueryKept(std::string_view text, const std::vector<Bound>& bound) {
    auto result = TRY(RunKept(text, bound));
    return Read(result);
  }

  Result<uint64_t> ExecuteKept(std::string_view text, const std::vector<Bound>& bound) {
    if (line_.given == nullptr) line_.given = std::make_unique<GivenOfLine>(shared_.given);
    line_.given->Set(bound);
    return Changed(TRY(RunKept(line_.given->Asking(std::string(text), bound), {})));
  }

  double Progress() override {
    const double percent = duckdb_query_progress(line_.connection.get()).percentage;
    return percent < 0 ? -1 : percent / 100;
  }

  Status Begin() override {
    TRY(RunKept("BEGIN TRANSACTION", {}));
    in_transaction_ = true;
    return Ok();
  }

  Status Commit() override {
    auto done = RunKept("COMMIT", {});
    if (done.ok()) {
      in_transaction_ = false;
      return Ok();
    }
    Error error = std::move(done).error();
    // What failed to be written may have been written all the same.
    if (last_type_ == "IO" || last_type_ == "FATAL") error.kind = ErrorKind::kUnsettled;
    return std::move(error).While("committing");
  }

  Status Rollback() override {
    auto done = Execute("ROLLBACK", {}, {});
    if (done.ok() || done.error().message.find("no transaction is active") != std::string::npos) {
      return Ok();
    }
    return std::move(done).error().While("rolling back");
  }

 private:
  enum class Control : uint8_t { kAllowed, kRefused };  // of transactions

  static uint64_t Changed(ResultHandle result) {
    const bool counts = duckdb_result_return_type(result.get()) == DUCKDB_RESULT_TYPE_CHANGED_ROWS;
    return counts ? duckdb_rows_changed(result.out()) : uint64_t{0};
  }

  Result<ResultHandle> RunAll(std::string_view text, const std::vector<Bound>& bound,
                              const std::stop_token& stop, Control control = Control::kAllowed) {
    TRY(RefuseNul(text));
    StatementsHandle statements;
    const std::string copy(text);
    const idx_t count =
        duckdb_extract_statements(line_.connection.get(), copy.c_str(), statements.out());
    ResultHandle last;
    if (count == 0) {
      const char* message = duckdb_extract_statements_error(statements.get());
      if (message != nullptr) return Failed(message);
    }
    for (idx_t i = 0; i < count; ++i) {
      StatementHandle statement;
      if (duckdb_prepare_extracted_statement(line_.connection.get(), statements.get(), i,
                                             statement.out()) == DuckDBError) {
        return Failed(OrEmpty(duckdb_prepare_error(statement.get())));
      }
      const duckdb_statement_type type = duckdb_prepared_statement_type(statement.get());
      as_new_ = as_new_ && control == Control::kAllowed && LeavesNothing(type);
      if (control == Control::kRefused && type == DUCKDB_STATEMENT_TYPE_TRANSACTION) {
        return ConfigError({},
                           "the statement ends the transaction it runs in; leave BEGIN, COMMIT and "
                           "ROLLBACK out: the step is one transaction by itself");
      }
      TRY(Bind(statement.get(), bound));
      last = TRY(Run(statement.get(), stop));
    }
    return last;
  }

  // Behind it the connection is as it was, apart from a transaction that Begin has begun.
  static bool LeavesNothing(duckdb_statement_type type) {
    return type == DUCKDB_STATEMENT_TYPE_SELECT || type == DUCKDB_STATEMENT_TYPE_INSERT ||
           type == DUCKDB_STATEMENT_TYPE_UPDATE || type == DUCKDB_STATEMENT_TYPE_DELETE;
  }

  Result<ResultHandle> RunKept(std::string_view text, const std::vector<Bound>& bound) {
    constexpr size_t kMost = 64;
    auto found = line_.kept.find(text);
    if (found == line_.kept.end()) {
      TRY(RefuseNul(text));
      StatementHandle statement;
      if (duckdb_prepare(line_.connection.get(), std::string(text).c_str(), statement.out()) ==
          DuckDBError)
        return Failed(OrEmpty(duckdb_prepare_error(statement.get())));
      if (line_.kept.size() >= kMost) line_.kept.clear();
      found = line_.kept.emplace(text, std::move(statement)).first;
    }
    TRY(Bind(found->second.get(), bound));
    return Run(found->second.get(), {});
  }

  Result<ResultHandle> Run(duckdb_prepared_statement statement, const std::stop_token& stop) {
    if (stop.stop_requested()) return CancelledError();
    ResultHandle result;
    const Interrupter::Watch watch(shared_.interrupter, line_.connection.get(), stop);
    if (duckdb_execute_prepared(statement, result.out()) == DuckDBError) {
      return Failed(OrEmpty(duckdb_result_error(result.out())));
    }
    return result;
  }

  Error Failed(const char* message) {
    as_new_ = false;
    last_type_ = ReadComplaint(message).type;
    return ErrorFrom(message);
  }

  // Anything that is wrong before a statement runs is wrong in its text, except what the outside
  // world did.
  static Error OfUserSql(Error error) {
    if (error.kind == ErrorKind::kData || error.kind == ErrorKind::kRejected) {
      error.kind = ErrorKind::kConfig;
    }
    return error;
  }

  static Status Bind(duckdb_prepared_statement statement, const std::vector<Bound>& bound) {
    const idx_t count = duckdb_nparams(statement);
    for (idx_t i = 1; i <= count; ++i) {
      const TextHandle name(const_cast<char*>(duckdb_parameter_name(statement, i)));
      TRY(BindOne(statement, i, name.get(), bound));
    }
    return Ok();
  }

  static Status BindOne(duckdb_prepared_statement statement, idx_t index, std::string_view name,
                        const std::vector<Bound>& bound) {
    for (const Bound& value : bound) {
      if (ToLower(value.name) != ToLower(name)) continue;
      const duckdb_state state =
          value.text
              ? duckdb_bind_varchar_length(statement, index, value.text->data(), value.text->size())
              : duckdb_bind_null(statement, index);
      if (state == DuckDBSuccess) return Ok();
      return DataError(fmt::format("the value of '${}' is not valid UTF-8", name));
    }
    return MissingValue(name, bound);
  }

  Result<Schema> SchemaOf(duckdb_prepared_statement statement) {
    Schema schema;
    for (idx_t i = 0; i < duckdb_prepared_statement_column_count(statement); ++i) {
      const TextHandle name(const_cast<char*>(duckdb_prepared_statement_column_name(statement, i)));
      const TypeHandle type(duckdb_prepared_statement_column_logical_type(statement, i));
      schema.push_back({name.get(), NameOfType(type.get()), false, ""});
      if (schema.back().type == "UNKNOWN") {
        return ConfigError({},
                           "the types of the columns depend on a parameter without a type; "
                           "write CAST($name AS type)");
      }
    }
    return schema;
  }

  static std::vector<TypeHandle> TypesOf(ResultHandle& result) {
    std::vector<TypeHandle> types;
    for (idx_t i = 0; i < duckdb_column_count(result.out()); ++i)
      types.emplace_back(duckdb_column_logical_type(result.out(), i));
    return types;
  }

  Schema SchemaOf(ResultHandle& result, const std::vector<TypeHandle>& types) {
    Schema schema;
    for (idx_t i = 0; i < types.size(); ++i) {
      schema.push_back(
          {OrEmpty(duckdb_column_name(result.out(), i)), NameOfType(types[i].get()), false, ""});
    }
    return schema;
  }

  Result<Rows> Read(ResultHandle& result) {
    const std::vector<TypeHandle> types = TypesOf(result);
    Rows rows{.schema = SchemaOf(result, types), .rows = {}};
    while (TRY(Fetch(result, types, rows))) continue;
    return rows;
  }

  // Adds the next rows; false at the end.
  Result<bool> Fetch(ResultHandle& result, const std::vector<TypeHandle>& types, Rows& rows) {
    const ChunkHandle chunk(duckdb_fetch_chunk(result.get()));
    if (!chunk) {
      // Of rows that are computed while they are fetched, an error looks like their end.
      const char* message = duckdb_result_error(result.out());
      if (message != nullptr && *message != '\0') return Failed(message);
      return false;
    }
    for (idx_t row = 0; row < duckdb_data_chunk_get_size(chunk.get()); ++row)
      rows.rows.push_back(TRY(ReadRow(chunk.get(), types, row)));
    return true;
  }

  static Result<std::vector<Cell>> ReadRow(duckdb_data_chunk chunk,
                                           const std::vector<TypeHandle>& types, idx_t row) {
    std::vector<Cell> cells;
    cells.reserve(types.size());
    for (idx_t i = 0; i < types.size(); ++i) {
      cells.push_back(TRY(ReadCell(duckdb_data_chunk_get_vector(chunk, i), types[i].get(), row)));
    }
    return cells;
  }

  std::string NameOfType(duckdb_logical_type type) {
    return TypeName(type, [this](std::string_view word) { return IsKeyword(word); });
  }

  bool IsKeyword(std::string_view word) {
    if (line_.keywords.empty()) LoadKeywords();
    return line_.keywords.contains(word);
  }

  void LoadKeywords() {
    auto rows = Query("SELECT keyword_name FROM duckdb_keywords()", {}, {});
    if (!rows.ok()) return;  // then names are left as they are
    for (auto& row : rows.value().rows) line_.keywords.insert(std::move(row[0].text));
  }

  Line line_;
  Shared& shared_;
  bool as_new_ = true;  // nothing was done that a next session could notice
  bool in_transaction_ = false;
  std::string last_type_;
};

}  // namespace

std::unique_ptr<Session> MakeSession(Line line, Shared& shared) {
  return std::make_unique<DuckSession>(std::move(line), shared);
}

Result<Rows> QueryKept(Session& session, std::string_view text, const std::vector<Bound>& bound) {
  auto* ours = dynamic_cast<DuckSession*>(&session);
  return ours != nullptr ? ours->QueryKept(text, bound) : session.Query(text, bound);
}

Result<uint64_t> ExecuteKept(Session& session, std::string_view text,
                             const std::vector<Bound>& bound) {
  auto* ours = dynamic_cast<DuckSession*>(&session);
  return ours != nullptr ? ours->ExecuteKept(text, bound) : session.Execute(text, bound);
}

}  // namespace sluice::sql
