// See look.h.
#include "engine/look.h"

#include <fmt/format.h>

#include "base/text.h"
#include "engine/letters.h"

namespace sluice {

Looker::Looker(const Plan& plan, const Flow& flow, World& world,
               std::map<std::string, Range> reading)
    : plan_(plan),
      flow_(flow),
      world_(world),
      reading_(std::move(reading)),
      programs_(world.database) {}

Looker::~Looker() = default;

Status Looker::OpenSource(const PlannedExtract& extract, std::stop_token stop) {
  ConnectorContext context{world_.files, world_.database, world_.clock, world_.folder,
                           world_.secrets};
  ExtractRequest request = extract.request;
  if (!extract.shape.guessed.empty()) request.pinned = extract.shape.guessed;
  auto source =
      TRY(MakeSource(*extract.connector, extract.connection, std::move(request), context));
  TRY(source->Describe(*work_, stop));
  Range range;
  const auto known = reading_.find(extract.step);
  if (known != reading_.end())
    range = known->second;
  else if (auto all = TRY(source->Freeze({}, {}, stop)))
    range = std::move(*all);
  inputs_[extract.step] = {source.get(), std::move(range)};
  sources_[extract.step] = std::move(source);
  return Ok();
}

Status Looker::Open(std::stop_token stop) {
  work_ = TRY(world_.database.Connect());
  for (const PlannedExtract& extract : flow_.extracts) {
    failed_ = extract.step;
    TRY(OpenSource(extract, stop).While(fmt::format("reading step '{}'", extract.step)));
  }
  failed_.clear();
  return programs_.Open(flow_);
}

Result<sql::Rows> Looker::Peek(const relation::Ref& rows, uint64_t limit, std::stop_token stop) {
  TRY(programs_.Ready(stop));
  Mover mover(plan_, flow_, world_, options_, *work_, programs_);
  sql::Rows some = TRY(mover.Peek(inputs_, rows, limit, stop));
  TRY(RefuseStrict(flow_, TRY(mover.TakeLetters())));
  return some;
}

Result<sql::Rows> Looker::Rows(const std::string& step, uint64_t limit, std::stop_token stop) {
  return Peek(flow_.rows.at(step), limit, stop);
}

Status Looker::Try(const std::string& step, std::stop_token stop) {
  const relation::Ref& rows = flow_.rows.at(step);
  std::string columns;
  for (const Column& column : Visible(rows->schema))
    columns += (columns.empty() ? "" : ", ") + QuoteIdentifier(column.name);
  // Every column is needed, so that none is left uncomputed.
  relation::Aggregate sum{
      .from = rows,
      .keys = {},
      .values = {{"rows", {"count(*)", {}}},
                 {"all", {fmt::format("bit_xor(hash({}))", columns.empty() ? "1" : columns), {}}}}};
  const relation::Ref one = relation::Make(
      std::move(sum), {{"rows", "BIGINT", false, ""}, {"all", "UBIGINT", false, ""}}, step);
  TRY(Peek(one, 1, stop));
  return Ok();
}

Result<std::string> FindCulprit(const Plan& plan, const Flow& flow, World& world,
                                const std::map<std::string, Range>& reading, std::stop_token stop) {
  Looker looker(plan, flow, world, reading);
  Status open = looker.Open(stop);
  if (stop.stop_requested()) return CancelledError();
  if (!open.ok() && !looker.failed().empty()) return looker.failed();
  TRY(std::move(open));
  for (const std::string& step : flow.steps) {
    bool load = false;
    for (const PlannedLoad& one : flow.loads) load = load || one.load.step == step;
    if (load) continue;
    const Status tried = looker.Try(step, stop);
    if (stop.stop_requested()) return CancelledError();
    if (!tried.ok()) return step;
  }
  return std::string();
}

}  // namespace sluice
