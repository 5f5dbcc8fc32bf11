// Steps that share rows are one flow; actions stand between flows. Stages come in an order that
// every `after`, and every table that an action may read, agrees with; beyond that, as written.
#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "base/text.h"
#include "pipeline/planner.h"

namespace sluice {
namespace {

std::vector<std::string> DataEdges(const Planned& step) {
  if (step.IsAction()) return {};
  std::vector<std::string> edges = step.from;
  edges.insert(edges.end(), step.mentions.begin(), step.mentions.end());
  return edges;
}

// step -> the first step (in the file) of its component.
std::map<std::string, std::string> Components(const Planning& planning) {
  std::map<std::string, std::string> parent;
  const std::function<std::string(const std::string&)> root = [&](const std::string& name) {
    return parent.at(name) == name ? name : parent[name] = root(parent.at(name));
  };
  for (const auto& [name, step] : planning.steps) parent[name] = name;
  for (const auto& [name, step] : planning.steps) {
    for (const std::string& edge : DataEdges(step)) {
      const std::string a = root(name), b = root(edge);
      const bool first = planning.steps.at(a).position < planning.steps.at(b).position;
      if (a != b) parent[first ? b : a] = first ? a : b;
    }
  }
  for (auto& [name, above] : parent) above = root(name);
  return parent;
}

// Steps whose rows reach a load; the others are checked but never run.
std::set<std::string> Needed(const Planning& planning, const std::vector<std::string>& members) {
  std::set<std::string> needed;
  for (const std::string& name : members) {
    if (!planning.steps.at(name).load) continue;
    for (const std::string& step : Upstream(planning, name)) needed.insert(step);
  }
  return needed;
}

void AddSink(Flow& flow, const PlannedSink& sink) {
  const auto same = [&](const PlannedSink& known) { return known.key == sink.key; };
  if (std::none_of(flow.sinks.begin(), flow.sinks.end(), same)) flow.sinks.push_back(sink);
}

void CheckTargets(Planning& planning, const Flow& flow) {
  for (size_t i = 0; i < flow.loads.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      const PlannedLoad &a = flow.loads[j], &b = flow.loads[i];
      if (a.sink != b.sink || ToLower(a.load.target) != ToLower(b.load.target)) continue;
      if (a.load.mode == Mode::kAppend && b.load.mode == Mode::kAppend) continue;
      planning.errors.push_back(ConfigError(
          b.load.mark, fmt::format("steps '{}' and '{}' both load {}; one would undo the other",
                                   a.load.step, b.load.step, b.load.target)));
    }
  }
}

// The lane keeps the name it began with: what a load was called before it was renamed.
void NameLane(Planning& planning, Flow& flow) {
  flow.lane_pipeline = planning.file.name;
  flow.lane_name = flow.id;
  const PlannedLoad* teller = nullptr;
  for (const PlannedLoad& load : flow.loads) {
    const std::string& former = load.renamed_from;
    if (former.empty()) continue;
    if (teller != nullptr && teller->renamed_from != former) {
      planning.errors.push_back(ConfigError(
          load.load.mark,
          fmt::format(
              "steps '{}' and '{}' load together and so were one thing before: say the same "
              "renamed_from in both, or say it in one",
              teller->load.step, load.load.step)));
      return;
    }
    teller = &load;
    const size_t dot = former.find('.');
    flow.is_new = former == "none";
    if (flow.is_new) continue;
    if (dot != std::string::npos) flow.lane_pipeline = former.substr(0, dot);
    flow.lane_name = dot == std::string::npos ? former : former.substr(dot + 1);
  }
}

// Two flows in one lane would each skip what the other has loaded.
void CheckLanes(Planning& planning) {
  std::map<std::pair<std::string, std::string>, std::string> lanes;
  for (const auto& stage : planning.plan.stages) {
    const Flow* flow = std::get_if<Flow>(&stage);
    if (flow == nullptr) continue;
    const auto [other, fresh] = lanes.try_emplace({flow->lane_pipeline, flow->lane_name}, flow->id);
    if (fresh) continue;
    planning.errors.push_back(ConfigError(
        planning.steps.at(flow->id).node->mark,
        fmt::format("steps '{}' and '{}' both go on from '{}'; only the one that was called so "
                    "before says renamed_from, and a new step needs another name",
                    other->second, flow->id, flow->lane_name)));
  }
}

Flow BuildFlow(Planning& planning, const std::vector<std::string>& members) {
  Flow flow;
  const std::set<std::string> needed = Needed(planning, members);
  for (const std::string& name : members) {
    Planned& step = planning.Step(name);
    flow.rows[name] = step.output->rows;
    if (!needed.contains(name) && !needed.empty()) {
      planning.Warn(step.node->mark,
                    fmt::format("the rows of step '{}' go nowhere; no load takes them", name));
      continue;
    }
    flow.steps.push_back(name);
    if (step.extract) flow.extracts.push_back(*step.extract);
    if (step.load) {
      flow.loads.push_back(*step.load);
      AddSink(flow, *step.sink);
    }
    if (step.strict) flow.strict.push_back(name);
    flow.reach = std::max(flow.reach, step.reach);
    flow.endless = flow.endless || (step.extract && step.extract->shape.endless);
    if (step.reach != Reach::kKeyed) continue;
    if (!flow.keyed_step.empty()) {
      planning.Fail(
          step,
          ConfigError(
              step.node->mark,
              fmt::format(
                  "steps '{}' and '{}' both keep state; a second one in a flow comes with streams",
                  flow.keyed_step, name)));
    }
    flow.keyed_step = name;
  }
  flow.id = flow.loads.empty() ? flow.steps.front() : flow.loads.front().load.step;
  NameLane(planning, flow);
  return flow;
}

struct Stage {
  size_t position = 0;
  std::vector<std::string> members;
  std::set<size_t> before;  // stages that come first
};

class Stages {
 public:
  explicit Stages(Planning& planning) : planning_(planning), component_(Components(planning)) {
    for (const StepNode& node : planning_.file.steps) {
      const std::string& root = component_.at(node.name);
      if (!index_.contains(root)) {
        index_[root] = stages_.size();
        stages_.push_back({planning_.Step(root).position, {}, {}});
      }
      stages_[index_[root]].members.push_back(node.name);
    }
    for (const StepNode& node : planning_.file.steps) Order(planning_.Step(node.name));
  }

  // Empty where they wait for each other: told.
  std::vector<std::vector<std::string>> Sorted() {
    std::vector<std::vector<std::string>> sorted;
    std::vector<bool> placed(stages_.size());
    while (sorted.size() < stages_.size()) {
      size_t next = stages_.size();
      for (size_t i = 0; i < stages_.size() && next == stages_.size(); ++i) {
        const auto& before = stages_[i].before;
        const bool ready =
            std::all_of(before.begin(), before.end(), [&](size_t s) { return placed[s]; });
        if (!placed[i] && ready) next = i;
      }
      if (next == stages_.size()) return Stuck(placed);
      placed[next] = true;
      sorted.push_back(stages_[next].members);
    }
    return sorted;
  }

 private:
  size_t StageOf(const std::string& step) const { return index_.at(component_.at(step)); }

  void Order(const Planned& step) {
    const size_t own = StageOf(step.node->name);
    for (const std::string& name : step.after) {
      if (StageOf(name) == own) {
        planning_.errors.push_back(
            ConfigError(step.node->step.Find("after")->mark,
                        fmt::format("'after: {}': both steps share rows and run at once", name)));
      } else {
        stages_[own].before.insert(StageOf(name));
      }
    }
    if (!step.IsAction()) return;
    for (const std::string& name : step.from) stages_[own].before.insert(StageOf(name));
    for (const auto& [name, other] : planning_.steps) {
      const bool same_place = other.sink && step.sink && other.sink->key == step.sink->key;
      if (same_place && other.position < step.position && StageOf(name) != own)
        stages_[own].before.insert(StageOf(name));
    }
  }

  std::vector<std::vector<std::string>> Stuck(const std::vector<bool>& placed) {
    std::vector<std::string> names;
    for (size_t i = 0; i < stages_.size(); ++i) {
      if (!placed[i]) names.push_back(stages_[i].members.front());
    }
    planning_.errors.push_back(
        ConfigError(planning_.Step(names.front()).node->mark,
                    fmt::format("stages wait for each other: {}", Join(names, ", "))));
    return {};
  }

  Planning& planning_;
  std::map<std::string, std::string> component_;
  std::map<std::string, size_t> index_;
  std::vector<Stage> stages_;
};

}  // namespace

std::vector<std::string> Upstream(const Planning& planning, const std::string& step) {
  std::set<std::string> seen;
  std::vector<std::string> open{step};
  while (!open.empty()) {
    const std::string name = open.back();
    open.pop_back();
    if (!seen.insert(name).second) continue;
    for (const std::string& edge : DataEdges(planning.steps.at(name))) open.push_back(edge);
  }
  std::vector<std::string> steps(seen.begin(), seen.end());
  std::sort(steps.begin(), steps.end(), [&](const std::string& a, const std::string& b) {
    return planning.steps.at(a).position < planning.steps.at(b).position;
  });
  return steps;
}

void BuildStages(Planning& planning) {
  bool endless = false;
  for (const std::vector<std::string>& members : Stages(planning).Sorted()) {
    Planned& first = planning.Step(members.front());
    if (first.action) {
      if (endless)
        planning.Fail(
            first,
            ConfigError(
                first.node->mark,
                fmt::format("step '{}' comes after a flow that has no end; it would never run",
                            members.front())));
      first.action->tries = TriesOf(planning, members);
      planning.plan.stages.emplace_back(*first.action);
      continue;
    }
    Flow flow = BuildFlow(planning, members);
    if (flow.loads.empty() && !planning.request.preview) {
      planning.errors.push_back(ConfigError(
          first.node->mark,
          fmt::format("the rows of step '{}' go nowhere: add a load step", members.back())));
      continue;
    }
    flow.tries = TriesOf(planning, members);
    CheckTargets(planning, flow);
    Publish(flow, planning.plan);
    Identify(planning, flow);
    endless = endless || flow.endless;
    planning.plan.stages.emplace_back(std::move(flow));
  }
  CheckLanes(planning);
}

}  // namespace sluice
