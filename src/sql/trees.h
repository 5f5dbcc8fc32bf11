// Trees that DuckDB's parser has made of texts, kept because a tree depends on its text alone and
// the same expressions stand in many pipelines and in every run of one. Forgets all when full.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/mutex.h"

namespace sluice::sql {

class Trees {  // any thread
 public:
  std::optional<std::string> Find(std::string_view text) const {
    MutexLock lock(mutex_);
    const auto found = trees_.find(text);
    return found == trees_.end() ? std::nullopt : std::optional(found->second);
  }
  void Keep(std::string_view text, const std::string& tree) {
    constexpr size_t kMostBytes = 8 << 20;
    MutexLock lock(mutex_);
    if (bytes_ > kMostBytes) {
      trees_.clear();
      bytes_ = 0;
    }
    bytes_ += text.size() + tree.size();
    trees_.emplace(text, tree);
  }

 private:
  mutable Mutex mutex_;
  size_t bytes_ GUARDED_BY(mutex_) = 0;
  std::map<std::string, std::string, std::less<>> trees_ GUARDED_BY(mutex_);
};

}  // namespace sluice::sql
