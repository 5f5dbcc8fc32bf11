// Which steps run together, and in what order. Steps that share rows are one group, except that a
// load which may be left out (`when`, `on_error: skip`) is in a group of its own with all it reads:
// its lane then knows by itself what it has loaded, and a run without it changes nothing of the
// others.
#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "base/text.h"
#include "pipeline/planner.h"

namespace sluice {
namespace {

// step -> the first step (in the file) of those that share its rows.
std::map<std::string, std::string> Components(const Planning& planning) {
  std::map<std::string, std::string> parent;
  const std::function<std::string(const std::string&)> root = [&](const std::string& name) {
    return parent.at(name) == name ? name : parent[name] = root(parent.at(name));
  };
  for (const auto& [name, step] : planning.steps) parent[name] = name;
  for (const auto& [name, step] : planning.steps) {
    std::vector<std::string> edges = DataEdges(step);
    edges.insert(edges.end(), step.dropped.begin(), step.dropped.end());
    for (const std::string& edge : edges) {
      const std::string a = root(name), b = root(edge);
      const bool first = planning.steps.at(a).position < planning.steps.at(b).position;
      if (a != b) parent[first ? b : a] = first ? a : b;
    }
  }
  for (auto& [name, above] : parent) above = root(name);
  return parent;
}

class Grouping {
 public:
  explicit Grouping(Planning& planning) : planning_(planning), component_(Components(planning)) {
    for (const StepNode& node : planning_.file.steps) {
      std::set<std::string> seen;
      Gates(node.name, seen, gates_[node.name]);
    }
    for (const StepNode& node : planning_.file.steps) Place(node.name);
    for (const StepNode& node : planning_.file.steps) PlaceLooks(node.name);
    for (size_t i = 0; i < groups_.size(); ++i) Order(i);
  }

  std::vector<Group> Sorted() {
    std::vector<Group> sorted;
    std::vector<bool> placed(groups_.size());
    while (sorted.size() < groups_.size()) {
      size_t next = groups_.size();
      for (size_t i = 0; i < groups_.size(); ++i) {
        const auto& before = groups_[i].before;
        const bool ready =
            std::all_of(before.begin(), before.end(), [&](size_t s) { return placed[s]; });
        const bool sooner = next == groups_.size() || groups_[i].position < groups_[next].position;
        if (!placed[i] && ready && sooner) next = i;
      }
      if (next == groups_.size()) return Stuck(placed);
      placed[next] = true;
      sorted.push_back(groups_[next]);
    }
    return sorted;
  }

 private:
  // What may be left out, and this with it.
  void Gates(const std::string& name, std::set<std::string>& seen, std::set<std::string>& gates) {
    if (!seen.insert(name).second) return;
    const Planned& step = planning_.Step(name);
    if (step.gated || step.IsRun()) gates.insert(name);
    for (const std::string& edge : NeedsOf(step)) Gates(edge, seen, gates);
  }

  bool InComponent(const std::string& name, const std::string& root) const {
    return component_.at(name) == root;
  }

  // The loads of a component by what they depend on; each with all that is above it. The steps that
  // no load takes go with the first.
  void Place(const std::string& root) {
    if (component_.at(root) != root) return;
    std::map<std::set<std::string>, std::set<std::string>> members;
    std::vector<std::set<std::string>> order;
    for (const StepNode& node : planning_.file.steps) {
      if (!InComponent(node.name, root) || !planning_.Step(node.name).load) continue;
      const auto& gates = gates_.at(node.name);
      if (!members.contains(gates)) order.push_back(gates);
      for (const std::string& step : Upstream(planning_, node.name)) members[gates].insert(step);
    }
    if (order.empty()) {
      order.push_back(gates_.at(root));
      members[order.front()] = {};
    }
    std::stable_sort(order.begin(), order.end(),
                     [](const auto& a, const auto& b) { return a.size() < b.size(); });
    std::set<std::string> taken;
    for (const auto& [gates, steps] : members) taken.insert(steps.begin(), steps.end());
    std::set<std::string> counted;
    const size_t first = groups_.size();
    for (const auto& gates : order) {
      Group group{.position = SIZE_MAX,
                  .members = {},
                  .gates = gates,
                  .look = {},
                  .echoes = {},
                  .before = {}};
      for (const StepNode& node : planning_.file.steps) {
        const bool own = members[gates].contains(node.name) ||
                         (gates == order.front() && !taken.contains(node.name));
        if (!InComponent(node.name, root) || !own) continue;
        group.position = std::min(group.position, planning_.Step(node.name).position);
        group.members.push_back(node.name);
        if (!counted.insert(node.name).second) group.echoes.insert(node.name);
        if (!owner_.contains(node.name)) owner_[node.name] = groups_.size();
      }
      if (groups_.size() > first) group.before.insert(first);
      groups_.push_back(std::move(group));
    }
    const bool only_looked_at = order.size() == 1 && OnlyLookedAt(groups_[first]);
    if (only_looked_at) unloaded_.insert(first);
  }

  bool OnlyLookedAt(const Group& group) const {
    std::set<std::string> looked;
    for (const auto& [name, step] : planning_.steps) {
      if (step.action && step.node->verb == "load")
        looked.insert(step.from.begin(), step.from.end());
      for (const auto& [other, wants] : step.looks) {
        for (const std::string& above : Upstream(planning_, other)) looked.insert(above);
      }
    }
    return std::all_of(group.members.begin(), group.members.end(), [&](const std::string& name) {
      return looked.contains(name) && !planning_.steps.at(name).load;
    });
  }

  void PlaceLooks(const std::string& name) {
    std::optional<Look::Wants> wants;
    for (const auto& [other, step] : planning_.steps) {
      const auto found = step.looks.find(name);
      if (found != step.looks.end()) wants = std::max(wants.value_or(found->second), found->second);
    }
    if (!wants) return;
    look_[name] = groups_.size();
    groups_.push_back({.position = planning_.Step(name).position,
                       .members = Upstream(planning_, name),
                       .gates = gates_.at(name),
                       .look = std::pair(name, *wants),
                       .echoes = {},
                       .before = {}});
  }

  void Order(size_t at) {
    Group& group = groups_[at];
    for (const std::string& name : group.members) {
      const Planned& step = planning_.Step(name);
      for (const std::string& other : step.after)
        Before(at, other, step, fmt::format("'after: {}'", other));
      for (const std::string& other : step.values) {
        if (unloaded_.contains(owner_.at(other))) {
          Fail(step, fmt::format("the rows of step '{}' are loaded nowhere: of it there is only "
                                 "steps.{}.row",
                                 other, other));
        } else {
          Before(at, other, step, fmt::format("'steps.{}' in {{{{ }}}}", other));
        }
      }
      for (const auto& [other, wants] : step.looks) {
        if (look_.at(other) != at) group.before.insert(look_.at(other));
      }
      if (step.action || step.IsRun()) OrderAction(at, step);
    }
    for (const std::string& gate : group.gates) {
      if (owner_.at(gate) != at) group.before.insert(owner_.at(gate));
    }
  }

  void Before(size_t at, const std::string& other, const Planned& step, const std::string& what) {
    if (owner_.at(other) != at && !Contains(groups_[at], other)) {
      groups_[at].before.insert(owner_.at(other));
    } else if (groups_[at].look) {
      return;  // the group that loads it says so
    } else {
      Fail(step, fmt::format("{}: both steps share rows and run at once", what));
    }
  }

  static bool Contains(const Group& group, const std::string& step) {
    return std::find(group.members.begin(), group.members.end(), step) != group.members.end();
  }

  void OrderAction(size_t at, const Planned& step) {
    for (const std::string& name : step.from) {
      const size_t owner = owner_.at(name);  // rows that it hands on wait for it
      if (!groups_[owner].gates.contains(step.node->name)) groups_[at].before.insert(owner);
    }
    for (const auto& [name, other] : planning_.steps) {
      const bool same_place = other.sink && step.sink && other.sink->key == step.sink->key;
      if (same_place && other.position < step.position && owner_.at(name) != at)
        groups_[at].before.insert(owner_.at(name));
    }
  }

  void Fail(const Planned& step, std::string message) {
    const Node* after = step.node->step.Find("after");
    const Mark mark =
        after != nullptr && StartsWith(message, "'after") ? after->mark : step.node->mark;
    planning_.errors.push_back(ConfigError(mark, std::move(message)));
  }

  std::vector<Group> Stuck(const std::vector<bool>& placed) {
    std::vector<std::string> names;
    for (size_t i = 0; i < groups_.size(); ++i) {
      if (!placed[i]) names.push_back(groups_[i].members.front());
    }
    planning_.errors.push_back(
        ConfigError(planning_.Step(names.front()).node->mark,
                    fmt::format("stages wait for each other: {}", Join(names, ", "))));
    return {};
  }

 public:
  // Groups that have nothing to do: what they compute is looked at.
  std::vector<Group> WithoutUnloaded(std::vector<Group> sorted) const {
    std::erase_if(sorted, [&](const Group& group) {
      return !group.look && !group.members.empty() &&
             unloaded_.contains(owner_.at(group.members.front()));
    });
    return sorted;
  }

 private:
  Planning& planning_;
  std::map<std::string, std::string> component_;
  std::map<std::string, std::set<std::string>> gates_;
  std::vector<Group> groups_;
  std::map<std::string, size_t> owner_;  // of a step: the group that counts it
  std::map<std::string, size_t> look_;
  std::set<size_t> unloaded_;
};

}  // namespace

std::vector<Group> GroupSteps(Planning& planning) {
  Grouping grouping(planning);
  std::vector<Group> sorted = grouping.Sorted();
  return planning.request.preview ? sorted : grouping.WithoutUnloaded(std::move(sorted));
}

}  // namespace sluice
