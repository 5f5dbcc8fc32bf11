// How many do something at once; the rest wait, first come first served.
#pragma once

#include <cstdint>
#include <set>
#include <stop_token>
#include <utility>

#include "base/mutex.h"
#include "base/result.h"

namespace sluice::server {

class Slots {  // any thread; outlives what it gives out
 public:
  // One slot, until destroyed.
  class Hold {
   public:
    Hold() = default;
    explicit Hold(Slots& slots) : slots_(&slots) {}
    Hold(Hold&& other) noexcept : slots_(std::exchange(other.slots_, nullptr)) {}
    Hold& operator=(Hold&& other) noexcept {
      std::swap(slots_, other.slots_);
      return *this;
    }
    ~Hold() {
      if (slots_ != nullptr) slots_->GiveBack();
    }
    explicit operator bool() const { return slots_ != nullptr; }

   private:
    Slots* slots_ = nullptr;
  };

  explicit Slots(int many) : free_(many) {}
  // kCancelled by `stop`.
  Result<Hold> Take(std::stop_token stop) EXCLUDES_LOCK(mutex_);

 private:
  void GiveBack() EXCLUDES_LOCK(mutex_);

  Mutex mutex_;
  Condition changed_;
  int free_ GUARDED_BY(mutex_);
  std::set<uint64_t> waiting_ GUARDED_BY(mutex_);  // tickets: the lowest is next
  uint64_t next_ GUARDED_BY(mutex_) = 0;
};

}  // namespace sluice::server
