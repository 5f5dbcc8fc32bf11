// A filter behind an extract, with nothing between them but steps that pass columns on under the
// same or other names, goes to the system that is read, as far as it decides it as DuckDB would.
// The filter stays where it is: what it need not see is not read, and so is counted neither as read
// nor as filtered, and no step between could have done anything with it but hand it on.
#include "connector/pushdown.h"
#include <map>
#include <optional>

#include "base/text.h"
#include "pipeline/planner.h"

namespace sluice {
namespace {

using relation::Ref;

// Whether a text within it names a value of the step.
bool Names(const Node& node, const std::string& step) {
  if (node.scalar.find("steps." + step) != std::string::npos) return true;
  const auto in = [&](const Node& child) { return Names(child, step); };
  return std::any_of(node.list.begin(), node.list.end(), in) ||
         std::any_of(node.map.begin(), node.map.end(),
                     [&](const Node::Entry& entry) { return in(entry.value); });
}

// The one step that reads the rows of `name`, if nothing else does.
Planned* OnlyReader(Planning& planning, const std::string& name) {
  Planned* reader = nullptr;
  const Node* output = planning.file.node.Find("output");
  if (output != nullptr && Names(*output, name)) return nullptr;  // its counts are asked for
  for (auto& [other, step] : planning.steps) {
    if (step.looks.contains(name)) return nullptr;
    for (const auto* edges : {&step.from, &step.mentions, &step.dropped, &step.values}) {
      if (std::find(edges->begin(), edges->end(), name) == edges->end()) continue;
      if (reader != nullptr && reader != &step) return nullptr;
      reader = &step;
    }
  }
  return reader;
}

// Whether the columns have the same names and values below it.
bool KeepsColumns(const relation::Project& project) {
  return std::all_of(project.columns.begin(), project.columns.end(), [](const relation::Named& n) {
    return n.expr.sql == QuoteIdentifier(n.name);
  });
}

// What a step calls the columns of the extract, in lower case.
using Shown = std::map<std::string, std::string>;

// The names above a map or derive that only renames columns or leaves some out; nullopt: it
// computes something, and what came of a row that the server leaves out would be missed.
std::optional<Shown> ShownAbove(Planning& planning, const Planned& step, const Ref& below,
                                const Shown& names) {
  if ((step.node->verb != "map" && step.node->verb != "derive") || !step.output)
    return std::nullopt;
  const auto* project = std::get_if<relation::Project>(&step.output->rows->op);
  if (project == nullptr || project->from != below) return std::nullopt;
  Shown above;
  for (const relation::Named& column : project->columns) {
    const auto facts = planning.parser.Expression(column.expr.sql);
    if (!facts.ok() || facts->column.empty()) return std::nullopt;
    const auto found = names.find(ToLower(facts->column));
    if (found == names.end()) return std::nullopt;
    above[ToLower(column.name)] = found->second;
  }
  return above;
}

// The same of the extract's columns; a name that is none of theirs is that of no column.
void Rename(sql::Condition& condition, const Shown& names) {
  const auto found = names.find(ToLower(condition.column));
  condition.column = found == names.end() ? std::string() : found->second;
  for (sql::Condition& part : condition.parts) Rename(part, names);
}

// The rows of `step` are those of `below` without the ones it filters out: adds what decides.
bool AddConjuncts(Planning& planning, const Planned& step, const Ref& below, const Shown& names,
                  std::vector<sql::Condition>& conjuncts, std::vector<sql::Bound>& bound) {
  if (step.node->verb != "filter" || !step.output) return false;
  const auto* sift = std::get_if<relation::Sift>(&step.output->rows->op);
  if (sift == nullptr || sift->from != below) return false;
  for (const relation::Fate& fate : sift->fates) {
    // A row that would be rejected has to be seen.
    if (fate.kind != relation::FateKind::kFiltered || fate.keeps.empty()) return false;
    auto some = planning.parser.Conjuncts(fate.keeps);
    if (!some.ok()) return false;
    for (sql::Condition& conjunct : *some) Rename(conjunct, names);
    conjuncts.insert(conjuncts.end(), some->begin(), some->end());
  }
  for (const relation::Bound& b : step.output->rows->bound) {
    bound.push_back({b.name, b.type, b.null ? std::nullopt : std::optional<std::string>(b.text)});
  }
  return true;
}

// What the source says of itself now that it knows the condition.
Result<SourceShape> DescribedAgain(Planning& planning, const PlannedExtract& extract) {
  auto source =
      TRY(MakeSource(*extract.connector, extract.connection, extract.request, planning.context));
  return source->Describe(planning.session, {});
}

void PushBehind(Planning& planning, Planned& extract) {
  if (!extract.output || !extract.extract || !extract.extract->shape.pushdown) return;
  if (extract.optional || extract.fallen || extract.skip != Skip::kNo) return;
  if (extract.extract->event_time) return;  // what was read decides what is late
  const Ref* rows = &extract.output->rows;
  if (const auto* project = std::get_if<relation::Project>(&(*rows)->op)) {
    if (!KeepsColumns(*project)) return;
  } else if (!std::holds_alternative<relation::Input>((*rows)->op)) {
    return;
  }
  std::vector<sql::Condition> conjuncts;
  std::vector<sql::Bound> bound;
  Shown names;
  for (const Column& column : (*rows)->schema) names[ToLower(column.name)] = column.name;
  std::string name = extract.node->name;
  for (Planned* step = OnlyReader(planning, name); step != nullptr;
       step = OnlyReader(planning, name)) {
    if (step->skip != Skip::kNo) break;
    if (auto above = ShownAbove(planning, *step, *rows, names))
      names = std::move(*above);
    else if (!AddConjuncts(planning, *step, *rows, names, conjuncts, bound))
      break;
    rows = &step->output->rows;
    name = step->node->name;
  }
  PlannedExtract& planned = *extract.extract;
  planned.request.condition = ConditionText(conjuncts, bound, *planned.shape.pushdown);
  if (!planning.request.described || planned.request.condition.empty()) return;
  auto shape = DescribedAgain(planning, planned);
  if (shape.ok())
    planned.shape.describe = shape->describe;
  else
    planning.Fail(extract, std::move(shape).error());
}

}  // namespace

void PushDown(Planning& planning) {
  if (planning.request.preview) return;  // it shows what each step sees
  for (auto& [name, step] : planning.steps) PushBehind(planning, step);
}

}  // namespace sluice
