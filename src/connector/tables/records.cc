// See records.h.
#include "connector/tables/records.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/json_full.h"
#include "base/text.h"
#include "connector/recorded.h"

namespace sluice::tables {
namespace {

std::string JsonText(const std::vector<std::string>& items) {
  return Json(items).dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

std::string Records::Epochs() const {
  return system_->Quoted({.schema = place_.schema, .name = "_sluice_epochs"});
}

std::string Records::Numbers() const {
  return system_->Quoted({.schema = place_.schema, .name = "_sluice_epoch_numbers"});
}

// By the hash, which has the index, and by what was hashed.
std::string Records::OfLane(const Lane& lane) const {
  return fmt::format("lane = '{}' AND project = {} AND pipeline = {} AND flow = {} AND {} = {}",
                     Fingerprint(lane.Key()), system_->Literal(lane.project),
                     system_->Literal(lane.pipeline), system_->Literal(lane.flow),
                     system_->Quote("interval"), system_->Literal(lane.interval));
}

Result<bool> Records::Exist(Link& link) const {
  const std::vector<std::string> tables = TRY(system_->TablesWith(link, "_sluice_epoch"));
  const auto has = [&](std::string_view name) {
    return std::find(tables.begin(), tables.end(), name) != tables.end();
  };
  return has("_sluice_epochs") && has("_sluice_epoch_numbers");
}

Status Records::Create(Link& link) const {
  if (TRY(Exist(link))) return Ok();
  const std::string_view text = system_->LongText();
  TRY(link.Run(fmt::format(
      "CREATE TABLE IF NOT EXISTS {0} (lane CHAR(16) NOT NULL, project {1}, pipeline {1}, flow "
      "{1}, "
      "{2} {1}, epoch BIGINT NOT NULL, fence BIGINT, run BIGINT, fingerprint {1}, identities {1}, "
      "targets {1}, record {1}, final SMALLINT, published SMALLINT, taken_back_by BIGINT, "
      "committed_at {1}, PRIMARY KEY (lane, epoch)){3}",
      Epochs(), text, system_->Quote("interval"), system_->TableOptions())));
  TRY(link.Run(fmt::format(
      "CREATE TABLE IF NOT EXISTS {} (id SMALLINT NOT NULL PRIMARY KEY, number BIGINT NOT NULL){}",
      Numbers(), system_->TableOptions())));
  return Ok();
}

Result<std::optional<EpochRecord>> Records::Last(Link& link, const Lane& lane,
                                                 int64_t unsettled) const {
  TRY(system_->Settle(link, LockOf(lane), unsettled));
  const Answer answer = TRY(link.Run(fmt::format(
      "SELECT record FROM {} WHERE {} ORDER BY epoch DESC LIMIT 1", Epochs(), OfLane(lane))));
  if (answer.rows.empty()) return std::optional<EpochRecord>();
  return std::optional<EpochRecord>(
      TRY(ParseEpochRecord(answer.rows[0][0].value_or(""))
              .While(fmt::format("reading the epoch records of {}", system_->Shown()))));
}

Result<std::vector<LoadedRange>> Records::Loaded(Link& link, const Lane& lane) const {
  const Answer answer = TRY(link.Run(fmt::format(
      "SELECT identities, fingerprint, epoch FROM {} WHERE {} AND taken_back_by IS NULL "
      "ORDER BY epoch",
      Epochs(), OfLane(lane))));
  std::vector<LoadedRange> loaded;
  for (const auto& row : answer.rows) {
    for (const Json& identity : TRY(ParseJson(row[0].value_or("[]")))) {
      loaded.push_back({.identity = identity.get<std::string>(),
                        .fingerprint = row[1].value_or(""),
                        .epoch = {std::stoll(row[2].value_or("0"))}});
    }
  }
  return loaded;
}

Result<EpochId> Records::Allocate(Link& link) const {
  TRY(link.Begin());
  const auto allocate = [&]() -> Result<int64_t> {
    const uint64_t known =
        TRY(link.Run(fmt::format("UPDATE {} SET number = number + 1 WHERE id = 1", Numbers())))
            .changed;
    if (known == 0) {
      auto first = link.Run(fmt::format("INSERT INTO {} VALUES (1, 1)", Numbers()));
      if (!first.ok() && link.duplicate())
        return TransientError("another run takes the first number at the same time");
      TRY(std::move(first));
    }
    const int64_t number = TRY(QueryNumber(link, "SELECT number FROM " + Numbers()));
    const int64_t last = TRY(QueryNumber(link, "SELECT max(epoch) FROM " + Epochs()));
    if (number > last) return number;
    // Numbers that another sink gave out have passed ours: catch up.
    TRY(link.Run(fmt::format("UPDATE {} SET number = {} WHERE id = 1", Numbers(), last + 1)));
    return last + 1;
  };
  auto number = allocate();
  // A number whose commit is in doubt is not used.
  if (number.ok()) TRY(Repeatable(link.Commit()));
  TRY(link.Rollback());
  return EpochId{TRY(std::move(number).While("allocating the number of an epoch"))};
}

Status Records::Prune(Link& link, const Lane& lane, uint64_t keep, Needed needed) const {
  const int64_t newest =
      TRY(QueryNumber(link, fmt::format("SELECT epoch FROM {} WHERE {} ORDER BY epoch DESC LIMIT 1 "
                                        "OFFSET {}",
                                        Epochs(), OfLane(lane), std::max<uint64_t>(keep, 1))));
  if (newest == 0) return Ok();
  auto pruned = link.Run(fmt::format(
      "DELETE FROM {} WHERE {} AND published = 1 AND epoch <= {}{}", Epochs(), OfLane(lane), newest,
      needed == Needed::kIdentities ? " AND identities = '[]'" : ""));
  if (!pruned.ok() && pruned.error().kind != ErrorKind::kTransient)
    return std::move(pruned).error().While("pruning " + system_->Shown());
  return Ok();  // another writer was there: next time
}

Status Records::Insert(Link& link, const EpochRecord& record,
                       const std::vector<std::string>& targets, Micros now) const {
  TRY(system_->Lock(link, LockOf(record.lane), {}));
  const int64_t fence = TRY(QueryNumber(
      link, fmt::format("SELECT max(fence) FROM {} WHERE {}", Epochs(), OfLane(record.lane))));
  if (fence > record.fence.value) {
    return RejectedError(fmt::format(
        "committing epoch {}: a later run has taken over this lane in {} (its fence is {}, ours "
        "{}); nothing was written, let that run finish",
        record.epoch.value, system_->Shown(), fence, record.fence.value));
  }
  std::vector<std::string> texts{record.lane.project, record.lane.pipeline, record.lane.flow,
                                 record.lane.interval};
  for (std::string& text : texts) text = system_->Literal(text);
  TRY(link.Run(fmt::format(
      "INSERT INTO {} VALUES ('{}', {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, NULL, {})", Epochs(),
      Fingerprint(record.lane.Key()), Join(texts, ", "), record.epoch.value, record.fence.value,
      record.run.value, system_->Literal(record.fingerprint),
      system_->Literal(JsonText(IdentitiesOf(record))), system_->Literal(JsonText(targets)),
      system_->Literal(Serialise(record)), record.final ? 1 : 0, record.published ? 1 : 0,
      system_->Literal(FormatInstant(now)))));
  return Ok();
}

Status Records::ForgetStagedAfter(Link& link, const Lane& lane, EpochId decided) const {
  TRY(link.Run(fmt::format("DELETE FROM {} WHERE {} AND published = 0 AND epoch > {}", Epochs(),
                           OfLane(lane), decided.value)));
  return Ok();
}

Result<std::vector<EpochId>> Records::Of(Link& link, const Lane& lane,
                                         const std::vector<EpochId>& epochs) const {
  const Answer answer = TRY(link.Run(
      fmt::format("SELECT epoch FROM {} WHERE {} AND taken_back_by IS NULL AND epoch IN ({}) ORDER "
                  "BY epoch",
                  Epochs(), OfLane(lane), NumberList(epochs))));
  std::vector<EpochId> found;
  for (const auto& row : answer.rows) found.push_back({std::stoll(row[0].value_or("0"))});
  return found;
}

Result<bool> Records::Shared(Link& link, const std::vector<EpochId>& epochs) const {
  return TRY(QueryNumber(
             link, fmt::format("SELECT count(*) FROM (SELECT epoch FROM {} WHERE epoch IN ({}) "
                               "GROUP BY epoch HAVING count(*) > 1) AS s",
                               Epochs(), NumberList(epochs)))) > 0;
}

Status Records::MarkTakenBack(Link& link, const Lane& lane, const std::vector<EpochId>& epochs,
                              EpochId by) const {
  TRY(link.Run(fmt::format("UPDATE {} SET taken_back_by = {} WHERE {} AND epoch IN ({})", Epochs(),
                           by.value, OfLane(lane), NumberList(epochs))));
  return Ok();
}

}  // namespace sluice::tables
