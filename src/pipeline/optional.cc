// What a run may do without: `when`, `on_error: skip` and `fallback`. A step that is skipped is
// either hollow (an extract without rows, a step that hands its rows on with what it would have
// added null) or gone, with all that needs it.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "pipeline/planner.h"
#include "relation/render.h"

namespace sluice {
namespace {

using relation::Ref;

bool IsOneOf(std::string_view word, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

// What did not happen, rather than what gave nothing.
bool IsAct(const Planned& step) {
  return step.IsAction() || IsOneOf(step.node->verb, {"load", "run"});
}

bool MaySkip(const Planned& step) {
  return IsAct(step) ||
         IsOneOf(step.node->verb, {"extract", "map", "derive", "function", "lookup"});
}

Status CheckPlace(const Planned& step) {
  if (const Node* when = step.node->step.Find("when")) {
    if (!MaySkip(step) && !IsOneOf(step.node->verb, {"filter", "dedupe"})) {
      return ConfigError(
          when->mark, fmt::format("'when' on {}: without it there is nothing that its rows could "
                                  "be; put it on the load or on an extract",
                                  step.node->verb));
    }
  }
  if (const Node* error = step.node->step.Find("on_error")) {
    if (!MaySkip(step)) {
      return ConfigError(error->mark,
                         fmt::format("'on_error' on {}: the step is part of one query and cannot "
                                     "fail by itself; put it on an extract or a load",
                                     step.node->verb));
    }
  }
  if (const Node* fallback = step.node->step.Find("fallback")) {
    if (step.node->verb != "extract")
      return ConfigError(fallback->mark,
                         fmt::format("'fallback' on {}: only an extract has one", step.node->verb));
    const bool extract = fallback->IsMap() && fallback->map.size() == 1 &&
                         fallback->map[0].key.scalar == "extract" && fallback->map[0].value.IsMap();
    if (!extract) return WrongShape(*fallback, "fallback", "{ extract: { from: …, … } }");
    if (step.node->step.Find("on_error") != nullptr) {
      return ConfigError(fallback->mark,
                         "'fallback' beside 'on_error': what fails is skipped or read from the "
                         "fallback; say one of them");
    }
  }
  return Ok();
}

// Whether `when` says so; nullopt: only the run knows.
Result<std::optional<bool>> Asked(Planning& planning, Planned& step, const Node& node) {
  const Written written = TRY(ReadWritten(node, "when"));
  (void)planning.values.TakeAwaited();
  const Expanded expanded = TRY(planning.values.Sql(written));
  const std::set<std::string> awaited = planning.values.TakeAwaited();
  auto facts = planning.parser.Expression(expanded.sql);
  if (!facts.ok()) {
    return ConfigError(written.mark,
                       fmt::format("when: '{}' is no condition: {}", EscapeControl(written.text),
                                   facts.error().message));
  }
  if (!facts->columns.empty()) {
    return ConfigError(
        written.mark,
        fmt::format("when: '{}' would be a column, and 'when' is asked before any row "
                    "is read; a value stands in {{{{ }}}}, like \"{{{{ params.full "
                    "}}}}\"",
                    facts->columns.front()));
  }
  std::vector<sql::Bound> bound;
  for (const relation::Bound& b : expanded.bound)
    bound.push_back({b.name, b.type, b.null ? std::nullopt : std::optional(b.text)});
  auto rows = planning.session.Query(
      fmt::format("SELECT CAST(v AS VARCHAR), typeof(v) FROM (SELECT ({}) AS v)", expanded.sql),
      bound);
  if (!rows.ok()) {
    return ConfigError(written.mark,
                       fmt::format("when: '{}' cannot be computed: {}", EscapeControl(written.text),
                                   rows.error().message));
  }
  const auto& row = rows->rows.at(0);
  if (row[1].text != "BOOLEAN") {
    return ConfigError(written.mark,
                       fmt::format("when: '{}' is a {}; it takes what is true or false",
                                   EscapeControl(written.text), row[1].text));
  }
  step.awaits.insert(awaited.begin(), awaited.end());
  if (!awaited.empty()) return std::optional<bool>{};
  if (row[0].null) {
    return ConfigError(written.mark,
                       fmt::format("when: '{}' is NULL; it takes what is true or false",
                                   EscapeControl(written.text)));
  }
  return std::optional<bool>(row[0].text == "true");
}

Error NeedsColumns(const Planned& step, Error error) {
  error.message += fmt::format(
      "\nstep '{}' could be skipped, but its columns are not known; say columns: with names and "
      "types",
      step.node->name);
  return error;
}

Schema DeclaredColumns(const ExtractConfig& config) {
  Schema schema;
  for (const NamedWritten& column : config.columns)
    schema.push_back({column.name, column.value.text, false, ""});
  return schema;
}

// An extract that has no rows and touches nothing; its positions stay where they are.
class NoRows final : public Source {
 public:
  explicit NoRows(Schema schema) : schema_(std::move(schema)) {}
  Result<SourceShape> Describe(sql::Session&, std::stop_token) override {
    return SourceShape{.schema = schema_,
                       .guessed = {},
                       .replay = Replay::kSameRows,
                       .endless = false,
                       .ordered = false,
                       .describe = "nothing: the step is skipped"};
  }
  Result<std::optional<Range>> Freeze(const Position&, const Limits&, std::stop_token) override {
    return std::optional<Range>{};
  }
  Position After(const Position& from, const Range&) const override { return from; }
  Result<Opened> Open(const Range&, sql::Session&, std::stop_token) override {
    return InternalError("a skipped extract was read");
  }

 private:
  const Schema schema_;
};

const Connector& Nothing() {
  static const Connector connector{
      .type = "nothing",
      .summary = "No rows.",
      .connection = {},
      .extract_keys = {},
      .load_keys = {},
      .check = {},
      .source = [](const Node*, ExtractRequest request,
                   const ConnectorContext&) -> Result<std::unique_ptr<Source>> {
        return std::unique_ptr<Source>(std::make_unique<NoRows>(request.pinned.value_or(Schema{})));
      },
      .sink = {},
      .sink_key = {},
      .probe = {},
      .duckdb_file = {}};
  return connector;
}

std::string NamesOf(const Schema& schema) { return Join(VisibleNames(schema), ", "); }

// The rows in those columns: what is there by its name, the others null.
Ref InColumns(Ref rows, const Schema& columns, const std::string& step) {
  relation::Project project;
  Schema schema = Visible(columns);
  for (const Column& column : schema) {
    const Column* same = Find(rows->schema, column.name);
    std::string value = same == nullptr || same->hidden
                            ? fmt::format("CAST(NULL AS {})", column.type)
                            : QuoteIdentifier(same->name);
    if (same != nullptr && !same->hidden && same->type != column.type)
      value = fmt::format("TRY_CAST({} AS {})", value, column.type);
    project.columns.push_back({column.name, {std::move(value), {}}});
  }
  for (const Column& column : rows->schema) {
    if (column.hidden) schema.push_back(column);
  }
  project.from = std::move(rows);
  return relation::Make(std::move(project), std::move(schema), step);
}

}  // namespace

Result<PipelineFile> WithFallbacks(const Progress& known, PipelineFile file) {
  std::vector<StepNode> steps;
  for (StepNode& step : file.steps) {
    const Node* fallback = step.step.Find("fallback");
    if (fallback != nullptr && known.fallen.contains(step.name)) {
      StepNode other{.name = step.name + "_fallback",
                     .mark = fallback->mark,
                     .verb = "extract",
                     .body = *fallback->Find("extract"),
                     .step = {.kind = Node::Kind::kMap, .mark = fallback->mark},
                     .from = {}};
      for (const auto& entry : step.step.map) {
        if (entry.key.scalar == "after" || entry.key.scalar == "on_row_error")
          other.step.map.push_back(entry);
      }
      step.from = {other.name};
      steps.push_back(std::move(other));
    }
    steps.push_back(std::move(step));
  }
  file.steps = std::move(steps);
  return file;
}

Status ReadOptional(Planning& planning, Planned& step) {
  TRY(CheckPlace(step));
  const Progress& known = planning.request.known;
  const Node* error = step.node->step.Find("on_error");
  const bool skips =
      error != nullptr && TRY(ReadChoiceOf(*error, "on_error", {"fail", "skip"})) == "skip";
  step.optional = skips || step.node->step.Find("fallback") != nullptr;
  const Node* when = step.node->step.Find("when");
  step.gated = IsAct(step) && (skips || when != nullptr);
  if (when != nullptr) {
    const std::optional<bool> asked = TRY(Asked(planning, step, *when));
    if (asked && !*asked) {
      step.skip = IsAct(step) ? Skip::kGone : Skip::kHollow;
      step.why = fmt::format("when: {} is false", TRY(ReadWritten(*when, "when")).text);
    }
  }
  if (const auto why = known.skipped.find(step.node->name); why != known.skipped.end()) {
    step.skip = IsAct(step) ? Skip::kGone : Skip::kHollow;
    step.why = why->second;
  }
  if (const auto why = known.fallen.find(step.node->name); why != known.fallen.end()) {
    step.fallen = true;
    step.why = why->second;
  }
  return Ok();
}

void HandOn(Planning& planning, Planned& step) {
  if (step.extract) {
    PlannedExtract& extract = *step.extract;
    extract.connector = &Nothing();
    extract.connection = nullptr;
    extract.request.pinned = extract.shape.schema;
    extract.shape.guessed.clear();
    extract.shape.endless = false;
    extract.shape.describe = "nothing: the step is skipped";
    step.output->endless = false;
    return;
  }
  if (IsAct(step) || !step.output || step.from.empty()) return;
  const Planned& above = planning.Step(step.from.front());
  if (step.from.size() > 1 || !above.output) return;
  const Schema gives = step.output->rows->schema;
  StepInput output = *above.output;
  output.step = step.node->name;
  output.rows = InColumns(output.rows, gives, step.node->name);
  step.output = std::move(output);
  step.reach = Reach::kRow;
  step.strict = false;
  step.dropped = std::exchange(step.mentions, {});
}

Status PlanFallen(Planning& planning, Planned& step) {
  const StepInput& given = *planning.Step(step.from.at(0)).output;
  const auto shape = planning.request.known.shapes.find(step.node->name);
  step.output = given;
  step.output->step = step.node->name;
  const Schema columns =
      shape == planning.request.known.shapes.end() ? given.rows->schema : shape->second.schema;
  step.output->rows = InColumns(given.rows, columns, step.node->name);
  return Ok();
}

Result<SourceShape> ShapeOf(Planning& planning, Planned& step, const ExtractRequest& request,
                            Source& source) {
  const Progress& known = planning.request.known;
  const auto learnt = known.shapes.find(step.node->name);
  if (learnt != known.shapes.end() && step.skip == Skip::kHollow) return learnt->second;
  auto shape = source.Describe(planning.session, {});
  if (shape.ok()) return shape;
  Error error = std::move(shape)
                    .error()
                    .While(fmt::format("reading the columns of step '{}'", step.node->name))
                    .At(step.node->mark);
  if (auto made = ShapeFromLoads(planning, step); made.ok()) return made;
  if (!step.optional && step.skip != Skip::kHollow) return error;
  SourceShape guess{.schema = DeclaredColumns(request.config),
                    .guessed = {},
                    .replay = Replay::kSameRows,
                    .endless = false,
                    .ordered = !request.config.event_time.empty(),
                    .describe = "what could not be asked: " + error.message};
  if (learnt != known.shapes.end()) guess = learnt->second;
  if (guess.schema.empty() && request.pinned) guess.schema = *request.pinned;
  if (guess.schema.empty() && planning.request.pinned) {
    const auto columns =
        TRY(planning.request.pinned(step.node->name + std::string(kRememberedColumns)));
    if (columns) guess.schema = *columns;
  }
  if (guess.schema.empty() && step.node->step.Find("fallback") == nullptr)
    return NeedsColumns(step, std::move(error));
  if (step.optional) planning.plan.unreached.emplace(step.node->name, std::move(error));
  return guess;
}

Status CheckFallback(Planning& planning, Planned& step) {
  const Node* fallback = step.node->step.Find("fallback");
  if (fallback == nullptr) return Ok();
  const StepNode node{.name = step.node->name + "_fallback",
                      .mark = fallback->mark,
                      .verb = "extract",
                      .body = *fallback->Find("extract"),
                      .step = {.kind = Node::Kind::kMap, .mark = fallback->mark},
                      .from = {}};
  if (FindStep(planning, node.name) != nullptr) {
    return ConfigError(
        fallback->mark,
        fmt::format("the fallback of '{}' is called '{}', and so is a step; give that "
                    "one another name",
                    step.node->name, node.name));
  }
  Planned other;
  other.node = &node;
  Status planned = PlanExtract(planning, other);
  if (!planned.ok()) {
    if (planned.error().kind == ErrorKind::kConfig) return planned;
    planning.Warn(fallback->mark, fmt::format("the fallback of step '{}' cannot be read now: {}",
                                              step.node->name, planned.error().message));
    return Ok();
  }
  const Schema& given = other.extract->shape.schema;
  SourceShape& shape = step.extract->shape;
  if (shape.schema.empty()) {  // nothing else is known of it
    shape.schema = Visible(given);
    return Ok();
  }
  for (const Column& column : Visible(shape.schema)) {
    if (Find(given, column.name) != nullptr) continue;
    return ConfigError(fallback->mark,
                       fmt::format("the fallback gives no column '{}'; it gives: {}", column.name,
                                   NamesOf(given)));
  }
  return Ok();
}

}  // namespace sluice
