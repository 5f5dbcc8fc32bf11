// How many do something at once; the others wait, first come first served. A slot that is given
// back may rest in proportion to how long it was had: then all of them together take no more than a
// share of the time, however many wait.
#pragma once

#include <chrono>

#include <cstdint>
#include <set>
#include <stop_token>
#include <utility>

#include "base/mutex.h"
#include "base/result.h"

namespace sluice::server {

class Slots {  // any thread; outlives what it gives out
 public:
  using Steady = std::chrono::steady_clock;

  // One slot, until destroyed.
  class Hold {
   public:
    Hold() = default;
    explicit Hold(Slots& slots) : slots_(&slots), since_(Steady::now()) {}
    Hold(Hold&& other) noexcept
        : slots_(std::exchange(other.slots_, nullptr)), since_(other.since_) {}
    Hold& operator=(Hold&& other) noexcept {
      std::swap(slots_, other.slots_);
      std::swap(since_, other.since_);
      return *this;
    }
    ~Hold() {
      if (slots_ != nullptr) slots_->GiveBack(Steady::now() - since_);
    }
    explicit operator bool() const { return slots_ != nullptr; }

   private:
    Slots* slots_ = nullptr;
    Steady::time_point since_ = {};
  };

  // A slot rests `rest` times as long as it was had, but not more than `most_rest`.
  explicit Slots(int many, int rest = 0, Steady::duration most_rest = {});
  // kCancelled by `stop`.
  Result<Hold> Take(std::stop_token stop) EXCLUDES_LOCK(mutex_);

 private:
  void GiveBack(Steady::duration had) EXCLUDES_LOCK(mutex_);

  const int rest_;
  const Steady::duration most_rest_;
  Mutex mutex_;
  Condition changed_;
  std::multiset<Steady::time_point> free_ GUARDED_BY(mutex_);  // since or from when
  std::set<uint64_t> waiting_ GUARDED_BY(mutex_);              // tickets: the lowest is next
  uint64_t next_ GUARDED_BY(mutex_) = 0;
};

}  // namespace sluice::server
