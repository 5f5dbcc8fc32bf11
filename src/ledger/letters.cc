// Dead letters: held in a batch per (lane, epoch), read by people once the epoch is decided.
#include <fmt/format.h>

#include <map>

#include "base/text.h"
#include "ledger/lanes.h"
#include "ledger/store.h"

namespace sluice {
namespace {

constexpr size_t kMostBytes = 1 << 20;  // of one record; the whole size is stored beside it

constexpr std::string_view kColumns =
    "SELECT l.id, b.run, n.project, n.pipeline, n.flow, n.interval, b.epoch, b.at, b.revision, "
    "l.source, l.partition,"
    " l.offset, l.line, l.step, l.code, l.message, l.original"
    " FROM letters AS l JOIN letter_batches AS b ON b.id = l.batch JOIN lanes AS n ON n.id = "
    "b.lane";
// CROSS JOIN fixes the order: from the newest letter back, or (of a run) from its batches.
constexpr std::string_view kAny =
    " FROM letters AS l CROSS JOIN letter_batches AS b ON b.id = l.batch CROSS JOIN lanes AS n ON "
    "n.id = b.lane";
constexpr std::string_view kOfRun =
    " FROM letter_batches AS b CROSS JOIN letters AS l ON l.id BETWEEN b.first_letter AND "
    "b.last_letter CROSS JOIN lanes AS n ON n.id = b.lane";
constexpr std::string_view kChosen =
    " WHERE b.visible = 1 AND (?1 = '' OR n.pipeline = ?1) AND (?2 = '' OR l.step = ?2) AND (?3 = "
    "'' OR l.code = ?3)"
    " AND (?4 = 0 OR b.run = ?4)";

std::string From(const LetterFilter& filter) {
  // For a run the condition must be plain, or its index is not used.
  return fmt::format("{}{}{}", filter.run ? kOfRun : kAny, kChosen,
                     filter.run ? " AND b.run = ?4" : "");
}

// Where the place of a record is unknown, equal records are told apart by their order.
class Origins {
 public:
  int64_t Of(const Letter& letter) {
    uint64_t hash = Hash64(letter.step);
    for (const std::string* part :
         {&letter.source, &letter.partition, &letter.code, &letter.original}) {
      hash = Hash64(*part, Hash64("\x1f", hash));
    }
    hash = Hash64(std::to_string(letter.offset), Hash64("\x1f", hash));
    if (letter.offset < 0) hash = Hash64(std::to_string(equal_[hash]++), hash);
    return static_cast<int64_t>(hash);
  }

 private:
  std::map<uint64_t, uint64_t> equal_;
};

Status Insert(sqlite::Connection& connection, int64_t batch, int64_t origin, const Letter& letter) {
  const bool cut = letter.original.size() > kMostBytes;
  const std::string message =
      cut ? fmt::format("{} (the record has {}, the first {} are kept)", letter.message,
                        FormatBytes(letter.original.size()), FormatBytes(kMostBytes))
          : std::string();
  return connection.Execute(
      "INSERT INTO letters (batch, origin, source, partition, offset, line, step, code, size, "
      "message, original)"
      " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
      batch, origin, letter.source, letter.partition, letter.offset, letter.line, letter.step,
      letter.code, letter.original.size(), cut ? message : letter.message,
      sqlite::Blob{std::string_view(letter.original).substr(0, kMostBytes)});
}

LetterRow LetterFrom(const sqlite::Query& row) {
  return {.id = row.Int(0),
          .run = RunId{row.Int(1)},
          .lane = {row.Text(2), row.Text(3), row.Text(4), row.Text(5)},
          .epoch = EpochId{row.Int(6)},
          .at = Micros{row.Int(7)},
          .revision = row.Text(8),
          .letter = {row.Text(9), row.Text(10), row.Int(11), row.Int(12), row.Text(13),
                     row.Text(14), row.Text(15), row.Text(16)}};
}

}  // namespace

Status LedgerStore::HoldLetters(const Lane& lane, EpochId epoch, RunId run,
                                const std::string& revision, Micros at,
                                const std::vector<Letter>& letters) {
  if (letters.empty()) {  // nearly every epoch: nothing to write unless something is there
    const std::string key = lane.Key();
    const bool any = TRY(Reading([&](sqlite::Connection& connection) -> Result<bool> {
      sqlite::Query held =
          TRY(connection.Select("SELECT 1 FROM letter_batches WHERE lane = (SELECT id FROM lanes "
                                "WHERE key = ?1) AND epoch = ?2",
                                key, epoch.value));
      return held.Next();
    }));
    if (!any) return Ok();
  }
  return writer_.Keep([&](sqlite::Connection& connection) -> Status {
    const int64_t number = TRY(NumberLane(connection, lane));
    TRY(RemoveLetters(connection, number, epoch, epoch, Removal::kAll));
    if (letters.empty()) return Ok();
    TRY(
        connection.Execute("INSERT INTO letter_batches (lane, epoch, visible, run, revision, at)"
                           " VALUES (?1, ?2, 0, ?3, ?4, ?5)",
                           number, epoch.value, run.value, revision, at.count()));
    const int64_t batch = connection.LastId();
    Origins origins;
    int64_t first = 0;
    for (const Letter& letter : letters) {
      TRY(Insert(connection, batch, origins.Of(letter), letter));
      if (first == 0) first = connection.LastId();
    }
    return connection.Execute(
        "UPDATE letter_batches SET first_letter = ?2, last_letter = ?3 WHERE id = ?1", batch, first,
        connection.LastId());
  });
}

Result<std::vector<LetterRow>> LedgerStore::Letters(const LetterFilter& filter) {
  return Reading([&](sqlite::Connection& connection) -> Result<std::vector<LetterRow>> {
    // Numbers first: sorting whole letters would carry their bytes along.
    const std::string sql = fmt::format(
        "{} WHERE l.id IN (SELECT l.id{} ORDER BY l.id DESC LIMIT ?5) ORDER BY l.id DESC", kColumns,
        From(filter));
    sqlite::Query rows = TRY(connection.Select(sql, filter.pipeline, filter.step, filter.code,
                                               filter.run.value, filter.limit));
    std::vector<LetterRow> letters;
    while (TRY(rows.Next())) letters.push_back(LetterFrom(rows));
    return letters;
  });
}

Result<std::optional<LetterRow>> LedgerStore::FindLetter(int64_t id) {
  return Reading([&](sqlite::Connection& connection) -> Result<std::optional<LetterRow>> {
    sqlite::Query row =
        TRY(connection.Select(fmt::format("{} WHERE l.id = ?1 AND b.visible = 1", kColumns), id));
    if (!TRY(row.Next())) return std::optional<LetterRow>();
    return std::optional<LetterRow>(LetterFrom(row));
  });
}

Result<uint64_t> LedgerStore::CountLetters(const LetterFilter& filter) {
  return Reading([&](sqlite::Connection& connection) -> Result<uint64_t> {
    sqlite::Query row =
        TRY(connection.Select(fmt::format("SELECT count(*){}", From(filter)), filter.pipeline,
                              filter.step, filter.code, filter.run.value));
    (void)TRY(row.Next());
    return static_cast<uint64_t>(row.Int(0));
  });
}

}  // namespace sluice
