// What a load computes, as 16 hex digits. Comments, descriptions and names of what is not a step
// change nothing.
#include "base/text.h"
#include "pipeline/planner.h"

namespace sluice {
namespace {

void AddBound(const relation::Ref& ref, std::set<relation::Bound>& bound) {
  bound.insert(ref->bound.begin(), ref->bound.end());
  std::visit(
      [&](const auto& op) {
        using Op = std::decay_t<decltype(op)>;
        if constexpr (std::is_same_v<Op, relation::Join>) {
          AddBound(op.left, bound);
          AddBound(op.right, bound);
        } else if constexpr (std::is_same_v<Op, relation::Union>) {
          for (const relation::Ref& part : op.parts) AddBound(part, bound);
        } else if constexpr (std::is_same_v<Op, relation::Sql>) {
          for (const auto& [name, input] : op.inputs) AddBound(input, bound);
        } else if constexpr (!std::is_same_v<Op, relation::Input>) {
          AddBound(op.from, bound);
        }
      },
      ref->op);
}

std::string Target(const Load& load) {
  std::string text =
      load.target + "\x1f" + std::string(NameOf(load.mode)) + "\x1f" + Join(load.key, "\x1e");
  for (const PartitionTerm& term : load.partition) {
    text += "\x1f" + term.column;
    if (term.value) text += "=" + term.value->type + ":" + term.value->text.value_or("");
  }
  if (load.compared)
    text += "\x1f" + Join(*load.compared, "\x1e") + (load.by_checksum ? " by checksum" : "");
  return text + "\x1f" + load.format + "\x1f" + load.compression;
}

}  // namespace

void Identify(const Planning& planning, Flow& flow) {
  std::string all;
  for (const PlannedLoad& load : flow.loads) {
    std::string text = relation::Canonical(load.rows) + "\n" + load.sink + "\n" +
                       Target(load.load) + "\n" + Format(load.load.schema);
    std::set<relation::Bound> bound;
    AddBound(load.rows, bound);
    for (const relation::Bound& one : bound)
      text += "\n" + one.name + "=" + one.type + ":" + one.text;
    for (const std::string& step : Upstream(planning, load.load.step)) {
      const Planned& planned = planning.steps.at(step);
      if (planned.extract) text += "\n" + step + ": " + planned.identity;
    }
    const std::string lower = ToLower(text);
    for (const Macro& macro : planning.project.macros) {
      if (lower.find(macro.name) != std::string::npos) text += "\n" + macro.statement;
    }
    all += flow.fingerprints[load.load.step] = Fingerprint(text);
  }
  flow.fingerprint = Fingerprint(all);
}

}  // namespace sluice
