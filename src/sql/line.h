// A connection to DuckDB with the statements that were prepared on it, and the place where those
// wait that nobody uses.
//
// Invariant: an idle line is as new: no transaction, no temporary table, no setting of its own. A
// session that may have left one of these does not give its line back.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "sql/given.h"
#include "sql/handle.h"

namespace sluice::sql {

struct Line {
  ConnectionHandle connection;
  std::unique_ptr<GivenOfLine> given = {};                        // null: not needed yet
  std::map<std::string, StatementHandle, std::less<>> kept = {};  // by their text
  std::set<std::string, std::less<>> keywords = {};               // empty: not asked yet
};

class IdleLines {  // any thread
 public:
  std::optional<Line> Take() {
    MutexLock lock(mutex_);
    if (lines_.empty()) return std::nullopt;
    std::optional<Line> line = std::move(lines_.back());
    lines_.pop_back();
    return line;
  }
  void Give(Line line) {
    constexpr size_t kMost = 16;
    MutexLock lock(mutex_);
    if (lines_.size() < kMost) lines_.push_back(std::move(line));
  }
  // Before a file is closed that their statements may name.
  void Clear() {
    MutexLock lock(mutex_);
    lines_.clear();
  }

 private:
  Mutex mutex_;
  std::vector<Line> lines_ GUARDED_BY(mutex_);
};

}  // namespace sluice::sql
