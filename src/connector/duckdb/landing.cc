// See landing.h.
#include "connector/duckdb/landing.h"

#include <fmt/format.h>

#include <set>
#include <utility>

#include "base/text.h"

namespace sluice::duckdb {

DuckdbLanding::DuckdbLanding(std::unique_ptr<sql::Session> session, const DatabaseFile& file,
                             Clock& clock, Lane lane, std::vector<Load> loads,
                             Visibility visibility, Allotted allotted, sql::Turn lane_turn)
    : lane_turn_(std::move(lane_turn)),
      session_(std::move(session)),
      file_(file),
      clock_(clock),
      records_(file),
      before_(file, lane),
      stage_(file, lane),
      lane_(std::move(lane)),
      loads_(std::move(loads)),
      visibility_(visibility),
      allotted_(allotted) {}

DuckdbLanding::~DuckdbLanding() {
  if (!committed_) (void)session_->Rollback();  // a session that is closed rolls back as well
}

Result<Landed> DuckdbLanding::Write(size_t index, const std::string& select,
                                    const std::vector<sql::Bound>& bound, std::stop_token stop) {
  if (index >= loads_.size())
    return InternalError(fmt::format("there is no load {} in this landing", index));
  const Load& load = loads_[index];
  const Incoming rows{
      .select = select, .bound = bound, .epoch = fmt::format("CAST({} AS BIGINT)", epoch().value)};
  if (visibility_ == Visibility::kTarget) return ApplyTo(load, rows, std::move(stop));
  touched_ = true;
  return Landed{.rows = TRY(stage_.Write(*session_, load, rows, std::move(stop)))};
}

Result<Landed> DuckdbLanding::ApplyTo(const Load& load, const Incoming& rows,
                                      std::stop_token stop) {
  const TableName name = TRY(ParseTableName(load.target));
  if (IsStagedFirst(load)) TRY(StageRows(*session_, load, rows, stop));
  TRY(TakeTurn(stop));
  const auto target = TRY(FindTarget(*session_, file_, name));
  if (!target) {
    return RejectedError(
        fmt::format("the table '{}' of '{}' was dropped while the run was under way; run again",
                    load.target, file_.shown()));
  }
  const Keeping keeping{.before = before_, .epoch = epoch()};
  return Apply(*session_, *target, load, rows, keeping, std::move(stop));
}

Status DuckdbLanding::TakeTurn(std::stop_token stop) {
  if (touched_) return Ok();
  touched_ = true;
  std::set<std::string> names;
  for (const Load& load : loads_) {
    const std::string name = TurnOf(TRY(ParseTableName(load.target)), load);
    if (!name.empty()) names.insert(file_.alias() + "/" + name);
  }
  if (names.empty()) return Ok();
  TRY(session_->Commit());
  turn_ =
      TRY(file_.turns()
              .Wait(lane_.Key(), names, std::move(stop))
              .While(fmt::format("waiting for the tables of '{}' that it loads", file_.shown())));
  return session_->Begin();
}

Result<std::vector<Landed>> DuckdbLanding::PublishStaged(std::stop_token stop) {
  std::vector<Landed> landed;
  for (const Load& load : loads_) {
    const Incoming rows = TRY(stage_.Read(*session_, load));
    landed.push_back(TRY(ApplyTo(load, rows, stop)));
  }
  TRY(stage_.DropAll(*session_));
  return landed;
}

Result<uint64_t> DuckdbLanding::Run(const std::string& statement,
                                    const std::vector<sql::Bound>& bound, std::stop_token stop) {
  // The file first; macros of the project are in memory.
  TRY(session_->Execute(
      "SET search_path = " +
      QuoteLiteral(fmt::format("{}.main,memory.main", QuoteIdentifier(file_.alias())))));
  const uint64_t changed = TRY(session_->ExecuteInside(statement, bound, std::move(stop)));
  TRY(session_->Execute("USE memory.main"));
  return changed;
}

Status DuckdbLanding::Commit(const EpochRecord& record) {
  if (record.epoch != epoch() || record.lane != lane_) {
    return InternalError(fmt::format("the record of epoch {} was given to the landing of epoch {}",
                                     record.epoch.value, epoch().value));
  }
  if (allotted_.fence > record.fence) {
    return RejectedError(fmt::format(
        "committing epoch {}: a later run has taken over this lane in '{}' (its fence is {}, "
        "ours {}); nothing was written, let that run finish",
        record.epoch.value, file_.shown(), allotted_.fence.value, record.fence.value));
  }
  std::vector<std::string> targets;
  for (const Load& load : loads_) targets.push_back(load.target);
  TRY(records_.Insert(*session_, record, targets, clock_.Now()));
  auto done = session_->Commit();
  if (!done.ok())
    return std::move(done).error().While(fmt::format("loading into '{}'", file_.shown()));
  committed_ = true;
  turn_ = {};
  lane_turn_ = {};
  return Ok();
}

}  // namespace sluice::duckdb
