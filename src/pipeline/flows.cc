// Steps that share rows are one flow; actions stand between flows. Stages come in an order that
// every `after`, every value of a step in {{ }} and every table that an action may read agrees with
// (groups.cc); beyond that, as written.
#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "base/text.h"
#include "pipeline/planner.h"

namespace sluice {

std::vector<std::string> DataEdges(const Planned& step) {
  if (step.IsAction() || step.IsRun() || step.action) return {};
  std::vector<std::string> edges = step.from;
  edges.insert(edges.end(), step.mentions.begin(), step.mentions.end());
  return edges;
}

std::vector<std::string> NeedsOf(const Planned& step) {
  std::vector<std::string> needs = step.mentions;
  needs.insert(needs.end(), step.after.begin(), step.after.end());
  const bool said = step.node->step.Find("from") != nullptr;
  const bool reads = !step.IsAction() && !step.IsRun();
  if (said || reads) needs.insert(needs.end(), step.from.begin(), step.from.end());
  return needs;
}

namespace {

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

// Of no load: whose rows {{ }} names, or that a skipped step would read.
bool IsLookedAt(const Planning& planning, const std::string& name) {
  return std::any_of(planning.steps.begin(), planning.steps.end(), [&](const auto& other) {
    const auto& dropped = other.second.dropped;
    if (std::find(dropped.begin(), dropped.end(), name) != dropped.end()) return true;
    const auto& looks = other.second.looks;
    return std::any_of(looks.begin(), looks.end(), [&](const auto& look) {
      const auto above = Upstream(planning, look.first);
      return std::find(above.begin(), above.end(), name) != above.end();
    });
  });
}

Flow BuildFlow(Planning& planning, const Group& group) {
  Flow flow;
  flow.echoes = group.echoes;
  const std::set<std::string> needed = Needed(planning, group.members);
  for (const std::string& name : group.members) {
    Planned& step = planning.Step(name);
    flow.rows[name] = step.output->rows;
    if (!needed.contains(name) && !needed.empty()) {
      if (IsLookedAt(planning, name)) continue;
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
    if (step.optional && step.skip == Skip::kNo && !step.fallen) flow.optional.insert(name);
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

namespace {

void CheckDelivery(Planning& planning, const Flow& flow) {
  const Node* node = planning.file.node.Find("delivery");
  if (node == nullptr) return;
  for (const PlannedSink& sink : flow.sinks) {
    if (sink.capabilities.atomicity == Atomicity::kRecorded) continue;
    planning.errors.push_back(ConfigError(
        node->mark,
        fmt::format("delivery: exactly_once cannot be had of '{}': it keeps no record of "
                    "what was loaded beside the rows",
                    sink.name)));
  }
}

// The rows of a step, computed for {{ }}: only what is above it.
Look BuildLook(Planning& planning, const Group& group) {
  Look look{.step = group.look->first, .wants = group.look->second, .flow = {}, .tries = {}};
  for (const std::string& name : Upstream(planning, look.step)) {
    Planned& step = planning.Step(name);
    look.flow.rows[name] = step.output->rows;
    look.flow.steps.push_back(name);
    if (step.extract) look.flow.extracts.push_back(*step.extract);
    if (step.strict) look.flow.strict.push_back(name);
    look.flow.reach = Reach::kWhole;
    if (step.extract && step.extract->shape.endless) {
      planning.Fail(step,
                    ConfigError(step.node->mark,
                                fmt::format("{{{{ steps.{}.row… }}}} needs all rows, and '{}' "
                                            "has no end",
                                            look.step, name)));
    }
    if (step.extract && step.extract->request.config.incremental) {
      planning.Fail(step, ConfigError(step.node->mark,
                                      fmt::format("{{{{ steps.{}.row… }}}} reads all rows, and "
                                                  "'incremental' only what has changed; give the "
                                                  "value an extract of its own",
                                                  look.step)));
    }
  }
  look.flow.id = look.step;
  look.tries = TriesOf(planning, group.members);
  return look;
}

void TellLate(Planning& planning, const Group& group, const std::string& stage) {
  for (const std::string& name : group.members) {
    if (!planning.Step(name).awaits.empty()) planning.plan.late.insert(stage);
  }
}

bool IsGone(Planning& planning, const Group& group) {
  return std::any_of(group.gates.begin(), group.gates.end(), [&](const std::string& gate) {
    return planning.Step(gate).skip == Skip::kGone;
  });
}

void AddAction(Planning& planning, const Group& group) {
  Planned& step = planning.Step(group.members.front());
  step.action->tries = TriesOf(planning, group.members);
  planning.plan.stages.emplace_back(*step.action);
}

void AddFlow(Planning& planning, const Group& group) {
  Flow flow = BuildFlow(planning, group);
  if (flow.loads.empty() && !planning.request.preview) {
    const Planned& first = planning.Step(group.members.front());
    planning.errors.push_back(ConfigError(
        first.node->mark,
        fmt::format("the rows of step '{}' go nowhere: add a load step", group.members.back())));
    return;
  }
  flow.tries = TriesOf(planning, group.members);
  CheckTargets(planning, flow);
  CheckDelivery(planning, flow);
  Publish(flow, planning.plan);
  Identify(planning, flow);
  planning.plan.stages.emplace_back(std::move(flow));
}

}  // namespace

void BuildStages(Planning& planning) {
  const Flow* endless = nullptr;
  for (const Group& group : GroupSteps(planning)) {
    if (IsGone(planning, group)) continue;
    const Planned& first = planning.Step(group.members.front());
    if (endless != nullptr && (first.action || first.child || group.look)) {
      planning.errors.push_back(ConfigError(
          first.node->mark,
          fmt::format("step '{}' comes after a flow that has no end; it would never run",
                      group.members.front())));
    }
    const size_t before = planning.plan.stages.size();
    if (group.look)
      planning.plan.stages.emplace_back(BuildLook(planning, group));
    else if (first.action)
      AddAction(planning, group);
    else if (first.child)
      planning.plan.stages.emplace_back(*first.child);
    else
      AddFlow(planning, group);
    if (planning.plan.stages.size() == before) continue;
    const Stage& stage = planning.plan.stages.back();
    TellLate(planning, group, NameOf(stage));
    const Flow* flow = std::get_if<Flow>(&stage);
    if (flow != nullptr && flow->endless) endless = flow;
  }
  CheckLanes(planning);
}

}  // namespace sluice
