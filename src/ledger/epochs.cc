// Progress: intents before, settled records after. The deciding sink holds the truth; this is what
// we remember of it.
#include <fmt/format.h>

#include <array>
#include <vector>

#include "base/text.h"
#include "ledger/lanes.h"
#include "ledger/store.h"

namespace sluice {
namespace {

// A stream settles epochs for ever. What it did long ago stands in its destination's records.
constexpr int64_t kRemembered = 10'000;
constexpr EpochId kNoEnd{INT64_MAX};

// Read again in another epoch, the same record at the same place refused by the same step is the
// same letter: the new one replaces it.
Status ReplaceOlderLetters(sqlite::Connection& connection, int64_t lane, int64_t batch) {
  {
    sqlite::Query others = TRY(connection.Select(
        "SELECT 1 FROM letter_batches WHERE lane = ?1 AND visible = 1 AND id <> ?2 LIMIT 1", lane,
        batch));
    if (!TRY(others.Next())) return Ok();
  }
  return connection.Execute(
      "DELETE FROM letters WHERE origin IN (SELECT l.origin FROM letter_batches AS n JOIN letters "
      "AS l"
      " ON l.id BETWEEN n.first_letter AND n.last_letter WHERE n.id = ?2) AND batch <> ?2"
      " AND EXISTS (SELECT 1 FROM letter_batches AS b WHERE b.id = letters.batch AND b.lane = ?1 "
      "AND b.visible = 1)",
      lane, batch);
}

Status ShowLetters(sqlite::Connection& connection, int64_t lane, EpochId epoch) {
  int64_t batch = 0;
  {
    sqlite::Query held = TRY(connection.Select(
        "SELECT id FROM letter_batches WHERE lane = ?1 AND epoch = ?2 AND visible = 0", lane,
        epoch.value));
    if (!TRY(held.Next())) return Ok();
    batch = held.Int(0);
  }
  TRY(connection.Execute("UPDATE letter_batches SET visible = 1 WHERE id = ?1", batch));
  return ReplaceOlderLetters(connection, lane, batch);
}

Status Settle(sqlite::Connection& connection, const Lane& of, EpochId epoch, RunId run,
              const std::string& decider, const std::string& record) {
  const int64_t lane = TRY(NumberLane(connection, of));
  TRY(
      connection.Execute("INSERT OR REPLACE INTO epochs (lane, epoch, run, decider, record) VALUES "
                         "(?1, ?2, ?3, ?4, ?5)",
                         lane, epoch.value, run.value, decider, record));
  TRY(connection.Execute("DELETE FROM intents WHERE lane = ?1 AND epoch <= ?2", lane, epoch.value));
  TRY(ShowLetters(connection, lane, epoch));
  // Now and then, by a number that no rhythm of lanes can miss.
  if (Hash64(fmt::format("{} {}", lane, epoch.value)) % 64 != 0) return Ok();
  return connection.Execute(
      "DELETE FROM epochs WHERE lane = ?1 AND epoch <="
      " (SELECT epoch FROM epochs WHERE lane = ?1 ORDER BY epoch DESC LIMIT 1 OFFSET ?2)",
      lane, kRemembered);
}

}  // namespace

Result<int64_t> NumberLane(sqlite::Connection& connection, const Lane& lane) {
  const std::string key = lane.Key();
  {
    sqlite::Query known = TRY(connection.Select("SELECT id FROM lanes WHERE key = ?1", key));
    if (TRY(known.Next())) return known.Int(0);
  }
  TRY(connection.Execute(
      "INSERT INTO lanes (key, project, pipeline, flow, interval) VALUES (?1, ?2, ?3, ?4, ?5)", key,
      lane.project, lane.pipeline, lane.flow, lane.interval));
  return connection.LastId();
}

Status RemoveLetters(sqlite::Connection& connection, int64_t lane, EpochId first, EpochId last,
                     Removal removal) {
  std::vector<std::array<int64_t, 3>> batches;
  {
    sqlite::Query rows =
        TRY(connection.Select("SELECT id, first_letter, last_letter FROM letter_batches WHERE lane "
                              "= ?1 AND epoch BETWEEN ?2 AND ?3"
                              " AND (?4 = 0 OR visible = 0)",
                              lane, first.value, last.value, static_cast<int>(removal)));
    while (TRY(rows.Next())) batches.push_back({rows.Int(0), rows.Int(1), rows.Int(2)});
  }
  for (const auto& [batch, from, to] : batches) {
    TRY(connection.Execute("DELETE FROM letters WHERE id BETWEEN ?1 AND ?2", from, to));
    TRY(connection.Execute("DELETE FROM letter_batches WHERE id = ?1", batch));
  }
  return Ok();
}

Status LedgerStore::KeepIntent(const Lane& lane, EpochId epoch,
                               const std::map<std::string, Range>& ranges) {
  const std::string text = Serialise(ranges);
  return writer_.Keep([&](sqlite::Connection& connection) -> Status {
    return connection.Execute(
        "INSERT OR REPLACE INTO intents (lane, epoch, ranges) VALUES (?1, ?2, ?3)",
        TRY(NumberLane(connection, lane)), epoch.value, text);
  });
}

Result<std::optional<std::pair<EpochId, std::map<std::string, Range>>>> LedgerStore::Intent(
    const Lane& lane) {
  using Found = std::optional<std::pair<EpochId, std::map<std::string, Range>>>;
  return Reading([&](sqlite::Connection& connection) -> Result<Found> {
    const std::string key = lane.Key();
    sqlite::Query row = TRY(connection.Select(
        "SELECT epoch, ranges FROM intents WHERE lane = (SELECT id FROM lanes WHERE key = ?1)",
        key));
    if (!TRY(row.Next())) return Found();
    return Found(std::pair(EpochId{row.Int(0)}, TRY(ParseRanges(row.Text(1)))));
  });
}

Status LedgerStore::NoteSettled(const EpochRecord& record, const std::string& decider) {
  writer_.Note([lane = record.lane, epoch = record.epoch, run = record.run, decider,
                text = Serialise(record)](sqlite::Connection& connection) {
    return Settle(connection, lane, epoch, run, decider, text);
  });
  return writer_.NoteStatus();
}

Result<std::optional<EpochRecord>> LedgerStore::Last(const Lane& lane, std::string* decider) {
  using Found = std::optional<EpochRecord>;
  return Reading([&](sqlite::Connection& connection) -> Result<Found> {
    const std::string key = lane.Key();
    sqlite::Query row = TRY(connection.Select(
        "SELECT record, decider FROM epochs WHERE lane = (SELECT id FROM lanes WHERE key = ?1)"
        " ORDER BY epoch DESC LIMIT 1",
        key));
    if (!TRY(row.Next())) return Found();
    if (decider != nullptr) *decider = row.Text(1);
    return Found(TRY(ParseEpochRecord(row.Text(0)).While(fmt::format("ledger '{}'", path_))));
  });
}

Result<std::vector<EpochRecord>> LedgerStore::Epochs(const Lane& lane,
                                                     const std::set<RunId>& runs) {
  return Reading([&](sqlite::Connection& connection) -> Result<std::vector<EpochRecord>> {
    const std::string key = lane.Key();
    std::vector<EpochRecord> records;
    for (const RunId run : runs) {
      sqlite::Query row = TRY(connection.Select(
          "SELECT record FROM epochs WHERE lane = (SELECT id FROM lanes WHERE key = ?1)"
          " AND run = ?2 ORDER BY epoch",
          key, run.value));
      while (TRY(row.Next()))
        records.push_back(
            TRY(ParseEpochRecord(row.Text(0)).While(fmt::format("ledger '{}'", path_))));
    }
    return records;
  });
}

Status LedgerStore::DropHeld(const Lane& lane, EpochId after) {
  const std::string key = lane.Key();
  const bool any = TRY(Reading([&](sqlite::Connection& connection) -> Result<bool> {
    sqlite::Query held =
        TRY(connection.Select("SELECT 1 FROM letter_batches WHERE lane = (SELECT id FROM lanes "
                              "WHERE key = ?1) AND epoch > ?2 AND visible = 0",
                              key, after.value));
    return held.Next();
  }));
  if (!any) return Ok();
  return writer_.Keep([&](sqlite::Connection& connection) -> Status {
    const int64_t number = TRY(NumberLane(connection, lane));
    return RemoveLetters(connection, number, EpochId{after.value + 1}, kNoEnd, Removal::kHeld);
  });
}

Status LedgerStore::KeepResync(const Lane& lane, EpochId epoch) {
  return writer_.Keep([&](sqlite::Connection& connection) -> Status {
    std::vector<int64_t> lanes;
    {
      sqlite::Query rows =
          TRY(connection.Select("SELECT id FROM lanes WHERE project = ?1 AND (?2 = '' OR pipeline "
                                "= ?2) AND (?3 = '' OR flow = ?3)"
                                " AND (?4 = '' OR interval = ?4)",
                                lane.project, lane.pipeline, lane.flow, lane.interval));
      while (TRY(rows.Next())) lanes.push_back(rows.Int(0));
    }
    // The rows of these epochs will be read again, and so will be their letters.
    for (const int64_t number : lanes) {
      TRY(connection.Execute("DELETE FROM epochs WHERE lane = ?1 AND epoch > ?2", number,
                             epoch.value));
      TRY(connection.Execute("DELETE FROM intents WHERE lane = ?1 AND epoch > ?2", number,
                             epoch.value));
      TRY(RemoveLetters(connection, number, EpochId{epoch.value + 1}, kNoEnd, Removal::kAll));
    }
    return Ok();
  });
}

}  // namespace sluice
