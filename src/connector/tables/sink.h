// A database as a destination, for the systems that tables/system.h describes. Capabilities:
// recorded, staging, every mode; any number of lanes and processes at a time.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "connector/registry.h"
#include "connector/tables/landing.h"

namespace sluice::tables {

class TableSink final : public Sink {  // the driver's thread; outlives its landings
 public:
  // `schema`: of tables that are named without one, and of the records.
  TableSink(std::shared_ptr<const System> system, std::string schema,
            const ConnectorContext& context)
      : system_(std::move(system)),
        context_(context),
        place_{.schema = std::move(schema), .name = {}},
        records_(system_, place_) {}
  TableSink(const TableSink&) = delete;
  TableSink& operator=(const TableSink&) = delete;

  Result<Capabilities> Describe() override;
  Result<std::optional<Schema>> Target(const Load& load) override;
  Status Prepare(const std::vector<Load>& loads, std::stop_token stop) override;
  Result<std::optional<EpochRecord>> Last(const Lane& lane) override;
  Result<std::vector<LoadedRange>> Loaded(const Lane& lane) override;
  Result<std::unique_ptr<Landing>> Begin(const Lane& lane, const std::vector<Load>& loads,
                                         Visibility visibility,
                                         std::optional<EpochId> number) override;
  Result<std::unique_ptr<Landing>> Publish(const Lane& lane, const std::vector<Load>& loads,
                                           std::optional<EpochId> number,
                                           std::vector<Landed>& landed,
                                           std::stop_token stop) override;
  Status Prune(const Lane& lane, uint64_t keep, Needed needed) override;
  Status Sweep(const Lane& lane, EpochId decided) override;
  Status TakeBack(Landing& landing, const std::vector<Load>& loads,
                  const std::vector<EpochId>& epochs) override;

 private:
  // The one that is at hand, where nobody is in the middle of something with it, else a new one.
  Result<std::shared_ptr<Link>> Connected(std::stop_token stop = {});
  // Null where the records are not there yet.
  Result<std::shared_ptr<Link>> Recorded();
  Result<TableName> NameOf(const Load& load) const;
  enum class Stages : uint8_t { kNone, kCreate };
  Result<std::unique_ptr<TableLanding>> Start(const Lane& lane, const std::vector<Load>& loads,
                                              Visibility visibility, std::optional<EpochId> number,
                                              Stages stages);

  const std::shared_ptr<const System> system_;
  const ConnectorContext context_;
  const TableName place_;
  const Records records_;
  std::shared_ptr<Fate> fate_ = std::make_shared<Fate>();
  std::shared_ptr<Link> link_;
};

}  // namespace sluice::tables
