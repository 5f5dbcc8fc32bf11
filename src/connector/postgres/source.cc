// See source.h.
#include "connector/postgres/source.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "connector/cursor.h"
#include "connector/position.h"
#include "connector/postgres/declared.h"
#include "connector/postgres/feed.h"
#include "connector/postgres/idle_connections.h"
#include "connector/postgres/relay.h"
#include "connector/postgres/statement.h"
#include "connector/postgres/walk.h"
#include "connector/table_name.h"
#include "connector/table_request.h"

namespace sluice::postgres {
namespace {

constexpr uint64_t kGuessedRowBytes = 100;
// Pages of 8 KiB in a piece of a snapshot.
constexpr int64_t kLeastPages = 512, kMostPages = 4096;
constexpr int64_t kPiecesPerReader = 4;

class PostgresSource final : public Source {
 public:
  PostgresSource(Settings settings, ExtractRequest request, const ConnectorContext& context)
      : settings_(std::move(settings)),
        request_(std::move(request)),
        context_(context),
        idle_(std::make_shared<IdleConnections>(
            [this](std::stop_token stop) { return Fresh(std::move(stop)); })) {}

  Result<SourceShape> Describe(sql::Session&, std::stop_token stop) override {
    TRY(Learn(stop));
    SourceShape shape{.replay = Replay::kSameKeys};
    for (const DecodedColumn& column : columns_)
      shape.schema.push_back({column.name, column.read.type, false, ""});
    shape.pushdown = Compared();
    for (const DecodedColumn& column : columns_) shape.wire.push_back(WireOf(column));
    shape.describe = fmt::format("{} of PostgreSQL {}{}", Named(), settings_.Shown(), Manner());
    return shape;
  }

  Result<std::optional<Range>> Freeze(const Position& from, const Limits& limits,
                                      std::stop_token stop) override {
    if (stop.stop_requested()) return CancelledError();
    TRY(Learn(stop));
    if (!walk_.empty()) return FreezeWalk(from, limits, std::move(stop));
    Cut cut = WholeCut(request_);
    if (!request_.config.interval.empty()) cut.identity = Identity(cut);
    return std::optional<Range>(Range{.cuts = {cut}, .final = true});
  }

  Position After(const Position& from, const Range& range) const override {
    Position after = from;
    for (const Cut& cut : range.cuts) after[cut.partition] = cut.to;
    // The next run reads the whole table again.
    if (range.final && walk_.starts_over) after.erase(Named());
    return after;
  }

  Result<Opened> Open(const Range& range, sql::Session&, std::stop_token stop) override {
    TRY(Learn(stop));
    CopyPlan plan{
        .columns = columns_,
        .from = range.cuts.empty() ? relation_ : TRY(RelationFrom(range.cuts[0].from, stop)),
        .pieces = {},
        .table = Named(),
        .readers = settings_.readers,
        .encoding = connection_->utf8() ? Encoding::kChecked : Encoding::kUnchecked,
        .connect = {},
        .give_back = {}};
    plan.connect = [idle = idle_](std::stop_token token) { return idle->Take(std::move(token)); };
    plan.give_back = [idle = idle_](std::unique_ptr<Connection> connection) {
      idle->GiveBack(std::move(connection));
    };
    // A condition may have an index, which pages have not.
    if (IsWhole(range) && request_.condition.empty())
      plan.pieces = TRY(PagePieces(range.cuts[0], stop));
    if (!plan.pieces.empty()) {
      TRY(ShareSnapshot(plan, stop));
    } else {
      for (const Cut& cut : range.cuts) {
        for (std::string& piece : TRY(Pieces(cut))) plan.pieces.push_back(std::move(piece));
      }
    }
    for (std::string& piece : plan.pieces) piece = BothConditions(piece, request_.condition);
    Opened opened;
    opened.scan = MakeCopyScan(std::move(plan));
    return opened;
  }

 private:
  // Empty: its bytes mean nothing to who does not know how it is read.
  std::string WireOf(const DecodedColumn& column) const {
    if (column.read.fetch == Fetch::kText) return WireName({.name = "text"});
    if (column.read.fetch != Fetch::kPlain || !column.read.cast.empty()) return "";
    return WireName(FindTyped(column.name)->type);
  }

  Result<std::unique_ptr<Connection>> Fresh(std::stop_token stop) {
    const Secret password = TRY(OpenSecret(context_, settings_.password));
    return Connect(settings_, password, std::move(stop), context_.egress);
  }

  std::string Named() const { return NameOf(request_); }
  std::string Identity(const Cut& cut) const {
    return fmt::format("{}:{} {}..{}", settings_.Shown(), Named(), cut.from, cut.to);
  }
  const Mark& Place() const { return PlaceOf(request_); }
  ReadFrom From() const { return {Named(), settings_.Shown()}; }

  // Connects and asks what the table is, once.
  Status Learn(const std::stop_token& stop) {
    if (connection_ && connection_->lost()) connection_.reset(), columns_.clear();
    if (!columns_.empty()) return Ok();
    if (!connection_) connection_ = TRY(Fresh(stop));
    TRY(FindRelation());
    if (UsesCursor(request_)) TRY(LearnCursor(stop));
    TRY(LearnColumns(stop));
    TRY(ChooseColumns());
    return ChooseWalk(stop);
  }

  Status LearnColumns(const std::stop_token& stop) {
    auto all = ColumnsOf(*connection_, relation_, stop);
    if (!all.ok()) {
      return std::move(all)
          .error()
          .While(fmt::format("reading {} of {}", Named(), settings_.Shown()))
          .At(Place());
    }
    table_columns_ = std::move(all).value();
    return Ok();
  }

  // The literal that a range begins with is of the cursor's type, which only the query knows.
  Status LearnCursor(const std::stop_token& stop) {
    Status learnt = Ok();
    for (const std::string& literal : UntypedLiterals(request_.config.incremental->initial->text)) {
      relation_ = QueryFrom(literal);
      if (Status one = LearnColumns(stop); one.ok()) {
        const std::string hint = TRY(HintBelow("", stop));
        first_hint_ = "; " + FirstHintText(hint);
        relation_ = of_range_.Keep("", QueryFrom(hint));
        return Ok();
      } else if (learnt.ok()) {
        learnt = std::move(one);
      }
    }
    return learnt;
  }

  std::string QueryFrom(std::string_view cursor) const {
    return "(" + WithValues(QueryWith(request_, cursor), request_.bound) + "\n) AS _query";
  }

  // What is read from a position on: the query with the hint below it.
  Result<std::string> RelationFrom(const std::string& position, const std::stop_token& stop) {
    if (!UsesCursor(request_)) return relation_;
    return of_range_.From(position, [&]() -> Result<std::string> {
      return QueryFrom(TRY(HintBelow(position, stop)));
    });
  }

  Result<std::string> HintBelow(const std::string& position, const std::stop_token& stop) {
    const IncrementalConfig& incremental = *request_.config.incremental;
    const TypedColumn* column = FindTyped(incremental.cursor.text);
    if (column == nullptr)
      return NoColumn(incremental.cursor.mark, "incremental: ", incremental.cursor.text);
    const std::string text =
        position.empty() ? incremental.initial->text : TRY(ReadPosition(position)).at(0);
    const auto typed = [&](const std::string& value) {
      return fmt::format("CAST({} AS {})", QuoteLiteral(value), column->type.shown);
    };
    const std::string first = position.empty() ? typed(text) : LookingBack(typed(text));
    const AskBelow ask = [&](int64_t shorter) -> Result<std::optional<std::string>> {
      const auto below = BelowIn(column->type, first, text, shorter);
      if (!below) return NoHint(request_, column->name, column->type.shown);
      // Compared with a value of the column, so under its collation.
      const Answer answer = TRY(connection_->Run(
          fmt::format("SELECT below::text, coalesce((SELECT {} FROM {} LIMIT 0), below) < {} FROM "
                      "(SELECT CAST({} AS {}) AS below) AS _below",
                      QuoteIdentifier(column->name), relation_, first, *below, column->type.shown),
          {}, stop));
      if (answer.rows.at(0).at(1) != "t") return std::optional<std::string>();
      return answer.rows[0][0];
    };
    const std::string below = TRY(FindBelow(request_, position, text, ask));
    return typed(below);
  }

  // A value below `first`, which is that of `text`; nullopt: of such a type there is none.
  static std::optional<std::string> BelowIn(const Type& type, const std::string& first,
                                            const std::string& text, int64_t shorter) {
    const std::string& name = type.name;
    if (name == "int2" || name == "int4" || name == "int8" || name == "numeric")
      return first + " - 1";
    // Of a large one as many parts as its type tells apart.
    if (name == "float4" || name == "float8")
      return fmt::format("{0} - 1 - abs({0}) * 1e-6", first);
    if (name == "date") return fmt::format("CAST({} AS date) - 1", first);
    if (name == "timestamp" || name == "timestamptz") return first + " - INTERVAL '1 second'";
    if (name == "text" || name == "varchar" || name == "bpchar")
      return fmt::format("left({}, {})", first, -shorter);
    if (name == "uuid") return QuoteLiteral(UuidBefore(text).value_or(text));
    return std::nullopt;
  }

  Status FindRelation() {
    const ExtractConfig& config = request_.config;
    if (!config.query.empty()) {
      relation_ = QueryFrom("");
      return Ok();
    }
    auto table = ParseTableName(config.table.text, settings_.schema);
    if (!table.ok()) return std::move(table).error().At(config.table.mark);
    table_ = *table;
    relation_ = QuoteIdentifier(table_.schema) + "." + QuoteIdentifier(table_.name);
    return Ok();
  }

  const TypedColumn* FindTyped(std::string_view name) const {
    for (const TypedColumn& column : table_columns_) {
      if (ToLower(column.name) == ToLower(name)) return &column;
    }
    return nullptr;
  }

  Error NoColumn(const Mark& mark, std::string_view key, const std::string& name) const {
    std::vector<std::string> names;
    for (const TypedColumn& column : table_columns_) names.push_back(column.name);
    return sluice::NoColumn(mark, key, From(), name, names);
  }

  // All of the table's columns, or those that `columns` declares; a declared type is cast by the
  // server.
  Status ChooseColumns() {
    columns_.clear();
    if (request_.config.columns.empty()) {
      for (const TypedColumn& column : table_columns_) {
        if (column.name == kEpochColumn) continue;  // it means nothing to who reads it
        const auto read = ToRead(column.type);
        if (!read) return Unmapped(column);
        columns_.push_back({column.name, *read});
      }
    }
    for (const NamedWritten& wanted : request_.config.columns) {
      const TypedColumn* column = FindTyped(wanted.name);
      if (column == nullptr) return NoColumn(wanted.mark, "", wanted.name);
      columns_.push_back({column->name, TRY(ToReadAs(*column, wanted.value))});
    }
    if (columns_.empty())
      return ConfigError(Place(),
                         fmt::format("{} of {} has no columns", Named(), settings_.Shown()));
    std::vector<std::string> names;
    for (const DecodedColumn& column : columns_) names.push_back(column.name);
    return RefuseTwins(Place(), From(), names);
  }

  Error Unmapped(const TypedColumn& column) const {
    const std::string quoted = QuoteIdentifier(column.name);
    return ConfigError(
        Place(), fmt::format("column '{}' of {} is of the type {}, which is not mapped; read it as "
                             "text with columns: {{ {}: varchar, … }}, or with a query that casts "
                             "it: CAST({} AS text) AS {}",
                             column.name, Named(), column.type.shown, column.name, quoted, quoted));
  }

  Status ChooseWalk(const std::stop_token& stop) {
    walk_ = {};
    const ExtractConfig& config = request_.config;
    if (config.incremental) return WalkByCursor();
    if (!config.interval.empty()) return CheckInterval();
    if (config.table.empty() || config.consistency == "snapshot") {
      if (config.consistency == "keys") {
        return KeysOfAQuery(request_);
      }
      return Ok();
    }
    const Answer keys = TRY(connection_->Run(
        "SELECT a.attname FROM pg_catalog.pg_index i "
        "JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY(i.indkey) "
        "WHERE i.indrelid = to_regclass($1) AND i.indisprimary "
        "ORDER BY array_position(i.indkey::int2[], a.attnum)",
        {relation_}, stop));
    for (const auto& row : keys.rows) TRY(AddToWalk(*row[0]));
    walk_.starts_over = true;
    if (!walk_.empty() || config.consistency.empty()) return Ok();
    return NoKeys(request_, settings_.Shown());
  }

  Status AddToWalk(const std::string& name) {
    const TypedColumn* column = FindTyped(name);
    if (column == nullptr) return InternalError("a primary key of an unknown column");
    walk_.columns.push_back(column->name);
    walk_.types.push_back(column->type.shown);
    return Ok();
  }

  Status WalkByCursor() {
    const IncrementalConfig& incremental = *request_.config.incremental;
    if (FindTyped(incremental.cursor.text) == nullptr)
      return NoColumn(incremental.cursor.mark, "incremental: ", incremental.cursor.text);
    TRY(AddToWalk(incremental.cursor.text));
    if (incremental.key.empty()) return Ok();
    if (FindTyped(incremental.key.text) == nullptr)
      return NoColumn(incremental.key.mark, "incremental: ", incremental.key.text);
    return AddToWalk(incremental.key.text);
  }

  Status CheckInterval() const {
    const Written& written = request_.config.interval;
    const TypedColumn* column = FindTyped(written.text);
    if (column == nullptr) return NoColumn(written.mark, "interval: ", written.text);
    const std::string& type = column->type.name;
    if (type == "date" || type == "timestamp" || type == "timestamptz") return Ok();
    return ConfigError(written.mark,
                       fmt::format("interval: '{}' is {}; it must be a date or a timestamp",
                                   column->name, column->type.shown));
  }

  std::string Manner() const {
    if (request_.config.incremental) return ", what is new by " + walk_.columns[0] + first_hint_;
    if (!request_.config.interval.empty())
      return ", the interval of " + request_.config.interval.text;
    if (walk_.empty()) return ", consistency: snapshot";
    return ", consistency: keys, by " + Join(walk_.columns, ", ");
  }

  // Rows after a position of the walk; where it is empty, from the beginning.
  Result<std::string> Beyond(const std::string& position) const {
    if (!position.empty()) {
      return walk_.Columns() + " > " + walk_.Tuple(TRY(ReadPosition(position)));
    }
    const auto& incremental = request_.config.incremental;
    if (incremental && incremental->initial) {
      return fmt::format("{} >= CAST({} AS {})", QuoteIdentifier(walk_.columns[0]),
                         QuoteLiteral(incremental->initial->text), walk_.types[0]);
    }
    return std::string("true");
  }

  // As Beyond, and what a lookback reads again.
  Result<std::string> Again(const std::string& position) const {
    const auto& incremental = request_.config.incremental;
    if (!incremental || incremental->lookback.count() == 0 || position.empty())
      return Beyond(position);
    const auto values = TRY(ReadPosition(position));
    return fmt::format(
        "{} > {}", QuoteIdentifier(walk_.columns[0]),
        LookingBack(fmt::format("CAST({} AS {})", QuoteLiteral(values.at(0)), walk_.types[0])));
  }

  std::string LookingBack(const std::string& value) const {
    const auto lookback = request_.config.incremental->lookback;
    if (lookback.count() == 0) return value;
    return fmt::format("{} - INTERVAL '{} microseconds'", value, lookback.count());
  }

  Result<std::optional<Range>> FreezeWalk(const Position& from, const Limits& limits,
                                          std::stop_token stop) {
    const auto found = from.find(Named());
    Cut cut{.partition = Named(),
            .from = found == from.end() ? "" : found->second,
            .to = {},
            .identity = {}};
    const std::string relation = TRY(RelationFrom(cut.from, stop));
    if (request_.config.incremental) TRY(RefuseNulls(relation, stop));
    const std::string fresh = TRY(Beyond(cut.from));
    const uint64_t rows = TRY(RowLimit(limits, stop));
    Answer end;
    if (rows > 0) {
      end = TRY(connection_->Run(
          // From within: rows that are passed over are not written as texts.
          fmt::format(
              "SELECT {} FROM (SELECT {} FROM {} WHERE {} ORDER BY {} LIMIT 2 OFFSET {}) AS s",
              walk_.Texts(), walk_.OrderBy(""), relation, fresh, walk_.OrderBy(""), rows - 1),
          {}, stop));
    }
    bool final = end.rows.empty();
    if (final) {
      end =
          TRY(connection_->Run(fmt::format("SELECT {} FROM {} WHERE {} ORDER BY {} LIMIT 1",
                                           walk_.Texts(), relation, fresh, walk_.OrderBy(" DESC")),
                               {}, stop));
    }
    if (end.rows.empty()) {
      // A run that went on and finds nothing more still has to end.
      if (!walk_.starts_over || cut.from.empty()) return std::optional<Range>();
      cut.to = cut.from;
      return std::optional<Range>(Range{.cuts = {cut}, .final = true});
    }
    cut.to = PositionText(end.rows[0]);
    if (!final) final = !TRY(IsFollowed(end, relation, cut.to, stop));
    if (request_.config.incremental) cut.identity = Identity(cut);
    return std::optional<Range>(Range{.cuts = {cut}, .final = final});
  }

  // Whether there are rows beyond `to`, the first of the rows of `end`, which are one or two.
  Result<bool> IsFollowed(const Answer& end, const std::string& relation, const std::string& to,
                          const std::stop_token& stop) const {
    // By a primary key the next row is beyond; by a cursor it may be as far.
    if (end.rows.size() == 1 || walk_.starts_over) return end.rows.size() > 1;
    // In order, or all rows up to there are looked at first.
    const Answer beyond =
        TRY(connection_->Run(fmt::format("SELECT 1 FROM {} WHERE {} ORDER BY {} LIMIT 1", relation,
                                         TRY(Beyond(to)), walk_.OrderBy("")),
                             {}, stop));
    return !beyond.rows.empty();
  }

  // 0: as many as there are. A table that is no larger than the limit is not counted.
  Result<uint64_t> RowLimit(const Limits& limits, const std::stop_token& stop) {
    if (limits.bytes == 0) return limits.rows;
    uint64_t width = kGuessedRowBytes;
    if (!request_.config.table.empty()) {
      const Answer size = TRY(connection_->Run(
          "SELECT c.relkind IN ('r', 'm') AND NOT c.relhassubclass AND pg_relation_size(c.oid) <= "
          "$2, CASE WHEN c.reltuples > 0 THEN (pg_relation_size(c.oid) / c.reltuples)::bigint END "
          "FROM pg_catalog.pg_class c WHERE c.oid = to_regclass($1)",
          {relation_, std::to_string(limits.bytes)}, stop));
      if (!size.rows.empty() && size.rows[0][0] == "t") return limits.rows;
      if (!size.rows.empty() && size.rows[0][1].value_or("0") != "0")
        width = std::stoull(*size.rows[0][1]);
    }
    const uint64_t by_bytes = std::max<uint64_t>(limits.bytes / width, 1);
    return limits.rows == 0 ? by_bytes : std::min(limits.rows, by_bytes);
  }

  Status RefuseNulls(const std::string& relation, const std::stop_token& stop) {
    for (const std::string& column : walk_.columns) {
      const int64_t nulls = TRY(QueryNumber(*connection_,
                                            fmt::format("SELECT count(*) FROM {} WHERE {} IS NULL",
                                                        relation, QuoteIdentifier(column)),
                                            {}, stop));
      if (nulls == 0) continue;
      return RejectedError(
                 fmt::format("{} rows of {} in {} have no '{}', so a cursor would never read them; "
                             "give them one, or leave them out: query: SELECT * FROM … WHERE {} IS "
                             "NOT NULL",
                             nulls, Named(), settings_.Shown(), column, column))
          .At(request_.config.incremental->cursor.mark);
    }
    return Ok();
  }

  // Columns that come as they are, of types whose values compare here as in DuckDB.
  Pushdown Compared() const {
    Pushdown pushdown{.columns = {}, .literal = QuoteLiteral};
    for (const DecodedColumn& column : columns_) {
      if (column.read.fetch != Fetch::kPlain || !column.read.cast.empty()) continue;
      const auto as = ToCompare(FindTyped(column.name)->type, column.read.wire);
      if (as) pushdown.columns[ToLower(column.name)] = {QuoteIdentifier(column.name), *as};
    }
    return pushdown;
  }

  // The range is the whole table: a snapshot, or keys from the first to the last.
  bool IsWhole(const Range& range) const {
    if (request_.config.table.empty() || range.cuts.size() != 1) return false;
    if (walk_.empty()) return request_.config.interval.empty();
    return walk_.starts_over && range.final && range.cuts[0].from.empty();
  }

  Result<std::string> UpTo(const Cut& cut) const {
    return walk_.Columns() + " <= " + walk_.Tuple(TRY(ReadPosition(cut.to)));
  }

  // The conditions that together are the cut.
  Result<std::vector<std::string>> Pieces(const Cut& cut) const {
    if (!request_.config.interval.empty()) {
      const std::string name = QuoteIdentifier(FindTyped(request_.config.interval.text)->name);
      const bool zoned = FindTyped(request_.config.interval.text)->type.name == "timestamptz";
      const auto at = [&](Micros time) {
        return fmt::format("({}'1970-01-01 00:00:00+00' + INTERVAL '{} microseconds')",
                           zoned ? "timestamptz " : "timestamp ", time.count());
      };
      return std::vector<std::string>{fmt::format("{0} >= {1} AND {0} < {2}", name,
                                                  at(request_.interval->first),
                                                  at(request_.interval->second))};
    }
    if (walk_.empty()) return std::vector<std::string>{""};
    auto pieces = request_.config.incremental ? std::vector<std::string>()
                                              : SplitKeys(walk_, cut, settings_.readers);
    if (!pieces.empty()) return pieces;
    return std::vector<std::string>{TRY(Again(cut.from)) + " AND " + TRY(UpTo(cut))};
  }

  // Pages of a plain table, which need one snapshot; none: it is no such table or not worth it. In
  // the order of its pages a table is read at half the cost of that of its keys.
  Result<std::vector<std::string>> PagePieces(const Cut& cut, const std::stop_token& stop) {
    std::vector<std::string> pieces;
    if (settings_.readers < 2 || connection_->version() < 140000) return pieces;
    const int64_t pages = TRY(QueryNumber(
        *connection_,
        "SELECT pg_relation_size(c.oid) / 8192 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_am a "
        "ON a.oid = c.relam WHERE c.oid = to_regclass($1) AND c.relkind = 'r' AND a.amname = "
        "'heap'",
        {relation_}, stop));
    const int64_t size =
        std::clamp(pages / (settings_.readers * kPiecesPerReader), kLeastPages, kMostPages);
    if (pages <= size) return pieces;
    const std::string also = walk_.empty() ? "" : " AND " + TRY(UpTo(cut));
    for (int64_t page = 0; page < pages; page += size) {
      pieces.push_back(fmt::format("ctid >= '({},0)'::tid", page));
      if (page + size < pages)
        pieces.back() += fmt::format(" AND ctid < '({},0)'::tid", page + size);
      pieces.back() += also;
    }
    return pieces;
  }

  // One connection holds the moment, the readers look at it.
  Status ShareSnapshot(CopyPlan& plan, const std::stop_token& stop) {
    std::shared_ptr<Connection> holder = TRY(Fresh(stop));
    const Answer exported =
        TRY(holder->Run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; "
                        "SELECT pg_export_snapshot()",
                        {}, stop));
    const std::string snapshot = exported.rows.at(0).at(0).value_or("");
    plan.give_back = {};  // they end with the transaction that they look at
    plan.connect = [this, holder,
                    snapshot](std::stop_token token) -> Result<std::unique_ptr<Connection>> {
      auto connection = TRY(Fresh(token));
      // A condition on the key would tempt the server away from the pages.
      TRY(connection->Run(fmt::format("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET "
                                      "TRANSACTION SNAPSHOT {}; SET LOCAL enable_indexscan = off; "
                                      "SET LOCAL enable_bitmapscan = off",
                                      QuoteLiteral(snapshot)),
                          {}, token));
      return connection;
    };
    return Ok();
  }

  const Settings settings_;
  const ExtractRequest request_;
  const ConnectorContext context_;
  const std::shared_ptr<IdleConnections> idle_;  // of the readers
  std::unique_ptr<Connection> connection_;
  TableName table_;
  std::string relation_;  // what follows FROM
  QueryOfRange of_range_;
  std::string first_hint_;  // for people
  std::vector<TypedColumn> table_columns_;
  std::vector<DecodedColumn> columns_;
  Walk walk_;
};

}  // namespace

Result<std::unique_ptr<Source>> MakePostgresSource(Settings settings, ExtractRequest request,
                                                   const ConnectorContext& context) {
  TRY(CheckTableRequest(request, settings.Shown()));
  return std::unique_ptr<Source>(
      std::make_unique<PostgresSource>(std::move(settings), std::move(request), context));
}

}  // namespace sluice::postgres
