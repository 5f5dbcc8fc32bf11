// See system.h.
#include "connector/mysql/system.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <utility>

#include "base/text.h"
#include "calendar/date.h"
#include "connector/mysql/connection.h"
#include "connector/mysql/types.h"
#include "connector/tables/statement.h"

namespace sluice::mysql {
namespace {

using tables::Answer;
using tables::Link;
using tables::TableColumn;
using tables::Target;

constexpr tables::Quoting kQuoting{.quotes = "'\"`", .backslashes = true, .hashes = true};
constexpr int64_t kMicrosPerDay = 86'400'000'000;
constexpr int kNoTable = 1146, kLockTimeout = 1205, kSettleSeconds = 2;
constexpr int kIndexedCharacters = 100;  // of a text, in the index of a stage
constexpr std::chrono::seconds kKillPatience{3};
constexpr int kMomentSeconds = 5;  // how long a shared moment is waited for

Connection& Of(Link& link) { return static_cast<Connection&>(link); }  // of Connect

// "2026-01-03 10:20:30.500000"
std::string Moment(Micros at) {
  const int64_t day = FloorDivide(at.count(), kMicrosPerDay);
  const int64_t rest = at.count() - day * kMicrosPerDay, seconds = rest / 1'000'000;
  return fmt::format("{} {:02}:{:02}:{:02}.{:06}", FormatDate(DateOfDay(day)), seconds / 3600,
                     seconds / 60 % 60, seconds % 60, rest % 1'000'000);
}

bool IsMoment(const std::string& type) { return type == "DATE" || StartsWith(type, "TIMESTAMP"); }

bool IsNumber(const std::string& type) {
  return StartsWith(type, "DECIMAL(") || EndsWith(type, "INT") || type == "INTEGER";
}

class MysqlSystem final : public tables::System {
 public:
  MysqlSystem(Settings settings, const ConnectorContext& context)
      : settings_(std::move(settings)), context_(context) {}

  std::string Shown() const override { return "MySQL " + settings_.Shown(); }
  std::string Origin() const override { return settings_.Shown(); }
  int64_t readers() const override { return settings_.readers; }
  tables::CellRules cell_rules() const override {
    return {.zero_dates = settings_.zero_dates == "as_null" ? tables::ZeroDates::kNull
                                                            : tables::ZeroDates::kReject};
  }
  Result<std::unique_ptr<Link>> Connect(tables::Use use, std::stop_token stop) const override {
    const Secret password = TRY(OpenSecret(context_, settings_.password));
    const auto kill = [settings = settings_, context = context_](int64_t process) {
      Settings quick = settings;
      quick.connect_timeout = kKillPatience;
      const auto secret = OpenSecret(context, settings.password);
      if (!secret.ok()) return;
      auto connection = mysql::Connect(quick, *secret, {}, {});
      if (connection.ok()) (void)(*connection)->Run(fmt::format("KILL {}", process));
    };
    auto connection = TRY(mysql::Connect(settings_, password, kill, std::move(stop)));
    mariadb_ = connection->mariadb();
    if (use == tables::Use::kRead) TRY(connection->Run("SET SESSION TRANSACTION READ ONLY"));
    return std::unique_ptr<Link>(std::move(connection));
  }

  // A lock on all tables for as long as it takes to begin the readers' transactions.
  Result<std::string> WhyAlone(Link& link, const TableName& table,
                               std::stop_token stop) const override {
    const Answer engine = TRY(link.Run(
        fmt::format("SELECT engine FROM information_schema.tables WHERE {}", IsTable(table, "")),
        stop));
    if (engine.rows.empty() || engine.rows[0][0] != "InnoDB")
      return std::string("only tables of InnoDB have snapshots");
    for (const auto& row : TRY(link.Run("SHOW GRANTS", stop)).rows) {
      const std::string grant = row.empty() ? "" : row[0].value_or("");
      if (grant.find(" ON *.* ") == std::string::npos) continue;
      for (const char* right : {"ALL PRIVILEGES", "RELOAD", "FLUSH_TABLES"}) {
        if (grant.find(right) != std::string::npos) return std::string();
      }
    }
    return std::string("the account may not FLUSH TABLES WITH READ LOCK; GRANT RELOAD allows it");
  }

  Result<std::vector<std::unique_ptr<Link>>> ShareMoment(int64_t links,
                                                         std::stop_token stop) const override {
    std::vector<std::unique_ptr<Link>> readers;
    for (int64_t i = 0; i < links; ++i) readers.push_back(TRY(Connect(tables::Use::kRead, stop)));
    for (const auto& reader : readers)
      TRY(reader->Run("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ", stop));
    const auto holder = TRY(Connect(tables::Use::kRead, stop));
    TRY(holder->Run(fmt::format("SET SESSION lock_wait_timeout = {}", kMomentSeconds), stop));
    if (auto locked = holder->Run("FLUSH TABLES WITH READ LOCK", stop); !locked.ok()) {
      if (stop.stop_requested() || holder->lost()) return std::move(locked).error();
      return std::vector<std::unique_ptr<Link>>();  // a long statement of somebody's
    }
    for (const auto& reader : readers)
      TRY(reader->Run("START TRANSACTION WITH CONSISTENT SNAPSHOT", stop));
    TRY(holder->Run("UNLOCK TABLES", stop));
    return readers;
  }

  std::string Quote(std::string_view name) const override { return QuoteName(name); }
  std::string Literal(std::string_view text) const override {
    std::string literal = "'";
    for (const char c : text) {
      if (c == '\'' || c == '\\') literal += '\\';
      literal += c;
    }
    return literal + "'";
  }
  std::string_view Same() const override { return "<=>"; }
  std::string Exactly(const std::string& value) const override {
    return "CAST(" + value + " AS BINARY)";
  }
  std::string_view LongText() const override { return "LONGTEXT"; }
  std::string RowNumber() const override { return "BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY"; }
  std::string WithValues(const std::string& text,
                         const std::vector<sql::Bound>& bound) const override {
    return tables::WithValues(text, bound, kQuoting,
                              [this](const sql::Bound& value) { return ValueText(value); });
  }

  Result<TableName> ParseName(std::string_view text) const override {
    return ParseTableName(text, settings_.database.text);
  }

  Result<std::vector<FoundTable>> TablesOf(Link& link, const std::string& schema) const override {
    const std::string of = schema.empty() ? settings_.database.text : schema;
    const Answer answer = TRY(link.Run(fmt::format(
        "SELECT table_name, table_type LIKE '%VIEW', table_rows, data_length FROM "
        "information_schema.tables WHERE table_schema = {} AND left(table_name, 7) <> '_sluice' "
        "ORDER BY table_name",
        Literal(of))));
    std::vector<FoundTable> tables;
    for (const auto& row : answer.rows) {
      FoundTable table{.schema = of, .name = *row[0], .kind = row[1] == "1" ? "view" : "table"};
      table.written = WriteTableName({of, table.name}, settings_.database.text);
      if (row[2]) table.rows = std::stoll(*row[2]);
      if (row[3]) table.bytes = std::stoull(*row[3]);
      tables.push_back(std::move(table));
    }
    return tables;
  }

  Result<std::vector<TableColumn>> ColumnsOf(Link& link, const std::string& from,
                                             std::stop_token stop) const override {
    std::vector<TableColumn> columns;
    for (const ResultColumn& column :
         TRY(Of(link).ColumnsOf(fmt::format("SELECT * FROM {} LIMIT 0", from), std::move(stop)))) {
      TableColumn found{.name = column.name, .shown = column.shown};
      found.type = ReadTypeOf(ReadType(column.shown));
      columns.push_back(std::move(found));
    }
    return columns;
  }

  std::string FetchAs(const TableColumn& column, const std::string& type) const override {
    return FetchText(Quote(column.name), ReadType(column.shown), type);
  }

  Result<std::vector<std::string>> KeyOf(Link& link, const TableName& table,
                                         std::stop_token stop) const override {
    const Answer keys = TRY(link.Run(
        fmt::format("SELECT s.column_name, s.sub_part, c.column_type FROM "
                    "information_schema.statistics AS s JOIN information_schema.columns AS c ON "
                    "c.table_schema = s.table_schema AND c.table_name = s.table_name AND "
                    "c.column_name = s.column_name WHERE {} AND s.index_name = 'PRIMARY' ORDER BY "
                    "s.seq_in_index",
                    IsTable(table, "s.")),
        std::move(stop)));
    std::vector<std::string> names;
    for (const auto& row : keys.rows) {
      if (row[1] || !mysql::IsOrdered(ReadType(row[2].value_or(""))))
        return std::vector<std::string>();
      names.push_back(row[0].value_or(""));
    }
    return names;
  }

  bool IsOrdered(const TableColumn& column) const override {
    return mysql::IsOrdered(ReadType(column.shown));
  }
  std::optional<ComparedAs> ToCompare(const TableColumn& column) const override {
    const std::string name = ReadType(column.shown).name;
    const auto among = [&](std::initializer_list<std::string_view> names) {
      return std::find(names.begin(), names.end(), name) != names.end();
    };
    if (among({"tinyint", "smallint", "mediumint", "int", "bigint", "decimal", "double"}) &&
        column.type != "VARCHAR")
      return ComparedAs::kNumber;
    if (among({"char", "varchar", "tinytext", "text", "mediumtext", "longtext"}))
      return ComparedAs::kText;
    return std::nullopt;
  }
  std::string PositionOf(const TableColumn& column) const override {
    const std::string name = Quote(column.name);
    if (column.type == "BLOB") return fmt::format("HEX({})", name);
    return fmt::format("CAST({} AS CHAR)", name);
  }
  Result<std::string> FromPosition(const TableColumn& column,
                                   const std::string& text) const override {
    const auto only = [&](std::string_view characters) {
      return !text.empty() && text.find_first_not_of(characters) == std::string::npos;
    };
    if (column.type == "BLOB" && (text.empty() || only("0123456789ABCDEF")))
      return "X'" + text + "'";
    if (!IsNumber(column.type)) return Literal(text);
    if (only("0123456789-.")) return text;
    return RejectedError(fmt::format("the position '{}' of '{}' in {} is no number",
                                     EscapeControl(text), column.name, Shown()));
  }
  std::string FromWritten(const TableColumn& column, const std::string& text) const override {
    return ValueText({.name = {}, .type = column.type, .text = text});
  }
  Result<std::string> Earlier(const TableColumn& column, const std::string& position,
                              Micros by) const override {
    if (!IsMoment(column.type)) {
      return ConfigError({}, fmt::format("lookback: '{}' is {}; it must be a date or a datetime",
                                         column.name, column.shown));
    }
    return fmt::format("CAST({} AS DATETIME(6)) - INTERVAL {} MICROSECOND", Literal(position),
                       by.count());
  }
  std::optional<std::string> Below(const TableColumn& column, const std::string& literal,
                                   int64_t shorter) const override {
    if (IsNumber(column.type)) return literal + " - 1";
    // Of a large one as many parts as its type tells apart.
    if (column.type == "DOUBLE" || column.type == "FLOAT")
      return fmt::format("{0} - 1 - ABS({0}) * 1e-6", literal);
    if (IsMoment(column.type))
      return fmt::format("CAST({} AS DATETIME(6)) - INTERVAL 1 SECOND", literal);
    if (column.type == "VARCHAR")
      return fmt::format("LEFT({0}, CHAR_LENGTH({0}) - {1})", literal, shorter);
    return std::nullopt;
  }
  std::string PositionOfValue(const std::string& value) const override {
    return fmt::format("CAST({} AS CHAR)", value);
  }
  Result<Within> During(const TableColumn& column, Micros from, Micros to) const override {
    if (!IsMoment(column.type)) {
      return ConfigError({}, fmt::format("interval: '{}' is {}; it must be a date or a datetime",
                                         column.name, column.shown));
    }
    // The session's time zone is UTC, as the interval is.
    return Within{.condition = fmt::format("{0} >= {1} AND {0} < {2}", Quote(column.name),
                                           Literal(Moment(from)), Literal(Moment(to))),
                  .unknown = {}};
  }
  Result<uint64_t> WidthOf(Link& link, const TableName& table,
                           std::stop_token stop) const override {
    return static_cast<uint64_t>(TRY(QueryNumber(
        link,
        "SELECT t.avg_row_length FROM information_schema.tables AS t WHERE " + IsTable(table, "t."),
        std::move(stop))));
  }

  Result<std::optional<Target>> FindTarget(Link& link, const TableName& name,
                                           std::stop_token stop) const override {
    const Answer kind = TRY(link.Run(
        "SELECT t.table_type, t.engine, t.table_name FROM information_schema.tables AS t WHERE " +
            IsTable(name, "t."),
        stop));
    if (kind.rows.empty()) return std::optional<Target>();
    TRY(CheckKind(name, kind.rows[0]));
    Target target{.name = name, .quoted = Quoted(name), .columns = {}, .unique = {}};
    target.columns = TRY(TargetColumns(link, name, stop));
    target.provenance = target.Find(kEpochColumn) != nullptr;
    const Answer indexes = TRY(link.Run(
        fmt::format("SELECT s.index_name, s.column_name, s.sub_part FROM "
                    "information_schema.statistics AS s WHERE {} AND s.non_unique = 0 ORDER BY "
                    "s.index_name, s.seq_in_index",
                    IsTable(name, "s.")),
        stop));
    std::map<std::string, std::set<std::string>> unique;
    for (const auto& row : indexes.rows)
      unique[row[0].value_or("")].insert(row[2] ? "" : row[1].value_or(""));
    for (auto& [index, columns] : unique) target.unique.push_back(std::move(columns));
    return std::optional<Target>(std::move(target));
  }

  std::optional<std::string> CreatedType(const std::string& type, Part part) const override {
    auto created = CreatedTypeFor(type, part == Part::kKey ? Length::kBounded : Length::kAny);
    // A TIMESTAMP of old servers is NOT NULL where nothing is said.
    if (created && StartsWith(*created, "TIMESTAMP") && part == Part::kPlain) *created += " NULL";
    return created;
  }
  // Texts are compared byte by byte: 'a' and 'A' are two keys, and so are 'a' and 'a '.
  std::string TableOptions() const override {
    return fmt::format(" ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE {}",
                       mariadb_ ? "utf8mb4_nopad_bin" : "utf8mb4_0900_bin");
  }
  std::optional<std::string> SentAs(const std::string& type, const TableColumn& to) const override {
    return SentTypeFor(type, ReadType(to.shown));
  }
  bool FillsDirectly() const override { return true; }
  std::string Temporary(std::string_view name) const override { return Quote(name); }
  std::string CreateTemporary(std::string_view name) const override {
    return "CREATE TEMPORARY TABLE " + Quote(name);
  }
  std::string DropTemporary(std::string_view name) const override {
    return "DROP TEMPORARY TABLE IF EXISTS " + Quote(name);
  }
  std::string KeyOfStage(const std::string&,
                         const std::vector<const TableColumn*>& keys) const override {
    std::vector<std::string> parts;
    for (const TableColumn* key : keys) {
      if (key == nullptr) return "";
      const Type type = ReadType(key->shown);
      if (type.name == "json" || type.name == "geometry") return "";
      const bool long_one = EndsWith(type.name, "text") || EndsWith(type.name, "blob") ||
                            type.first > kIndexedCharacters;
      parts.push_back(Quote(key->name) +
                      (long_one ? fmt::format("({})", kIndexedCharacters) : std::string()));
    }
    return "KEY (" + Join(parts, ", ") + ")";
  }
  std::string Exact(const TableColumn& column, const std::string& quoted) const override {
    if (ReadType(column.shown).name == "float")
      return fmt::format("HEX(CAST(({} + 0e0) AS CHAR))", quoted);
    return fmt::format("HEX(CAST({} AS BINARY))", quoted);
  }
  // Where the key is the table's only one: the server would update by any other as well.
  std::string InsertOrUpdate(
      const Target& target, const std::vector<std::string>& key, const std::string& insert,
      const std::vector<std::pair<std::string, std::string>>& sets) const override {
    if (sets.empty() || target.unique.size() != 1 || !target.HasUniqueKey(key)) return "";
    std::vector<std::string> changes;
    for (const auto& [column, value] : sets) changes.push_back(column + " = " + value);
    return insert + " ON DUPLICATE KEY UPDATE " + Join(changes, ", ");
  }
  // Joins without an index are hashed; MySQL does so by itself.
  std::string BeforeLargeJoin() const override {
    return mariadb_ ? "SET SESSION join_cache_level = 8, join_buffer_size = 16777216" : "";
  }
  std::string UpdateFrom(
      const std::string& target, const std::string& from, const std::string& on,
      const std::vector<std::pair<std::string, std::string>>& sets) const override {
    std::vector<std::string> changes;
    for (const auto& [column, value] : sets) changes.push_back("t." + column + " = " + value);
    return fmt::format("UPDATE {} AS t JOIN {} AS s ON {} SET {}", target, from, on,
                       Join(changes, ", "));
  }
  std::string DeleteByKey(const std::string& target, const std::string& from,
                          const std::vector<std::string>& keys) const override {
    std::vector<std::string> equal;
    for (const std::string& key : keys) equal.push_back(fmt::format("t.{0} = s.{0}", key));
    return fmt::format("DELETE t FROM {} AS t JOIN (SELECT DISTINCT {} FROM {}) AS s ON {}", target,
                       Join(keys, ", "), from, Join(equal, " AND "));
  }
  std::string DeleteMatching(const std::string& target, const std::string& from,
                             const std::string& on) const override {
    return fmt::format("DELETE t FROM {} AS t JOIN {} AS p ON {}", target, from, on);
  }
  Result<std::vector<std::string>> TablesWith(Link& link,
                                              const std::string& prefix) const override {
    const Answer answer = TRY(link.Run(fmt::format(
        "SELECT t.table_name FROM information_schema.tables AS t WHERE t.table_schema = "
        "{} AND left(t.table_name, {}) = {} ORDER BY t.table_name",
        Literal(settings_.database.text), prefix.size(), Literal(prefix))));
    std::vector<std::string> tables;
    for (const auto& row : answer.rows) tables.push_back(row[0].value_or(""));
    return tables;
  }

  // Only what is missing is written: an INSERT of what another holds would wait for it.
  Status EnsureLocks(Link& link, const std::vector<std::string>& names) const override {
    std::vector<std::string> hashes;
    for (const std::string& name : names) hashes.push_back("'" + Fingerprint(name) + "'");
    const std::string select =
        fmt::format("SELECT name FROM {} WHERE name IN ({})", Claims(), Join(hashes, ", "));
    auto known = link.Run(select);
    if (!known.ok() && Of(link).error_number() == kNoTable) {
      TRY(
          link.Run(fmt::format("CREATE TABLE IF NOT EXISTS {} (name CHAR(16) NOT NULL PRIMARY "
                               "KEY){}",
                               Claims(), TableOptions())));
      known = link.Run(select);
    }
    for (const auto& row : TRY(std::move(known)).rows)
      std::erase(hashes, "'" + row[0].value_or("") + "'");
    for (const std::string& hash : hashes)
      TRY(link.Run(fmt::format("INSERT IGNORE INTO {} VALUES ({})", Claims(), hash)));
    return Ok();
  }

  Status Lock(Link& link, const std::string& name, std::stop_token stop) const override {
    const Answer locked =
        TRY(link.Run(fmt::format("SELECT name FROM {} WHERE name = '{}' FOR UPDATE", Claims(),
                                 Fingerprint(name)),
                     std::move(stop)));
    if (!locked.rows.empty()) return Ok();
    return InternalError(
        fmt::format("the claim '{}' is missing in {}", EscapeControl(name), Shown()));
  }

  Status Settle(Link& link, const std::string& name, int64_t unsettled) const override {
    TRY(link.Run(fmt::format("SET SESSION innodb_lock_wait_timeout = {}", kSettleSeconds)));
    auto settled = SettleSoon(link, name, unsettled);
    if (!link.lost()) TRY(link.Run("SET SESSION innodb_lock_wait_timeout = 30"));
    return settled;
  }

 private:
  std::string Claims() const {
    return Quoted({.schema = settings_.database.text, .name = "_sluice_claims"});
  }

  // A server's process that waits for a client that is gone is ended: after that its transaction is
  // decided, one way or the other.
  Status SettleSoon(Link& link, const std::string& name, int64_t unsettled) const {
    for (int tried = 0;; ++tried) {
      auto locked = link.Run(fmt::format("SELECT name FROM {} WHERE name = '{}' FOR UPDATE",
                                         Claims(), Fingerprint(name)));
      // Without a claim nobody has ever committed in the lane.
      if (locked.ok() || Of(link).error_number() == kNoTable) return Ok();
      if (Of(link).error_number() != kLockTimeout) return std::move(locked).error();
      if (unsettled == 0 || tried > 2) {
        return TransientError(fmt::format("another run commits into the {} of {} at the same time",
                                          EscapeControl(name), Shown()));
      }
      (void)link.Run(fmt::format("KILL {}", unsettled));  // it may be gone already
    }
  }

  // Where the server's file system knows case, its names do.
  std::string IsTable(const TableName& table, std::string_view prefix) const {
    return fmt::format(
        "{0}table_schema = {1} AND {0}table_name = {2} AND (@@lower_case_table_names > 0 OR "
        "CAST({0}table_name AS BINARY) = CAST({2} AS BINARY))",
        prefix, Literal(table.schema), Literal(table.name));
  }

  Status CheckKind(const TableName& name, const std::vector<tables::Value>& row) const {
    const std::string kind = row[0].value_or(""), engine = row[1].value_or("");
    if (kind.find("VIEW") != std::string::npos) {
      return RejectedError(
          fmt::format("'{}.{}' is a view; load into a table", name.schema, name.name));
    }
    for (const char* good : {"innodb", "rocksdb", "ndbcluster", "tokudb"}) {
      if (ToLower(engine) == good) return Ok();
    }
    return RejectedError(
        fmt::format("'{0}.{1}' is a {2} table, which has no transactions: a run that is killed "
                    "would leave half "
                    "of its rows; ALTER TABLE {0}.{1} ENGINE=InnoDB",
                    name.schema, name.name, engine));
  }

  Result<std::vector<TableColumn>> TargetColumns(Link& link, const TableName& name,
                                                 std::stop_token stop) const {
    const Answer columns = TRY(link.Run(
        "SELECT c.column_name, c.column_type, c.is_nullable, c.extra, c.character_set_name, "
        "c.collation_name FROM information_schema.columns AS c WHERE " +
            IsTable(name, "c.") + " ORDER BY c.ordinal_position",
        stop));
    const std::set<std::string> json = TRY(JsonColumns(link, name, std::move(stop)));
    std::vector<TableColumn> found;
    for (const auto& row : columns.rows) {
      TableColumn column{.name = row[0].value_or(""), .shown = row[1].value_or("")};
      column.definition = column.shown;
      if (row[4])
        column.definition +=
            fmt::format(" CHARACTER SET {} COLLATE {}", *row[4], row[5].value_or(""));
      column.definition += " NULL";
      if (json.contains(column.name)) column.shown = "json";
      column.type = ReadTypeOf(ReadType(column.shown));
      const std::string extra = ToLower(row[3].value_or(""));
      column.not_null = row[2] == "NO";
      column.numbered = extra.find("auto_increment") != std::string::npos;
      column.computed = extra.find("generated") != std::string::npos &&
                        extra.find("default_generated") == std::string::npos;
      found.push_back(std::move(column));
    }
    return found;
  }

  // MariaDB's JSON is a text with a check.
  Result<std::set<std::string>> JsonColumns(Link& link, const TableName& name,
                                            std::stop_token stop) const {
    std::set<std::string> columns;
    if (!mariadb_) return columns;
    const Answer checks = TRY(link.Run(
        fmt::format(
            "SELECT constraint_name, check_clause FROM information_schema.check_constraints "
            "WHERE constraint_schema = {} AND table_name = {}",
            Literal(name.schema), Literal(name.name)),
        std::move(stop)));
    for (const auto& row : checks.rows) {
      const std::string column = row[0].value_or("");
      if (row[1] == fmt::format("json_valid({})", Quote(column))) columns.insert(column);
    }
    return columns;
  }

  const Settings settings_;
  const ConnectorContext context_;
  mutable std::atomic<bool> mariadb_{true};  // as the last connection found it
};

}  // namespace

std::shared_ptr<const tables::System> MakeSystem(Settings settings,
                                                 const ConnectorContext& context) {
  return std::make_shared<const MysqlSystem>(std::move(settings), context);
}

}  // namespace sluice::mysql
