// What DuckDB has said of texts by themselves (the tree of an expression, the name of a type), kept
// because it depends on the text alone and the same texts stand in many pipelines and in every run
// of one. Forgets all when full.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/mutex.h"

namespace sluice::sql {

class Answers {  // any thread
 public:
  std::optional<std::string> Find(std::string_view text) const {
    MutexLock lock(mutex_);
    const auto found = answers_.find(text);
    return found == answers_.end() ? std::nullopt : std::optional(found->second);
  }
  void Keep(std::string_view text, const std::string& answer) {
    constexpr size_t kMostBytes = 8 << 20;
    MutexLock lock(mutex_);
    if (bytes_ > kMostBytes) {
      answers_.clear();
      bytes_ = 0;
    }
    bytes_ += text.size() + answer.size();
    answers_.emplace(text, answer);
  }

 private:
  mutable Mutex mutex_;
  size_t bytes_ GUARDED_BY(mutex_) = 0;
  std::map<std::string, std::string, std::less<>> answers_ GUARDED_BY(mutex_);
};

// Of one instance.
struct Known {
  Answers trees, types;
};

}  // namespace sluice::sql
