// See preview.h.
#include "engine/preview.h"

#include <fmt/core.h>

#include <memory>

#include "engine/move.h"

namespace sluice {

namespace {

constexpr uint64_t kEndlessRows = 10'000;  // of a source that has no end

}  // namespace

Result<sql::Rows> Preview(const Plan& plan, World& world, const std::string& step, uint64_t limit,
                          std::stop_token stop) {
  for (const auto& stage : plan.stages) {
    const Flow* flow = std::get_if<Flow>(&stage);
    if (flow == nullptr || !flow->rows.contains(step)) continue;
    ConnectorContext context{world.files, world.database, world.clock, world.folder, world.secrets};
    auto work = TRY(world.database.Connect());
    std::map<std::string, std::unique_ptr<Source>> sources;
    std::map<std::string, Mover::Input> inputs;
    for (const PlannedExtract& extract : flow->extracts) {
      ExtractRequest request = extract.request;
      if (!extract.shape.guessed.empty()) request.pinned = extract.shape.guessed;
      auto source =
          TRY(MakeSource(*extract.connector, extract.connection, std::move(request), context));
      TRY(source->Describe(*work, stop));
      Limits limits;
      if (flow->endless) limits.rows = kEndlessRows;
      std::optional<Range> range = TRY(source->Freeze({}, limits, stop));
      inputs[extract.step] = {source.get(), range.value_or(Range{})};
      sources[extract.step] = std::move(source);
    }
    RunOptions options;
    Programs programs(world.database);
    TRY(programs.Open(*flow));
    TRY(programs.Ready(stop));
    Mover mover(plan, *flow, world, options, *work, programs);
    return mover.Peek(inputs, flow->rows.at(step), limit, stop);
  }
  return InternalError(fmt::format("step '{}' gives no rows", step));
}

}  // namespace sluice
