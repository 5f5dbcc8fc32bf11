// One epoch into a PostgreSQL database: a connection with an open transaction that holds rows and
// record, and a session of DuckDB that computes the rows. Destroyed without Commit it rolls back.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "connector/postgres/records.h"
#include "connector/postgres/replacement.h"
#include "connector/postgres/settings.h"
#include "connector/postgres/stage.h"

namespace sluice::postgres {

// What the landings of a sink tell it.
struct Fate {
  int64_t unsettled = 0;  // the server's process that a COMMIT was sent to without an answer
};

class PostgresLanding final : public Landing {  // the driver's thread; outlived by the sink
 public:
  struct Parts {
    std::shared_ptr<Connection> connection;  // in a transaction
    std::unique_ptr<sql::Session> session;   // in a transaction
    sql::Database& database;
    Clock& clock;
    const Settings& settings;
    const Records& records;
    std::shared_ptr<Fate> fate;
  };
  PostgresLanding(Parts parts, Lane lane, std::vector<Load> loads, Visibility visibility,
                  EpochId epoch);
  ~PostgresLanding() override;

  const Lane& lane() const { return lane_; }
  Connection& connection() { return *parts_.connection; }
  EpochId epoch() const override { return epoch_; }
  sql::Session& session() override { return *parts_.session; }
  Result<Landed> Write(size_t index, const std::string& select,
                       const std::vector<sql::Bound>& bound, std::stop_token stop) override;
  Result<Landed> Relay(size_t index, sql::Scan& scan, const std::vector<std::string>& wire,
                       std::stop_token stop) override;
  Result<uint64_t> Run(const std::string& statement, const std::vector<sql::Bound>& bound,
                       std::stop_token stop) override;
  Status Commit(const EpochRecord& record) override;

  // Everything that is staged -> the targets, as part of this epoch.
  Result<std::vector<Landed>> PublishStaged(std::stop_token stop);

 private:
  Result<Target> TargetOf(const Load& load, std::stop_token stop);
  Result<Landed> Take(const Load& load, Outgoing rows, std::stop_token stop);
  Result<Target> Claim(const Load& load, std::stop_token stop);
  Result<std::optional<Leaf>> LeafFor(const Load& load, const Target& target, std::stop_token stop);
  Outgoing From(const Load& load, const std::string& select,
                const std::vector<sql::Bound>& bound) const;
  Result<std::string> Hold(const Load& load, const Target& target);
  Result<Landed> StageRows(const Load& load, const Target& target, const std::string& table,
                           const Outgoing& rows, std::stop_token stop);
  Result<Landed> WriteInPieces(const Load& load, const std::string& select,
                               const std::vector<sql::Bound>& bound, std::stop_token stop);
  Result<Landed> Merge(const Load& load, const Target& target, const std::string& stage,
                       std::stop_token stop);

  Parts parts_;
  Stage stage_;
  Lane lane_;
  std::vector<Load> loads_;
  Visibility visibility_;
  EpochId epoch_;
  std::vector<Replacement> replacements_;  // exchanged by Commit
  bool committed_ = false;
};

}  // namespace sluice::postgres
