// Where data enters. The engine's driver is the only caller, on one thread; feeds run beside it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "connector/pushdown.h"
#include "data/block.h"
#include "data/range.h"
#include "data/schema.h"
#include "sql/database.h"
#include "sql/scan.h"

namespace sluice {

// What reading a range again gives. It decides: redo freely | redo by key only | spool to disk
// first.
enum class Replay : uint8_t { kSameRows, kSameKeys, kNone };

struct SourceShape {
  Schema schema;   // visible columns
  Schema guessed;  // the columns whose types were inferred, to be pinned; empty: all were declared
                   // or are the system's own
  Replay replay = Replay::kSameRows;
  bool endless = false;
  bool ordered = false;  // rows have a partition and an offset (needed for event_time)
  bool named = false;    // rows come with kPartitionColumn alone, because the request asked for it
  std::optional<Pushdown> pushdown;  // what of a filter the request's `condition` may hold
  std::string describe;              // for `plan`: "3 files, csv, 1.1 GB"
  // What each visible column is in the blocks of the source's scan, in words that its sinks know
  // ("postgres:int8"); empty: its blocks are for its own decoders only.
  std::vector<std::string> wire = {};
};

// How far a source has come, in bytes as they lie there: of a packed file those that are packed.
struct SourceProgress {
  uint64_t read = 0;
  uint64_t known = 0;  // of all that this run reads; 0: nobody knows
};

struct Limits {  // 0: no limit
  uint64_t rows = 0, bytes = 0;
  Micros linger{0};  // endless sources wait at most that long for more once something is there
};

// How DuckDB reads the range: as SQL of its own (`from` is what follows FROM), or by our decoders
// (`scan`). One or the other.
struct Opened {
  std::string from;
  std::vector<sql::Bound> bound;
  std::optional<uint64_t>
      rows_known;  // how many rows the range holds, from the system's own count (Parquet footer)
  std::shared_ptr<sql::Scan>
      scan;  // schema, decoder, feed set; the caller sets reject, event_time and stop
  // Records that could not become rows, asked for on the same session after the query and before
  // its transaction ends (CSV rejects).
  std::function<Result<std::vector<Letter>>(sql::Session&)> rejects;
};

class Source {
 public:
  virtual ~Source() = default;
  // Plan time too; no side effect.
  virtual Result<SourceShape> Describe(sql::Session& session, std::stop_token stop) = 0;
  // Fixes the next range after `from`, at most `limits`; the rows in it never change afterwards as
  // far as Replay says. nullopt: nothing there (bounded: ended; endless: nothing new within the
  // linger). Killed: as if never called.
  virtual Result<std::optional<Range>> Freeze(const Position& from, const Limits& limits,
                                              std::stop_token stop) = 0;
  // Where the next range starts once this one is decided.
  virtual Position After(const Position& from, const Range& range) const = 0;
  // What of a position a record must hold: without what `loaded` identities say anyway. Resume puts
  // that back, so that a record does not grow with all that was ever read.
  virtual Position Kept(const Position& position) const { return position; }
  virtual Result<Position> Resume(Position kept, const std::set<std::string>& /*loaded*/) {
    return kept;
  }
  // The partitions that have rows after `position`, of a source with order and an end: until each
  // of them has shown its first row event time stands still, because a row that is on time in its
  // own partition is never late.
  virtual std::vector<std::string> Unfinished(const Position& /*position*/) const { return {}; }
  // Ready to be read; again after a crash, with an old range. `columns`: the visible columns that
  // are needed (empty: all).
  virtual Result<Opened> Open(const Range& range, sql::Session& session, std::stop_token stop) = 0;
  // After reading, before the decision: is the source still as it was frozen? kRejected where not
  // ("orders.csv changed while it was read").
  virtual Status Verify(const Range&) { return Ok(); }
  // Fills `line` and, where it is empty, `original` of letters that only have a partition and an
  // offset.
  virtual Status Locate(std::vector<Letter>&) { return Ok(); }
  // Since it was opened, by ranges that were opened. `share`: how far the query that reads the
  // range has come as DuckDB knows it, below 0: it does not. Any thread.
  virtual SourceProgress ReadSoFar(double /*share*/) const { return {}; }
  // After the decision; a hint, may be lost.
  virtual Status Release(const Range&) { return Ok(); }
};

}  // namespace sluice
