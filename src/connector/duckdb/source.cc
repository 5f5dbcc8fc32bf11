// See source.h.
#include "connector/duckdb/source.h"

#include <fmt/format.h>

#include <utility>

#include "base/text.h"
#include "connector/cursor.h"
#include "connector/duckdb/query.h"
#include "connector/table_request.h"

namespace sluice::duckdb {
namespace {

std::string Instant(Micros at, const std::string& type) {
  return fmt::format("CAST(make_timestamp({}) AS {})", at.count(), type);
}

class DuckdbSource final : public Source {
 public:
  DuckdbSource(DatabaseFile file, ExtractRequest request)
      : file_(std::move(file)), request_(std::move(request)) {}

  Result<SourceShape> Describe(sql::Session& session, std::stop_token) override {
    TRY(Attach());
    SourceShape shape{.schema = TRY(Columns(session)), .replay = Replay::kSameKeys};
    shape.describe = fmt::format("{} of DuckDB file {}{}", Named(), file_.shown(), first_hint_);
    return shape;
  }

  Result<std::optional<Range>> Freeze(const Position& from, const Limits& limits,
                                      std::stop_token stop) override {
    if (stop.stop_requested()) return CancelledError();
    TRY(Attach());
    if (request_.config.incremental) return FreezeCursor(from, limits, std::move(stop));
    Cut cut{.partition = Named(), .from = {}, .to = "end", .identity = {}};
    if (!request_.config.interval.empty()) {
      cut.from = FormatInstant(request_.interval->first);
      cut.to = FormatInstant(request_.interval->second);
      cut.identity = Identity(cut);
    }
    return std::optional<Range>(Range{.cuts = {cut}, .final = true});
  }

  Position After(const Position& from, const Range& range) const override {
    Position after = from;
    for (const Cut& cut : range.cuts) after[cut.partition] = cut.to;
    return after;
  }

  Result<Opened> Open(const Range& range, sql::Session& session, std::stop_token stop) override {
    TRY(Attach());
    Opened opened{.from = {}, .bound = request_.bound};
    std::vector<std::string> columns;
    for (const Column& column : TRY(Columns(session))) {
      columns.push_back(
          fmt::format("CAST({0} AS {1}) AS {0}", QuoteIdentifier(column.name), column.type));
    }
    const std::string where = range.cuts.empty() ? "false" : TRY(Condition(range.cuts[0], session));
    const std::string relation = range.cuts.empty()
                                     ? TRY(Relation(session))
                                     : TRY(RelationFrom(session, range.cuts[0].from, stop));
    opened.from = fmt::format("(SELECT {} FROM {}{})", Join(columns, ", "), relation,
                              where.empty() ? "" : " WHERE " + where);
    if (where.empty() && request_.config.query.empty()) {
      opened.rows_known = static_cast<uint64_t>(
          TRY(QueryNumber(session, "SELECT count(*) FROM " + TRY(Relation(session)), {}, stop)));
    }
    return opened;
  }

 private:
  Status Attach() {
    if (session_) return Ok();
    if (!file_.Exists()) {
      return RejectedError(
                 fmt::format("there is no DuckDB file '{}'; check the connection's 'path'",
                             file_.shown()))
          .At(request_.config.mark);
    }
    auto opened = file_.Open();
    if (!opened.ok() && opened.error().kind == ErrorKind::kRejected)
      opened = file_.Open(sql::Access::kReadOnly);
    session_ = TRY(std::move(opened));
    return Ok();
  }

  std::string Named() const {
    return request_.config.table.empty() ? "query " + Fingerprint(request_.config.query.text)
                                         : request_.config.table.text;
  }

  std::string Identity(const Cut& cut) const {
    return fmt::format("{}:{} {}..{}", file_.shown(), Named(), cut.from, cut.to);
  }

  Result<std::string> Relation(sql::Session& session) {
    if (!relation_.empty()) return relation_;
    const ExtractConfig& config = request_.config;
    if (UsesCursor(request_)) return RelationOfCursor(session);
    if (!config.query.empty()) return relation_ = TRY(QueryFrom(session, ""));
    auto table = ParseTableName(config.table.text);
    if (!table.ok()) return std::move(table).error().At(config.table.mark);
    return relation_ = file_.Quoted(*table);
  }

  Result<std::string> QueryFrom(sql::Session& session, std::string_view cursor) {
    auto query = QualifyTables(session, file_, QueryWith(request_, cursor));
    if (!query.ok()) return std::move(query).error().At(request_.config.query.mark);
    return "(" + *query + ") AS _query";
  }

  // The literal that a range begins with is of the cursor's type, which only the query knows.
  Result<std::string> RelationOfCursor(sql::Session& session) {
    Status learnt = Ok();
    for (const std::string& literal : UntypedLiterals(request_.config.incremental->initial->text)) {
      relation_ = TRY(QueryFrom(session, literal));
      auto described = session.Describe("SELECT * FROM " + relation_, request_.bound);
      if (described.ok()) {
        const std::string hint = TRY(HintBelow(session, "", {}));
        first_hint_ = ", " + FirstHintText(hint);
        return relation_ = of_range_.Keep("", TRY(QueryFrom(session, hint)));
      }
      if (learnt.ok()) learnt = std::move(described).error();
    }
    relation_.clear();
    return std::move(learnt)
        .error()
        .While(fmt::format("reading {} of '{}'", Named(), file_.shown()))
        .At(request_.config.query.mark);
  }

  // What is read from a position on: the query with the hint below it.
  Result<std::string> RelationFrom(sql::Session& session, const std::string& position,
                                   const std::stop_token& stop) {
    const std::string whole = TRY(Relation(session));
    if (!UsesCursor(request_)) return whole;
    return of_range_.From(position, [&]() -> Result<std::string> {
      return QueryFrom(session, TRY(HintBelow(session, position, stop)));
    });
  }

  Result<std::string> HintBelow(sql::Session& session, const std::string& position,
                                const std::stop_token& stop) {
    const IncrementalConfig& incremental = *request_.config.incremental;
    Column column = TRY(FindColumn(incremental.cursor, "incremental", session));
    const std::string text = position.empty() ? incremental.initial->text : position;
    const std::string first =
        position.empty() ? Value(column, text) : LookingBack(Value(column, text));
    // Below 0 there is a number, if none of the type.
    if (StartsWith(column.type, "U") &&
        (EndsWith(column.type, "INT") || EndsWith(column.type, "INTEGER")))
      column.type = "HUGEINT";
    const AskBelow ask = [&](int64_t shorter) -> Result<std::optional<std::string>> {
      const auto below = BelowIn(column.type, first, text, shorter);
      if (!below) return NoHint(request_, column.name, column.type);
      // Compared with a value of the column, so under its collation.
      const sql::Rows answer = TRY(session.Query(
          fmt::format("SELECT CAST(below AS VARCHAR), coalesce((SELECT {} FROM {} LIMIT 0), below) "
                      "< {} FROM (SELECT TRY_CAST({} AS {}) AS below)",
                      QuoteIdentifier(column.name), relation_, first, *below, column.type),
          request_.bound, stop));
      const auto& row = answer.rows.at(0);
      if (row.at(1).null || row[1].text != "true") return std::optional<std::string>();
      return std::optional<std::string>(row[0].text);
    };
    const std::string below = TRY(FindBelow(request_, position, text, ask));
    return Value(column, below);
  }

  // A value below `first`, which is that of `text`; nullopt: of such a type there is none.
  static std::optional<std::string> BelowIn(const std::string& type, const std::string& first,
                                            const std::string& text, int64_t shorter) {
    if (EndsWith(type, "INT") || type == "INTEGER" || StartsWith(type, "DECIMAL("))
      return fmt::format("CAST({} AS {}) - 1", first, type);
    // Of a large one as many parts as its type tells apart.
    if (type == "FLOAT" || type == "DOUBLE")
      return fmt::format("{0} - 1 - abs({0}) * 1e-6", fmt::format("CAST({} AS DOUBLE)", first));
    if (type == "DATE") return fmt::format("CAST({} AS DATE) - 1", first);
    if (StartsWith(type, "TIMESTAMP")) return first + " - INTERVAL 1 SECOND";
    if (type == "VARCHAR") return fmt::format("left({}, {})", first, -shorter);
    if (type == "UUID") return QuoteLiteral(UuidBefore(text).value_or(text));
    return std::nullopt;
  }

  // The table's own columns, or those that `columns` declares, cast.
  Result<Schema> Columns(sql::Session& session) {
    if (!columns_.empty()) return columns_;
    const Mark& mark =
        request_.config.query.empty() ? request_.config.table.mark : request_.config.query.mark;
    auto described = session.Describe("SELECT * FROM " + TRY(Relation(session)), request_.bound);
    if (!described.ok())
      return std::move(described)
          .error()
          .While(fmt::format("reading {} of '{}'", Named(), file_.shown()))
          .At(mark);
    for (const NamedWritten& wanted : request_.config.columns) {
      const Column* column = Find(*described, wanted.name);
      if (column == nullptr) {
        const std::vector<std::string> names = VisibleNames(*described);
        return ConfigError(wanted.mark,
                           fmt::format("{} of '{}' has no column '{}'; it has: {}", Named(),
                                       file_.shown(), wanted.name, Join(names, ", ")));
      }
      columns_.push_back({column->name, wanted.value.empty() ? column->type : wanted.value.text});
    }
    // Ours tells which epoch wrote the row there; it means nothing to who reads it.
    if (columns_.empty()) columns_ = *described;
    std::erase_if(columns_, [](const Column& column) { return column.name == kEpochColumn; });
    return columns_;
  }

  Result<Column> FindColumn(const Written& name, std::string_view key, sql::Session& session) {
    const Schema all =
        TRY(session.Describe("SELECT * FROM " + TRY(Relation(session)), request_.bound));
    const Column* column = Find(all, name.text);
    if (column != nullptr) return *column;
    const std::vector<std::string> names = VisibleNames(all);
    const auto nearest = Nearest(name.text, names);
    return ConfigError(
        name.mark,
        fmt::format("{}: {} of '{}' has no column '{}'; {}it has: {}", key, Named(), file_.shown(),
                    name.text, nearest ? fmt::format("did you mean '{}'? ", *nearest) : "",
                    Join(names, ", ")));
  }

  Result<std::string> Condition(const Cut& cut, sql::Session& session) {
    const ExtractConfig& config = request_.config;
    if (!config.interval.empty()) {
      const Column column = TRY(FindColumn(config.interval, "interval", session));
      if (column.type != "DATE" && !StartsWith(column.type, "TIMESTAMP")) {
        return ConfigError(config.interval.mark,
                           fmt::format("interval: '{}' is {}; it must be a DATE or a TIMESTAMP",
                                       column.name, column.type));
      }
      const std::string name = QuoteIdentifier(column.name);
      // A date is compared as its midnight, in UTC as the interval is.
      const std::string type = column.type == "DATE" ? "TIMESTAMP" : column.type;
      const auto at = [&](Micros time) {
        return type == "TIMESTAMP WITH TIME ZONE"
                   ? fmt::format("to_timestamp({}::DOUBLE / 1000000)", time.count())
                   : Instant(time, type);
      };
      return fmt::format("{0} >= {1} AND {0} < {2}", name, at(request_.interval->first),
                         at(request_.interval->second));
    }
    if (!config.incremental) return std::string();
    const Column cursor = TRY(FindColumn(config.incremental->cursor, "incremental", session));
    return After(cursor, cut.from) +
           fmt::format(" AND {} <= {}", QuoteIdentifier(cursor.name), Value(cursor, cut.to));
  }

  static std::string Value(const Column& cursor, const std::string& text) {
    return fmt::format("CAST({} AS {})", QuoteLiteral(text), cursor.type);
  }

  // Rows after a position; where it is empty, from the beginning.
  std::string After(const Column& cursor, const std::string& from) const {
    const IncrementalConfig& incremental = *request_.config.incremental;
    const std::string name = QuoteIdentifier(cursor.name);
    if (!from.empty()) {
      return name + " > " + LookingBack(Value(cursor, from));
    }
    if (incremental.initial)
      return fmt::format("{} >= {}", name, Value(cursor, incremental.initial->text));
    return name + " IS NOT NULL";
  }

  std::string LookingBack(const std::string& value) const {
    const auto lookback = request_.config.incremental->lookback;
    if (lookback.count() == 0) return value;
    return fmt::format("{} - to_microseconds({})", value, lookback.count());
  }

  Result<std::optional<Range>> FreezeCursor(const Position& from, const Limits& limits,
                                            std::stop_token stop) {
    const IncrementalConfig& incremental = *request_.config.incremental;
    const Column cursor = TRY(FindColumn(incremental.cursor, "incremental", *session_));
    const auto found = from.find(Named());
    Cut cut{.partition = Named(),
            .from = found == from.end() ? "" : found->second,
            .to = {},
            .identity = {}};
    const std::string name = QuoteIdentifier(cursor.name);
    const std::string relation = TRY(RelationFrom(*session_, cut.from, stop));
    TRY(RefuseNullCursors(cursor, relation, stop));
    // What is new decides, not what a lookback reads again.
    const std::string fresh = cut.from.empty()
                                  ? After(cursor, "")
                                  : fmt::format("{} > {}", name, Value(cursor, cut.from));
    const std::string rows =
        limits.rows == 0 ? fmt::format("SELECT {0} AS c FROM {1} WHERE {2}", name, relation, fresh)
                         : fmt::format("SELECT {0} AS c FROM {1} WHERE {2} ORDER BY c LIMIT {3}",
                                       name, relation, fresh, limits.rows);
    const sql::Rows last =
        TRY(session_->Query(fmt::format("SELECT CAST(max(c) AS VARCHAR), (SELECT CAST(max({0}) AS "
                                        "VARCHAR) FROM {1} WHERE {2}) FROM ({3})",
                                        name, relation, fresh, rows),
                            request_.bound, stop));
    if (last.rows.at(0).at(0).null) return std::optional<Range>();
    cut.to = last.rows[0][0].text;
    cut.identity = Identity(cut);
    return std::optional<Range>(Range{.cuts = {cut}, .final = cut.to == last.rows[0][1].text});
  }

  Status RefuseNullCursors(const Column& cursor, const std::string& relation,
                           std::stop_token stop) {
    const int64_t nulls = TRY(QueryNumber(*session_,
                                          fmt::format("SELECT count(*) FROM {} WHERE {} IS NULL",
                                                      relation, QuoteIdentifier(cursor.name)),
                                          request_.bound, std::move(stop)));
    if (nulls == 0) return Ok();
    return RejectedError(fmt::format("{} rows of {} in '{}' have no '{}', so a cursor would never "
                                     "read them; give them one, or "
                                     "leave them out: query: SELECT * FROM … WHERE {} IS NOT NULL",
                                     nulls, Named(), file_.shown(), cursor.name, cursor.name))
        .At(request_.config.incremental->cursor.mark);
  }

  DatabaseFile file_;
  const ExtractRequest request_;
  std::unique_ptr<sql::Session> session_;  // for freezing; reading is done in the caller's
  std::string relation_;
  QueryOfRange of_range_;
  std::string first_hint_;  // for people
  Schema columns_;
};

}  // namespace

Result<std::unique_ptr<Source>> MakeDuckdbSource(DatabaseFile file, ExtractRequest request) {
  const ExtractConfig& config = request.config;
  TRY(CheckTableRequest(request, fmt::format("'{}'", file.shown())));
  if (config.incremental && !config.incremental->key.empty()) {
    return ConfigError(config.incremental->key.mark,
                       "'key' beside a cursor is for postgres, mysql and sqlite; here rows with "
                       "the same cursor are "
                       "always read together");
  }
  return std::unique_ptr<Source>(
      std::make_unique<DuckdbSource>(std::move(file), std::move(request)));
}

}  // namespace sluice::duckdb
