// Builds the text from the inputs upwards. What is being built is always "FROM <from> [WHERE
// <tap>]": a projection right above a tap shares its SELECT, and every SELECT with a tap ends in
// the barrier, so that nothing above is moved below it.
#include "relation/render.h"

#include <fmt/core.h>

#include <algorithm>
#include <set>
#include <utility>

#include "base/text.h"

namespace sluice::relation {
namespace {

constexpr std::string_view kBarrier = " LIMIT 4611686018427387904";
constexpr std::string_view kFateColumn = "_sluice_fate";
constexpr std::string_view kRowColumn = "_sluice_row";
constexpr std::string_view kRankColumn = "_sluice_rank";
constexpr std::string_view kCallColumn = "_sluice_call";
constexpr std::string_view kReplyColumn = "_sluice_reply";
constexpr size_t kMostFates = 63;  // of one tap

// Rows as they stand below the next SELECT.
struct Rows {
  std::string from = {};   // what follows FROM
  std::string where = {};  // a tap; the SELECT that closes it ends in the barrier
  Schema columns = {};     // visible, then hidden
  bool direct =
      false;           // `from` is an input, a staged table or a CTE: nothing can be moved below it
  bool known = false;  // `from` is a source that says itself how many rows it has
  bool barred = false;      // `from` ends in the barrier
  bool source_row = false;  // kRowColumn is among the columns of `from`
};

// What lies above a node, as far as it matters to the node.
struct Above {
  bool diverts = false;  // a tap that hands on rows, with no restart between
  bool counts = false;   // a tap that counts the rows of this node, with no restart between
};

bool Rejects(const Fate& fate) {
  return fate.kind == FateKind::kRejected || fate.kind == FateKind::kLate;
}

std::string Names(const Schema& columns) {
  std::string text;
  for (const Column& column : columns)
    text += (text.empty() ? "" : ", ") + QuoteIdentifier(column.name);
  return text;
}

std::string Items(const std::vector<Named>& columns) {
  std::string text;
  for (const Named& column : columns) {
    text += (text.empty() ? "" : ", ") +
            fmt::format("{} AS {}", column.expr.sql, QuoteIdentifier(column.name));
  }
  return text;
}

std::string RowStruct(const Schema& columns) {
  std::string text;
  for (const Column& column : columns) {
    if (column.hidden) continue;
    text += (text.empty() ? "" : ", ") + QuoteLiteral(column.name) + ": " +
            QuoteIdentifier(column.name);
  }
  return "{" + text + "}";
}

Schema Hiddens(const Schema& columns) {
  Schema hidden;
  for (const Column& column : columns) {
    if (column.hidden) hidden.push_back(column);
  }
  return hidden;
}

class Renderer {
 public:
  explicit Renderer(const RenderOptions& options) : options_(options) {}

  Result<Text> Run(const Ref& ref, Hidden hidden) {
    CountReaders(ref);
    Rows rows = TRY(Build(ref, {}));
    Schema columns = hidden == Hidden::kKeep ? rows.columns : Visible(rows.columns);
    std::string sql = Select(rows, Names(columns));
    std::string with;
    for (const auto& [name, text] : shared_) {
      with += fmt::format("{}{} AS MATERIALIZED ({})", with.empty() ? "WITH " : ", ", name, text);
    }
    Text text{.sql = with.empty() ? sql : with + " " + sql};
    text.bound.assign(bound_.begin(), bound_.end());
    return text;
  }

 private:
  // A node that several nodes of this text read is computed once, so that its taps count once.
  void CountReaders(const Ref& ref) {
    if (++readers_[ref.get()] > 1) return;
    std::visit(
        [this](const auto& op) {
          ForEachInput(op, [this](const Ref& input) { CountReaders(input); });
        },
        ref->op);
  }
  template <class Op, class F>
  static void ForEachInput(const Op& op, F each) {
    if constexpr (requires { op.from; }) each(op.from);
    if constexpr (requires { op.left; }) each(op.left), each(op.right);
    if constexpr (requires { op.parts; }) {
      for (const Ref& part : op.parts) each(part);
    }
    if constexpr (requires { op.inputs; }) {
      for (const auto& [name, input] : op.inputs) each(input);
    }
  }

  std::string_view Barrier() const { return options_.tap ? kBarrier : ""; }
  std::string Select(const Rows& rows, const std::string& items) const {
    std::string text = fmt::format("SELECT {} FROM {}", items, rows.from);
    if (!rows.where.empty()) text += fmt::format(" WHERE {}{}", rows.where, Barrier());
    return text;
  }
  static std::string AllItems(const Rows& rows) {
    return Names(rows.columns) + (rows.source_row ? fmt::format(", {}", kRowColumn) : "");
  }

  // The same rows with nothing open, and the barrier at their end unless they are an input.
  Rows Barred(Rows rows) const {
    if (rows.where.empty() && (rows.direct || rows.barred)) return rows;
    std::string text = Select(rows, AllItems(rows));
    if (rows.where.empty()) text += Barrier();
    rows.from = "(" + text + ")";
    rows.where.clear();
    rows.direct = rows.known = false;
    rows.barred = true;
    return rows;
  }
  // As text after FROM, under a join or any other node that is not row-wise.
  Result<Rows> Closed(const Ref& ref) {
    Rows rows = TRY(Build(ref, {}));
    if (rows.where.empty()) return rows;
    return Barred(std::move(rows));
  }

  std::string Keep(TapPlan plan, const std::string& fate) {
    return fmt::format("sluice_keep({}, {})", options_.tap(plan), fate);
  }
  // Counts the output of a step that no tap above counts.
  Rows Counted(Rows rows, const std::string& step, Above above) {
    if (!options_.tap || above.counts || step.empty()) return rows;
    rows = Barred(std::move(rows));
    rows.where = Keep({.fates = {}, .step_in = step, .step_out = step}, "0");
    return rows;
  }

  Result<Rows> Build(const Ref& ref, Above above) {
    if (options_.staged) {
      std::string text = options_.staged(ref);
      if (!text.empty()) return Rows{.from = text, .columns = ref->schema, .direct = true};
    }
    if (readers_[ref.get()] > 1) return Shared(ref);
    return Fresh(ref, above);
  }
  Result<Rows> Fresh(const Ref& ref, Above above) {
    for (const Bound& bound : ref->bound) bound_.insert(bound);
    return std::visit([&](const auto& op) { return Make(op, *ref, above); }, ref->op);
  }
  Result<Rows> Shared(const Ref& ref) {
    auto [it, fresh] = names_.emplace(ref.get(), std::pair<std::string, Schema>());
    if (fresh) {
      Rows rows = TRY(Fresh(ref, {}));
      names_[ref.get()] = {fmt::format("_sluice_shared_{}", names_.size()), rows.columns};
      shared_.emplace_back(names_[ref.get()].first, Select(rows, Names(rows.columns)));
    }
    return Rows{
        .from = names_[ref.get()].first, .columns = names_[ref.get()].second, .direct = true};
  }

  Result<Rows> Make(const Input& op, const Node& node, Above above) {
    InputText input = TRY(options_.input(op.step));
    Rows rows{
        .from = input.from, .columns = node.schema, .direct = true, .known = input.rows_known};
    if (input.has_origin && !Find(rows.columns, kPartitionColumn)) {
      rows.columns.push_back({.name = std::string(kPartitionColumn),
                              .type = "VARCHAR",
                              .hidden = true,
                              .description = {}});
      rows.columns.push_back({.name = std::string(kOffsetColumn),
                              .type = "BIGINT",
                              .hidden = true,
                              .description = {}});
    }
    return input.rows_known ? rows : Counted(std::move(rows), op.step, above);
  }

  Result<Rows> Make(const Project& op, const Node& node, Above above) {
    Rows rows = TRY(Build(op.from, above));
    Schema columns = node.schema;
    std::string items = Items(op.columns);
    for (const Column& hidden : Hiddens(rows.columns)) {
      bool made = std::any_of(op.columns.begin(), op.columns.end(),
                              [&](const Named& n) { return n.name == hidden.name; });
      if (!Find(columns, hidden.name)) columns.push_back(hidden);
      if (!made) items += ", " + QuoteIdentifier(hidden.name);
    }
    std::erase_if(
        columns,
        [&](const Column& c) {  // a schema may promise hidden columns that this input does not give
          return c.hidden && !Find(rows.columns, c.name) &&
                 std::none_of(op.columns.begin(), op.columns.end(),
                              [&](const Named& n) { return n.name == c.name; });
        });
    bool carries = rows.source_row || above.diverts;
    if (rows.source_row) items += fmt::format(", {}", kRowColumn);
    if (!rows.source_row && above.diverts)
      items += fmt::format(", {} AS {}", RowStruct(rows.columns), kRowColumn);
    return Rows{.from = "(" + Select(rows, items) + ")",
                .columns = columns,
                .barred = !rows.where.empty(),
                .source_row = carries};
  }

  Result<Rows> Make(const Sift& op, const Node& node, Above above) {
    std::vector<Fate> fates = op.fates;
    Ref base = op.from;
    while (const Sift* below = Joinable(base)) {
      for (const Bound& bound : base->bound) bound_.insert(bound);
      fates.insert(fates.begin(), below->fates.begin(), below->fates.end());
      base = below->from;
    }
    bool diverts = std::any_of(fates.begin(), fates.end(), Rejects);
    Rows rows = TRY(Build(base, {.diverts = diverts || above.diverts, .counts = true}));
    std::string step_in = base->step;
    std::optional<Fate> pruned;
    if (options_.tap && rows.known && !fates.front().keeps.empty()) {
      pruned = std::move(fates.front());
      fates.erase(fates.begin());
      rows.where = pruned->keeps;
    }
    size_t first = 0;
    do {
      size_t last = std::min(first + kMostFates, fates.size());
      TapPlan plan{.fates = {fates.begin() + static_cast<long>(first),
                             fates.begin() + static_cast<long>(last)},
                   .step_in = step_in,
                   .pruned = std::exchange(pruned, std::nullopt)};
      plan.step_out = last == fates.size() ? node.step : plan.fates.back().step;
      step_in = plan.step_out;
      rows = Tapped(Barred(std::move(rows)), std::move(plan));
      first = last;
    } while (first < fates.size());
    return rows;
  }
  // The sift that `ref` is, if this text is its only reader and it is not staged.
  const Sift* Joinable(const Ref& ref) {
    const Sift* sift = std::get_if<Sift>(&ref->op);
    if (!sift || readers_[ref.get()] > 1 || (options_.staged && !options_.staged(ref).empty()))
      return nullptr;
    return sift;
  }

  Rows Tapped(Rows rows, TapPlan plan) {
    std::string cases;
    for (size_t k = 0; k < plan.fates.size(); ++k)
      cases += fmt::format(" WHEN {} THEN {}", plan.fates[k].applies.sql, k + 1);
    std::string fate = cases.empty() ? "0" : "CASE" + cases + " ELSE 0 END";
    if (!options_.tap) {
      rows.where = fmt::format("({}) = 0", fate);
      return rows;
    }
    plan.diverts = std::any_of(plan.fates.begin(), plan.fates.end(), Rejects);
    if (!plan.diverts) {
      rows.where = Keep(std::move(plan), fate);
      return rows;
    }
    // The fate is computed once, below a barrier that keeps the optimiser from copying it into each
    // argument.
    rows.from = fmt::format("(SELECT {}, {} AS {} FROM {}{})", AllItems(rows), fate, kFateColumn,
                            rows.from, kBarrier);
    rows.direct = false;
    rows.where = Divert(rows, plan);
    return rows;
  }
  std::string Divert(const Rows& rows, const TapPlan& plan) {
    std::string message, rejecting;
    for (size_t k = 0; k < plan.fates.size(); ++k) {
      if (!Rejects(plan.fates[k])) continue;
      rejecting += fmt::format("{}{}", rejecting.empty() ? "" : ", ", k + 1);
      if (!plan.fates[k].message.sql.empty())
        message += fmt::format(" WHEN {} THEN {}", k + 1, plan.fates[k].message.sql);
    }
    bool origin = Find(rows.columns, kPartitionColumn) && Find(rows.columns, kOffsetColumn);
    return fmt::format(
        "sluice_divert({}, {}, {}, {}, {}, {})", options_.tap(plan), kFateColumn,
        origin ? QuoteIdentifier(kPartitionColumn) : "CAST(NULL AS VARCHAR)",
        origin ? QuoteIdentifier(kOffsetColumn) : "CAST(NULL AS BIGINT)",
        message.empty() ? "CAST(NULL AS VARCHAR)"
                        : fmt::format("CASE {}{} END", kFateColumn, message),
        fmt::format("CASE WHEN {} IN ({}) THEN CAST(to_json({}) AS VARCHAR) END", kFateColumn,
                    rejecting,
                    rows.source_row ? std::string(kRowColumn) : RowStruct(rows.columns)));
  }

  Result<Rows> Make(const Aggregate& op, const Node& node, Above above) {
    Rows rows = TRY(Closed(op.from));
    std::vector<Named> columns = op.keys;
    columns.insert(columns.end(), op.values.begin(), op.values.end());
    std::string text = Select(rows, Items(columns));
    for (size_t key = 0; key < op.keys.size(); ++key)
      text += fmt::format("{}{}", key == 0 ? " GROUP BY " : ", ", key + 1);
    return Counted({.from = "(" + text + ")", .columns = node.schema}, node.step, above);
  }

  Result<Rows> Make(const Join& op, const Node& node, Above above) {
    static constexpr std::string_view kKinds[] = {"INNER", "LEFT", "RIGHT", "FULL", "SEMI", "ANTI"};
    Rows left = TRY(Closed(op.left));
    Rows right = TRY(Closed(op.right));
    std::string text =
        fmt::format("SELECT {} FROM {} AS {} {} JOIN {} AS {} ON {}", Items(op.columns), Side(left),
                    QuoteIdentifier(op.left_name), kKinds[static_cast<int>(op.kind)], Side(right),
                    QuoteIdentifier(op.right_name), op.on.sql);
    return Counted({.from = "(" + text + ")", .columns = node.schema}, node.step, above);
  }
  // Hidden columns do not reach a condition or `SELECT *` of the user.
  static std::string Side(const Rows& rows) {
    return fmt::format("(SELECT {} FROM {})", Names(Visible(rows.columns)), rows.from);
  }

  Result<Rows> Make(const Distinct& op, const Node& node, Above) {
    Rows rows = TRY(Closed(op.from));
    std::string keys;
    for (const Named& key : op.keys) keys += (keys.empty() ? "" : ", ") + key.expr.sql;
    std::string rank =
        fmt::format("row_number() OVER (PARTITION BY {}{}{})", keys,
                    op.order.empty() ? "" : " ORDER BY ", sluice::Join(op.order, ", "));
    std::string text = fmt::format("(SELECT {}, {} AS {} FROM {}{})", Names(rows.columns), rank,
                                   kRankColumn, rows.from, Barrier());
    Fate fate{.kind = FateKind::kDeduplicated,
              .step = op.step,
              .applies = {.sql = fmt::format("{} > 1", kRankColumn)}};
    Rows ranked{.from = text, .columns = rows.columns, .barred = true};
    return Tapped(std::move(ranked),
                  {.fates = {fate}, .step_in = op.from->step, .step_out = node.step});
  }

  Result<Rows> Make(const Union& op, const Node& node, Above above) {
    std::vector<Rows> parts;
    for (const Ref& part : op.parts) parts.push_back(TRY(Closed(part)));
    Schema columns = Visible(node.schema);
    for (const Column& hidden : parts.empty() ? Schema() : Hiddens(parts[0].columns)) {
      bool everywhere = std::all_of(parts.begin(), parts.end(), [&](const Rows& part) {
        return Find(part.columns, hidden.name);
      });
      if (everywhere) columns.push_back(hidden);
    }
    std::string text;
    for (const Rows& part : parts) {
      Schema own = Visible(part.columns);
      for (const Column& hidden : Hiddens(columns)) own.push_back(hidden);
      text += fmt::format("{}SELECT {} FROM {}", text.empty() ? "" : " UNION ALL BY NAME ",
                          Names(own), part.from);
    }
    return Counted({.from = "(" + text + ")", .columns = columns}, node.step, above);
  }

  Result<Rows> Make(const Sql& op, const Node& node, Above above) {
    std::string with;
    for (const auto& [name, input] : op.inputs) {
      Rows rows = TRY(Closed(input));
      with +=
          fmt::format("{}{} AS {}MATERIALIZED (SELECT {} FROM {})", with.empty() ? "WITH " : ", ",
                      QuoteIdentifier(name), op.once.contains(name) ? "NOT " : "",
                      Names(Visible(rows.columns)), rows.from);
    }
    // The line break ends a comment at the end of the user's text.
    std::string text =
        fmt::format("({} SELECT {} FROM ({}\n) AS _sluice_sql)", with, Names(node.schema), op.text);
    return Counted({.from = text, .columns = node.schema}, node.step, above);
  }

  // The call stands below a barrier, so that each row is handed over exactly once; its fates are
  // those of a sift, and what lives is unfolded above them.
  Result<Rows> Make(const Call& op, const Node& node, Above above) {
    Rows rows = Barred(TRY(Build(op.from, {.diverts = true, .counts = true})));
    std::string call =
        options_.call ? TRY(options_.call(op)) : "sluice_call(" + QuoteLiteral(op.step);
    for (const Given& column : op.program->given) call += ", " + column.sql;
    rows.from = fmt::format("(SELECT {}, {}) AS {} FROM {}{})", AllItems(rows), call, kCallColumn,
                            rows.from, kBarrier);
    rows.columns.push_back({.name = std::string(kCallColumn), .type = "STRUCT", .hidden = true});
    rows.direct = rows.known = false;
    rows.barred = true;
    std::vector<Fate> fates{{.kind = FateKind::kRejected,
                             .step = op.step,
                             .code = "function",
                             .applies = {.sql = fmt::format("{}.fate = 2", kCallColumn)},
                             .message = {.sql = fmt::format("{}.message", kCallColumn)}}};
    for (const Column& column : op.program->gives) {
      if (NeedsCast(column)) fates.push_back(Misfit(op.step, column));
    }
    fates.push_back({.kind = FateKind::kFiltered,
                     .step = op.step,
                     .applies = {.sql = fmt::format("{}.fate = 1", kCallColumn)}});
    rows = Tapped(std::move(rows),
                  {.fates = std::move(fates), .step_in = op.from->step, .step_out = node.step});
    return Counted(Unfolded(std::move(rows), op, node, above), node.step, above);
  }
  static bool NeedsCast(const Column& column) {
    return PhysicalOf(column.type) == Physical::kText && column.type != "VARCHAR";
  }
  // Text of a reply as its column's type; NULL where it does not fit.
  static std::string FromText(const std::string& text, const Column& column) {
    const bool nested = EndsWith(column.type, "]") || StartsWith(column.type, "STRUCT(") ||
                        StartsWith(column.type, "MAP(") || StartsWith(column.type, "UNION(");
    return fmt::format("TRY_CAST({} AS {})",
                       nested ? fmt::format("TRY_CAST({} AS JSON)", text) : text, column.type);
  }
  static Fate Misfit(const std::string& step, const Column& column) {
    const std::string text = "_sluice_r." + QuoteIdentifier(column.name);
    const std::string misfits =
        fmt::format("list_filter({}.rows, lambda _sluice_r: {} IS NOT NULL AND {} IS NULL)",
                    kCallColumn, text, FromText(text, column));
    return {
        .kind = FateKind::kRejected,
        .step = step,
        .code = "cast",
        .applies = {.sql = fmt::format("len({}) > 0", misfits)},
        .message = {.sql = fmt::format("{} || left({}[1].{}, 200) || {}",
                                       QuoteLiteral(fmt::format("column '{}': '", column.name)),
                                       misfits, QuoteIdentifier(column.name),
                                       QuoteLiteral(fmt::format("' is not a {}", column.type)))}};
  }
  Rows Unfolded(Rows rows, const Call& op, const Node& node, Above above) {
    std::erase_if(rows.columns, [](const Column& c) { return c.name == kCallColumn; });
    const Schema hiddens = Hiddens(rows.columns);
    std::string inner = fmt::format("unnest({}.rows) AS {}", kCallColumn, kReplyColumn), outer;
    for (const Column& column : op.program->gives) {
      const std::string name = QuoteIdentifier(column.name);
      const std::string text = fmt::format("{}.{}", kReplyColumn, name);
      outer += fmt::format("{}{} AS {}", outer.empty() ? "" : ", ",
                           NeedsCast(column) ? FromText(text, column) : text, name);
    }
    if (!hiddens.empty()) inner += ", " + Names(hiddens), outer += ", " + Names(hiddens);
    const bool carries = rows.source_row || above.diverts;
    if (carries) outer += fmt::format(", {}", kRowColumn);
    if (rows.source_row) inner += fmt::format(", {}", kRowColumn);
    if (!rows.source_row && above.diverts)
      inner += fmt::format(", {} AS {}", RowStruct(rows.columns), kRowColumn);
    Schema columns = Visible(node.schema);
    columns.insert(columns.end(), hiddens.begin(), hiddens.end());
    return {.from = fmt::format("(SELECT {} FROM ({}))", outer, Select(rows, inner)),
            .columns = std::move(columns),
            .barred = true,
            .source_row = carries};
  }

  // Nothing waits: all pending rows fire at once.
  Result<Rows> Make(const Keyed& op, const Node& node, Above above) {
    Ref self = std::make_shared<const Node>(Node{op, node.schema, node.step, node.bound});
    Rows pending = TRY(Closed(Pending(self)));
    std::string kept = op.kept.empty() ? "" : EmptyInput(op.kept);
    std::string rows = fmt::format("(SELECT {} FROM {})", Names(op.state), pending.from);
    std::string text =
        fmt::format("(SELECT {} FROM ({}))", Names(Visible(node.schema)), FireText(op, rows, kept));
    return Counted({.from = text, .columns = Visible(node.schema)}, node.step, above);
  }

  const RenderOptions& options_;
  std::map<const Node*, int> readers_;
  std::map<const Node*, std::pair<std::string, Schema>> names_;
  std::vector<std::pair<std::string, std::string>>
      shared_;  // CTEs in the order they need each other
  std::set<Bound> bound_;
};

}  // namespace

Result<Text> Render(const Ref& ref, const RenderOptions& options, Hidden hidden) {
  return Renderer(options).Run(ref, hidden);
}

std::string EmptyInput(const Schema& schema) {
  std::string items;
  for (const Column& column : schema) {
    items += fmt::format("{}CAST(NULL AS {}) AS {}", items.empty() ? "" : ", ", column.type,
                         QuoteIdentifier(column.name));
  }
  return fmt::format("(SELECT {} WHERE false)", items);
}

}  // namespace sluice::relation
