// See renamed.h.
#include "engine/renamed.h"

#include <fmt/core.h>

#include <algorithm>

namespace sluice {

namespace {

bool IsLaneOf(const Plan& plan, const Appender& appender) {
  // A load that this run leaves out is there all the same.
  for (const StepFacts& facts : plan.steps) {
    if (facts.skip == Skip::kGone && facts.name == appender.flow) return true;
  }
  return std::any_of(plan.stages.begin(), plan.stages.end(), [&](const auto& stage) {
    const Flow* flow = std::get_if<Flow>(&stage);
    return flow != nullptr && flow->lane_pipeline == appender.pipeline &&
           flow->lane_name == appender.flow;
  });
}

// Whether nothing of the project goes by the names that the appender had.
bool IsGone(const Plan& plan, const Flow& flow, const Appender& appender, const World& world) {
  if (appender.pipeline == plan.pipeline) return !IsLaneOf(plan, appender);
  // Many pipelines may append to one table, and come and go; only one that has the same step is
  // likely to be this one.
  return appender.flow == flow.id && world.has_pipeline && !world.has_pipeline(appender.pipeline);
}

const PlannedSink& SinkOf(const Flow& flow, const PlannedLoad& load) {
  return *std::find_if(flow.sinks.begin(), flow.sinks.end(),
                       [&](const PlannedSink& sink) { return sink.key == load.sink; });
}

Status RefuseRenamed(const Plan& plan, const Flow& flow, const PlannedLoad& load, World& world) {
  const std::string& sink = SinkOf(flow, load).name;
  const auto appenders = TRY(world.ledger.Appenders(plan.project, sink, load.load.target));
  const auto ours = [&](const Appender& appender) {
    return appender.pipeline == flow.lane_pipeline && appender.flow == flow.lane_name;
  };
  if (std::any_of(appenders.begin(), appenders.end(), ours)) return Ok();
  for (const Appender& appender : appenders) {
    if (!IsGone(plan, flow, appender, world)) continue;
    const std::string former = appender.pipeline == plan.pipeline
                                   ? appender.flow
                                   : appender.pipeline + "." + appender.flow;
    return ConfigError(
        load.load.mark,
        fmt::format("'{0}' appends to '{1}' of {2} for the first time, but '{3}' did before, which "
                    "is gone: if it was renamed, write renamed_from: {3} in this load, and it goes "
                    "on from there; if it is another one, whose rows come on top, write "
                    "renamed_from: none",
                    flow.id, load.load.target, sink, former));
  }
  return Ok();
}

}  // namespace

Status RefuseRenamed(const Plan& plan, World& world) {
  for (const auto& stage : plan.stages) {
    const Flow* flow = std::get_if<Flow>(&stage);
    if (flow == nullptr || flow->is_new) continue;
    for (const PlannedLoad& load : flow->loads) {
      if (load.load.mode == Mode::kAppend) TRY(RefuseRenamed(plan, *flow, load, world));
    }
  }
  return Ok();
}

Status NoteAppenders(const Plan& plan, const Flow& flow, Ledger& ledger) {
  std::vector<Appender> appenders;
  for (const PlannedLoad& load : flow.loads) {
    if (load.load.mode != Mode::kAppend) continue;
    appenders.push_back(
        {SinkOf(flow, load).name, load.load.target, flow.lane_pipeline, flow.lane_name});
  }
  if (appenders.empty()) return Ok();
  return ledger.NoteAppenders(plan.project, appenders);
}

}  // namespace sluice
