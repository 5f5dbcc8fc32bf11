// Values of steps in `{{ }}`: which steps a step waits for, what names they give, and the
// pipeline's output, which is made of such values when the run has ended.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "pipeline/planner.h"
#include "pipeline/template_scan.h"

namespace sluice {
namespace {

constexpr std::string_view kSteps = "steps";

// The parts of `steps.loaded.inserted`, without quotes.
std::vector<std::string> PartsOf(std::string dotted) {
  std::erase(dotted, '"');
  return Split(dotted, '.');
}

class Finder {  // of the values that one step uses
 public:
  Finder(Planning& planning, Planned& step) : planning_(planning), step_(step) {}

  void Walk(const Node& node) {
    if (node.IsScalar()) Text(node);
    for (const Node& item : node.list) Walk(item);
    for (const auto& [key, value] : node.map) Walk(value);
  }

 private:
  void Text(const Node& node) {
    std::string text = node.scalar;
    if (EndsWith(text, ".sql") && text.find_first_of(" \n\t(';{") == std::string::npos) {
      auto file = planning_.values.File({text, node.mark, false});
      if (!file.ok()) return;  // whoever reads it says so
      text = std::move(*file);
    }
    if (text.find(kSteps) == std::string::npos) return;
    for (const Piece& piece : ScanText(text)) {
      if (piece.kind != Piece::Kind::kValue) continue;
      auto facts = planning_.parser.Expression(QuoteIntervalNames(Trim(piece.text)));
      if (!facts.ok()) continue;
      for (const std::string& column : facts->columns) Name(column, node.mark);
    }
  }

  void Name(const std::string& dotted, const Mark& mark) {
    const std::vector<std::string> parts = PartsOf(dotted);
    if (ToLower(parts[0]) != kSteps || parts.size() < 2) return;
    const StepNode* found = FindStep(planning_, parts[1]);
    if (found == nullptr) return planning_.Fail(step_, UnknownStep(planning_, parts[1], mark));
    if (parts.size() > 2 && ToLower(parts[2]) == "row")
      step_.looks.emplace(found->name, Look::Wants::kOneRow);
    else if (std::find(step_.values.begin(), step_.values.end(), found->name) == step_.values.end())
      step_.values.push_back(found->name);
  }

  Planning& planning_;
  Planned& step_;
};

// The values that a step has when it has ended, besides its row: name and type.
std::vector<std::pair<std::string, std::string>> ValuesOf(const StepNode& step) {
  std::vector<std::pair<std::string, std::string>> values{{"status", "VARCHAR"},
                                                          {"rows_in", "BIGINT"},
                                                          {"rows_out", "BIGINT"},
                                                          {"rejected", "BIGINT"},
                                                          {"duration_ms", "BIGINT"}};
  if (step.verb == "load") {
    for (const char* name : {"inserted", "updated", "unchanged", "touched", "deleted"})
      values.emplace_back(name, "BIGINT");
  }
  if (step.verb == "extract") values.emplace_back("cursor", "VARCHAR");
  return values;
}

}  // namespace

void FindValues(Planning& planning, Planned& step) {
  Finder finder(planning, step);
  finder.Walk(step.node->body);
  for (const auto& [key, value] : step.node->step.map) {
    if (key.scalar != step.node->verb) finder.Walk(value);
  }
  const Node* each = step.node->step.Find("for_each");
  if (each == nullptr) return;
  if (!step.IsRun()) {
    return planning.Fail(
        step, ConfigError(each->mark, fmt::format("'for_each' on {}: a step-level for_each is "
                                                  "for run; rows go through {} as they are",
                                                  step.node->verb, step.node->verb)));
  }
  if (each->IsList()) return;
  if (!each->IsScalar())
    return planning.Fail(step, WrongShape(*each, "for_each", "a step or a list"));
  const StepNode* found = FindStep(planning, each->scalar);
  if (found == nullptr) return planning.Fail(step, UnknownStep(planning, each->scalar, each->mark));
  if (!step.looks.empty()) {
    return planning.Fail(step, ConfigError(each->mark,
                                           "a row of another step beside for_each: put it into the "
                                           "rows that for_each goes over"));
  }
  step.looks[found->name] = Look::Wants::kRows;
}

void DeclareValues(Planning& planning, const std::string& name) {
  const Planned& step = planning.Step(name);
  const auto declare = [&](const std::string& value, const std::string& type) {
    const std::string full = fmt::format("{}.{}.{}", kSteps, name, value);
    const auto known = planning.request.known.values.find(full);
    if (known == planning.request.known.values.end())
      planning.values.Await(full, type);
    else
      planning.values.Define(full, known->second);
  };
  for (const auto& [value, type] : ValuesOf(*step.node)) declare(value, type);
  if (step.child) {
    for (const OutputValue& value : step.child->output) declare("output." + value.name, value.type);
  }
  if (!step.output) return;
  for (const Column& column : Visible(step.output->rows->schema))
    declare("row." + column.name, column.type);
}

void AwaitAll(const PipelineFile& file, Template& values) {
  for (const StepNode& step : file.steps) {
    for (const auto& [value, type] : ValuesOf(step))
      values.Await(fmt::format("{}.{}.{}", kSteps, step.name, value), type);
  }
}

void DeclareRun(const Progress& known, Template& values) {
  for (const auto& [name, type] :
       {std::pair("run.id", "BIGINT"), std::pair("run.revision", "VARCHAR"),
        std::pair("run.started_at", "TIMESTAMP")}) {
    const auto found = known.values.find(name);
    if (found == known.values.end())
      values.Await(name, type);
    else
      values.Define(name, found->second);
  }
}

Result<std::vector<OutputValue>> ReadOutput(const PipelineFile& file, const Progress& known,
                                            Template& values) {
  std::vector<OutputValue> output;
  const Node* node = file.node.Find("output");
  if (node == nullptr) return output;
  if (!node->IsMap() || node->map.empty())
    return WrongShape(*node, "output", "a map name -> value, like { new: \"{{ steps.… }}\" }");
  const std::pair<const char*, const char*> kEnded[] = {{"run.status", "VARCHAR"},
                                                        {"run.finished_at", "TIMESTAMP"},
                                                        {"run.duration_ms", "BIGINT"},
                                                        {"run.rows_rejected", "BIGINT"},
                                                        {"run.dead_letters", "BIGINT"}};
  for (const auto& [name, type] : kEnded) {
    const auto found = known.values.find(name);
    if (found == known.values.end())
      values.Await(name, type);
    else
      values.Define(name, found->second);
  }
  for (const auto& [key, value] : node->map) {
    if (!value.IsScalar()) return WrongShape(value, key.scalar, "a value, like \"{{ steps.… }}\"");
    (void)values.TakeAwaited();
    const relation::Bound bound =
        TRY(values.Value(Written{value.scalar, value.mark, value.quoted}));
    const bool awaits = !values.TakeAwaited().empty();
    output.push_back({key.scalar, key.mark, bound.type,
                      bound.null || awaits ? std::nullopt : std::optional(bound.text)});
  }
  return output;
}

}  // namespace sluice
