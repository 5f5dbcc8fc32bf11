// Exact counts inside a query that the optimiser is free to rearrange (guides: counting rows per
// step in one query).
//
//   SELECT … FROM scan WHERE sluice_keep(7, CASE WHEN cond THEN 0 ELSE 1 END)
//
// A tap's number is its first argument, the row's fate the second: 0 lives, k > 0 leaves the query
// as fate k. Both functions are volatile, so DuckDB neither folds nor moves them across a LIMIT.
// `sluice_divert(tap, fate, source partition, offset, message, row)` also hands the row to us where
// `row` is not null. Counts and rows are held per attempt, never transactional.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/mutex.h"

namespace sluice::sql {

inline constexpr int kMaxFates = 64;

struct Diverted {
  int fate = 0;
  std::string partition;
  int64_t offset = -1;
  std::string message;
  std::string row;  // JSON
};

class Tap {  // any thread
 public:
  virtual ~Tap() = default;
  virtual int64_t number() const = 0;
  virtual uint64_t Count(int fate) const = 0;  // rows seen with that fate
  virtual uint64_t Total() const = 0;
  virtual std::vector<Diverted> TakeDiverted() = 0;
};

class Taps {  // any thread
 public:
  virtual ~Taps() = default;
  // Lives until the pointer is dropped, which must be after the queries that name it.
  // `divert_limit_bytes` bounds what is held: past it the query fails ("more than … of rejected
  // rows in one epoch").
  virtual std::unique_ptr<Tap> Add(uint64_t divert_limit_bytes) = 0;
};

}  // namespace sluice::sql
