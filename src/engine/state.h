// The keyed state of one lane: insert-only rows tagged with their epoch, in the pipeline's own
// DuckDB file, so that an epoch can be taken back by one DELETE. Rows lie in segments, tables that
// are dropped whole once every row in them is dead (its `due` has been fired and decided); nothing
// else is ever removed.
//
// Transactions: Hold is one, committed before the decider's; TakeBack and DropDead are their own
// and repeatable.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/id.h"
#include "base/result.h"
#include "data/range.h"
#include "data/schema.h"
#include "sql/database.h"

namespace sluice {

std::string TimestampLiteral(Micros instant);  // kNoTime and kAllTime become the infinities

enum class StateKind : uint8_t { kPending, kKept };

class StateStore {  // the driver's thread
 public:
  // Attaches (and creates) the file; `step` names the keyed step.
  static Result<std::unique_ptr<StateStore>> Open(sql::Database& database, const std::string& path,
                                                  const Lane& lane, const std::string& step);

  EpochId last() const { return last_; }
  Status TakeBack(EpochId decided);
  // Whether every row that the last epoch left is there, and no other.
  Status Check() const;
  // A SELECT of `columns` over all rows of that kind with fired < due; empty where there are none.
  std::string Live(StateKind kind, const Schema& columns, Micros fired) const;

  struct Addition {
    StateKind kind;
    Schema columns;      // `due` is one of them
    std::string select;  // its rows
  };
  // Everything that epoch leaves, in one durable transaction; with nothing to add only the epoch's
  // own mark. Returns rows added per addition.
  Result<std::vector<uint64_t>> Hold(EpochId epoch, Micros fired,
                                     const std::vector<Addition>& additions, std::stop_token stop);
  Status DropDead(Micros fired);

 private:
  struct Segment {
    std::string table;
    StateKind kind;
    uint64_t rows = 0;
    Micros max_due{0};
  };
  StateStore(std::unique_ptr<sql::Session> session, std::string alias, std::string lane,
             std::string prefix)
      : session_(std::move(session)),
        alias_(std::move(alias)),
        lane_(std::move(lane)),
        prefix_(std::move(prefix)) {}
  Status Load();
  std::string Name(const std::string& table) const;

  std::unique_ptr<sql::Session> session_;
  std::string alias_, lane_, prefix_;
  std::vector<Segment> segments_;
  EpochId last_;
  std::optional<uint64_t> left_;  // rows in all segments after it; unknown in files of old
  int64_t next_segment_ = 1;
};

}  // namespace sluice
