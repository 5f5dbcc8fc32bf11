// See stage.h.
#include "connector/tables/stage.h"

#include <fmt/format.h>

#include <utility>

#include "base/text.h"

namespace sluice::tables {

Result<std::vector<std::string>> ColumnsOfStage(const System& system, const Target& target,
                                                const Load& load) {
  std::vector<std::string> columns =
      StageColumns(system, TRY(SendingTo(system, target, load)), TRY(SendingOrder(system, load)));
  columns.push_back(system.Quote(kEpochColumn) + " BIGINT");
  return columns;
}

Stage::Stage(std::shared_ptr<const System> system, const TableName& place, const Lane& lane)
    : system_(std::move(system)),
      schema_(place.schema),
      prefix_("_sluice_stage_" + Fingerprint(lane.Key()) + "_") {}

std::string Stage::Quoted(const std::string& table) const {
  return system_->Quoted({.schema = schema_, .name = table});
}

std::string Stage::NameOf(const Load& load) const {
  return Quoted(prefix_ + Fingerprint(load.step + "/" + load.target));
}

Status Stage::Create(Link& link, const Target& target, const Load& load) const {
  const std::vector<std::string> columns = TRY(ColumnsOfStage(*system_, target, load));
  TRY(link.Run(fmt::format("CREATE TABLE IF NOT EXISTS {} ({}){}", NameOf(load),
                           Join(columns, ", "), system_->TableOptions())));
  return Ok();
}

Status Stage::DropAll(Link& link) const {
  for (const std::string& table : TRY(system_->TablesWith(link, prefix_)))
    TRY(link.Run("DROP TABLE IF EXISTS " + Quoted(table)));
  return Ok();
}

Status Stage::ForgetAfter(Link& link, EpochId decided) const {
  for (const std::string& table : TRY(system_->TablesWith(link, prefix_))) {
    TRY(link.Run(fmt::format("DELETE FROM {} WHERE {} > {}", Quoted(table),
                             system_->Quote(kEpochColumn), decided.value)));
  }
  return Ok();
}

}  // namespace sluice::tables
