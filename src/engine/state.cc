// See state.h.
#include "engine/state.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>

#include "base/text.h"
#include "engine/watermark.h"

namespace sluice {

namespace {

// Of a lane in this file. One is undecided at most; the others only tell how it came.
constexpr int kRememberedEpochs = 16;
constexpr uint64_t kSegmentRows =
    1'000'000;  // a segment that is full takes no more, so that it can die

int64_t ToNumber(const sql::Cell& cell) {
  int64_t value = 0;
  if (!cell.null) std::from_chars(cell.text.data(), cell.text.data() + cell.text.size(), value);
  return value;
}

}  // namespace

std::string TimestampLiteral(Micros instant) {
  if (instant == kAllTime) return "TIMESTAMP 'infinity'";
  if (instant == kNoTime) return "TIMESTAMP '-infinity'";
  return fmt::format("make_timestamp({}::BIGINT)", instant.count());
}

std::string StateStore::Name(const std::string& table) const {
  return QuoteIdentifier(alias_) + ".main." + QuoteIdentifier(table);
}

Result<std::unique_ptr<StateStore>> StateStore::Open(sql::Database& database,
                                                     const std::string& path, const Lane& lane,
                                                     const std::string& step) {
  std::string alias =
      TRY(database.Attach(path, "state_" + Fingerprint(path), sql::Access::kReadWrite)
              .While("opening the state file"));
  auto session = TRY(database.Connect());
  std::string key = lane.Key();
  std::unique_ptr<StateStore> store(
      new StateStore(std::move(session), alias, key, "s_" + Fingerprint(key + "/" + step) + "_"));
  TRY(store->Load().While(fmt::format("reading the state file '{}'", path)));
  return store;
}

Status StateStore::Load() {
  TRY(session_->Execute(
      fmt::format("CREATE TABLE IF NOT EXISTS {0} (lane VARCHAR, epoch BIGINT, fired BIGINT, rows "
                  "BIGINT);"
                  "ALTER TABLE {0} ADD COLUMN IF NOT EXISTS rows BIGINT;"
                  "CREATE TABLE IF NOT EXISTS {1} (lane VARCHAR, name VARCHAR, kind INTEGER)",
                  Name("_sluice_epochs"), Name("_sluice_segments"))));
  sql::Bound lane{"lane", "VARCHAR", lane_};
  sql::Rows last = TRY(session_->Query(
      fmt::format("SELECT epoch, rows FROM {} WHERE lane = CAST($lane AS VARCHAR) ORDER BY epoch "
                  "DESC LIMIT 1",
                  Name("_sluice_epochs")),
      {lane}));
  last_ = EpochId{last.rows.empty() ? 0 : ToNumber(last.rows[0][0])};
  left_ = std::nullopt;
  if (!last.rows.empty() && !last.rows[0][1].null)
    left_ = static_cast<uint64_t>(ToNumber(last.rows[0][1]));
  segments_.clear();
  sql::Rows known = TRY(
      session_->Query(fmt::format("SELECT name, kind FROM {} WHERE lane = CAST($lane AS VARCHAR) "
                                  "AND starts_with(name, {}) ORDER BY length(name), name",
                                  Name("_sluice_segments"), QuoteLiteral(prefix_)),
                      {lane}));
  for (const auto& row : known.rows) {
    Segment segment{.table = row[0].text, .kind = static_cast<StateKind>(ToNumber(row[1]))};
    sql::Rows facts = TRY(session_->Query(fmt::format(
        "SELECT count(*), coalesce(max(epoch_us(due)), 0) FROM {}", Name(segment.table))));
    segment.rows = static_cast<uint64_t>(ToNumber(facts.rows[0][0]));
    segment.max_due = Micros(ToNumber(facts.rows[0][1]));
    next_segment_ = std::max(next_segment_, ToNumber({segment.table.substr(prefix_.size())}) + 1);
    segments_.push_back(std::move(segment));
  }
  return Ok();
}

Status StateStore::TakeBack(EpochId decided) {
  if (last_ <= decided) return Ok();
  std::string text = fmt::format("BEGIN; DELETE FROM {} WHERE lane = {} AND epoch > {};",
                                 Name("_sluice_epochs"), QuoteLiteral(lane_), decided.value);
  for (const Segment& segment : segments_)
    text += fmt::format("DELETE FROM {} WHERE _epoch > {};", Name(segment.table), decided.value);
  TRY(session_->Execute(text + "COMMIT").While("taking back state of an undecided epoch"));
  return Load();
}

Status StateStore::Check() const {
  uint64_t rows = 0;
  for (const Segment& segment : segments_) rows += segment.rows;
  if (!left_ || *left_ == rows) return Ok();
  return RejectedError(
      fmt::format("it holds {} rows, but epoch {} left {}: rows were taken out of "
                  "it or put into it by something else",
                  rows, last_.value, *left_));
}

std::string StateStore::Live(StateKind kind, const Schema& columns, Micros fired) const {
  std::string names;
  for (const Column& column : columns)
    names += (names.empty() ? "" : ", ") + QuoteIdentifier(column.name);
  std::string text;
  for (const Segment& segment : segments_) {
    if (segment.kind != kind || segment.rows == 0 || (fired != kNoTime && segment.max_due <= fired))
      continue;
    text += fmt::format("{}SELECT {} FROM {} WHERE due > {}", text.empty() ? "" : " UNION ALL ",
                        names, Name(segment.table), TimestampLiteral(fired));
  }
  return text;
}

Result<std::vector<uint64_t>> StateStore::Hold(EpochId epoch, Micros fired,
                                               const std::vector<Addition>& additions,
                                               std::stop_token stop) {
  std::vector<uint64_t> added;
  std::vector<Segment> segments = segments_;
  int64_t next = next_segment_;
  TRY(session_->Begin());
  auto write = [&]() -> Status {
    for (const Addition& addition : additions) {
      auto open = std::find_if(segments.begin(), segments.end(), [&](const Segment& segment) {
        return segment.kind == addition.kind && segment.rows < kSegmentRows;
      });
      if (open == segments.end()) {
        Segment fresh{.table = fmt::format("{}{}", prefix_, next++), .kind = addition.kind};
        std::string columns = "_epoch BIGINT";
        for (const Column& column : addition.columns)
          columns += ", " + QuoteIdentifier(column.name) + " " + column.type;
        TRY(session_->Execute(
            fmt::format("CREATE TABLE {} ({}); INSERT INTO {} VALUES ({}, {}, {})",
                        Name(fresh.table), columns, Name("_sluice_segments"), QuoteLiteral(lane_),
                        QuoteLiteral(fresh.table), static_cast<int>(fresh.kind))));
        segments.push_back(std::move(fresh));
        open = segments.end() - 1;
      }
      std::string names;
      for (const Column& column : addition.columns) names += ", " + QuoteIdentifier(column.name);
      uint64_t rows = TRY(session_->Execute(
          fmt::format("INSERT INTO {} (_epoch{}) SELECT {}{} FROM ({})", Name(open->table), names,
                      epoch.value, names, addition.select),
          {}, stop));
      if (rows > 0) {
        sql::Rows due = TRY(session_->Query(
            fmt::format("SELECT coalesce(max(epoch_us(due)), 0) FROM ({})", addition.select), {},
            stop));
        open->max_due = std::max(open->max_due, Micros(ToNumber(due.rows[0][0])));
        open->rows += rows;
      }
      added.push_back(rows);
    }
    uint64_t left = 0;
    for (const Segment& segment : segments) left += segment.rows;
    TRY(session_->Execute(fmt::format(
        "INSERT INTO {0} VALUES ({1}, {2}, {3}, {4});"
        "DELETE FROM {0} WHERE lane = {1} AND epoch <= (SELECT epoch FROM {0} WHERE lane = {1} "
        "ORDER BY epoch DESC LIMIT 1 OFFSET {5})",
        Name("_sluice_epochs"), QuoteLiteral(lane_), epoch.value, fired.count(), left,
        kRememberedEpochs)));
    return session_->Commit();
  };
  Status written = write();
  if (!written.ok()) {
    (void)session_->Rollback();
    return std::move(written).error().While("writing the state of an epoch");
  }
  segments_ = std::move(segments);
  next_segment_ = next;
  last_ = epoch;
  return added;
}

Status StateStore::DropDead(Micros fired) {
  std::string text;
  uint64_t dropped = 0;
  std::vector<Segment> alive;
  for (Segment& segment : segments_) {
    bool dead = fired == kAllTime || (segment.rows >= kSegmentRows && segment.max_due <= fired);
    if (!dead) {
      alive.push_back(segment);
      continue;
    }
    dropped += segment.rows;
    text += fmt::format("DROP TABLE IF EXISTS {}; DELETE FROM {} WHERE name = {};",
                        Name(segment.table), Name("_sluice_segments"), QuoteLiteral(segment.table));
  }
  if (text.empty()) return Ok();
  text += fmt::format("UPDATE {} SET rows = rows - {} WHERE lane = {};", Name("_sluice_epochs"),
                      dropped, QuoteLiteral(lane_));
  TRY(session_->Execute("BEGIN;" + text + "COMMIT").While("dropping dead state"));
  segments_ = std::move(alive);
  return Ok();
}

}  // namespace sluice
