// See source.h.
#include "connector/tables/source.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/mutex.h"
#include "base/text.h"
#include "connector/cursor.h"
#include "connector/declared_type.h"
#include "connector/pieces.h"
#include "connector/position.h"
#include "connector/table_request.h"
#include "connector/tables/walk.h"

namespace sluice::tables {
namespace {

constexpr uint64_t kGuessedRowBytes = 100;

// What a column is read as: its own type, or what `columns` declares.
struct ReadColumn {
  std::string name, type, fetch;
};

// The types that cells can become.
Result<std::string> DeclaredType(const TableColumn& column, const Written& written) {
  constexpr std::array<std::string_view, 19> kPlain{"BOOLEAN",
                                                    "TINYINT",
                                                    "SMALLINT",
                                                    "INTEGER",
                                                    "BIGINT",
                                                    "UTINYINT",
                                                    "USMALLINT",
                                                    "UINTEGER",
                                                    "UBIGINT",
                                                    "FLOAT",
                                                    "DOUBLE",
                                                    "VARCHAR",
                                                    "BLOB",
                                                    "DATE",
                                                    "TIME",
                                                    "TIMESTAMP",
                                                    "TIMESTAMP WITH TIME ZONE",
                                                    "JSON",
                                                    "UUID"};
  const std::string type = CanonicalType(written.text);
  const bool plain = std::find(kPlain.begin(), kPlain.end(), type) != kPlain.end();
  if (plain || type == "INTERVAL" || ReadDecimal(type)) return type;
  return ConfigError(
      written.mark, fmt::format("column '{}': a {} is not read as {}; declare a plain type or cast "
                                "it in the pipeline",
                                column.name, column.shown, written.text));
}

class TablePieces final : public PieceReader {
 public:
  TablePieces(std::unique_ptr<Link> link, std::vector<std::string> fetches, std::string from)
      : link_(std::move(link)), fetches_(std::move(fetches)), from_(std::move(from)) {}

  Status Start(const std::string& piece, const std::vector<uint64_t>& wanted,
               std::stop_token stop) override {
    std::vector<std::string> columns;
    for (const uint64_t index : wanted) columns.push_back(fetches_.at(index));
    if (columns.empty()) columns.emplace_back("NULL");  // only how many there are
    return link_->StartRead(fmt::format("SELECT {} FROM {}{}", Join(columns, ", "), from_,
                                        piece.empty() ? "" : " WHERE " + piece),
                            std::move(stop));
  }
  Result<bool> Read(Block& block, std::stop_token stop) override {
    return link_->Read(block, std::move(stop));
  }
  bool lost() const override { return link_->lost(); }

 private:
  const std::unique_ptr<Link> link_;
  const std::vector<std::string> fetches_;
  const std::string from_;
};

// The connections that readers take: those of one moment, or new ones.
class Shared {  // any thread
 public:
  explicit Shared(std::vector<std::unique_ptr<Link>> links)
      : of_one_moment_(!links.empty()), links_(std::move(links)) {}

  Result<std::unique_ptr<Link>> Take(const System& system, std::stop_token stop) {
    if (!of_one_moment_) return system.Connect(Use::kRead, std::move(stop));
    MutexLock lock(mutex_);
    if (links_.empty())
      return TransientError(fmt::format("{}: a reader of the snapshot was lost", system.Shown()));
    auto link = std::move(links_.back());
    links_.pop_back();
    return link;
  }

 private:
  const bool of_one_moment_;
  Mutex mutex_;
  std::vector<std::unique_ptr<Link>> links_ GUARDED_BY(mutex_);
};

class TableSource final : public Source {
 public:
  TableSource(std::shared_ptr<const System> system, ExtractRequest request)
      : system_(std::move(system)), request_(std::move(request)) {}

  Result<SourceShape> Describe(sql::Session&, std::stop_token stop) override {
    TRY(Learn(stop));
    SourceShape shape{.replay = Replay::kSameKeys};
    for (const ReadColumn& column : columns_)
      shape.schema.push_back({column.name, column.type, false, ""});
    shape.guessed = guessed_;
    shape.pushdown = Compared();
    shape.describe = fmt::format("{} of {}{}", Named(), system_->Shown(), Manner());
    return shape;
  }

  Result<std::optional<Range>> Freeze(const Position& from, const Limits& limits,
                                      std::stop_token stop) override {
    if (stop.stop_requested()) return CancelledError();
    TRY(Learn(stop));
    if (!walk_.empty()) return FreezeWalk(from, limits, std::move(stop));
    Cut cut = WholeCut(request_);
    if (!request_.config.interval.empty()) {
      TRY(RefuseUnknownTimes(stop));
      cut.identity = Identity(cut);
    }
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
    Pieces plan{.table = Named(), .pieces = {}, .readers = system_->readers(), .connect = {}};
    std::vector<std::unique_ptr<Link>> links = TRY(ShareMoment(plan.pieces, stop));
    for (const Cut& cut : range.cuts) {
      if (!links.empty()) break;
      for (std::string& piece : TRY(PiecesOf(cut))) plan.pieces.push_back(std::move(piece));
    }
    for (std::string& piece : plan.pieces) piece = BothConditions(piece, request_.condition);
    auto scan = std::make_shared<sql::Scan>();
    std::vector<std::string> fetches;
    for (const ReadColumn& column : columns_) {
      scan->schema.push_back({column.name, column.type, false, ""});
      fetches.push_back(column.fetch);
    }
    scan->physical = PhysicalOfCells;
    const std::string from =
        range.cuts.empty() ? relation_ : TRY(RelationFrom(range.cuts[0].from, stop));
    plan.connect = [system = system_, fetches, from,
                    moment = std::make_shared<Shared>(std::move(links))](
                       std::stop_token token) -> Result<std::unique_ptr<PieceReader>> {
      return std::unique_ptr<PieceReader>(std::make_unique<TablePieces>(
          TRY(moment->Take(*system, std::move(token))), fetches, from));
    };
    auto feed = std::make_unique<PieceFeed>(std::move(plan));
    PieceFeed* const owned = feed.get();  // the scan outlives its decoders
    scan->feed = std::move(feed);
    scan->decoder = [owned, all = scan->schema, table = Named(),
                     rules = system_->cell_rules()](const std::vector<uint64_t>& projected) {
      owned->Want(projected);
      Schema columns;
      for (const uint64_t index : projected) columns.push_back(all.at(index));
      return MakeCellDecoder(std::move(columns), table, rules);
    };
    Opened opened;
    opened.scan = std::move(scan);
    return opened;
  }

 private:
  // Columns that come as they are, of types whose values compare here as in DuckDB.
  Pushdown Compared() const {
    Pushdown pushdown{.columns = {}, .literal = [system = system_](std::string_view text) {
                        return system->Literal(text);
                      }};
    for (const ReadColumn& read : columns_) {
      const TableColumn& column = *FindColumn(read.name);
      const auto as = system_->ToCompare(column);
      if (as && read.type == column.type)
        pushdown.columns[ToLower(read.name)] = {system_->Quote(read.name), *as};
    }
    return pushdown;
  }

  std::string Named() const { return NameOf(request_); }
  std::string Identity(const Cut& cut) const {
    return fmt::format("{}:{} {}..{}", system_->Origin(), Named(), cut.from, cut.to);
  }
  const Mark& Place() const { return PlaceOf(request_); }
  ReadFrom From() const { return {Named(), system_->Shown()}; }

  // Connects and asks what the table is, once.
  Status Learn(const std::stop_token& stop) {
    if (link_ && link_->lost()) link_.reset(), columns_.clear();
    if (!columns_.empty()) return Ok();
    if (!system_->Exists()) {
      return RejectedError(fmt::format("there is no {}; check the connection", system_->Shown()))
          .At(request_.config.mark);
    }
    if (!link_) link_ = TRY(system_->Connect(Use::kRead, stop));
    TRY(FindRelation());
    if (UsesCursor(request_)) TRY(LearnCursor(stop));
    TRY(LearnColumns(stop));
    TRY(ChooseColumns());
    return ChooseWalk(stop);
  }

  Status LearnColumns(const std::stop_token& stop) {
    auto all = system_->ColumnsOf(*link_, relation_, stop);
    if (!all.ok()) {
      return std::move(all)
          .error()
          .While(fmt::format("reading {} of {}", Named(), system_->Shown()))
          .At(Place());
    }
    all_ = std::move(all).value();
    return Ok();
  }

  // The literal that a range begins with is of the cursor's type, which only the query knows. Both
  // systems compare a text with anything meanwhile.
  Status LearnCursor(const std::stop_token& stop) {
    relation_ = QueryFrom(system_->Literal(request_.config.incremental->initial->text));
    TRY(LearnColumns(stop));
    const std::string hint = TRY(HintBelow("", stop));
    first_hint_ = "; " + FirstHintText(hint);
    relation_ = of_range_.Keep("", QueryFrom(hint));
    return Ok();
  }

  std::string QueryFrom(std::string_view cursor) const {
    return "(" + system_->WithValues(QueryWith(request_, cursor), request_.bound) + "\n) AS _query";
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
    const TableColumn* column = FindColumn(incremental.cursor.text);
    if (column == nullptr)
      return NoColumn(incremental.cursor.mark, "incremental: ", incremental.cursor.text);
    std::string text = incremental.initial->text;
    std::string first = system_->FromWritten(*column, text);
    if (!position.empty()) {
      text = TRY(ReadPosition(position)).at(0);
      first = incremental.lookback.count() > 0
                  ? TRY(system_->Earlier(*column, text, incremental.lookback))
                  : TRY(system_->FromPosition(*column, text));
    }
    const AskBelow ask = [&](int64_t shorter) -> Result<std::optional<std::string>> {
      const auto below = system_->Below(*column, first, shorter);
      if (!below) return NoHint(request_, column->name, column->shown);
      // A text is compared with a value of the column, so under its collation.
      const std::string compared =
          column->type == "VARCHAR" ? fmt::format("coalesce((SELECT {} FROM {} LIMIT 0), {})",
                                                  system_->Quote(column->name), relation_, *below)
                                    : *below;
      const Answer answer = TRY(link_->Run(
          fmt::format("SELECT {}, {} < {}", system_->PositionOfValue(*below), compared, first),
          stop));
      if (answer.rows.at(0).at(1) != "1") return std::optional<std::string>();
      return answer.rows[0][0];
    };
    const std::string below = TRY(FindBelow(request_, position, text, ask));
    return system_->FromPosition(*column, below);
  }

  Status FindRelation() {
    const ExtractConfig& config = request_.config;
    if (!config.query.empty()) {
      relation_ = QueryFrom("");
      return Ok();
    }
    auto table = system_->ParseName(config.table.text);
    if (!table.ok()) return std::move(table).error().At(config.table.mark);
    table_ = *table;
    relation_ = system_->Quoted(table_);
    return Ok();
  }

  const TableColumn* FindColumn(std::string_view name) const {
    const auto found = std::find_if(all_.begin(), all_.end(), [&](const TableColumn& column) {
      return ToLower(column.name) == ToLower(name);
    });
    return found == all_.end() ? nullptr : &*found;
  }

  Error NoColumn(const Mark& mark, std::string_view key, const std::string& name) const {
    std::vector<std::string> names;
    for (const TableColumn& column : all_) names.push_back(column.name);
    return sluice::NoColumn(mark, key, From(), name, names);
  }

  // All of the table's columns, or those that `columns` declares.
  Status ChooseColumns() {
    columns_.clear();
    guessed_.clear();
    if (request_.config.columns.empty()) {
      for (const TableColumn& column : all_) {
        if (column.name != kEpochColumn) TRY(AddColumn(column));  // it means nothing to who reads
      }
    }
    for (const NamedWritten& wanted : request_.config.columns) {
      const TableColumn* column = FindColumn(wanted.name);
      if (column == nullptr) return NoColumn(wanted.mark, "", wanted.name);
      if (wanted.value.empty()) {
        TRY(AddColumn(*column));
        continue;
      }
      const std::string type = TRY(DeclaredType(*column, wanted.value));
      columns_.push_back({column->name, type, system_->FetchAs(*column, type)});
    }
    if (columns_.empty())
      return ConfigError(Place(),
                         fmt::format("{} of {} has no columns", Named(), system_->Shown()));
    std::vector<std::string> names;
    for (const ReadColumn& column : columns_) names.push_back(column.name);
    return RefuseTwins(Place(), From(), names);
  }

  Status AddColumn(const TableColumn& column) {
    std::string type = column.type;
    if (column.guessed && request_.pinned) {
      const Column* pinned = Find(*request_.pinned, column.name);
      if (pinned != nullptr) type = pinned->type;
    }
    if (type.empty()) {
      return ConfigError(
          Place(),
          fmt::format("column '{}' of {} is of the type {}, which is not mapped; leave it out with "
                      "columns: {{ … }}, or read it with a query that makes a text or a number of "
                      "it",
                      column.name, Named(), column.shown));
    }
    if (column.guessed) guessed_.push_back({column.name, type, false, ""});
    columns_.push_back({column.name, type, system_->FetchAs(column, type)});
    return Ok();
  }

  Status ChooseWalk(const std::stop_token& stop) {
    walk_ = Walk(*system_);
    const ExtractConfig& config = request_.config;
    if (config.incremental) return WalkByCursor();
    if (!config.interval.empty()) return CheckInterval();
    if (config.table.empty() && config.consistency == "keys") return KeysOfAQuery(request_);
    if (config.table.empty()) return Ok();
    if (config.consistency == "snapshot") return ChooseReaders(stop);
    TRY(AddKeyTo(walk_, stop));
    walk_.starts_over = true;
    if (!walk_.empty() || config.consistency.empty()) return Ok();
    return NoKeys(request_, system_->Shown());
  }

  Status AddKeyTo(Walk& walk, const std::stop_token& stop) {
    for (const std::string& name : TRY(system_->KeyOf(*link_, table_, stop))) {
      const TableColumn* column = FindColumn(name);
      if (column == nullptr) return InternalError("a primary key of an unknown column");
      walk.columns.push_back(*column);
    }
    return Ok();
  }

  // Of a snapshot: several, where a key parts the rows and the system shares a moment.
  Status ChooseReaders(const std::stop_token& stop) {
    parts_ = Walk(*system_);
    why_alone_.clear();
    if (system_->readers() < 2) return Ok();
    TRY(AddKeyTo(parts_, stop));
    why_alone_ = parts_.IsOneNumber() ? TRY(system_->WhyAlone(*link_, table_, stop))
                                      : "it has no primary key of one whole number";
    return Ok();
  }

  // Connections that see all of the table at one moment, with what each may read; none: one reads.
  Result<std::vector<std::unique_ptr<Link>>> ShareMoment(std::vector<std::string>& pieces,
                                                         const std::stop_token& stop) {
    std::vector<std::unique_ptr<Link>> links;
    if (parts_.empty() || !why_alone_.empty()) return links;
    const Answer last =
        TRY(link_->Run(fmt::format("SELECT {} FROM {} ORDER BY {} LIMIT 1", parts_.Texts(),
                                   relation_, parts_.OrderBy(" DESC")),
                       stop));
    if (last.rows.empty()) return links;
    const Cut all{.partition = Named(), .from = {}, .to = PositionText(last.rows[0])};
    pieces = parts_.Split(all, system_->readers());
    if (pieces.empty()) return links;
    pieces.push_back(TRY(parts_.Beyond(all.to)));  // rows that have come since
    links = TRY(system_->ShareMoment(system_->readers(), stop));
    if (links.empty()) pieces.clear();
    return links;
  }

  Status WalkByCursor() {
    const IncrementalConfig& incremental = *request_.config.incremental;
    for (const Written* written : {&incremental.cursor, &incremental.key}) {
      if (written->empty()) continue;
      const TableColumn* column = FindColumn(written->text);
      if (column == nullptr) return NoColumn(written->mark, "incremental: ", written->text);
      if (!system_->IsOrdered(*column)) {
        return ConfigError(written->mark,
                           fmt::format("incremental: '{}' is {}, which is not compared as it is "
                                       "sorted; use a column of whole numbers, times or texts",
                                       column->name, column->shown));
      }
      walk_.columns.push_back(*column);
    }
    if (incremental.lookback.count() == 0) return Ok();
    auto earlier = system_->Earlier(walk_.columns[0], "", incremental.lookback);
    if (!earlier.ok()) return std::move(earlier).error().At(incremental.cursor.mark);
    return Ok();
  }

  Status CheckInterval() const {
    const Written& written = request_.config.interval;
    const TableColumn* column = FindColumn(written.text);
    if (column == nullptr) return NoColumn(written.mark, "interval: ", written.text);
    auto during = system_->During(*column, Micros{0}, Micros{0});
    if (!during.ok()) return std::move(during).error().At(written.mark);
    return Ok();
  }

  std::string Manner() const {
    if (request_.config.incremental)
      return ", what is new by " + walk_.columns[0].name + first_hint_;
    if (!request_.config.interval.empty())
      return ", the interval of " + request_.config.interval.text;
    if (walk_.empty() && !parts_.empty() && why_alone_.empty())
      return fmt::format(", consistency: snapshot, by {} readers", system_->readers());
    if (walk_.empty() && !why_alone_.empty())
      return fmt::format(", consistency: snapshot, by one reader: {}", why_alone_);
    return walk_.empty() ? ", consistency: snapshot"
                         : ", consistency: keys, by " + Join(walk_.Names(), ", ");
  }

  // Rows after a position of the walk; where it is empty, from the beginning.
  Result<std::string> Beyond(const std::string& position) const {
    if (!position.empty()) return walk_.Beyond(position);
    const auto& incremental = request_.config.incremental;
    if (incremental && incremental->initial) {
      return fmt::format("{} >= {}", system_->Quote(walk_.columns[0].name),
                         system_->FromWritten(walk_.columns[0], incremental->initial->text));
    }
    return std::string("1 = 1");
  }

  // As Beyond, and what a lookback reads again.
  Result<std::string> Again(const std::string& position) const {
    const auto& incremental = request_.config.incremental;
    if (!incremental || incremental->lookback.count() == 0 || position.empty())
      return Beyond(position);
    const auto values = TRY(ReadPosition(position));
    return fmt::format(
        "{} > {}", system_->Quote(walk_.columns[0].name),
        TRY(system_->Earlier(walk_.columns[0], values.at(0), incremental->lookback)));
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
      end = TRY(link_->Run(fmt::format("SELECT {} FROM {} WHERE {} ORDER BY {} LIMIT 1 OFFSET {}",
                                       walk_.Texts(), relation, fresh, walk_.OrderBy(""), rows - 1),
                           stop));
    }
    bool final = end.rows.empty();
    if (final) {
      end = TRY(link_->Run(fmt::format("SELECT {} FROM {} WHERE {} ORDER BY {} LIMIT 1",
                                       walk_.Texts(), relation, fresh, walk_.OrderBy(" DESC")),
                           stop));
    }
    if (end.rows.empty()) {
      // A run that went on and finds nothing more still has to end.
      if (!walk_.starts_over || cut.from.empty()) return std::optional<Range>();
      cut.to = cut.from;
      return std::optional<Range>(Range{.cuts = {cut}, .final = true});
    }
    cut.to = PositionText(end.rows[0]);
    if (!final) {
      final = TRY(link_->Run(fmt::format("SELECT 1 FROM {} WHERE {} LIMIT 1", relation,
                                         TRY(Beyond(cut.to))),
                             stop))
                  .rows.empty();
    }
    if (request_.config.incremental) cut.identity = Identity(cut);
    return std::optional<Range>(Range{.cuts = {cut}, .final = final});
  }

  Result<uint64_t> RowLimit(const Limits& limits, const std::stop_token& stop) {
    if (limits.bytes == 0) return limits.rows;
    uint64_t width = 0;
    if (!request_.config.table.empty()) width = TRY(system_->WidthOf(*link_, table_, stop));
    if (width == 0) width = kGuessedRowBytes;
    const uint64_t by_bytes = std::max<uint64_t>(limits.bytes / width, 1);
    return limits.rows == 0 ? by_bytes : std::min(limits.rows, by_bytes);
  }

  Status RefuseNulls(const std::string& relation, const std::stop_token& stop) {
    for (const TableColumn& column : walk_.columns) {
      const int64_t nulls = TRY(QueryNumber(*link_,
                                            fmt::format("SELECT count(*) FROM {} WHERE {} IS NULL",
                                                        relation, system_->Quote(column.name)),
                                            stop));
      if (nulls == 0) continue;
      return RejectedError(
                 fmt::format("{0} rows of {1} in {2} have no '{3}', so a cursor would never read "
                             "them; give them one, or leave them out: query: SELECT * FROM … WHERE "
                             "{3} IS NOT NULL",
                             nulls, Named(), system_->Shown(), column.name))
          .At(request_.config.incremental->cursor.mark);
    }
    return Ok();
  }

  Result<System::Within> Interval() const {
    return system_->During(*FindColumn(request_.config.interval.text), request_.interval->first,
                           request_.interval->second);
  }

  Status RefuseUnknownTimes(const std::stop_token& stop) {
    const System::Within within = TRY(Interval());
    if (within.unknown.empty()) return Ok();
    const int64_t rows = TRY(QueryNumber(
        *link_, fmt::format("SELECT count(*) FROM {} WHERE {}", relation_, within.unknown), stop));
    if (rows == 0) return Ok();
    return RejectedError(
               fmt::format("{} rows of {} in {} have no time in '{}' that can be compared with an "
                           "interval; make it a text as 2026-11-21 06:00:00 in a query",
                           rows, Named(), system_->Shown(), request_.config.interval.text))
        .At(request_.config.interval.mark);
  }

  // The conditions that together are the cut.
  Result<std::vector<std::string>> PiecesOf(const Cut& cut) {
    if (!request_.config.interval.empty())
      return std::vector<std::string>{TRY(Interval()).condition};
    if (walk_.empty()) return std::vector<std::string>{""};
    if (!request_.config.incremental) {
      auto pieces = walk_.Split(cut, system_->readers());
      if (!pieces.empty()) return pieces;
    }
    return std::vector<std::string>{
        fmt::format("({}) AND ({})", TRY(Again(cut.from)), TRY(walk_.UpTo(cut.to)))};
  }

  const std::shared_ptr<const System> system_;
  const ExtractRequest request_;
  std::unique_ptr<Link> link_;
  TableName table_;
  std::string relation_;  // what follows FROM
  QueryOfRange of_range_;
  std::string first_hint_;  // for people
  std::vector<TableColumn> all_;
  std::vector<ReadColumn> columns_;
  Schema guessed_;
  Walk walk_{*system_};
  Walk parts_{*system_};   // of a snapshot: what parts its rows
  std::string why_alone_;  // not empty: one reader reads the snapshot
};

}  // namespace

Result<std::unique_ptr<Source>> MakeTableSource(std::shared_ptr<const System> system,
                                                ExtractRequest request) {
  TRY(CheckTableRequest(request, system->Shown()));
  return std::unique_ptr<Source>(
      std::make_unique<TableSource>(std::move(system), std::move(request)));
}

}  // namespace sluice::tables
