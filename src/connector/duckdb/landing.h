// One epoch into a DuckDB file: a session with an open transaction that holds rows and record.
// Destroyed without Commit it rolls back, and the file is as it was. Rows that are staged in a
// temporary table are so in a transaction of their own, before the first that touches the file.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "connector/duckdb/modes.h"
#include "connector/duckdb/records.h"
#include "connector/duckdb/stage.h"
#include "connector/sink.h"

namespace sluice::duckdb {

class DuckdbLanding final
    : public Landing {  // the driver's thread; owned by the driver, outlived by the sink
 public:
  // `session` is in a transaction.
  DuckdbLanding(std::unique_ptr<sql::Session> session, const DatabaseFile& file, Clock& clock,
                Lane lane, std::vector<Load> loads, Visibility visibility, EpochId epoch);
  ~DuckdbLanding() override;

  const Lane& lane() const { return lane_; }
  EpochId epoch() const override { return epoch_; }
  sql::Session& session() override { return *session_; }
  void Touch() { touched_ = true; }  // something is written into the file
  Result<Landed> Write(size_t index, const std::string& select,
                       const std::vector<sql::Bound>& bound, std::stop_token stop) override;
  Result<uint64_t> Run(const std::string& statement, const std::vector<sql::Bound>& bound,
                       std::stop_token stop) override;
  Status Commit(const EpochRecord& record) override;

  // Everything that is staged -> the targets, as part of this epoch.
  Result<std::vector<Landed>> PublishStaged(std::stop_token stop);

 private:
  Result<Landed> ApplyTo(const Load& load, const Incoming& rows, std::stop_token stop);
  Status StageFirst(const Load& load, const Incoming& rows, std::stop_token stop);

  std::unique_ptr<sql::Session> session_;
  const DatabaseFile& file_;
  Clock& clock_;
  Records records_;
  Stage stage_;
  Lane lane_;
  std::vector<Load> loads_;
  Visibility visibility_;
  EpochId epoch_;
  bool touched_ = false, committed_ = false;
};

}  // namespace sluice::duckdb
