// What an epoch reads, and the record that says it happened.
//
// A position is opaque text that only its source reads. `identity` is what two equal readings have
// in common: a file's name, size, times and edges, a table's cursor bounds. A cut without identity
// is a new reading at every run.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/id.h"
#include "base/result.h"

namespace sluice {

struct Cut {
  std::string partition;  // "data/orders.csv", "generator/0", "table"
  std::string from, to;   // half-open, in the source's own words
  std::string identity;   // empty: none

  auto operator<=>(const Cut&) const = default;
};

struct Range {
  std::vector<Cut> cuts;
  bool final = false;  // nothing comes after it

  bool operator==(const Range&) const = default;
};

using Position = std::map<std::string, std::string>;  // partition -> from where to go on

// Epochs are ordered within a lane and nowhere else. `interval` is "start/end" for a run over an
// interval, "stream" else.
struct Lane {
  std::string project, pipeline, flow, interval;

  auto operator<=>(const Lane&) const = default;
  std::string Key() const;  // "project/pipeline/flow/interval", each part escaped
};

// Rows of one step in one epoch or run: in = out + filtered + deduplicated + rejected + late +
// skipped + held, except where the step restarts the equation (aggregate, join, sql, window).
struct Counts {
  uint64_t in = 0, out = 0, filtered = 0, deduplicated = 0, rejected = 0, late = 0, skipped = 0;
  int64_t held = 0;  // rows in the step's state after, less before: 0 over a whole bounded run

  Counts& operator+=(const Counts& other);
  auto operator<=>(const Counts&) const = default;
};
using Books = std::map<std::string, Counts>;  // step -> counts

// What a destination says it did with the rows of one load.
struct Taken {
  uint64_t inserted = 0, updated = 0, unchanged = 0, deleted = 0;
  uint64_t touched = 0;  // not written, for they differ only in what does not count

  Taken& operator+=(const Taken& other);
  auto operator<=>(const Taken&) const = default;
};

// About 300 bytes, written inside the destination's own transaction: if it is there, the epoch
// happened.
struct EpochRecord {
  Lane lane;
  EpochId epoch;
  FenceId fence;
  RunId run;
  std::string fingerprint;                   // of what the load computes, not of the YAML text
  std::map<std::string, Range> ranges;       // extract step -> what it read
  Position position;                         // "step\x1fpartition" -> where the next epoch goes on
  std::map<std::string, Micros> watermarks;  // "step\x1fpartition" -> Wp
  Micros fired{INT64_MIN};                   // windows that end at or before this have been emitted
  Books books;                               // of all epochs since the last one that published
  std::map<std::string, Taken> taken;        // load step -> what was done; of those that publish
  bool final = false;                        // the flow has read all there is to read in this lane
  bool published = true;  // false: rows are in staging, waiting for the run's end
};

// JSON in one line; Parse refuses what it does not know.
std::string Serialise(const EpochRecord& record);
Result<EpochRecord> ParseEpochRecord(std::string_view text);
std::string Serialise(const std::map<std::string, Range>& ranges);
Result<std::map<std::string, Range>> ParseRanges(std::string_view text);

}  // namespace sluice
