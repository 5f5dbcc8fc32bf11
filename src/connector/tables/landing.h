// One epoch into a database: a connection whose transaction holds rows and record, and a session of
// DuckDB that computes the rows. The transaction begins when the first rows are there to be merged;
// destroyed without Commit it rolls back.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "connector/tables/records.h"
#include "connector/tables/stage.h"

namespace sluice::tables {

// What the landings of a sink tell it.
struct Fate {
  int64_t unsettled = 0;  // the server's process that a COMMIT was sent to without an answer
};

class TableLanding final : public Landing {  // the driver's thread; outlived by the sink
 public:
  struct Parts {
    std::shared_ptr<const System> system;
    std::shared_ptr<Link> link;             // in no transaction
    std::unique_ptr<sql::Session> session;  // in a transaction
    sql::Database& database;
    Clock& clock;
    const Records& records;
    const TableName& place;  // of tables that are named without a schema
    std::shared_ptr<Fate> fate;
  };
  TableLanding(Parts parts, Lane lane, std::vector<Load> loads, Visibility visibility,
               EpochId epoch);
  ~TableLanding() override;

  const Lane& lane() const { return lane_; }
  EpochId epoch() const override { return epoch_; }
  sql::Session& session() override { return *parts_.session; }
  Result<Landed> Write(size_t index, const std::string& select,
                       const std::vector<sql::Bound>& bound, std::stop_token stop) override;
  Result<uint64_t> Run(const std::string& statement, const std::vector<sql::Bound>& bound,
                       std::stop_token stop) override;
  Status Commit(const EpochRecord& record) override;

  // The link, in the landing's transaction.
  Result<Link*> Open();
  // Everything that is staged -> the targets, as part of this epoch. The stages are there.
  Result<std::vector<Landed>> PublishStaged(std::stop_token stop);

 private:
  Result<Target> TargetOf(const Load& load, std::stop_token stop);
  // The target, which no other landing of its kind touches until this one ends; in the transaction.
  Result<Target> Claim(const Load& load, std::stop_token stop);
  Incoming From(const std::string& select, const std::vector<sql::Bound>& bound) const;
  Result<Landed> ApplyTo(const Load& load, const Incoming& rows, std::stop_token stop);
  Result<Landed> StageRows(const Load& load, const std::string& table, const Incoming& rows,
                           std::stop_token stop);
  Result<Landed> WriteInPieces(const Load& load, const std::string& select,
                               const std::vector<sql::Bound>& bound, std::stop_token stop);

  Parts parts_;
  Stage stage_;
  Lane lane_;
  std::vector<Load> loads_;
  Visibility visibility_;
  EpochId epoch_;
  bool open_ = false, committed_ = false, publishes_ = false;
};

}  // namespace sluice::tables
