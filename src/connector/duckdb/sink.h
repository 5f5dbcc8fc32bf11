// The DuckDB file as a destination. Capabilities: recorded, staging, every mode; any number of
// lanes at a time in one process, one writing process at a time (DuckDB's own lock).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "connector/duckdb/landing.h"
#include "connector/registry.h"

namespace sluice::duckdb {

class DuckdbSink final : public Sink {  // the driver's thread; outlives its landings
 public:
  DuckdbSink(DatabaseFile file, Clock& clock)
      : file_(std::move(file)), clock_(clock), records_(file_) {}
  DuckdbSink(const DuckdbSink&) = delete;
  DuckdbSink& operator=(const DuckdbSink&) = delete;

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
  // A session, or null where the file or its records are not there yet.
  Result<std::unique_ptr<sql::Session>> Recorded();
  // Whether nothing has to be created or changed.
  Result<bool> ArePrepared(sql::Session& session, const std::vector<Load>& loads);
  Status PrepareTables(sql::Session& session, const std::vector<Load>& loads, std::stop_token stop);
  Result<std::unique_ptr<DuckdbLanding>> Start(const Lane& lane, const std::vector<Load>& loads,
                                               Visibility visibility,
                                               std::optional<EpochId> number);

  struct Asked {
    Lane lane;
    bool staged;  // its last epoch waits for its publication
  };

  DatabaseFile file_;
  Clock& clock_;
  Records records_;
  std::optional<Asked> asked_;  // by Last, since the last landing began
};

}  // namespace sluice::duckdb
