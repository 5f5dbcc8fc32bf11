// See move.h.
#include "engine/move.h"

#include <fmt/core.h>

#include <algorithm>
#include <atomic>
#include <set>

#include "base/text.h"
#include "engine/watermark.h"
#include "relation/render.h"

namespace sluice {

using relation::InputText;

using relation::Ref;

namespace {

// What went wrong in a load names its step and where that is written.
template <class T>
Result<T> Loading(const PlannedLoad& load, Result<T> landed) {
  if (landed.ok()) return landed;
  return std::move(landed)
      .error()
      .While(fmt::format("loading step '{}' into {}", load.load.step, load.load.target))
      .At(load.load.mark);
}

std::string Replace(std::string text, std::string_view place, std::string_view with) {
  for (size_t at = text.find(place); at != std::string::npos;
       at = text.find(place, at + with.size())) {
    text.replace(at, place.size(), with);
  }
  return text;
}

std::string Names(const Schema& schema) {
  std::string text;
  for (const Column& column : schema)
    text += (text.empty() ? "" : ", ") + QuoteIdentifier(column.name);
  return text;
}

std::vector<sql::Bound> ToSql(const std::vector<relation::Bound>& bound) {
  std::vector<sql::Bound> values;
  for (const relation::Bound& b : bound) {
    values.push_back({b.name, b.type, b.null ? std::nullopt : std::optional<std::string>(b.text)});
  }
  return values;
}

// The one keyed node that the roots stand on, or null.
Ref KeyedOf(const std::vector<Ref>& roots) {
  for (const Ref& root : roots) {
    if (std::holds_alternative<relation::Keyed>(root->op)) return root;
    if (Ref below = KeyedOf(relation::InputsOf(*root))) return below;
  }
  return nullptr;
}

// Types whose text is a JSON document.
bool IsNested(const std::string& type) {
  return EndsWith(type, "]") || StartsWith(type, "STRUCT(") || StartsWith(type, "MAP(") ||
         StartsWith(type, "UNION(");
}

// What a load does goes by where its rows come from, or may have to be told of them.
bool NeedsHidden(const Load& load) {
  return !load.order.empty() || load.on_refusal == OnRefusal::kReject ||
         (load.paths && load.paths->of_files);
}

std::string StageName() {
  static std::atomic<uint64_t> last{
      0};  // names of in-memory tables only; unique within the process
  return fmt::format("e{}", ++last);
}

}  // namespace

std::string PartitionKey(const std::string& step, const std::string& partition) {
  return step + "\x1f" + partition;
}

std::map<std::string, Micros> WatermarksOf(const std::map<std::string, Micros>& all,
                                           const std::string& step) {
  std::map<std::string, Micros> own;
  std::string prefix = PartitionKey(step, "");
  for (const auto& [key, value] : all) {
    if (StartsWith(key, prefix)) own[key.substr(prefix.size())] = value;
  }
  return own;
}

Position PositionOf(const Position& all, const std::string& step) {
  Position own;
  std::string prefix = PartitionKey(step, "");
  for (const auto& [key, value] : all) {
    if (StartsWith(key, prefix)) own[key.substr(prefix.size())] = value;
  }
  return own;
}

// One extract being read in this epoch.
struct Mover::Reading {
  const PlannedExtract* extract = nullptr;
  Source* source = nullptr;
  Range range;
  Opened opened;
  sql::Scans* scans = nullptr;
  int64_t scan_number = 0;
  InputText text;
  bool taken = false;
  Mutex mutex;
  std::vector<Letter> letters GUARDED_BY(mutex);
  uint64_t letter_bytes GUARDED_BY(mutex) = 0;

  ~Reading() {
    if (scan_number != 0) scans->Remove(scan_number);
  }
};

Mover::Mover(const Plan& plan, const Flow& flow, World& world, const RunOptions& options,
             sql::Session& work, Programs& programs)
    : plan_(plan),
      flow_(flow),
      world_(world),
      options_(options),
      work_(work),
      programs_(programs) {}

Mover::~Mover() {
  for (const std::string& table : tables_)
    (void)work_.Execute("DROP TABLE IF EXISTS stage.main." + table);
}

Result<InputText> Mover::ScanText(Reading& reading, const PlannedExtract& extract) {
  sql::Scan& scan = *reading.opened.scan;
  scan.stop = stop_;
  Reading* into = &reading;
  uint64_t limit = options_.letter_limit_bytes;
  scan.reject = [into, limit](Letter letter) {
    MutexLock lock(into->mutex);
    into->letter_bytes += letter.original.size() + letter.message.size() + 64;
    if (into->letter_bytes > limit)
      letter.original.clear();  // the count stays exact; the driver fails the epoch
    into->letters.push_back(std::move(letter));
  };
  if (extract.event_time) {
    scan.event_time = extract.event_time;
    scan.event_time->watermarks = WatermarksOf(watermarks_, extract.step);
  }
  auto add = [&](std::string_view name, const char* type) {
    if (!Find(scan.schema, name)) scan.schema.push_back({std::string(name), type, true, ""});
  };
  if (extract.shape.ordered) {
    add(kPartitionColumn, "VARCHAR");
    add(kOffsetColumn, "BIGINT");
  }
  if (extract.event_time) add(kWatermarkColumn, "TIMESTAMP");
  reading.scan_number = world_.database.scans().Add(reading.opened.scan);
  // Columns that no decoder can fill come as text and are cast here; a value that does not fit is
  // the extract's own reject.
  std::string columns, bad, message;
  for (const Column& column : scan.schema) {
    std::string name = QuoteIdentifier(column.name);
    bool cast =
        !column.hidden && scan.physical(column.type) == Physical::kText && column.type != "VARCHAR";
    if (cast) {
      std::string value = fmt::format(
          "TRY_CAST({} AS {})",
          IsNested(column.type) ? fmt::format("TRY_CAST({} AS JSON)", name) : name, column.type);
      std::string fails = fmt::format("({} IS NOT NULL AND {} IS NULL)", name, value);
      bad += (bad.empty() ? "" : " OR ") + fails;
      message += fmt::format(" WHEN {} THEN {} || left({}, 200) || {}", fails,
                             QuoteLiteral(fmt::format("column '{}': cannot read '", column.name)),
                             name, QuoteLiteral(fmt::format("' as {}", column.type)));
      columns += fmt::format("{}{} AS {}", columns.empty() ? "" : ", ", value, name);
    } else {
      columns += (columns.empty() ? "" : ", ") + name;
    }
  }
  if (extract.event_time) {
    columns +=
        fmt::format(", {} AS {}", QuoteIdentifier(extract.event_time->column), kEventTimeColumn);
  }
  std::string text = fmt::format("(SELECT {} FROM sluice_scan({})", columns, reading.scan_number);
  if (!bad.empty()) {
    relation::TapPlan plan{
        .fates = {}, .step_in = extract.step, .step_out = extract.step, .diverts = true};
    plan.fates.push_back({.kind = relation::FateKind::kRejected,
                          .step = extract.step,
                          .code = "cast",
                          .applies = {},
                          .message = {}});
    PlacedTap tap{std::move(plan), world_.database.taps().Add(limit)};
    std::string partition = extract.shape.ordered ? std::string(kPartitionColumn) : "NULL::VARCHAR";
    std::string offset = extract.shape.ordered ? std::string(kOffsetColumn) : "NULL::BIGINT";
    text += fmt::format(
        " WHERE sluice_divert({}, CASE WHEN {} THEN 1 ELSE 0 END, {}, {}, CASE{} END, CASE WHEN {} "
        "THEN to_json({{{}}})::VARCHAR END)"
        " LIMIT 4611686018427387904",
        tap.tap->number(), bad, partition, offset, message, bad, [&] {
          std::string fields;
          for (const Column& column : scan.schema) {
            if (column.hidden) continue;
            fields += fmt::format("{}{}: {}", fields.empty() ? "" : ", ", QuoteLiteral(column.name),
                                  QuoteIdentifier(column.name));
          }
          return fields;
        }());
    taps_.push_back(std::move(tap));
  }
  return InputText{
      .from = text + ")", .rows_known = bad.empty(), .has_origin = extract.shape.ordered};
}

Result<InputText> Mover::OpenInput(const std::string& step, sql::Session& session) {
  auto known = readings_.find(step);
  if (known != readings_.end())
    return InternalError(
        fmt::format("step '{}' is read twice in one epoch without being staged", step));
  auto extract = std::find_if(flow_.extracts.begin(), flow_.extracts.end(),
                              [&](const PlannedExtract& e) { return e.step == step; });
  if (extract == flow_.extracts.end())
    return InternalError(fmt::format("no extract is called '{}'", step));
  auto reading = std::make_unique<Reading>();
  reading->extract = &*extract;
  reading->source = inputs_.at(step).source;
  reading->range = inputs_.at(step).range;
  reading->scans = &world_.database.scans();
  Reading& placed = *reading;
  readings_[step] = std::move(reading);
  const relation::Node* node = nullptr;
  for (const auto& [name, ref] : flow_.rows) {
    if (name == step) node = ref.get();
  }
  if (placed.range.cuts.empty()) {
    Schema schema = extract->shape.schema;
    if (node != nullptr) {
      for (const relation::Node* at = node;; at = relation::InputsOf(*at).at(0).get()) {
        if (std::holds_alternative<relation::Input>(at->op)) {
          schema = at->schema;
          break;
        }
      }
    }
    placed.text = InputText{.from = relation::EmptyInput(schema),
                            .rows_known = true,
                            .has_origin = extract->shape.ordered};
    placed.opened.rows_known = 0;
    return placed.text;
  }
  placed.opened = TRY(placed.source->Open(placed.range, session, stop_)
                          .While(fmt::format("reading step '{}'", step)));
  if (placed.opened.scan) {
    placed.text = TRY(ScanText(placed, *extract));
  } else {
    placed.text =
        InputText{.from = placed.opened.from, .rows_known = placed.opened.rows_known.has_value()};
  }
  return placed.text;
}

relation::RenderOptions Mover::Options(sql::Session& session) {
  relation::RenderOptions options;
  options.input = [this, &session](const std::string& step) { return OpenInput(step, session); };
  options.tap = [this](const relation::TapPlan& plan) {
    taps_.push_back({plan, world_.database.taps().Add(options_.letter_limit_bytes)});
    return taps_.back().tap->number();
  };
  options.call = [this](const relation::Call& call) -> Result<std::string> {
    turns_.push_back(TRY(programs_.Begin(call, stop_)));
    return fmt::format("{}({}", TRY(programs_.FunctionOf(call)), turns_.back()->number());
  };
  options.staged = [this](const Ref& ref) {
    auto it = staged_.find(ref.get());
    return it == staged_.end() ? std::string() : it->second;
  };
  return options;
}

Result<std::string> Mover::Stage(const std::string& select,
                                 const std::vector<relation::Bound>& bound) {
  std::string table = StageName();
  tables_.push_back(table);
  TRY(work_.Execute(fmt::format("CREATE TABLE stage.main.{} AS {}", table, select), ToSql(bound),
                    stop_));
  return "stage.main." + table;
}

// Rows that more than one reader needs are computed once.
Status Mover::StageShared(const std::vector<Ref>& roots) {
  std::map<const relation::Node*, int> readers;
  std::vector<Ref> order;  // inputs before what reads them
  auto walk = [&](auto&& self, const Ref& ref) -> void {
    if (readers[ref.get()]++ > 0) return;
    for (const Ref& input : relation::InputsOf(*ref)) self(self, input);
    order.push_back(ref);
  };
  for (const Ref& root : roots) walk(walk, root);
  // Two Input nodes of one step are one reading, too.
  std::map<std::string, std::vector<Ref>> by_step;
  for (const Ref& ref : order) {
    if (const auto* input = std::get_if<relation::Input>(&ref->op))
      by_step[input->step].push_back(ref);
  }
  for (const Ref& ref : order) {
    const auto* input = std::get_if<relation::Input>(&ref->op);
    bool shared = readers[ref.get()] > 1 || (input && by_step[input->step].size() > 1);
    if (!shared || staged_.contains(ref.get())) continue;
    relation::Text text = TRY(relation::Render(ref, Options(work_), relation::Hidden::kKeep));
    std::string table =
        TRY(Stage(text.sql, text.bound).While(fmt::format("computing step '{}'", ref->step)));
    staged_[ref.get()] = table;
    if (input) {
      for (const Ref& twin : by_step[input->step]) staged_[twin.get()] = table;
    }
  }
  return Ok();
}

Result<uint64_t> Mover::CountOf(const std::string& select) {
  sql::Rows rows = TRY(work_.Query(fmt::format("SELECT count(*) FROM ({})", select), {}, stop_));
  return std::stoull(rows.rows.at(0).at(0).text);
}

Status Mover::StageKeyed(const Ref& ref, Micros fired, const StateStore* state,
                         const std::function<Micros(const std::map<std::string, Micros>&)>& joined,
                         Moved& moved) {
  const auto& keyed = std::get<relation::Keyed>(ref->op);
  relation::Text input = TRY(relation::Render(keyed.from, Options(work_), relation::Hidden::kKeep));
  std::string columns, groups;
  for (size_t i = 0; i < keyed.pending.size(); ++i) {
    columns += fmt::format("{}{} AS {}", columns.empty() ? "" : ", ", keyed.pending[i].expr.sql,
                           QuoteIdentifier(keyed.pending[i].name));
    groups += fmt::format("{}{}", groups.empty() ? " GROUP BY " : ", ", i + 1);
  }
  for (const relation::Named& value : keyed.pending_values) {
    columns += fmt::format(", {} AS {}", value.expr.sql, QuoteIdentifier(value.name));
  }
  std::vector<relation::Bound> bound = input.bound;
  bound.insert(bound.end(), ref->bound.begin(), ref->bound.end());
  std::sort(bound.begin(), bound.end());
  bound.erase(std::unique(bound.begin(), bound.end()), bound.end());
  std::string pending = TRY(
      Stage(fmt::format("SELECT {} FROM ({}){}", columns, input.sql, keyed.partial ? groups : ""),
            bound)
          .While(fmt::format("computing step '{}'", ref->step)));

  for (const auto& [step, reading] : readings_) {
    if (!reading->opened.scan || !reading->opened.scan->event_time) continue;
    for (const auto& [partition, watermark] : reading->opened.scan->event_time->watermarks) {
      moved.watermarks[PartitionKey(step, partition)] = watermark;
    }
  }
  moved.fired = joined(moved.watermarks);

  std::string names = Names(keyed.state);
  std::string due = TimestampLiteral(moved.fired);
  std::string old_rows =
      state == nullptr ? "" : state->Live(StateKind::kPending, keyed.state, fired);
  std::string fresh = fmt::format("SELECT {} FROM {} WHERE due <= {}", names, pending, due);
  std::string old_due =
      old_rows.empty() ? ""
                       : fmt::format("SELECT {} FROM ({}) WHERE due <= {}", names, old_rows, due);
  std::string rows = "(" + fresh + (old_due.empty() ? "" : " UNION ALL " + old_due) + ")";
  std::string kept = keyed.kept.empty() || state == nullptr
                         ? ""
                         : state->Live(StateKind::kKept, keyed.kept, fired);
  kept =
      keyed.kept.empty()
          ? ""
          : "(" + (kept.empty() ? "SELECT * FROM " + relation::EmptyInput(keyed.kept) : kept) + ")";
  std::string fire = Replace(Replace(keyed.fire, "{rows}", rows), "{kept}", kept);
  std::string out = TRY(Stage(fire, ref->bound).While(fmt::format("firing step '{}'", ref->step)));
  staged_[ref.get()] = out;

  KeyedCounts counts{
      .step = keyed.step, .out = TRY(CountOf("FROM " + out)), .deduplicated = 0, .held = 0};
  if (keyed.conserves) {
    uint64_t staged = TRY(CountOf("FROM " + pending));
    uint64_t processed = TRY(CountOf("FROM " + rows));
    counts.held = static_cast<int64_t>(staged) - static_cast<int64_t>(processed);
    counts.deduplicated = processed - counts.out;
  }
  keyed_.push_back(counts);
  moved.state.push_back({StateKind::kPending, keyed.state,
                         fmt::format("SELECT {} FROM {} WHERE due > {}", names, pending, due)});
  if (!keyed.kept.empty()) {
    std::string keep = Replace(keyed.keep, "{fire}", "SELECT * FROM " + out);
    moved.state.push_back(
        {StateKind::kKept, keyed.kept,
         fmt::format("SELECT {} FROM ({}) WHERE due > {}", Names(keyed.kept), keep, due)});
  }
  if (moved.fired == kAllTime) moved.state.clear();  // nothing can come after the end of time
  return Ok();
}

// Reads what could not become rows, checks that the sources are still what was frozen, and hands
// all counts to the books.
Status Mover::Finish(sql::Session& session, BookKeeper& books, Moved& moved) {
  for (auto& [step, reading] : readings_) {
    if (reading->taken) continue;
    reading->taken = true;
    std::vector<Letter> letters;
    if (reading->opened.rejects) letters = TRY(reading->opened.rejects(session));
    {
      MutexLock lock(reading->mutex);
      if (reading->letter_bytes > options_.letter_limit_bytes) {
        return RejectedError(fmt::format(
            "step '{}' rejected {} records, more than {} in one epoch: is the format right?", step,
            reading->letters.size(), FormatBytes(options_.letter_limit_bytes)));
      }
      std::move(reading->letters.begin(), reading->letters.end(), std::back_inserter(letters));
      reading->letters.clear();
    }
    uint64_t refused = letters.size();
    if (reading->opened.scan) {
      books.Source(step, reading->opened.scan->read.load(), refused);
      books.Given(step, reading->opened.scan->given.load());
    } else if (reading->opened.rows_known) {
      books.Source(step, *reading->opened.rows_known + refused, refused);
    } else {
      books.Source(step, std::nullopt, refused);
    }
    for (Letter& letter : letters) {
      letter.step = step;
      moved.letters.push_back(std::move(letter));
    }
    TRY(reading->source->Verify(reading->range));
  }
  return Ok();
}

Result<Landed> Mover::Write(const PlannedLoad& load, Landing& landing, size_t index) {
  const relation::Text text = TRY(relation::Render(
      load.rows, Options(landing.session()),
      NeedsHidden(load.load) ? relation::Hidden::kKeep : relation::Hidden::kLeaveOut));
  return Loading(load, landing.Write(index, text.sql, ToSql(text.bound), stop_));
}

// The blocks of the load's one extract as they are; nullopt: there are none to hand on.
Result<std::optional<Landed>> Mover::Relay(const PlannedLoad& load, Landing& landing,
                                           size_t index) {
  if (load.relay.empty() || inputs_.at(load.input).range.cuts.empty())
    return std::optional<Landed>();
  TRY(OpenInput(load.input, landing.session()));
  return std::optional<Landed>(TRY(Loading(
      load, landing.Relay(index, *readings_.at(load.input)->opened.scan, load.relay, stop_))));
}

Result<Moved> Mover::Move(const std::map<std::string, Input>& inputs,
                          const std::vector<OpenLanding>& landings,
                          const std::map<std::string, Micros>& watermarks, Micros fired,
                          const std::function<Micros(const std::map<std::string, Micros>&)>& joined,
                          StateStore* state, std::stop_token stop) {
  stop_ = stop;
  inputs_ = inputs;
  watermarks_ = watermarks;
  Moved moved;
  moved.watermarks = watermarks;
  moved.fired = fired;
  std::vector<BookKeeper::Step> steps;
  for (const StepFacts& facts : plan_.steps) {
    if (std::find(flow_.steps.begin(), flow_.steps.end(), facts.name) == flow_.steps.end())
      continue;
    bool partial = facts.verb == "sql" || facts.verb == "join" || facts.verb == "lookup";
    steps.push_back({facts.name, facts.from, facts.restarts, partial, facts.verb == "function"});
  }
  BookKeeper books(std::move(steps));

  std::vector<Ref> roots;
  for (const PlannedLoad& load : flow_.loads) roots.push_back(load.rows);
  if (Ref keyed = KeyedOf(roots)) {
    TRY(StageShared({std::get<relation::Keyed>(keyed->op).from}));
    TRY(StageKeyed(keyed, fired, state, joined, moved));
  }
  TRY(StageShared(roots));
  TRY(Finish(work_, books, moved));

  for (const OpenLanding& open : landings) {
    for (size_t i = 0; open.landing != nullptr && i < open.loads.size(); ++i) {
      const PlannedLoad& load = flow_.loads[open.loads[i]];
      auto relayed = TRY(Relay(load, *open.landing, i));
      Landed landed = relayed ? std::move(*relayed) : TRY(Write(load, *open.landing, i));
      if (!load.load.latest.empty()) {
        TRY(open.landing->Run(load.load.latest, {}, stop)
                .While("making the view of the latest rows"));
      }
      books.Landed(load.load.step, landed.rows, landed.refused.size());
      std::move(landed.refused.begin(), landed.refused.end(), std::back_inserter(moved.letters));
      landed.refused.clear();
      moved.landed[load.load.step] += landed;
      TRY(Finish(open.landing->session(), books, moved));
    }
  }

  for (PlacedTap& placed : taps_) {
    TapCount count{.plan = placed.plan, .fates = {}, .total = placed.tap->Total()};
    for (size_t k = 1; k <= placed.plan.fates.size(); ++k)
      count.fates.push_back(placed.tap->Count(static_cast<int>(k)));
    books.Tap(count);
    for (sql::Diverted& row : placed.tap->TakeDiverted()) {
      const relation::Fate& fate = placed.plan.fates.at(static_cast<size_t>(row.fate - 1));
      moved.letters.push_back({.source = "",
                               .partition = std::move(row.partition),
                               .offset = row.offset,
                               .line = -1,
                               .step = fate.step,
                               .code = fate.code,
                               .message = std::move(row.message),
                               .original = std::move(row.row)});
    }
  }
  for (const auto& turn : turns_)
    books.Answered(turn->step(), turn->exchange().asked(), turn->exchange().answered());
  for (const KeyedCounts& counts : keyed_)
    books.Keyed(counts.step, counts.out, counts.deduplicated, counts.held);
  for (auto& [step, reading] : readings_) {
    std::vector<Letter*> own;
    for (Letter& letter : moved.letters) {
      if (letter.source.empty() && flow_.extracts.size() == 1) letter.source = step;
      if (letter.step == step || flow_.extracts.size() == 1) own.push_back(&letter);
    }
    std::vector<Letter> located;
    for (Letter* letter : own) located.push_back(*letter);
    if (!located.empty()) TRY(reading->source->Locate(located));
    for (size_t i = 0; i < own.size(); ++i) *own[i] = located[i];
  }
  moved.books = TRY(books.Close());
  return moved;
}

Result<std::vector<Letter>> Mover::TakeLetters() {
  BookKeeper books({});
  Moved moved;
  TRY(Finish(work_, books, moved));
  return std::move(moved.letters);
}

Result<sql::Rows> Mover::Peek(const std::map<std::string, Input>& inputs, const Ref& rows,
                              uint64_t limit, std::stop_token stop) {
  stop_ = stop;
  inputs_ = inputs;
  if (Ref keyed = KeyedOf({rows})) {
    TRY(StageShared({std::get<relation::Keyed>(keyed->op).from}));
    Moved ignored;
    TRY(StageKeyed(
        keyed, kNoTime, nullptr, [](const auto&) { return kAllTime; }, ignored));
  }
  TRY(StageShared({rows}));
  relation::Text text = TRY(relation::Render(rows, Options(work_), relation::Hidden::kLeaveOut));
  sql::Rows some = TRY(work_.Query(fmt::format("SELECT * FROM ({}) LIMIT {}", text.sql, limit),
                                   ToSql(text.bound), stop));
  for (PlacedTap& placed : taps_) {
    for (const sql::Diverted& row : placed.tap->TakeDiverted()) {
      const relation::Fate& fate = placed.plan.fates.at(static_cast<size_t>(row.fate - 1));
      if (std::find(flow_.strict.begin(), flow_.strict.end(), fate.step) == flow_.strict.end())
        continue;
      return DataError(fmt::format("step '{}': {}\n  {}", fate.step, row.message,
                                   EscapeControl(row.row.substr(0, 200))));
    }
  }
  return some;
}

}  // namespace sluice
