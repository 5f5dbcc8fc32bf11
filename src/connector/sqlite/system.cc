// See system.h.
#include "connector/sqlite/system.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/files.h"
#include "base/text.h"
#include "calendar/date.h"
#include "connector/sqlite/database.h"
#include "connector/sqlite/types.h"
#include "connector/tables/statement.h"
#include "format/json_value.h"

namespace sluice::sqlite {
namespace {

using tables::Answer;
using tables::Link;
using tables::TableColumn;
using tables::Target;

constexpr tables::Quoting kQuoting{.quotes = "'\"`["};
constexpr int64_t kMicrosPerDay = 86'400'000'000;
constexpr int kLookedAt = 1000;  // rows that tell the type of a column that declares none

// "2026-01-03 10:20:30.5", without what is zero at its end: so any way to write the same time sorts
// on the same side of it.
std::string ShortMoment(Micros at) {
  const int64_t day = FloorDivide(at.count(), kMicrosPerDay);
  const int64_t rest = at.count() - day * kMicrosPerDay, seconds = rest / 1'000'000;
  std::string text = FormatDate(DateOfDay(day));
  if (rest == 0) return text;
  text += fmt::format(" {:02}:{:02}", seconds / 3600, seconds / 60 % 60);
  if (rest % 60'000'000 == 0) return text;
  text += fmt::format(":{:02}", seconds % 60);
  if (rest % 1'000'000 == 0) return text;
  text += fmt::format(".{:06}", rest % 1'000'000);
  return text.substr(0, text.find_last_not_of('0') + 1);
}

// What quote() gives: a number, 'a text', X'a blob'. It comes from a record, so it is looked at.
bool IsLiteral(std::string_view text) {
  if (StartsWith(text, "X'") && EndsWith(text, "'") && text.size() > 2)
    return text.substr(2, text.size() - 3).find_first_not_of("0123456789ABCDEF") ==
           std::string_view::npos;
  if (!StartsWith(text, "'"))
    return !text.empty() && text.find_first_not_of("0123456789+-.eE") == std::string_view::npos;
  if (text.size() < 2 || text.back() != '\'') return false;
  const std::string_view inside = text.substr(1, text.size() - 2);
  for (size_t i = 0; i < inside.size(); ++i) {
    if (inside[i] != '\'') continue;
    if (i + 1 >= inside.size() || inside[i + 1] != '\'') return false;
    ++i;
  }
  return true;
}

bool IsMoment(const std::string& type) { return type == "DATE" || StartsWith(type, "TIMESTAMP"); }

class SqliteSystem final : public tables::System {
 public:
  SqliteSystem(Settings settings, std::string path, Files& files)
      : settings_(std::move(settings)), path_(std::move(path)), files_(files) {}

  std::string Shown() const override { return fmt::format("SQLite file '{}'", settings_.path); }
  std::string Origin() const override { return settings_.path; }
  bool Exists() const override { return files_.Exists(path_); }
  Result<std::unique_ptr<Link>> Connect(tables::Use use, std::stop_token stop) const override {
    if (stop.stop_requested()) return CancelledError();
    return std::unique_ptr<Link>(TRY(Open(path_, settings_.path, settings_, use)));
  }
  tables::CellRules cell_rules() const override { return {.texts_are_utf8 = false}; }

  std::string Quote(std::string_view name) const override { return QuoteIdentifier(name); }
  std::string Literal(std::string_view text) const override {
    // A literal ends at a NUL.
    if (text.find('\0') == std::string_view::npos) return QuoteLiteral(text);
    std::string hex;
    for (const char c : text) hex += fmt::format("{:02X}", static_cast<unsigned char>(c));
    return "CAST(X'" + hex + "' AS TEXT)";
  }
  std::string_view Same() const override { return "IS"; }
  std::string Exactly(const std::string& value) const override { return value + " COLLATE BINARY"; }
  std::string_view LongText() const override { return "TEXT"; }
  std::string RowNumber() const override { return "INTEGER PRIMARY KEY"; }
  std::string WithValues(const std::string& text,
                         const std::vector<sql::Bound>& bound) const override {
    return tables::WithValues(text, bound, kQuoting,
                              [this](const sql::Bound& value) { return ValueText(value); });
  }

  Result<TableName> ParseName(std::string_view text) const override {
    TableName name = TRY(ParseTableName(text, "main"));
    if (ToLower(name.schema) == "main") return name;
    return ConfigError({}, fmt::format("'{}': an SQLite file has no schema but main; write '{}'",
                                       EscapeControl(text), EscapeControl(name.name)));
  }

  Result<std::vector<FoundTable>> TablesOf(Link& link, const std::string& schema) const override {
    std::vector<FoundTable> tables;
    if (!schema.empty() && ToLower(schema) != "main") return tables;
    const Answer answer = TRY(link.Run(
        "SELECT name, type FROM sqlite_master WHERE type IN ('table', 'view') AND substr(name, 1, "
        "7) NOT IN ('_sluice', 'sqlite_') ORDER BY name"));
    for (const auto& row : answer.rows) {
      FoundTable table{.schema = "main", .name = *row[0], .kind = *row[1]};
      table.written = WriteTableName({"main", table.name}, "main");
      const Answer keys = TRY(link.Run(fmt::format(
          "SELECT name FROM pragma_table_info({}) WHERE pk > 0 ORDER BY pk", Literal(table.name))));
      for (const auto& key : keys.rows) table.key.push_back(key[0].value_or(""));
      tables.push_back(std::move(table));
    }
    return tables;
  }

  Result<std::vector<TableColumn>> ColumnsOf(Link& link, const std::string& from,
                                             std::stop_token stop) const override {
    auto& database = static_cast<Database&>(link);  // of Connect
    std::vector<TableColumn> columns;
    for (DeclaredColumn& column :
         TRY(database.ColumnsOf(fmt::format("SELECT * FROM {} LIMIT 0", from))))
      columns.push_back(ColumnOf(std::move(column.name), column.declared));
    TRY(Guess(link, from, columns, std::move(stop)));
    return columns;
  }

  std::string FetchAs(const TableColumn& column, const std::string&) const override {
    return Quote(column.name);
  }

  // Other primary keys may be NULL in SQLite, and such rows would never come.
  Result<std::vector<std::string>> KeyOf(Link& link, const TableName& table,
                                         std::stop_token stop) const override {
    const Answer keys = TRY(link.Run(
        fmt::format("SELECT i.name, i.\"notnull\" OR l.wr, upper(i.type) = 'INTEGER' FROM "
                    "pragma_table_info({0}) AS i, pragma_table_list({0}) AS l WHERE i.pk > 0 AND "
                    "l.schema = 'main' ORDER BY i.pk",
                    Literal(table.name)),
        std::move(stop)));
    std::vector<std::string> names;
    for (const auto& row : keys.rows) {
      const bool row_id = keys.rows.size() == 1 && row[2] == "1";
      if (row[1] != "1" && !row_id) return std::vector<std::string>();
      names.push_back(row[0].value_or(""));
    }
    return names;
  }

  // A cell of any type may lie in any column; whole numbers are made in one of that affinity.
  std::optional<ComparedAs> ToCompare(const TableColumn& column) const override {
    if (column.type == "BIGINT" && !column.guessed) return ComparedAs::kNumber;
    return std::nullopt;
  }
  std::string PositionOf(const TableColumn& column) const override {
    return fmt::format("quote({})", Quote(column.name));
  }
  Result<std::string> FromPosition(const TableColumn& column,
                                   const std::string& text) const override {
    if (IsLiteral(text)) return text;
    return RejectedError(fmt::format("the position '{}' of '{}' in {} is no value of SQLite's",
                                     EscapeControl(text), column.name, Shown()));
  }
  std::string FromWritten(const TableColumn& column, const std::string& text) const override {
    return ValueText({.name = {}, .type = column.type, .text = text});
  }

  Result<std::string> Earlier(const TableColumn& column, const std::string& position,
                              Micros by) const override {
    if (!IsMoment(column.type)) {
      return ConfigError({}, fmt::format("lookback: '{}' is {}; it must be a DATE or a DATETIME",
                                         column.name, column.shown));
    }
    if (position.empty()) return std::string();
    int64_t micros = 0;
    const std::string_view text(position.data() + 1, position.size() - 2);  // without its quotes
    if (!IsLiteral(position) || position[0] != '\'' ||
        format::TimestampOf(text, &micros) != format::ValueFault::kNone) {
      return RejectedError(fmt::format("lookback: {} of '{}' in {} is no time",
                                       EscapeControl(position), column.name, Shown()));
    }
    return Literal(ShortMoment(Micros{micros} - by));
  }

  // By what the value is, as SQLite compares; a time is a text. RTRIM takes ab for 'ab '.
  std::optional<std::string> Below(const TableColumn&, const std::string& literal,
                                   int64_t shorter) const override {
    if (StartsWith(literal, "X'")) return std::nullopt;
    if (StartsWith(literal, "'"))
      return fmt::format("substr(rtrim({0}), 1, length(rtrim({0})) - {1})", literal, shorter);
    const bool whole = literal.find_first_of(".eE") == std::string::npos;
    return whole ? literal + " - 1" : fmt::format("{0} - 1 - abs({0}) * 1e-6", literal);
  }
  std::string PositionOfValue(const std::string& value) const override {
    return fmt::format("quote({})", value);
  }

  Result<Within> During(const TableColumn& column, Micros from, Micros to) const override {
    if (!IsMoment(column.type)) {
      return ConfigError({}, fmt::format("interval: '{}' is {}; it must be a DATE or a DATETIME",
                                         column.name, column.shown));
    }
    const std::string name = Quote(column.name);
    Within within{.condition = {},
                  .unknown = fmt::format("typeof({}) NOT IN ('text', 'null')", name)};
    std::string compared = name, first = ShortMoment(from), last = ShortMoment(to);
    if (column.type == "DATE") {
      // A date is compared as its midnight.
      first = ShortMoment(Ceiling(from)), last = ShortMoment(Ceiling(to));
    } else if (column.type == "TIMESTAMP") {
      compared = fmt::format("replace({}, 'T', ' ')", name);
    } else {
      compared = fmt::format("strftime('%Y-%m-%d %H:%M:%f', {})", name);  // in UTC
      within.unknown += fmt::format(" OR ({} IS NOT NULL AND {} IS NULL)", name, compared);
    }
    within.condition =
        fmt::format("{0} >= {1} AND {0} < {2}", compared, Literal(first), Literal(last));
    return within;
  }

  Result<std::optional<Target>> FindTarget(Link& link, const TableName& name,
                                           std::stop_token stop) const override {
    const Answer kind = TRY(link.Run(
        fmt::format("SELECT type, name FROM sqlite_master WHERE type IN ('table', 'view') AND "
                    "lower(name) = lower({})",
                    Literal(name.name)),
        stop));
    if (kind.rows.empty()) return std::optional<Target>();
    if (kind.rows[0][0] == "view")
      return RejectedError(
          fmt::format("'{}' in {} is a view; load into a table", name.name, Shown()));
    const std::string table = kind.rows[0][1].value_or(""), quoted = Literal(table);
    Target target{.name = name, .quoted = Quoted(name), .columns = {}, .unique = {}};
    const Answer columns = TRY(link.Run(
        fmt::format("SELECT name, type, \"notnull\", pk, hidden FROM pragma_table_xinfo({}) WHERE "
                    "hidden <> 1",
                    quoted),
        stop));
    std::set<std::string> keys;
    for (const auto& row : columns.rows) {
      TableColumn column = ColumnOf(row[0].value_or(""), row[1].value_or(""));
      const std::string collation =
          TRY(static_cast<Database&>(link).CollationOf(table, column.name));
      column.definition = fmt::format("{} COLLATE {}", row[1].value_or(""), Quote(collation));
      column.not_null = row[2] == "1";
      column.computed = row[4] != "0";
      if (row[3] != "0") keys.insert(column.name);
      column.numbered = row[3] != "0" && ToLower(row[1].value_or("")) == "integer";
      target.columns.push_back(std::move(column));
    }
    for (TableColumn& column : target.columns)
      column.numbered = column.numbered && keys.size() == 1;
    target.provenance = target.Find(kEpochColumn) != nullptr;
    if (!keys.empty()) target.unique.push_back(std::move(keys));
    return std::optional<Target>(std::move(target));
  }

  std::optional<std::string> CreatedType(const std::string& type, Part) const override {
    return DeclaredTypeFor(type);
  }
  std::optional<std::string> SentAs(const std::string& type, const TableColumn& to) const override {
    return SentTypeFor(type, to.shown, ReadTypeOf(to.shown));
  }
  // The file would be locked for as long as the rows take to be computed.
  bool FillsDirectly() const override { return false; }
  std::string Temporary(std::string_view name) const override { return "temp." + Quote(name); }
  std::string CreateTemporary(std::string_view name) const override {
    return "CREATE TEMP TABLE " + Quote(name);
  }
  std::string DropTemporary(std::string_view name) const override {
    return "DROP TABLE IF EXISTS " + Temporary(name);
  }
  // SQLite makes an index for a join by itself.
  std::string KeyOfStage(const std::string&,
                         const std::vector<const TableColumn*>&) const override {
    return "";
  }
  std::string IndexTemporary(std::string_view name, std::string_view column) const override {
    return fmt::format("CREATE INDEX temp.{} ON {} ({})", Quote(std::string(name) + "_by"),
                       Quote(name), Quote(column));
  }
  std::string JsonValue(const std::string& quoted) const override {
    return fmt::format("CASE typeof({0}) WHEN 'blob' THEN hex({0}) ELSE {0} END", quoted);
  }
  std::string Exact(const TableColumn&, const std::string& quoted) const override {
    return fmt::format("quote({})", quoted);
  }
  std::string UpdateFrom(
      const std::string& target, const std::string& from, const std::string& on,
      const std::vector<std::pair<std::string, std::string>>& sets) const override {
    std::vector<std::string> changes;
    for (const auto& [column, value] : sets) changes.push_back(column + " = " + value);
    return fmt::format("UPDATE {} AS t SET {} FROM {} AS s WHERE {}", target, Join(changes, ", "),
                       from, on);
  }
  std::string DeleteByKey(const std::string& target, const std::string& from,
                          const std::vector<std::string>& keys) const override {
    return fmt::format("DELETE FROM {0} WHERE ({1}) IN (SELECT {1} FROM {2})", target,
                       Join(keys, ", "), from);
  }
  std::string DeleteMatching(const std::string& target, const std::string& from,
                             const std::string& on) const override {
    return fmt::format("DELETE FROM {} AS t WHERE EXISTS (SELECT 1 FROM {} AS p WHERE {})", target,
                       from, on);
  }
  Result<std::vector<std::string>> TablesWith(Link& link,
                                              const std::string& prefix) const override {
    const Answer answer = TRY(link.Run(
        fmt::format("SELECT name FROM sqlite_master WHERE type = 'table' AND substr(name, 1, {}) = "
                    "{} ORDER BY name",
                    prefix.size(), Literal(prefix))));
    std::vector<std::string> tables;
    for (const auto& row : answer.rows) tables.push_back(row[0].value_or(""));
    return tables;
  }

 private:
  static TableColumn ColumnOf(std::string name, const std::string& declared) {
    TableColumn column{.name = std::move(name), .shown = declared, .definition = declared};
    column.type = ReadTypeOf(declared);
    column.guessed = column.type.empty();
    return column;
  }

  static Micros Ceiling(Micros at) {
    return Micros{-FloorDivide(-at.count(), kMicrosPerDay) * kMicrosPerDay};
  }

  // The types of columns that declare none, by the values that they have.
  Status Guess(Link& link, const std::string& from, std::vector<TableColumn>& columns,
               std::stop_token stop) const {
    std::vector<std::string> looks, names;
    for (const TableColumn& column : columns) {
      if (!column.guessed) continue;
      names.push_back(Quote(column.name));
      for (const char* kind : {"integer", "real", "text", "blob"})
        looks.push_back(fmt::format("max(typeof({}) = '{}')", names.back(), kind));
    }
    if (looks.empty()) return Ok();
    const Answer seen =
        TRY(link.Run(fmt::format("SELECT {} FROM (SELECT {} FROM {} LIMIT {}) AS l",
                                 Join(looks, ", "), Join(names, ", "), from, kLookedAt),
                     std::move(stop)));
    size_t at = 0;
    for (TableColumn& column : columns) {
      if (!column.guessed) continue;
      const auto has = [&](size_t kind) { return seen.rows.at(0).at(at + kind) == "1"; };
      const bool numbers = has(0) || has(1);
      if (has(3) && !numbers && !has(2)) {
        column.type = "BLOB";
      } else if (numbers && !has(2) && !has(3)) {
        column.type = has(1) ? "DOUBLE" : "BIGINT";
      } else {
        column.type = "VARCHAR";
      }
      at += 4;
    }
    return Ok();
  }

  const Settings settings_;
  const std::string path_;
  Files& files_;
};

}  // namespace

std::shared_ptr<const tables::System> MakeSystem(Settings settings, std::string path,
                                                 Files& files) {
  return std::make_shared<const SqliteSystem>(std::move(settings), std::move(path), files);
}

}  // namespace sluice::sqlite
