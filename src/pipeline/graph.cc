// Who reads whom. Names are compared as SQL does, without case.
#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "base/text.h"
#include "pipeline/planner.h"
#include "spec/field.h"

namespace sluice {

const StepNode* FindStep(const Planning& planning, std::string_view name) {
  for (const StepNode& step : planning.file.steps) {
    if (ToLower(step.name) == ToLower(name)) return &step;
  }
  return nullptr;
}

Error UnknownStep(const Planning& planning, const std::string& name, const Mark& mark) {
  std::vector<std::string> names;
  for (const StepNode& step : planning.file.steps) names.push_back(step.name);
  std::string message = fmt::format("no step is called '{}'", EscapeControl(name));
  if (const auto nearest = Nearest(name, names))
    return ConfigError(mark, message + fmt::format("; did you mean '{}'?", *nearest));
  const std::string head = name.substr(0, name.find('.'));
  for (const StepNode& step : planning.file.steps) {
    const Node* table = step.verb == "load" ? step.body.Find("table") : nullptr;
    if (table == nullptr || table->scalar != name) continue;
    return ConfigError(
        mark,
        message +
            fmt::format(
                "; '{}' is the table that step '{}' loads: SQL here reads steps, so name the step",
                name, step.name));
  }
  if (planning.project.connections.contains(head)) {
    return ConfigError(
        mark,
        message + fmt::format("; '{}' is a connection: read its table with an extract step", head));
  }
  return ConfigError(mark, message + fmt::format("; steps: {}", Join(names, ", ")));
}

namespace {

Mark MarkOfName(const StepNode& step, std::string_view key, const std::string& name) {
  const Node* node = step.step.Find(key);
  if (node == nullptr) return step.mark;
  for (const Node& item : node->list) {
    if (item.scalar == name) return item.mark;
  }
  return node->mark;
}

void Resolve(Planning& planning, Planned& step, std::vector<std::string>& names,
             std::string_view key) {
  for (std::string& name : names) {
    const StepNode* found = FindStep(planning, name);
    if (found != nullptr)
      name = found->name;
    else
      planning.Fail(step, UnknownStep(planning, name, MarkOfName(*step.node, key, name)));
  }
  std::erase_if(names,
                [&](const std::string& name) { return FindStep(planning, name) == nullptr; });
}

void FindMentions(Planning& planning, Planned& step) {
  const Verb* verb = Find(planning.verbs, step.node->verb);
  if (verb == nullptr || !verb->mentions || step.IsAction()) return;
  LowerContext context = ContextOf(planning, step);
  auto mentions = verb->mentions(step.node->body, context);
  if (!mentions.ok()) return planning.Fail(step, std::move(mentions).error().At(step.node->mark));
  step.mentions = std::move(*mentions);
  for (std::string& name : step.mentions) {
    const auto& local = step.node->local;
    if (const auto known = local.find(name); known != local.end()) name = known->second;
  }
  Resolve(planning, step, step.mentions, step.node->verb);
}

std::vector<std::string> EdgesOf(const Planned& step) {
  std::vector<std::string> edges = step.from;
  edges.insert(edges.end(), step.mentions.begin(), step.mentions.end());
  edges.insert(edges.end(), step.after.begin(), step.after.end());
  edges.insert(edges.end(), step.values.begin(), step.values.end());
  for (const auto& [name, wants] : step.looks) edges.push_back(name);
  return edges;
}

// Inputs before readers, else as written. A cycle is told once, at the step where it was entered.
void Sort(Planning& planning) {
  enum class State : uint8_t { kNew, kOpen, kDone };
  std::map<std::string, State> states;
  std::vector<std::string> path;
  std::function<void(const std::string&)> visit = [&](const std::string& name) {
    State& state = states[name];
    if (state == State::kDone) return;
    path.push_back(name);
    if (state == State::kOpen) {
      const auto begin = std::find(path.begin(), path.end(), name);
      Planned& step = planning.Step(name);
      planning.Fail(
          step,
          ConfigError(step.node->mark,
                      fmt::format("steps wait for each other: {}",
                                  Join(std::vector<std::string>(begin, path.end()), " <- "))));
      path.pop_back();
      return;
    }
    state = State::kOpen;
    for (const std::string& edge : EdgesOf(planning.Step(name))) visit(edge);
    states[name] = State::kDone;
    path.pop_back();
    planning.order.push_back(name);
  };
  for (const StepNode& step : planning.file.steps) visit(step.name);
}

// A run hands on the rows that it was given, once it is done: who reads it reads those, after it.
void PassThroughRuns(Planning& planning, Planned& step) {
  if (step.IsRun() || step.IsAction()) return;
  std::vector<std::string> from;
  for (const std::string& name : step.from) {
    std::string above = name;
    for (const StepNode* run = FindStep(planning, above); run != nullptr && run->verb == "run";
         run = FindStep(planning, above)) {
      step.after.push_back(run->name);
      const bool first = run->from.empty();
      above = first ? run->name : run->from.front();
      if (first) break;
    }
    from.push_back(above);
  }
  step.from = std::move(from);
}

}  // namespace

void ConnectSteps(Planning& planning) {
  size_t position = 0;
  for (const StepNode& node : planning.file.steps) {
    Planned step;
    step.node = &node;
    step.position = position++;
    const Verb* verb = Find(planning.verbs, node.verb);
    const bool finds_its_own = verb != nullptr && verb->max_inputs < 0 && !step.IsAction();
    if (node.step.Find("from") != nullptr || !finds_its_own) step.from = node.from;
    if (const Node* after = node.step.Find("after")) {
      auto names = ReadWrittenList(*after, "after");
      if (!names.ok())
        planning.Fail(step, names.error());
      else
        for (const Written& name : *names) step.after.push_back(name.text);
    }
    planning.steps.emplace(node.name, std::move(step));
  }
  for (const StepNode& node : planning.file.steps)
    PassThroughRuns(planning, planning.Step(node.name));
  for (const StepNode& node : planning.file.steps) {
    Planned& step = planning.Step(node.name);
    Resolve(planning, step, step.from, "from");
    Resolve(planning, step, step.after, "after");
    FindMentions(planning, step);
    FindValues(planning, step);
  }
  Sort(planning);
}

LowerContext ContextOf(Planning& planning, const Planned& step) {
  return LowerContext{
      .step = step.node->name,
      .mark = step.node->mark,
      .session = planning.session,
      .parser = planning.parser,
      .on_row_error = OnRowError::kFail,
      .expand = [&planning](const Written& written) { return planning.values.Sql(written); },
      .warn = [&planning](Mark mark,
                          std::string text) { planning.Warn(std::move(mark), std::move(text)); },
      .read_file = [&planning](const Written& path) { return planning.values.File(path); },
      .folder = planning.project.folder};
}

}  // namespace sluice
