// `run`: runs of other pipelines. What they will do is planned when their turn has come; before
// that it is checked that they exist and that no pipeline leads back to itself.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "pipeline/children.h"
#include "pipeline/planner.h"

namespace sluice {
namespace {

struct RunConfig {
  std::string pipeline;
  Node params;
  bool wait = true;
};

const Spec<RunConfig>& RunSpec() {
  static const Spec<RunConfig> spec =
      Spec<RunConfig>("run", "Runs another pipeline, once per run of this one.")
          .Main("pipeline")
          .Text(&RunConfig::pipeline, "pipeline", "Its name.", Need::kRequired)
          .Whole(&RunConfig::params, "params", "Its parameters: name -> value.",
                 "map name -> value")
          .Flag(&RunConfig::wait, "wait",
                "Whether the steps after it wait for its end, and its failure is theirs.");
  return spec;
}

struct UseConfig {
  std::string piece;
  Node with;
};

const Spec<UseConfig>& UseSpec() {
  static const Spec<UseConfig> spec =
      Spec<UseConfig>("use", "Puts the steps of a file in its place, when the run is planned.")
          .Main("piece")
          .Text(&UseConfig::piece, "piece", "A file of steps.", Need::kRequired)
          .Whole(&UseConfig::with, "with", "The values of the piece's params: name -> value.",
                 "map name -> value");
  return spec;
}

// The pipelines that a file names in its run steps, where no `{{ }}` decides it.
std::vector<Written> ChildrenOf(const PipelineFile& file) {
  std::vector<Written> names;
  for (const StepNode& step : file.steps) {
    if (step.verb != "run") continue;
    const Node* name = step.body.IsMap() ? step.body.Find("pipeline") : &step.body;
    if (name != nullptr && name->IsScalar() && name->scalar.find("{{") == std::string::npos)
      names.push_back({name->scalar, name->mark, name->quoted});
  }
  return names;
}

Status RefuseCycle(const Planning& planning, const std::string& name, const Mark& mark,
                   std::vector<std::string>& path) {
  path.push_back(name);
  if (std::find(path.begin(), path.end() - 1, name) != path.end() - 1) {
    return ConfigError(mark, fmt::format("pipelines run each other: {}", Join(path, " -> ")));
  }
  auto file = ReadPipeline(planning.context.files, planning.project, name);
  if (!file.ok()) return path.size() == 2 ? std::move(file).error().At(mark) : Status(Ok());
  for (const Written& child : ChildrenOf(*file)) TRY(RefuseCycle(planning, child.text, mark, path));
  path.pop_back();
  return Ok();
}

// The elements of for_each: of each the names that it gives.
struct Elements {
  std::vector<Scope> known;
  Scope types;  // where they are not known yet
  bool awaited = false;
};

Result<Elements> ElementsOf(Planning& planning, Planned& step, const Node& node) {
  Elements elements;
  if (node.IsList()) {
    for (const Node& item : node.list) {
      elements.known.emplace_back();
      TRY(AddEach(elements.known.back(), item, "each"));
    }
    return elements;
  }
  const std::string name = step.looks.begin()->first;
  size_t rows = 0;
  for (const Column& column : Visible(planning.Step(name).output->rows->schema)) {
    elements.types["each." + column.name] = relation::MakeBound(column.type, std::nullopt);
    const auto found =
        planning.request.known.rows.find(fmt::format("steps.{}.row.{}", name, column.name));
    if (found == planning.request.known.rows.end()) {
      elements.awaited = true;
      continue;
    }
    rows = found->second.size();
    elements.known.resize(rows);
    for (size_t i = 0; i < rows; ++i) elements.known[i]["each." + column.name] = found->second[i];
  }
  return elements;
}

Result<ChildCall> CallOf(Planning& planning, const Planned& step, const Node& body) {
  const RunConfig config = TRY(RunSpec().Bind(body));
  ChildCall call{.pipeline = config.pipeline, .params = {}, .text = {}, .plan = {}};
  if (!config.params.IsNull() && !config.params.IsMap())
    return WrongShape(config.params, "params", "a map name -> value");
  for (const auto& [key, value] : config.params.map)
    call.params[key.scalar] = TRY(ReadWritten(value, key.scalar)).text;
  if (call.pipeline.find("{{") != std::string::npos) return call;  // known in the run
  std::vector<std::string> path = planning.request.callers;
  path.push_back(planning.file.name);
  TRY(RefuseCycle(planning, call.pipeline, step.node->mark, path));
  auto file = ReadPipeline(planning.context.files, planning.project, call.pipeline);
  if (!file.ok()) return std::move(file).error().At(step.node->mark);
  call.text = file->text;
  PlanRequest request;
  request.date = planning.request.date;
  request.params = call.params;
  request.settings = planning.request.settings;
  request.now = planning.request.now;
  request.callers = planning.request.callers;
  request.callers.push_back(planning.file.name);
  request.pinned_of = planning.request.pinned_of;
  if (request.pinned_of) {
    request.pinned = [of = request.pinned_of, name = file->name](const std::string& of_step) {
      return of(name, of_step);
    };
  }
  call.plan = [project = planning.project, file = *file, request, &connectors = planning.connectors,
               &verbs = planning.verbs, context = planning.context]() {
    return MakePlan(project, file, request, connectors, verbs, context);
  };
  return call;
}

// The names of the child's params, and the types of its output, as far as its file tells them.
Result<std::vector<OutputValue>> CheckChild(Planning& planning, const ChildCall& call) {
  std::vector<OutputValue> output;
  if (!call.plan) return output;
  const PipelineFile file =
      TRY(ReadPipeline(planning.context.files, planning.project, call.pipeline));
  PlanRequest request = planning.request;
  request.params = call.params;
  for (auto& [name, value] : request.params) {
    if (value.find("{{") != std::string::npos) return output;  // a value that only the run knows
  }
  const Schedule schedule = TRY(ReadSchedule(file.node.Find("schedule")));
  const Interval interval = TRY(IntervalOfRun(schedule, request));
  Settled settled =
      TRY(MakeScope(planning.project, file, request, schedule, interval, planning.session));
  Template values(std::move(settled.scope), planning.session, planning.parser,
                  planning.context.files, planning.project.folder);
  DeclareRun({}, values);
  AwaitAll(file, values);
  auto read = ReadOutput(file, {}, values);
  return read.ok() ? std::move(*read) : output;  // `check` of that file says what is wrong
}

}  // namespace

SpecFacts RunFacts() { return RunSpec().facts(); }
SpecFacts UseFacts() { return UseSpec().facts(); }

Status PlanRun(Planning& planning, Planned& step) {
  ChildRun child;
  child.step = step.node->name;
  child.mark = step.node->mark;
  child.wait = TRY(RunSpec().Bind(step.node->body)).wait ? ChildRun::Wait::kForItsEnd
                                                         : ChildRun::Wait::kNotAtAll;
  const Node* each = step.node->step.Find("for_each");
  child.each = each != nullptr;
  Elements elements{.known = {Scope{}}, .types = {}, .awaited = false};
  if (each != nullptr) elements = TRY(ElementsOf(planning, step, *each));
  if (elements.awaited) {
    elements.known = {elements.types};
    step.awaits.insert(fmt::format("the rows of {}", step.looks.begin()->first));
  }
  const Scope before = planning.values.scope();
  for (const Scope& element : elements.known) {
    for (const auto& [name, value] : element) {
      if (elements.awaited)
        planning.values.Await(name, value.type);
      else
        planning.values.Define(name, value);
    }
    const Node body = TRY(planning.values.Body(step.node->body, RunSpec().facts()));
    ChildCall call = TRY(CallOf(planning, step, body));
    auto output = CheckChild(planning, call);
    if (!output.ok()) return std::move(output).error().At(step.node->mark);
    if (!child.each) child.output = std::move(*output);
    if (!elements.awaited) child.calls.push_back(std::move(call));
  }
  planning.values.Restore(before);
  for (const std::string& name : planning.values.TakeAwaited()) {
    if (!StartsWith(name, "each")) step.awaits.insert(name);
  }
  step.child = std::move(child);
  return Ok();
}

}  // namespace sluice
