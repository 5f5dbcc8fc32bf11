// When rows become visible, and which sink's commit says that an epoch happened.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "pipeline/planner.h"

namespace sluice {
namespace {

// The smaller, the sooner it decides.
int Rank(const PlannedSink& sink) {
  if (sink.capabilities.atomicity != Atomicity::kRecorded) return 2;
  const std::vector<std::string>& keys = sink.connector->load_keys;
  return std::find(keys.begin(), keys.end(), "table") != keys.end() ? 0 : 1;  // databases, files
}

std::string Promise(const Flow& flow) {
  if (flow.sinks.empty()) return "nothing is loaded";
  const auto& first = flow.sinks.front();
  const bool recorded = first.capabilities.atomicity == Atomicity::kRecorded;
  std::string text = recorded ? fmt::format("exactly once: {} decides", first.name)
                              : fmt::format("at least once: {} keeps no record", first.name);
  for (size_t i = 1; i < flow.sinks.size(); ++i) {
    const auto& sink = flow.sinks[i];
    switch (sink.capabilities.atomicity) {
      case Atomicity::kRecorded:
        text += fmt::format("; {} follows by its own record", sink.name);
        break;
      case Atomicity::kKeyed:
        text += fmt::format("; {} follows by key", sink.name);
        break;
      case Atomicity::kNone:
        text += fmt::format("; {} follows at least once", sink.name);
        break;
    }
  }
  return text;
}

}  // namespace

void Publish(Flow& flow, const Plan& plan) {
  std::stable_sort(flow.sinks.begin(), flow.sinks.end(),
                   [](const PlannedSink& a, const PlannedSink& b) { return Rank(a) < Rank(b); });
  flow.needs_intent =
      flow.sinks.size() > 1 ||
      (!flow.sinks.empty() && flow.sinks[0].capabilities.atomicity != Atomicity::kRecorded);
  flow.publish_at_end = (plan.max_rejects || plan.max_rejects_share) && !flow.endless;
  for (const PlannedLoad& load : flow.loads) {
    const Mode mode = load.load.mode;
    if (mode == Mode::kOverwrite || mode == Mode::kReplacePartition) flow.publish_at_end = true;
    // The rows of one key may lie in several epochs: a later one must not take those of an earlier
    // one away, and which of them counts must not depend on where an epoch ends.
    const bool by_key = mode == Mode::kReplace || mode == Mode::kUpsert;
    if (by_key && !flow.endless) flow.publish_at_end = true;
  }
  for (const PlannedSink& sink : flow.sinks) {
    if (sink.capabilities.one_publication && !flow.endless) flow.publish_at_end = true;
  }
  // Who reads the rows besides the load needs them decoded.
  if (flow.loads.size() != 1 || flow.extracts.size() != 1) {
    for (PlannedLoad& load : flow.loads) load.relay.clear();
  }
  flow.delivery = Promise(flow);
}

}  // namespace sluice
