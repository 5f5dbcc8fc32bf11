// See records.h.
#include "connector/postgres/records.h"

#include <fmt/format.h>

#include <utility>

#include "base/json_full.h"
#include "base/text.h"
#include "connector/recorded.h"

namespace sluice::postgres {
namespace {

constexpr std::string_view kOfLane =
    "project = $1 AND pipeline = $2 AND flow = $3 AND \"interval\" = $4";

std::vector<Value> OfLane(const Lane& lane) {
  return {lane.project, lane.pipeline, lane.flow, lane.interval};
}

std::string LockNumber(const std::string& name) {
  return std::to_string(static_cast<int64_t>(Hash64("sluice " + name)));
}

// As the text of a text[].
std::string ArrayText(const std::vector<std::string>& items) {
  std::string text = "{";
  for (const std::string& item : items) {
    text += text.size() > 1 ? ",\"" : "\"";
    for (const char c : item) {
      if (c == '"' || c == '\\') text += '\\';
      text += c;
    }
    text += '"';
  }
  return text + "}";
}

const char* FlagText(bool flag) { return flag ? "true" : "false"; }

}  // namespace

Status Lock(Connection& connection, const std::string& name, std::stop_token stop) {
  TRY(connection.Run("SELECT pg_advisory_xact_lock($1)", {LockNumber(name)}, std::move(stop)));
  return Ok();
}

Status EnsureSchema(Connection& connection, const std::string& schema) {
  if (TRY(QueryNumber(connection, "SELECT count(*) FROM pg_catalog.pg_namespace WHERE nspname = $1",
                      {schema})) > 0) {
    return Ok();
  }
  TRY(connection.Run("CREATE SCHEMA IF NOT EXISTS " + QuoteIdentifier(schema)));
  return Ok();
}

std::string Records::Epochs() const { return QuoteIdentifier(schema_) + "._sluice_epochs"; }
std::string Records::Numbers() const { return QuoteIdentifier(schema_) + "._sluice_epoch_numbers"; }

Result<bool> Records::Exist(Connection& connection) const {
  return TRY(QueryNumber(connection, "SELECT count(*) FROM to_regclass($1) r WHERE r IS NOT NULL",
                         {Epochs()})) > 0;
}

Status Records::Create(Connection& connection) const {
  if (TRY(Exist(connection))) return Ok();
  TRY(EnsureSchema(connection, schema_));
  auto done = connection.Run(fmt::format(
      R"(BEGIN;
         SELECT pg_advisory_xact_lock({});
         CREATE TABLE IF NOT EXISTS {} (
           project text, pipeline text, flow text, "interval" text, epoch bigint, fence bigint,
           run bigint, fingerprint text, identities text[], targets text[], record text, final boolean,
           published boolean, taken_back_by bigint, committed_at timestamptz,
           PRIMARY KEY (project, pipeline, flow, "interval", epoch));
         CREATE SEQUENCE IF NOT EXISTS {};
         COMMIT)",
      LockNumber("records"), Epochs(), Numbers()));
  if (done.ok()) return Ok();
  TRY(connection.Rollback());
  return std::move(done).error().While(fmt::format("creating the epoch records in {}", shown_));
}

// Waits for a commit in the lane that is under way. A server's process that waits for a client that
// is gone is ended: after that its transaction is decided, one way or the other.
Status Records::LockLane(Connection& connection, const Lane& lane, int64_t unsettled) const {
  for (int tried = 0;; ++tried) {
    TRY(connection.Run("BEGIN; SET LOCAL lock_timeout = '5s'"));
    auto locked = Lock(connection, "lane " + lane.Key(), {});
    if (locked.ok()) return Ok();
    TRY(connection.Rollback());
    if (connection.refusal().state != "55P03") return std::move(locked).error();
    if (unsettled == 0 || tried > 2) {
      return TransientError(
          fmt::format("another run commits into the lane '{}' of {} at the same time",
                      EscapeControl(lane.Key()), shown_));
    }
    // Numbers of processes are used again: it is ended only where it holds a lock of ours.
    TRY(
        connection.Run("SELECT pg_terminate_backend(pid) FROM pg_catalog.pg_locks WHERE locktype = "
                       "'advisory' AND granted AND pid = $1",
                       {std::to_string(unsettled)}));
  }
}

Result<std::optional<EpochRecord>> Records::Last(Connection& connection, const Lane& lane,
                                                 int64_t unsettled) const {
  TRY(LockLane(connection, lane, unsettled));
  auto answer = connection.Run(
      fmt::format("SELECT record FROM {} WHERE {} ORDER BY epoch DESC LIMIT 1", Epochs(), kOfLane),
      OfLane(lane));
  TRY(connection.Rollback());
  if (!answer.ok()) return std::move(answer).error();
  if (answer->rows.empty()) return std::optional<EpochRecord>();
  return std::optional<EpochRecord>(
      TRY(ParseEpochRecord(answer->rows[0][0].value_or(""))
              .While(fmt::format("reading the epoch records of {}", shown_))));
}

Result<std::vector<LoadedRange>> Records::Loaded(Connection& connection, const Lane& lane) const {
  const Answer answer = TRY(connection.Run(
      fmt::format("SELECT unnest(identities) AS identity, fingerprint, epoch FROM {} WHERE {} AND "
                  "taken_back_by IS NULL ORDER BY identity, epoch",
                  Epochs(), kOfLane),
      OfLane(lane)));
  std::vector<LoadedRange> loaded;
  for (const auto& row : answer.rows) {
    loaded.push_back({.identity = row[0].value_or(""),
                      .fingerprint = row[1].value_or(""),
                      .epoch = {std::stoll(row[2].value_or("0"))}});
  }
  return loaded;
}

Result<EpochId> Records::Allocate(Connection& connection) const {
  const std::string sequence = QuoteLiteral(Numbers());
  const int64_t number = TRY(QueryNumber(connection, fmt::format("SELECT nextval({})", sequence)));
  const int64_t last = TRY(QueryNumber(connection, "SELECT max(epoch) FROM " + Epochs()));
  if (number > last) return EpochId{number};
  // Numbers that another sink gave out have passed ours: catch up.
  return EpochId{TRY(QueryNumber(
      connection,
      fmt::format("SELECT nextval({0}) FROM (SELECT setval({0}, {1})) AS s", sequence, last)))};
}

Status Records::Insert(Connection& connection, const EpochRecord& record,
                       const std::vector<std::string>& targets, Micros now) const {
  TRY(Lock(connection, "lane " + record.lane.Key(), {}));
  const int64_t fence = TRY(
      QueryNumber(connection, fmt::format("SELECT max(fence) FROM {} WHERE {}", Epochs(), kOfLane),
                  OfLane(record.lane)));
  if (fence > record.fence.value) {
    return RejectedError(fmt::format(
        "committing epoch {}: a later run has taken over this lane in {} (its fence is {}, ours "
        "{}); nothing was written, let that run finish",
        record.epoch.value, shown_, fence, record.fence.value));
  }
  std::vector<Value> values = OfLane(record.lane);
  for (Value value :
       {Value(std::to_string(record.epoch.value)), Value(std::to_string(record.fence.value)),
        Value(std::to_string(record.run.value)), Value(record.fingerprint),
        Value(ArrayText(IdentitiesOf(record))), Value(ArrayText(targets)), Value(Serialise(record)),
        Value(FlagText(record.final)), Value(FlagText(record.published)),
        Value(std::to_string(now.count()))}) {
    values.push_back(std::move(value));
  }
  TRY(connection.Run(
      fmt::format("INSERT INTO {} VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, "
                  "NULL, timestamptz '1970-01-01 00:00:00+00' + $14 * INTERVAL '1 microsecond')",
                  Epochs()),
      values));
  return Ok();
}

Status Records::ForgetStagedAfter(Connection& connection, const Lane& lane, EpochId decided) const {
  TRY(connection.Run(fmt::format("DELETE FROM {} WHERE {} AND NOT published AND epoch > {}",
                                 Epochs(), kOfLane, decided.value),
                     OfLane(lane)));
  return Ok();
}

Result<std::vector<EpochId>> Records::Of(Connection& connection, const Lane& lane,
                                         const std::vector<EpochId>& epochs) const {
  const Answer answer =
      TRY(connection.Run(fmt::format("SELECT epoch FROM {} WHERE {} AND taken_back_by IS NULL AND "
                                     "epoch IN ({}) ORDER BY epoch",
                                     Epochs(), kOfLane, NumberList(epochs)),
                         OfLane(lane)));
  std::vector<EpochId> found;
  for (const auto& row : answer.rows) found.push_back({std::stoll(row[0].value_or("0"))});
  return found;
}

Result<bool> Records::Shared(Connection& connection, const std::vector<EpochId>& epochs) const {
  return TRY(QueryNumber(
             connection,
             fmt::format("SELECT count(*) FROM (SELECT epoch FROM {} WHERE epoch IN ({}) GROUP BY "
                         "epoch HAVING count(*) > 1) AS s",
                         Epochs(), NumberList(epochs)))) > 0;
}

Status Records::MarkTakenBack(Connection& connection, const Lane& lane,
                              const std::vector<EpochId>& epochs, EpochId by) const {
  TRY(connection.Run(fmt::format("UPDATE {} SET taken_back_by = {} WHERE {} AND epoch IN ({})",
                                 Epochs(), by.value, kOfLane, NumberList(epochs)),
                     OfLane(lane)));
  return Ok();
}

}  // namespace sluice::postgres
