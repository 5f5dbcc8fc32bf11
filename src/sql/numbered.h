// Objects of ours that a query names by number: DuckDB's functions get numbers, and find here what
// they stand for. A number is never given twice.
#pragma once

#include <cstdint>
#include <map>
#include <memory>

#include "base/mutex.h"

namespace sluice::sql {

template <class Object>
class Numbered {  // any thread
 public:
  int64_t Add(std::shared_ptr<Object> object) EXCLUDES_LOCK(mutex_) {
    MutexLock lock(mutex_);
    objects_.emplace(++last_, std::move(object));
    return last_;
  }
  void Remove(int64_t number) EXCLUDES_LOCK(mutex_) {
    MutexLock lock(mutex_);
    objects_.erase(number);
  }
  // Null where the number stands for nothing (any more).
  std::shared_ptr<Object> Find(int64_t number) const EXCLUDES_LOCK(mutex_) {
    MutexLock lock(mutex_);
    const auto found = objects_.find(number);
    return found == objects_.end() ? nullptr : found->second;
  }

 private:
  mutable Mutex mutex_;
  int64_t last_ GUARDED_BY(mutex_) = 0;
  std::map<int64_t, std::shared_ptr<Object>> objects_ GUARDED_BY(mutex_);
};

}  // namespace sluice::sql
