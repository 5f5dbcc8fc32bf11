// One epoch into a DuckDB file: a session with an open transaction that holds rows and record.
// Destroyed without Commit it rolls back, and the file is as it was.
//
// Landings of one lane exclude each other from the start, landings into one table (TurnOf) from the
// first write to it: until then a landing has nothing but temporary tables, which it commits before
// it waits for its turn, so that the transaction which touches the file sees all that those before
// it did.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "connector/duckdb/modes.h"
#include "connector/duckdb/records.h"
#include "connector/duckdb/stage.h"
#include "connector/sink.h"
#include "sql/turns.h"

namespace sluice::duckdb {

class DuckdbLanding final
    : public Landing {  // the driver's thread; owned by the driver, outlived by the sink
 public:
  // `session` is in a transaction; `lane_turn` was taken before that began.
  DuckdbLanding(std::unique_ptr<sql::Session> session, const DatabaseFile& file, Clock& clock,
                Lane lane, std::vector<Load> loads, Visibility visibility, Allotted allotted,
                sql::Turn lane_turn);
  ~DuckdbLanding() override;

  const Lane& lane() const { return lane_; }
  EpochId epoch() const override { return allotted_.epoch; }
  sql::Session& session() override { return *session_; }
  // Before something is written into the file.
  Status Touch() { return TakeTurn({}); }
  Result<Landed> Write(size_t index, const std::string& select,
                       const std::vector<sql::Bound>& bound, std::stop_token stop) override;
  Result<uint64_t> Run(const std::string& statement, const std::vector<sql::Bound>& bound,
                       std::stop_token stop) override;
  Status Commit(const EpochRecord& record) override;

  // Everything that is staged -> the targets, as part of this epoch.
  Result<std::vector<Landed>> PublishStaged(std::stop_token stop);

 private:
  Result<Landed> ApplyTo(const Load& load, const Incoming& rows, std::stop_token stop);
  Status TakeTurn(std::stop_token stop);

  sql::Turn lane_turn_, turn_;  // given back after the session has closed
  std::unique_ptr<sql::Session> session_;
  const DatabaseFile& file_;
  Clock& clock_;
  Records records_;
  Before before_;
  Stage stage_;
  Lane lane_;
  std::vector<Load> loads_;
  Visibility visibility_;
  Allotted allotted_;
  bool touched_ = false, committed_ = false;
};

}  // namespace sluice::duckdb
