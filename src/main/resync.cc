// sluice resync: after a destination was restored or changed, forget what the ledger knows beyond
// it.
#include <cstdio>

#include "engine/driver.h"
#include "main/command.h"
#include "main/session.h"

namespace sluice {

namespace {

Result<int> Resync(const Invocation& invocation) {
  auto session = TRY(ProjectSession::Open(invocation));
  PipelineFile file =
      TRY(ReadPipeline(session->files(), session->project(), invocation.Get("pipeline")));
  Plan plan = TRY(session->MakePlanOf(file, TRY(session->Request(invocation))));
  World world = TRY(session->world());
  ConnectorContext context{world.files, world.database, world.clock, world.folder, world.secrets};
  for (const auto& stage : plan.stages) {
    const Flow* flow = std::get_if<Flow>(&stage);
    if (flow == nullptr || flow->sinks.empty()) continue;
    const PlannedSink& decider = flow->sinks.front();
    std::vector<Load> loads;
    for (const PlannedLoad& load : flow->loads) {
      if (load.sink == decider.key) loads.push_back(load.load);
    }
    auto sink = TRY(decider.connector->sink(decider.connection, loads, context));
    TRY(sink->Prepare(loads, {}));
    Lane lane = LaneOf(plan, *flow);
    std::optional<EpochRecord> held = TRY(sink->Last(lane));
    std::optional<EpochRecord> noted = TRY(world.ledger.Last(lane));
    EpochId epoch = held ? held->epoch : EpochId{0};
    TRY(world.ledger.KeepResync(lane, epoch));
    std::printf(
        "%s: the ledger knew epoch %lld, %s holds epoch %lld; the next run goes on from there\n",
        flow->id.c_str(), static_cast<long long>(noted ? noted->epoch.value : 0),
        decider.name.c_str(), static_cast<long long>(epoch.value));
  }
  return kExitOk;
}

}  // namespace

Command ResyncCommand() {
  return {.name = "resync",
          .summary = "Go on from what the destination holds, after it was restored from a backup",
          .example = "sluice resync daily_sales",
          .arguments = {{"pipeline", "Name or path of a pipeline"}},
          .options = {ProjectOption(),
                      EnvOption(),
                      {"--date", "DATE", "The interval that begins on DATE"},
                      {"--param", "NAME=VALUE", "A parameter", Option::Kind::kList},
                      {"--set", "KEY=VALUE", "A setting", Option::Kind::kList}},
          .run = Resync};
}

}  // namespace sluice
