// A PostgreSQL database as a destination. Capabilities: recorded, staging, every mode; any number
// of lanes and processes at a time.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "connector/postgres/landing.h"
#include "connector/registry.h"

namespace sluice::postgres {

class PostgresSink final : public Sink {  // the driver's thread; outlives its landings
 public:
  PostgresSink(Settings settings, const ConnectorContext& context)
      : settings_(std::move(settings)),
        context_(context),
        records_(settings_.schema, settings_.Shown()) {}
  PostgresSink(const PostgresSink&) = delete;
  PostgresSink& operator=(const PostgresSink&) = delete;

  Result<Capabilities> Describe() override;
  Result<std::optional<Schema>> Target(const Load& load) override;
  Result<bool> TakesRelay(const Load& load, const std::vector<std::string>& wire) override;
  Result<std::string> Manner(const Load& load) override;
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
  Status Sweep(const Lane& lane, EpochId decided) override;
  Status TakeBack(Landing& landing, const std::vector<Load>& loads,
                  const std::vector<EpochId>& epochs) override;

 private:
  // The one that is at hand, where nobody is in the middle of something with it, else a new one.
  Result<std::shared_ptr<Connection>> Connected(std::stop_token stop = {});
  // Null where the records are not there yet.
  Result<std::shared_ptr<Connection>> Recorded();
  Result<TableName> NameOf(const Load& load) const;
  Status PrepareTables(Connection& connection, const std::vector<Load>& loads,
                       std::stop_token stop);
  Result<std::unique_ptr<PostgresLanding>> Start(const Lane& lane, const std::vector<Load>& loads,
                                                 Visibility visibility,
                                                 std::optional<EpochId> number);

  const Settings settings_;
  const ConnectorContext context_;
  const Records records_;
  std::shared_ptr<Fate> fate_ = std::make_shared<Fate>();
  std::shared_ptr<Connection> connection_;
};

}  // namespace sluice::postgres
